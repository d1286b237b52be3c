"""One subset for the readings of a bank at several points, such as times and temperatures.

At point j element i adds e_ji to the reading and v_ji to its variance, so that a subset S errs by

    c_j = (sum over S of e_ji - t_j)² + sum over S of v_ji

of which the largest ("worst") or the mean is to be least. Neither is less than p² + mean_j V_j,
with p the mean over j of what is squared. So meet-in-the-middle can search along p alone: both
halves' sums are listed, and for each sum of one half only those of the other are tried whose p² + V
is below the best error so far. Exact; as fast as a search in one dimension where the points'
readings are nearly proportional, as those of a bank that drifts.

Longer banks: the relaxation to fractions of elements is solved by Frank and Wolfe's method
(M. Frank and P. Wolfe, Naval Research Logistics Quarterly 3, 1956), whose gap gives a lower bound
of both errors, rounded, and improved by exact searches over WINDOW elements at a time.

Shapes: M problems, D points, E elements.
"""

from __future__ import annotations

import numpy as np

from xbar.jit import Bools, Floats, Ints, jit

WINDOW = 14
"""Elements that are chosen anew at a time in a long bank."""

_STEPS = 300
_ROUNDS = 40


@jit
def choose(
    bank: Floats,
    variance: Floats,
    target: Floats,
    worst: bool,
    exact: int,
    chosen: Bools,
    cost: Floats,
    bound: Floats,
) -> None:
    """Choose the subset of least error of each problem.

    Args:
        bank: (M, D, E) contributions e.
        variance: (M, D, E) variances v, not negative.
        target: (M, D) targets t.
        worst: whether the largest error counts, else their mean.
        exact: largest number of elements that are not all zero for an exact choice.
        chosen: (M, E) output.
        cost: (M,) output: the squared error that counts.
        bound: (M,) output: what no subset's is below.
    """
    points, elements = bank.shape[1:]
    live = np.empty(elements, np.int64)
    for m in range(len(bank)):
        number = _live(bank[m], live)
        chosen[m] = False
        rest, before = target[m].copy(), np.zeros(points)
        if number <= exact:
            cost[m] = _search(
                bank[m], variance[m], rest, before, live[:number], worst, np.inf, chosen[m]
            )
            bound[m] = cost[m]
        else:
            bound[m] = _relaxed(bank[m], variance[m], target[m], live[:number], chosen[m])
            cost[m] = _improved(bank[m], variance[m], target[m], live[:number], worst, chosen[m])


@jit
def bounds(bank: Floats, variance: Floats, target: Floats, exact: int, bound: Floats) -> None:
    """Lower bounds (M,) of longer banks' errors; -1 for banks that are chosen for exactly."""
    elements = bank.shape[2]
    live, rounded = np.empty(elements, np.int64), np.empty(elements, np.bool_)
    for m in range(len(bank)):
        number = _live(bank[m], live)
        bound[m] = -1.0
        if number > exact:
            bound[m] = _relaxed(bank[m], variance[m], target[m], live[:number], rounded)


@jit
def _live(bank: Floats, live: Ints) -> int:
    """Write the elements that are not 0 at all points; return their number."""
    number = 0
    for e in range(bank.shape[1]):
        for j in range(len(bank)):
            if bank[j, e] != 0.0:
                live[number] = e
                number += 1
                break
    return number


@jit
def error_of(bank: Floats, variance: Floats, target: Floats, worst: bool, chosen: Bools) -> float:
    """The squared error of a subset (E,) that counts, for one problem."""
    points, elements = bank.shape
    total: float = 0.0
    for j in range(points):
        bias, power = -target[j], 0.0
        for e in range(elements):
            if chosen[e]:
                bias += bank[j, e]
                power += variance[j, e]
        each: float = bias * bias + power
        if worst:
            total = max(total, each)
        else:
            total += each / points
    return total


