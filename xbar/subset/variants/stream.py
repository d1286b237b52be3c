"""Batches that do not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from numpy.typing import ArrayLike

from xbar.subset.problem import SubsetSolution
from xbar.subset.solver import solve_subset


def solve_stream(
    chunks: Iterable[tuple[ArrayLike, ArrayLike]],
    method: str = "auto",
    tolerance: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Iterator[SubsetSolution]:
    """Solve a stream of batches, one at a time.

    Only the current chunk and its solution are in memory, so memory does not grow; a
    chunk of a hundred thousand problems or more keeps all threads busy. Chunks may be slices of a
    memory-mapped array, and the caller keeps of each solution what it needs, for example the
    masks packed by ``numpy.packbits``.

    Args:
        chunks: iterable of banks (..., K) and targets (...) as for `solve_subset`, consumed
            lazily.
        method: solver, as for `solve_subset`.
        tolerance: sufficient |residual|, as for `solve_subset`.
        progress: callback, called after each chunk with the number of problems solved so far.

    Yields:
        The solution of each chunk, in order.

    Raises:
        SpecError: as for `solve_subset`, when the chunk is reached.

    >>> import numpy as np
    >>> banks = np.random.default_rng(0).random((10, 1000, 12))
    >>> masks = [s.mask for s in solve_stream((bank, 3.0) for bank in banks)]
    >>> len(masks), masks[0].shape
    (10, (1000, 12))
    """
    done = 0
    for bank, target in chunks:
        solution = solve_subset(bank, target, method, tolerance)
        done += solution.mask[..., 0].size
        if progress is not None:
            progress(done)
        yield solution
        del bank, target, solution  # before the next chunk is drawn
