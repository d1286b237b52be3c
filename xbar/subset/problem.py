"""Subset problems: banks, targets that broadcast against them, and solutions.

The problem is to choose the elements of a bank whose sum is closest to a target. Elements are
conductances in siemens, or any signed numbers: a differential pair is one bank with +g for the plus
line and -g for the minus line, and a resistor with leakage is an element g_on - g_off.

Shapes: K elements of a bank, R distinct banks, M problems of a batch (a bank and a target each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import check_finite, one_number, real
from xbar.errors import SpecError
from xbar.tables import Outline

_EPSILON = float(np.finfo(np.float64).eps)
_ROWS = 1 << 14
_TOO_LARGE = "scale the numbers down"

AS_ASKED = "as asked"
"""Reason for the method if the caller chose it."""


@dataclass(frozen=True, eq=False, repr=False)
class SubsetSolution(Outline):
    """Chosen subsets and their errors.

    Units are those of the bank. Without batch axes, arrays of shape () are numpy scalars.

    Attributes:
        mask: (..., K) bool, True where the element is chosen (the switch is closed).
        achieved: (...) sum of the chosen elements in float64, added in the bank's order.
        residual: (...) achieved - target.
        status: status of the whole batch, that of its weakest problem:
            "optimal": no subset is closer by more than rounding, K eps sum|g| + eps |target| with
            eps = 2**-52; "within tolerance": the search stopped at |residual| <= tolerance;
            "best found": neither is known.
        bound: (...) lower bound on |sum - target| of any subset, in exact arithmetic. For
            "optimal" it is |residual| minus the rounding, at least 0.
        method: name of the solver.
        reason: reason for the choice of the solver.
        reachable: (...) False where the target is outside the bank's range by more than rounding.
            The solution is then the nearest limit.
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
    """R validated banks.

    Attributes:
        elements: (R, K) elements, float64, contiguous.
        low, high: (R,) sums of the negative and of the positive elements.
        shape: leading axes of the banks; their product is R.
    """

    elements: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """M problems with flattened batch axes.

    Attributes:
        bank: (R, K) banks, float64, contiguous.
        low, high: (R,) sums of each bank's negative and positive elements.
        row: (M,) bank index of each target.
        target: (M,) targets, float64, contiguous.
        shape: batch axes of the solution; their product is M.
    """

    bank: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    row: NDArray[np.int64]
    target: NDArray[np.float64]
    shape: tuple[int, ...]

    @property
    def rounding(self) -> NDArray[np.float64]:
        """(M,) error bound of float64 sums and of integers scaled from float64.

        The error of the float64 sum of K numbers is at most (K - 1) eps/2 sum|g|, that of its
        difference to the target eps/2 of the result; integers scaled as in
        `xbar.subset.kernels.scale` add less than the rest of K eps sum|g| + eps |target|.
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
        """A method's result with status and bound.

        A subset that meets its target up to rounding is optimal, whatever the method.

        Args:
            method: name of the method.
            mask: (M, K) chosen elements.
            achieved: (M,) sums of the chosen elements.
            proven: (M,) True where the method proved optimality up to rounding; None for
                everywhere.
            tolerance: sufficient |residual|.
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
        """(M,) whether the target is between the sums of all negative and all positive elements."""
        nearest = np.clip(self.target, self.low[self.row], self.high[self.row])
        beyond = np.abs(self.target - nearest)
        if not beyond.any():
            return np.ones(len(beyond), np.bool_)
        return np.asarray(beyond <= self.rounding)


def check_bank(bank: ArrayLike, limit: int, method: str) -> Banks:
    """Validate banks.

    Args:
        bank: (..., K) finite numbers whose absolute values have a finite sum.
        limit: largest K of the method.
        method: name of the method, for the message.

    Raises:
        SpecError: a bank is invalid.
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
        for start in range(
            0, len(high), _ROWS
        ):  # in chunks, as temporaries are as large as the bank
            part = elements[start : start + _ROWS]
            if part.min() < 0.0:
                low[start : start + _ROWS] = np.minimum(part, 0.0) @ ones
                part = np.maximum(part, 0.0)
            high[start : start + _ROWS] = part @ ones  # much faster than sum(axis=1)
        total = high - low
    if not np.isfinite(total).all():
        check_finite(array, "bank", advice="mark unmeasured elements as 0")
        name = "the sum of a bank's absolute values"
        check_finite(total.reshape(array.shape[:-1]), name, advice=_TOO_LARGE)
    return Banks(elements, low, high, array.shape[:-1])


def _way_out(elements: int) -> str:
    """Advice on a method that takes as many elements."""
    if elements <= 32:
        return "method='meet-in-the-middle' takes more"
    if elements <= 64:
        return "method='schroeppel-shamir' takes up to 64"
    return "method='window' or 'differencing' take any number, without proof of optimality"


def broadcast(banks: Banks, targets: ArrayLike, tolerance: float, method: str) -> Batch:
    """Broadcast the banks' leading axes and the targets against each other.

    Args:
        banks: banks from `check_bank`.
        targets: (...) finite numbers in the bank's unit.
        tolerance: sufficient |residual|, in the bank's unit.
        method: name of the solver, for the message.

    Raises:
        SpecError: targets are not finite, overflow float64 together with the bank, or do not
            broadcast; the tolerance is negative or not finite.
    """
    target = _numbers("target", targets)
    check_finite(target, "target", advice="leave out problems without a target")
    one_number(tolerance, f"tolerance of {method}", 0)
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
    """Convert real numbers to a C-contiguous float64 array, without copying if possible."""
    array = real(value, name)
    return np.ascontiguousarray(array, np.float64).reshape(array.shape)


def shape_of(name: str, value: ArrayLike) -> tuple[int, ...]:
    """Shape of an argument.

    Raises:
        SpecError: it holds no real numbers, or its rows are of different lengths.
    """
    return np.shape(real(value, name))
