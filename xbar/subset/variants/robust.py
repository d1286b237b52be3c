"""Subset of least expected error under read noise and drift.

Element i of the subset S is read as d_i (1 + e_i) g_i: the drift factor d_i has mean
m and standard deviation m s_i, the noise e_i mean 0 and standard deviation r_i, all independent.
Then, bias and variance,

    E (sum - t)**2 = (m G_S - t)**2 + sum over S of v_i,     G_S = sum over S of g_i,
    v_i = (m g_i)**2 ((1 + r_i**2) (1 + s_i**2) - 1).

At equal sums many small elements are better than few large ones, since squares add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Bools, Floats, Ints, one_number, real
from xbar.errors import SpecError
from xbar.parallel import cpus, in_threads, writeable
from xbar.subset.problem import Banks, Batch, SubsetSolution, broadcast
from xbar.subset.variants.common import (
    MAX_ELEMENTS,
    METHOD,
    bank_of,
    check_stuck,
    each_block,
    reach_of,
    reachable,
    sums_of,
    task,
    total_of,
)

_NAME = "solve_robust"
_HOW = "the elements in doubt first, or lower envelopes of a half's parabolas"
_EPSILON = float(np.finfo(np.float64).eps)
_FAR = 2.0**100  # 2**40 spans away: targets beyond it have the same solution
_BATCH = 2048  # problems per thread and call, fewer for long banks
_BATCH_WORK = 1 << 20  # approximate number of half sums per call


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RobustSolution(SubsetSolution):
    """Subsets of the least expected squared error.

    achieved is the expected sum, m G_S, and residual is achieved - target. "optimal": no subset's
    expected squared error is less by more than 4 K eps (sum|g| + |target|)**2. `bound` is a lower
    bound on the root of the expected squared error. reachable refers to expected sums.

    Attributes:
        deviation: standard deviation of the sum (...).
        expected_error: root of the expected squared error (...), sqrt(residual**2 + deviation**2).
    """

    deviation: NDArray[np.float64] | np.float64
    expected_error: NDArray[np.float64] | np.float64


def solve_robust(
    bank: ArrayLike,
    target: ArrayLike,
    read_noise: ArrayLike = 0.0,
    drift_spread: ArrayLike = 0.0,
    drift: float = 1.0,
    stuck: ArrayLike | None = None,
) -> RobustSolution:
    """Find the subset of least expected squared error, by the formula above.

    Meet-in-the-middle, the elements in doubt first (`xbar.subset.kernels.noisy`); for banks with
    similar sums, the lower envelope of one half's parabolas. Exact for K <= 40.

    Args:
        bank: measured elements (..., K), siemens or any signed numbers.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes.
        read_noise: standard deviation r of one read relative to the conductance; broadcast against
            the bank.
        drift_spread: standard deviation s of the drift factor between elements, relative to its
            mean; broadcast against the bank.
        drift: mean m of the drift factor, positive; 1 for none.
        stuck: faults, broadcast against the bank: -1 stuck open, 0 free, +1 stuck closed.

    Returns:
        The solution with its standard deviation and expected error.

    Raises:
        SpecError: as in `xbar.subset.solve_subset`; or noise, spread or drift is out of range.

    >>> solution = solve_robust([4.0, 1.0, 1.0, 0.95, 1.01], 4.0, read_noise=0.05)
    >>> solution.mask  # the single element would be exact, but twice as noisy
    array([False,  True,  True,  True,  True])
    >>> solution.expected_error.round(3)
    np.float64(0.107)
    """
    drift = one_number(drift, f"drift of {_NAME}", 0, above=True)
    plain = bank_of(bank, _NAME)
    relative = _relative(read_noise, drift_spread, plain)
    drifted = bank_of(plain.elements.reshape(*plain.shape, plain.elements.shape[1]) * drift, _NAME)
    batch = broadcast(drifted, target, 0.0, _NAME)
    fixed = check_stuck(stuck, (*plain.shape, plain.elements.shape[1]))
    fixed = fixed.reshape(plain.elements.shape)
    return _solution(batch, fixed, _most_robust(batch, fixed, relative), relative)


def quietest_subsets(bank: Floats, target: Floats, read_noise: float, gain: float = 1.0) -> Bools:
    """Only the masks (..., K) of `solve_robust`, for one noise and one gain.

    Args:
        bank: elements (..., K) in siemens, K <= 40.
        target: targets (...) in siemens.
        read_noise: standard deviation of one read relative to the conductance.
        gain: mean reading over conductance.

    Raises:
        SpecError: as in `solve_robust`.
    """
    banks = bank_of(np.asarray(bank) * gain, _NAME)
    batch = broadcast(banks, target, 0.0, _NAME)
    relative = np.full(batch.bank.shape, read_noise)
    masks = _most_robust(batch, np.zeros(batch.bank.shape, np.int64), relative)
    return _unpacked(masks, batch.bank.shape[1]).reshape(*batch.shape, -1)


def _relative(noise: ArrayLike, spread: ArrayLike, banks: Banks) -> NDArray[np.float64]:
    """The relative standard deviation (R, K) of each element."""
    found = []
    for name, value in (("read_noise", noise), ("drift_spread", spread)):
        array = real(value, name)
        if not (np.isfinite(array) & (array >= 0)).all():
            raise SpecError(f"{name} must be finite and not negative")
        shape = (*banks.shape, banks.elements.shape[1])
        try:
            full = np.broadcast_to(array.astype(np.float64), shape)
        except ValueError:
            raise SpecError(
                f"{name} of shape {array.shape} must broadcast to the bank's shape {shape}"
            ) from None
        found.append(full.reshape(banks.elements.shape))
    r, s = found
    return np.asarray(np.sqrt(r**2 + s**2 + r**2 * s**2))


def _most_robust(batch: Batch, fixed: Ints, relative: Floats) -> Ints:
    """The masks (M,) of the best subsets."""
    masks = _by_core(batch, fixed, relative)
    left = np.flatnonzero(masks < 0)
    if len(left):
        masks[left] = _by_envelope(batch, fixed, relative, left)
    return masks


def _by_core(batch: Batch, fixed: Ints, relative: Floats) -> Ints:
    """The masks (M,); -1 for problems that the kernel gave up."""
    from xbar.subset.kernels import noisy

    bank, target, row = batch.bank, batch.target, writeable(batch.row)
    closed = (fixed > 0).astype(np.int64)
    if fixed.any():
        bank = np.where(fixed == 0, bank, 0.0)
        target = target - (batch.bank * closed).sum(axis=1)[row]
    bank, target, relative = writeable(bank), writeable(target), writeable(relative)
    masks = np.empty(len(target), np.int64)

    def work(chunk: slice) -> None:
        noisy.quietest(bank, relative, row[chunk], target[chunk], masks[chunk])

    elements = bank.shape[1]
    step = min(max(_BATCH_WORK >> ((elements + 1) // 2), 1), _BATCH)
    in_threads(work, [slice(i, i + step) for i in range(0, len(row), step)], cpus())
    if closed.any():
        bits = (closed << np.arange(elements)).sum(axis=1)[row]
        masks = np.where(masks < 0, masks, masks | bits)
    return masks


def _by_envelope(batch: Batch, fixed: Ints, relative: Floats, left: Ints) -> Ints:
    """The masks of the problems `left` (m,)."""
    from xbar.subset.kernels import envelope

    row, target = batch.row[left], batch.target[left]
    bank = batch.bank[row]
    problems = task(bank_of(bank, _NAME), target, fixed[row], _NAME)
    shift = problems.shift
    variance = (np.ldexp(bank, shift[:, None]) * relative[row]) ** 2
    low, high = np.minimum(bank, 0.0).sum(axis=1), np.maximum(bank, 0.0).sum(axis=1)
    with np.errstate(over="ignore"):
        beyond = np.clip(np.ldexp(target - np.clip(target, low, high), shift), -_FAR, _FAR)
    at = np.arange(len(left))
    masks = np.empty(len(left), np.int64)

    def work(chunk: slice) -> None:
        envelope.most_robust(
            problems.values,
            at[chunk],
            problems.goal[chunk],
            beyond[chunk],
            problems.flips,
            problems.fixed,
            variance,
            masks[chunk],
        )

    each_block(len(left), work)
    return masks


def _unpacked(masks: Ints, elements: int) -> Bools:
    """Masks (M,) as (M, K)."""
    from xbar.subset.kernels.scale import unpack

    chosen = np.empty((len(masks), elements), np.bool_)
    unpack(masks, chosen)
    return chosen


def _solution(batch: Batch, fixed: Ints, masks: Ints, relative: Floats) -> RobustSolution:
    elements = batch.bank.shape[1]
    mask = _unpacked(masks, elements)
    achieved = sums_of(batch.bank[batch.row], mask)
    residual = achieved - batch.target
    each = np.where(mask, (batch.bank * relative)[batch.row], 0.0)
    deviation = _root_of_squares(each)
    error = np.hypot(residual, deviation)
    reach = total_of(batch.bank)[batch.row] + np.abs(batch.target)
    share = np.divide(error, reach, out=np.zeros_like(error), where=reach > 0)
    bound = np.sqrt(np.maximum(share**2 - 4 * elements * _EPSILON, 0.0)) * reach
    reached = reachable(batch, *reach_of(batch.bank, fixed))
    shape = batch.shape
    return RobustSolution(
        mask=mask.reshape(*shape, elements),
        achieved=achieved.reshape(shape)[()],
        residual=residual.reshape(shape)[()],
        status="optimal",
        bound=bound.reshape(shape)[()],
        method=METHOD,
        reason=f"K = {elements}: exact up to {MAX_ELEMENTS} elements, {_HOW}",
        reachable=reached.reshape(shape)[()],
        deviation=deviation.reshape(shape)[()],
        expected_error=error.reshape(shape)[()],
    )


def _root_of_squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) roots of the sums of squares (M, K), without overflow or underflow."""
    largest = np.abs(values).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    return np.asarray(scale * np.sqrt(((values / scale[:, None]) ** 2).sum(axis=1)))
