"""What a subset problem is: banks, targets that broadcast against them, and the answer.

Choose the elements of a bank whose sum comes closest to a target. Elements are conductances in
siemens, or any signed numbers: a differential pair is one bank of +g of the plus line and -g of
the minus line, and a resistor that leaks when it is switched out counts with g_on - g_off.

Shapes: K elements of a bank, R different banks, M problems of a batch (a bank and a target each).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError

_EPSILON = float(np.finfo(np.float64).eps)
_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class SubsetSolution:
    """The subsets that were chosen and how well they do.

    Units are those of the bank. A problem without batch axes has numpy scalars in place of
    arrays of shape ().

    Attributes:
        mask: (..., K) bool, True where the element is chosen (the switch is closed).
        achieved: (...) the sum of the chosen elements in float64, added in the bank's order.
        residual: (...) achieved - target.
        status: of the whole batch, the weakest of its problems:
            "optimal": no subset is closer by more than rounding, K eps sum|g| + eps |target| with
            eps = 2**-52; "within tolerance": the search ended because |residual| <= tolerance;
            "best found": neither is known.
        bound: (...) no subset of this bank has |sum - target|, in exact arithmetic, below it.
            For "optimal" it is |residual| less that rounding, and not below 0.
    """

    mask: NDArray[np.bool_]
    achieved: NDArray[np.float64] | np.float64
    residual: NDArray[np.float64] | np.float64
    status: str
    bound: NDArray[np.float64] | np.float64


@dataclass(frozen=True, eq=False)
class Banks:
    """R banks that were checked.

    Attributes:
        elements: (R, K) float64, contiguous.
        total: (R,) the sum of their absolute values.
        shape: the banks' leading axes; their product is R.
    """

    elements: NDArray[np.float64]
    total: NDArray[np.float64]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """M problems, flattened.

    Attributes:
        bank: (R, K) float64, contiguous.
        total: (R,) the sum of each bank's absolute values.
        row: (M,) which bank each target belongs to.
        target: (M,) float64, contiguous.
        shape: the batch axes of the answer; their product is M.
    """

    bank: NDArray[np.float64]
    total: NDArray[np.float64]
    row: NDArray[np.int64]
    target: NDArray[np.float64]
    shape: tuple[int, ...]

    def optimal(self, mask: NDArray[np.bool_], achieved: NDArray[np.float64]) -> SubsetSolution:
        """The solution of an exact method, with its proven bound.

        The float64 sum of K numbers errs by at most (K - 1) eps/2 sum|g|, its difference to the
        target by eps/2 of the result; integers scaled as in `xbar.subset.kernels.scale` add less
        than the rest of K eps sum|g| + eps |target|.

        Args:
            mask: (M, K) chosen elements.
            achieved: (M,) their sums.
        """
        elements = self.bank.shape[1]
        residual = achieved - self.target
        rounding = elements * (_EPSILON * self.total[self.row]) + _EPSILON * np.abs(self.target)
        bound = np.maximum(np.abs(residual) - rounding, 0.0)
        return SubsetSolution(
            mask=mask.reshape(*self.shape, elements),
            achieved=achieved.reshape(self.shape)[()],
            residual=residual.reshape(self.shape)[()],
            status="optimal",
            bound=bound.reshape(self.shape)[()],
        )


def check_bank(bank: ArrayLike, limit: int, method: str) -> Banks:
    """The banks, if they may be searched.

    Args:
        bank: (..., K) finite numbers whose absolute values have a finite sum.
        limit: the largest K that the method takes.
        method: its name, for the message.

    Raises:
        SpecError: the bank is not that.
    """
    array = _numbers("bank", bank)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise SpecError(
            f"bank must have an element or more on its last axis (..., K), not shape {array.shape}"
        )
    if array.shape[-1] > limit:
        raise SpecError(
            f"{method} takes banks of at most {limit} elements, not K = {array.shape[-1]}; "
            f"{_way_out(limit)}"
        )
    elements = array.reshape(-1, array.shape[-1])
    total = np.empty(len(elements))
    with np.errstate(over="ignore"):
        for start in range(0, len(total), _ROWS):  # in parts, as |bank| is as large as the bank
            part = slice(start, start + _ROWS)
            np.abs(elements[part]).sum(axis=1, out=total[part])
    if not np.isfinite(total).all():
        _check_finite("bank", array)
        _check_finite("the sum of a bank's absolute values", total.reshape(array.shape[:-1]))
    return Banks(elements, total, array.shape[:-1])


def _way_out(limit: int) -> str:
    if limit < 32:
        return "method='meet-in-the-middle' takes more"
    return "choose among fewer elements, or split the bank over several cells"


def pair(banks: Banks, targets: ArrayLike, tolerance: float, method: str) -> Batch:
    """Broadcasts the banks' leading axes and the targets against each other.

    Args:
        banks: from `check_bank`.
        targets: (...) finite numbers in the bank's unit.
        tolerance: a |residual| that is good enough, in the bank's unit.
        method: the solver's name, for the message.

    Raises:
        SpecError: targets are not finite, out of float64's range together with the bank, or do
            not broadcast; the tolerance is negative or not finite.
    """
    target = _numbers("target", targets)
    _check_finite("target", target)
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise SpecError(f"tolerance of {method} must be finite and not negative, not {tolerance!r}")
    try:
        shape = np.broadcast_shapes(banks.shape, target.shape)
    except ValueError:
        raise SpecError(
            f"target of shape {target.shape} must broadcast against the bank's leading axes "
            f"{banks.shape} (the last axis of a bank holds its elements)"
        ) from None
    row = np.arange(len(banks.total)).reshape(banks.shape)
    row = np.broadcast_to(row, shape).reshape(-1)
    target = np.broadcast_to(target, shape).reshape(-1)
    if target.size:
        with np.errstate(over="ignore"):
            reach = banks.total.max() + np.abs(target)
        _check_finite("the sum of a bank's absolute values plus |target|", reach.reshape(shape))
    return Batch(banks.elements, banks.total, row, target, shape)


def _numbers(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Real numbers as a C-contiguous float64 array."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise SpecError(
            f"{name} must be an array of numbers, every row as long as the others"
        ) from None
    if array.dtype.kind not in "biuf":
        raise SpecError(f"{name} must hold real numbers, not {array.dtype}")
    return np.ascontiguousarray(array, np.float64).reshape(array.shape)


def _check_finite(name: str, array: NDArray[np.float64]) -> None:
    if np.isfinite(array).all():
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    place = f" at [{', '.join(map(str, where))}]" if where else ""
    advice = "mark what was not measured as 0" if name == "bank" else "scale the numbers down"
    if name == "target":
        advice = "leave out what has no target"
    raise SpecError(f"{name} must be finite, not {array[where]}{place}; {advice}")
