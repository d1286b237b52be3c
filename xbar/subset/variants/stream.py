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
    """Solves one batch after the other as they come.

    Only the present chunk and its solution are held, so memory does not grow with the stream; a
    chunk of a hundred thousand problems or more keeps all threads busy. Chunks may be slices of a
    memory-mapped array, and the caller keeps of each solution what it needs, for example the
    masks packed by ``numpy.packbits``.

    Args:
        chunks: banks (..., K) and targets (...) as `solve_subset` takes them, drawn when needed.
        method: as for `solve_subset`.
        tolerance: likewise.
        progress: called after each chunk with the number of problems solved so far.

    Yields:
        The solution of each chunk, in order.

    Raises:
        SpecError: as `solve_subset`, when the chunk's turn comes.

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
