"""Banks with resistors that are stuck open or closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.subset.constrained import batched, check_stuck
from xbar.subset.problem import SubsetSolution, check_bank, pair
from xbar.subset.solver import solve_subset

_NAME = "solve_with_stuck"
_EPSILON = float(np.finfo(np.float64).eps)
_ANY_LENGTH = 1 << 30  # the method itself refuses banks that are too long for it


def solve_with_stuck(
    bank: ArrayLike,
    target: ArrayLike,
    stuck: ArrayLike,
    method: str = "auto",
    tolerance: float = 0.0,
) -> SubsetSolution:
    """Chooses among the working resistors, with the stuck ones as they are.

    A resistor stuck closed lowers the target that the others have to reach, one stuck open is out
    of the choice; what is left is an ordinary subset problem, as fast as `solve_subset`.

    Args:
        bank: (..., K) siemens, or any signed numbers.
        target: (...) in the bank's unit, broadcast against the bank's leading axes.
        stuck: broadcast against the bank: -1 stuck open, 0 working, +1 stuck closed.
        method: as `xbar.subset.solve_subset`.
        tolerance: as `xbar.subset.solve_subset`.

    Returns:
        The solution; its mask shows the stuck elements as they are. Its bound allows twice the
        rounding that `SubsetSolution` names, as the target is shifted first.

    Raises:
        SpecError: as `xbar.subset.solve_subset`; or stuck is not of -1, 0 and +1 in the bank's
            shape.

    >>> solution = solve_with_stuck([4.0, 2.0, 1.0], 6.2, stuck=[-1, 0, 1])
    >>> solution.mask, solution.achieved
    (array([False,  True,  True]), np.float64(3.0))
    """
    banks = check_bank(bank, _ANY_LENGTH, _NAME)
    elements = banks.elements.shape[1]
    fixed = check_stuck(stuck, (*banks.shape, elements)).reshape(-1, elements)
    batch = pair(banks, target, tolerance, _NAME)
    row = batch.row
    closed = _in_order(np.where(fixed > 0, banks.elements, 0.0))
    working = np.where(fixed == 0, banks.elements, 0.0)
    if len(working) == 1:  # shared, so that the method prepares it once
        inner = solve_subset(working[0], batch.target - closed[0], method, tolerance)
    else:
        inner = solve_subset(working[row], batch.target - closed[row], method, tolerance)
    mask: NDArray[np.bool_] = (inner.mask & (fixed[row] == 0)) | (fixed[row] > 0)
    achieved = _in_order(np.where(mask, banks.elements[row], 0.0))
    rounding = 2 * (elements * _EPSILON * banks.total[row] + _EPSILON * np.abs(batch.target))
    solution = SubsetSolution(
        mask=mask,
        achieved=achieved,
        residual=achieved - batch.target,
        status=inner.status,
        bound=np.maximum(np.asarray(inner.bound) - rounding, 0.0),
    )
    return batched(solution, batch.shape)


def _in_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums (M,) of values (M, K), added in the bank's order."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total
