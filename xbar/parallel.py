"""Threads over the blocks of a batch, their progress, and arrays as compiled kernels want them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

_Part = TypeVar("_Part")
_Array = TypeVar("_Array", bound=NDArray[Any])
_alone: ContextVar[bool] = ContextVar("one_thread", default=False)
_LINE = 8  # int64 words of a cache line

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


def cpus() -> int:
    """How many threads a batch may use: as many as this process has CPUs, see `one_thread`."""
    if _alone.get():
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Batches of this thread use no others until the block ends."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def in_threads(work: Callable[[_Part], None], parts: Sequence[_Part], threads: int) -> None:
    """Does the work for every part; whoever is free takes the next one.

    Kernels release the interpreter lock, so threads run them side by side.
    """
    if min(threads, len(parts)) <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        for _ in pool.map(work, parts):
            pass


def writeable(array: _Array) -> _Array:
    """The array or a copy: read-only arrays are another type to numba and compile anew."""
    return array if array.flags.writeable else array.copy()


def aligned(words: int) -> NDArray[np.int64]:
    """Scratch of that many int64 words which begins at a cache line."""
    raw = np.empty(words + _LINE, np.int64)
    skip = -(raw.ctypes.data // 8) % _LINE
    return raw[skip : skip + words]
