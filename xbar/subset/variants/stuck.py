"""Banks with stuck-open or stuck-closed resistors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.subset.problem import SubsetSolution, broadcast, check_bank
from xbar.subset.solver import solve_subset
from xbar.subset.variants.common import batched, check_stuck, rounding_of, sums_of

_NAME = "solve_with_stuck"
_ANY_LENGTH = 1 << 30  # the method itself rejects banks that are too large


def solve_with_stuck(
    bank: ArrayLike,
    target: ArrayLike,
    stuck: ArrayLike,
    method: str = "auto",
    tolerance: float = 0.0,
) -> SubsetSolution:
    """Choose among the working resistors, with the stuck ones fixed.

    A resistor stuck closed reduces the target of the others, one stuck open is excluded; the rest
    is an ordinary subset problem, as fast as `solve_subset`.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        stuck: broadcast against the bank: -1 stuck open, 0 working, +1 stuck closed.
        method: solver, as for `xbar.subset.solve_subset`.
        tolerance: sufficient |residual|, as for `xbar.subset.solve_subset`.

    Returns:
        The solution; its mask includes the stuck elements. Its bound allows for twice the rounding
        of `SubsetSolution`, as the target is shifted first.

    Raises:
        SpecError: as for `xbar.subset.solve_subset`; or stuck has values other than -1, 0 and +1 or
            does not broadcast.

    >>> solution = solve_with_stuck([4.0, 2.0, 1.0], 6.2, stuck=[-1, 0, 1])
    >>> solution.mask, solution.achieved
    (array([False,  True,  True]), np.float64(3.0))
    """
    banks = check_bank(bank, _ANY_LENGTH, _NAME)
    elements = banks.elements.shape[1]
    fixed = check_stuck(stuck, (*banks.shape, elements)).reshape(-1, elements)
    batch = broadcast(banks, target, tolerance, _NAME)
    row = batch.row
    closed = sums_of(banks.elements, fixed > 0)
    working = np.where(fixed == 0, banks.elements, 0.0)
    if len(working) == 1:  # shared, so that the method prepares it once
        inner = solve_subset(working[0], batch.target - closed[0], method, tolerance)
    else:
        inner = solve_subset(working[row], batch.target - closed[row], method, tolerance)
    mask: NDArray[np.bool_] = (inner.mask & (fixed[row] == 0)) | (fixed[row] > 0)
    achieved = sums_of(banks.elements[row], mask)
    solution = SubsetSolution(
        mask=mask,
        achieved=achieved,
        residual=achieved - batch.target,
        status=inner.status,
        bound=np.maximum(np.asarray(inner.bound) - 2 * rounding_of(batch), 0.0),
        method=inner.method,
        reason=inner.reason,
        reachable=inner.reachable,
    )
    return batched(solution, batch.shape)
