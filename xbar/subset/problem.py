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

from xbar.arrays import check_finite, real
from xbar.errors import SpecError
from xbar.tables import Outline

_EPSILON = float(np.finfo(np.float64).eps)
_ROWS = 1 << 14
_TOO_LARGE = "scale the numbers down"

AS_ASKED = "as asked"
"""Why the method was this one, unless it was chosen."""


@dataclass(frozen=True, eq=False, repr=False)
class SubsetSolution(Outline):
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
        method: the solver's name.
        reason: why it was this one.
        reachable: (...) False where the target is below or above what all the bank's sums reach,
            by more than rounding. The nearest end is then the answer.
    """

    mask: NDArray[np.bool_]
    achieved: NDArray[np.float64] | np.float64
    residual: NDArray[np.float64] | np.float64
    status: str
    bound: NDArray[np.float64] | np.float64
    method: str = ""
    reason: str = ""
    reachable: NDArray[np.bool_] | np.bool_ = np.True_


@dataclass(frozen=True, eq=False)
class Banks:
    """R banks that were checked.

    Attributes:
        elements: (R, K) float64, contiguous.
        low, high: (R,) the sums of the negative and of the positive elements.
        shape: the banks' leading axes; their product is R.
    """

    elements: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """M problems, flattened.

    Attributes:
        bank: (R, K) float64, contiguous.
        low, high: (R,) the sums of each bank's negative and positive elements.
        row: (M,) which bank each target belongs to.
        target: (M,) float64, contiguous.
        shape: the batch axes of the answer; their product is M.
    """

    bank: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    row: NDArray[np.int64]
    target: NDArray[np.float64]
    shape: tuple[int, ...]

    @property
    def rounding(self) -> NDArray[np.float64]:
        """(M,) what float64 sums and integers scaled from float64 may err by.

        The float64 sum of K numbers errs by at most (K - 1) eps/2 sum|g|, its difference to the
        target by eps/2 of the result; integers scaled as in `xbar.subset.kernels.scale` add less
        than the rest of K eps sum|g| + eps |target|.
        """
        total = (self.high - self.low) * _EPSILON * self.bank.shape[1]
        return np.asarray(total[self.row] + _EPSILON * np.abs(self.target))

    def solution(
        self,
        method: str,
        mask: NDArray[np.bool_],
        achieved: NDArray[np.float64],
        proven: NDArray[np.bool_] | None = None,
        tolerance: float = 0.0,
    ) -> SubsetSolution:
        """What a method found, with status and bound.

        A subset that hits its target up to rounding is optimal, whoever found it.

        Args:
            method: its name.
            mask: (M, K) chosen elements.
            achieved: (M,) their sums.
            proven: (M,) where the method knows that no subset is closer, up to rounding; None for
                everywhere.
            tolerance: a |residual| that is good enough.
        """
        residual = achieved - self.target
        distance = np.abs(residual)
        bound = np.maximum(distance - self.rounding, 0.0)
        status = "optimal"
        if proven is not None:
            open_ = ~proven & (bound > 0.0)
            bound[open_] = 0.0
            if open_.any():
                enough = bool((distance[open_] <= tolerance).all())
                status = "within tolerance" if enough else "best found"
        return SubsetSolution(
            mask=mask.reshape(*self.shape, self.bank.shape[1]),
            achieved=achieved.reshape(self.shape)[()],
            residual=residual.reshape(self.shape)[()],
            status=status,
            bound=bound.reshape(self.shape)[()],
            method=method,
            reason=AS_ASKED,
            reachable=self.reachable().reshape(self.shape)[()],
        )

    def reachable(self) -> NDArray[np.bool_]:
        """(M,) whether the target lies between the sums of all negative and all positive ones."""
        nearest = np.clip(self.target, self.low[self.row], self.high[self.row])
        beyond = np.abs(self.target - nearest)
        if not beyond.any():
            return np.ones(len(beyond), np.bool_)
        return np.asarray(beyond <= self.rounding)


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
            f"{_way_out(array.shape[-1])}"
        )
    elements = array.reshape(-1, array.shape[-1])
    low, high = np.zeros(len(elements)), np.empty(len(elements))
    ones = np.ones(array.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(high), _ROWS):  # in parts, as copies are as large as the bank
            part = elements[start : start + _ROWS]
            if part.min() < 0.0:
                low[start : start + _ROWS] = np.minimum(part, 0.0) @ ones
                part = np.maximum(part, 0.0)
            high[start : start + _ROWS] = part @ ones  # much quicker than sum(axis=1)
        total = high - low
    if not np.isfinite(total).all():
        check_finite(array, "bank", advice="mark what was not measured as 0")
        name = "the sum of a bank's absolute values"
        check_finite(total.reshape(array.shape[:-1]), name, advice=_TOO_LARGE)
    return Banks(elements, low, high, array.shape[:-1])


def _way_out(elements: int) -> str:
    """Which method takes as many elements."""
    if elements <= 32:
        return "method='meet-in-the-middle' takes more"
    if elements <= 64:
        return "method='schroeppel-shamir' takes up to 64"
    return "method='window' or 'differencing' take any number but prove nothing"


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
    check_finite(target, "target", advice="leave out what has no target")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise SpecError(f"tolerance of {method} must be finite and not negative, not {tolerance!r}")
    try:
        shape = np.broadcast_shapes(banks.shape, target.shape)
    except ValueError:
        raise SpecError(
            f"target of shape {target.shape} must broadcast against the bank's leading axes "
            f"{banks.shape} (the last axis of a bank holds its elements)"
        ) from None
    row = np.arange(len(banks.high)).reshape(banks.shape)
    row = np.broadcast_to(row, shape).reshape(-1)
    target = np.broadcast_to(target, shape).reshape(-1)
    if target.size:
        with np.errstate(over="ignore"):
            reach = (banks.high - banks.low).max() + np.abs(target)
        name = "the sum of a bank's absolute values plus |target|"
        check_finite(reach.reshape(shape), name, advice=_TOO_LARGE)
    return Batch(banks.elements, banks.low, banks.high, row, target, shape)


def _numbers(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Real numbers as a C-contiguous float64 array, not copied if they are one."""
    array = real(value, name)
    return np.ascontiguousarray(array, np.float64).reshape(array.shape)


def shape_of(name: str, value: ArrayLike) -> tuple[int, ...]:
    """The shape of an argument.

    Raises:
        SpecError: it holds no real numbers, or its rows are of different lengths.
    """
    return np.shape(real(value, name))
