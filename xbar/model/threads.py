"""PyTorch on one thread, so that results do not depend on how many there are.

PyTorch cuts an operation as it has threads, and computes what is left over at the end of a part by
another formula: the last digits of sigmoid, SiLU or a sum of 100,000 numbers differ between one
thread and two. Importing this module imports PyTorch: import it inside functions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()
_before: list[int] = []
"""Threads before, once for each who is inside: a new thread starts with what another has set."""


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Context in which PyTorch computes in the calling thread only; also a decorator."""
    with _LOCK:
        _before.append(_before[0] if _before else torch.get_num_threads())
        before = _before[-1]
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            _before.pop()
            torch.set_num_threads(before)
