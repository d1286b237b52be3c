"""Threads over the chunks of a batch, progress, and arrays for compiled kernels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

_Chunk = TypeVar("_Chunk")
_Array = TypeVar("_Array", bound=NDArray[Any])
_alone: ContextVar[bool] = ContextVar("one_thread", default=False)
_LINE = 8  # int64 words of a cache line

Progress: TypeAlias = Callable[[int, int], None]
"""Function called with the number done and the total."""


def cpus() -> int:
    """Number of threads for a batch: one per CPU of this process, see `one_thread`."""
    if _alone.get():
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Run batches of this thread without other threads until the block ends."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def in_threads(work: Callable[[_Chunk], None], chunks: Sequence[_Chunk], threads: int) -> None:
    """Process all chunks; each thread takes the next one when free.

    Kernels release the interpreter lock, so threads run them in parallel.
    """
    if min(threads, len(chunks)) <= 1:
        for chunk in chunks:
            work(chunk)
        return
    with ThreadPoolExecutor(min(threads, len(chunks))) as pool:
        for _ in pool.map(work, chunks):
            pass


def writeable(array: _Array) -> _Array:
    """The array, or a copy if read-only: numba would compile for it separately."""
    return array if array.flags.writeable else array.copy()


def aligned(words: int) -> NDArray[np.int64]:
    """Scratch of a number of int64 words, aligned to a cache line."""
    raw = np.empty(words + _LINE, np.int64)
    skip = -(raw.ctypes.data // 8) % _LINE
    return raw[skip : skip + words]