@jit
def _sums(bank: Floats, variance: Floats, which: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Sums (n, D) and variances (n, D) of all subsets of some elements, and their means (n,)."""
    points, count = len(bank), 1 << len(which)
    sums, powers = np.zeros((count, points)), np.zeros((count, points))
    for k in range(len(which)):
        half, e = 1 << k, which[k]
        for s in range(half):
            for j in range(points):
                sums[half + s, j] = sums[s, j] + bank[j, e]
                powers[half + s, j] = powers[s, j] + variance[j, e]
    along, power = np.zeros(count), np.zeros(count)
    for s in range(count):
        for j in range(points):
            along[s] += sums[s, j] / points
            power[s] += powers[s, j] / points
    return sums, powers, along, power


@jit
def _both(
    a: Floats, power_a: Floats, b: Floats, power_b: Floats, rest: Floats, worst: bool, most: float
) -> float:
    """The error of two halves' sums (D,), or anything from ``most`` on where it is not below."""
    points = len(rest)
    total: float = 0.0
    for j in range(points):
        bias = a[j] + b[j] - rest[j]
        each: float = bias * bias + power_a[j] + power_b[j]
        if worst:
            total = max(total, each)
        else:
            total += each / points
        if total >= most:
            return total
    return total


@jit
def _search(
    bank: Floats,
    variance: Floats,
    rest: Floats,
    before: Floats,
    which: Ints,
    worst: bool,
    most: float,
    chosen: Bools,
) -> float:
    """The best subset of the elements ``which``; written to ``chosen`` if its error is below most.

    ``rest`` (D,) is what they should sum up to, ``before`` (D,) the variance of the others.
    """
    half = len(which) // 2
    sums_a, powers_a, along_a, power_a = _sums(bank, variance, which[:half])
    sums_b, powers_b, along_b, power_b = _sums(bank, variance, which[half:])
    points = len(rest)
    for s in range(len(powers_a)):
        for j in range(points):
            powers_a[s, j] += before[j]
            power_a[s] += before[j] / points
    order = np.argsort(along_b)
    line = along_b[order]
    goal = rest.mean()
    best, at_a, at_b = most, -1, -1
    near = np.searchsorted(line, goal - along_a)
    for i in range(len(along_a)):
        for k in range(max(near[i] - 1, 0), min(near[i] + 1, len(line))):
            s = order[k]
            found = _both(sums_a[i], powers_a[i], sums_b[s], powers_b[s], rest, worst, best)
            if found < best:
                best, at_a, at_b = found, i, s
    for i in range(len(along_a)):
        wanted = goal - along_a[i]
        for way in range(2):
            k = near[i] if way == 0 else near[i] - 1
            while 0 <= k < len(line):
                off = line[k] - wanted
                if off * off + power_a[i] >= best:
                    break
                s = order[k]
                if off * off + power_a[i] + power_b[s] < best:
                    found = _both(sums_a[i], powers_a[i], sums_b[s], powers_b[s], rest, worst, best)
                    if found < best:
                        best, at_a, at_b = found, i, s
                k += 1 if way == 0 else -1
    if at_a >= 0:
        for k in range(len(which)):
            bits, place = (at_a, k) if k < half else (at_b, k - half)
            chosen[which[k]] = ((bits >> place) & 1) != 0
    return best


@jit
def _relaxed(bank: Floats, variance: Floats, target: Floats, live: Ints, chosen: Bools) -> float:
    """A lower bound of the mean error, and so of the largest; ``chosen`` is its rounded place."""
    points, count = len(bank), len(live)
    share, slope, towards = np.full(count, 0.5), np.empty(count), np.empty(count)
    bias, step = np.empty(points), np.empty(points)
    bound = 0.0
    for _ in range(_STEPS):
        value = gap = curve = 0.0
        for j in range(points):
            bias[j] = -target[j]
            for k in range(count):
                bias[j] += bank[j, live[k]] * share[k]
                value += variance[j, live[k]] * share[k] / points
            value += bias[j] * bias[j] / points
        for k in range(count):
            slope[k] = 0.0
            for j in range(points):
                slope[k] += 2.0 * bias[j] * bank[j, live[k]] + variance[j, live[k]]
            slope[k] /= points
            towards[k] = (1.0 if slope[k] < 0.0 else 0.0) - share[k]
            gap -= slope[k] * towards[k]
        bound = max(bound, value - gap)
        if gap <= 1e-12 * value:
            break
        for j in range(points):
            step[j] = 0.0
            for k in range(count):
                step[j] += bank[j, live[k]] * towards[k]
            curve += 2.0 * step[j] * step[j] / points
        length = 1.0 if gap >= curve else gap / curve
        for k in range(count):
            share[k] += length * towards[k]
    for k in range(count):
        chosen[live[k]] = share[k] > 0.5
    return bound


@jit
def _improved(
    bank: Floats, variance: Floats, target: Floats, live: Ints, worst: bool, chosen: Bools
) -> float:
    """The error of a choice after some of its elements were chosen anew, again and again."""
    points, count = len(bank), len(live)
    best = error_of(bank, variance, target, worst, chosen)
    mixed, state = live.copy(), 0x2545F491
    rest, before = np.empty(points), np.empty(points)
    inside = np.zeros(bank.shape[1], np.bool_)
    for _ in range(_ROUNDS):
        for k in range(WINDOW):  # the window: the first of a shuffle of its own
            state = (1103515245 * state + 12345) & 0x7FFFFFFF
            other = k + (state >> 8) % (count - k)
            mixed[k], mixed[other] = mixed[other], mixed[k]
            inside[mixed[k]] = True
        for j in range(points):
            rest[j], before[j] = target[j], 0.0
            for k in range(count):
                e = live[k]
                if chosen[e] and not inside[e]:
                    rest[j] -= bank[j, e]
                    before[j] += variance[j, e]
        for k in range(WINDOW):
            inside[mixed[k]] = False
        best = _search(bank, variance, rest, before, mixed[:WINDOW], worst, best, chosen)
    return error_of(bank, variance, target, worst, chosen)
