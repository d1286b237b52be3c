"""Products of matrices whose bytes do not depend on the number of threads.

A BLAS cuts a product as it has threads, and where it cuts, sums are added in another order or by
another loop: the last digits of a result differ between one thread and two. So here a BLAS has one
thread, large products are cut by their shape alone, and the pieces are spread over as many threads
as the BLAS had. Its own threads also wait for each other in loops, next to PyTorch's, which do the
same: on a machine with other work a 256 x 256 transfer matrix then takes ten times as long.

Shapes: G groups, N vectors, R inputs, C outputs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.parallel import cpus, in_threads

Piece: TypeAlias = tuple[slice, slice, slice]
"""Groups, vectors and outputs of a part of a product."""

LARGE = 1 << 27
"""Terms of the smallest product that is cut: a few ms, where a thread takes 0.1 ms to start."""
PIECE = 1 << 26
"""Terms of a piece, at least."""
_MOST = 32
"""Pieces of a matrix, at most."""
_CUTS = (2, 1024), (1, 256), (2, 384)
"""Axis and the least size of a piece: there a BLAS loses a twentieth, with smaller ones a fifth."""
_UNIT = 64
"""A piece's size is a multiple of this, which no loop of a BLAS has to round up."""
_MAKING = threading.Lock()  # ``cache`` alone would let two threads make a limit each


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which this process's BLAS uses one thread; also a decorator.

    The limit holds for the whole process, so threads that are inside at the same time share it: the
    first one sets it and the last one restores what was before. Were it restored earlier, the
    others' factorisations would go on with another number of threads, and other last bits.
    Libraries whose limit holds for one thread (those built with OpenMP) get it in each.
    """
    limit = _known_limit()
    own = limit.enter()
    try:
        yield
    finally:
        limit.leave(own)


def multiply(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """The product (N, C) of matrices (N, R) and (R, C), or (G, N, C) of G of each.

    The same bytes for any number of threads. They are at most those of this process's CPUs, and
    as many as the BLAS may use (``OPENBLAS_NUM_THREADS``, threadpoolctl).
    """
    shape = (*left.shape[:-1], right.shape[-1])
    with one_blas_thread():
        pieces = _pieces((1, 1, *shape)[-3:], left.shape[-1])
        if len(pieces) == 1:
            return np.asarray(left @ right)
        found = np.empty(shape, np.result_type(left, right))
        lefts, rights, founds = (
            each[None] if each.ndim == 2 else each for each in (left, right, found)
        )

        def work(piece: Piece) -> None:
            group, rows, columns = piece
            with one_blas_thread():
                out = founds[group, rows, columns]
                np.matmul(lefts[group, rows], rights[group, :, columns], out=out)

        in_threads(work, pieces, min(cpus(), _known_limit().before))
    return found


def _pieces(shape: tuple[int, ...], inputs: int) -> list[Piece]:
    """The parts of a product (G, N, C) that sums over so many inputs."""
    groups, *sides = shape
    every, each = slice(None), prod(sides) * inputs
    if groups * each < LARGE:
        return [(every, every, every)]
    if each < LARGE:
        return [(part, every, every) for part in _cut(groups, -(-PIECE // max(each, 1)))]
    for axis, least in _CUTS:
        total = shape[axis]
        if total >= 2 * least:
            parts = _cut(total, max(least, total * PIECE // each, total // _MOST), _UNIT)
            break
    else:
        axis, parts = 1, [every]
    one = [slice(group, group + 1) for group in range(groups)]
    return [
        (group, part, every) if axis == 1 else (group, every, part)
        for group in one
        for part in parts
    ]


def _cut(total: int, size: int, unit: int = 1) -> list[slice]:
    """Slices of nearly the same size, at least ``size`` but for the last, multiples of a unit."""
    count = max(total // size, 1)
    step = -(-total // (count * unit)) * unit
    return [slice(start, min(start + step, total)) for start in range(0, total, step)]


@dataclass(eq=False)
class _Limit:
    """A limit of one thread on the loaded BLAS libraries, shared by all who need it.

    Attributes:
        shared: libraries whose number of threads is the process's.
        own: libraries where each thread has a number of its own.
        before: most threads that a library had when the limit was set.
    """

    shared: tuple[Any, ...]
    own: tuple[Any, ...]
    before: int = 1
    _inside: int = 0
    _counts: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> list[int]:
        """Set the limit; returns what ``leave`` needs: the threads of this thread's libraries."""
        with self._lock:
            own = _counts(self.own)
            if not self._inside:
                self._counts = _counts(self.shared)
                self.before = max([*self._counts, *own, 1])
                self._set(self.shared, [1] * len(self.shared), self._counts)
            self._set(self.own, [1] * len(self.own), own)
            self._inside += 1
        return own

    def leave(self, own: list[int]) -> None:
        with self._lock:
            self._inside -= 1
            self._set(self.own, own, [1] * len(own))
            if not self._inside:
                self._set(self.shared, self._counts, [1] * len(self.shared))

    def _set(self, libraries: tuple[Any, ...], counts: list[int], now: list[int]) -> None:
        """Set numbers of threads where they are others."""
        for library, count, old in zip(libraries, counts, now, strict=True):
            if count != old:
                _let_any_thread_set(library)
                library.set_num_threads(count)
                _let_any_thread_set(library)


def _counts(libraries: tuple[Any, ...]) -> list[int]:
    return [library.get_num_threads() or 1 for library in libraries]


def _let_any_thread_set(library: Any) -> None:
    """Undo what threadpoolctl 3.8 and newer do: only the thread that set a limit may change it.

    The first thread to come in need not be the last one to leave.
    """
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


def _known_limit() -> _Limit:
    with _MAKING:
        return _limit()


@cache
def _limit() -> _Limit:
    """The limit on the loaded BLAS libraries, including scipy's."""
    import scipy.linalg.blas  # noqa: F401 - loads its BLAS
    from threadpoolctl import ThreadpoolController

    every = [each for each in ThreadpoolController().lib_controllers if each.user_api == "blas"]
    own = [each for each in every if _of_each_thread(each)]
    return _Limit(tuple(each for each in every if each not in own), tuple(own))


def _of_each_thread(library: Any) -> bool:
    """Whether a library's limit holds for the thread that sets it."""
    return library.internal_api == "mkl" or getattr(library, "threading_layer", "") == "openmp"
