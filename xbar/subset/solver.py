"""Solving subset problems by whichever method."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from numpy.typing import ArrayLike

from xbar.subset.problem import AS_ASKED, SubsetSolution, shape_of
from xbar.subset.registry import choose, get_solver


class Prepared(Protocol):
    """Banks that a solver has prepared; solve for as many targets as you like."""

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """Subsets of the banks (..., K) for targets (...), as `solve_subset` describes."""
        ...


class Solver(Protocol):
    """A method that chooses subsets.

    Attributes:
        name: what the registry calls it.
        max_elements: the largest K that it takes.
    """

    @property
    def name(self) -> str:
        """What the registry calls it."""
        ...

    @property
    def max_elements(self) -> int:
        """The largest K that it takes."""
        ...

    def prepare(self, bank: ArrayLike) -> Prepared:
        """Does once what depends on the bank (..., K) alone."""
        ...

    def within(self, time_limit: float) -> Solver:
        """The same with a limit of so many seconds for each problem."""
        ...


def solve_subset(
    bank: ArrayLike,
    target: ArrayLike,
    method: str = "auto",
    tolerance: float = 0.0,
    time_limit: float | None = None,
) -> SubsetSolution:
    """Chooses the elements of a bank whose sum comes closest to a target.

    A target out of reach gets the nearest end: no positive element (and every negative one), or
    every positive element. That is its optimum.

    Args:
        bank: (..., K) siemens, or any signed numbers: +g on the plus line and -g on the minus
            line solve a differential pair's halves jointly. 0 stands for a resistor that is stuck
            open. Differences g_on - g_off account for a finite on/off ratio, with the sum of
            g_off taken off the target.
        target: (...) in the bank's unit, broadcast against the bank's leading axes: one bank and
            many targets, a target for each bank, or any mixture.
        method: a name of `xbar.subset.names`, or "auto": "meet-in-the-middle" up to 32 elements
            and "schroeppel-shamir" up to 64, which are exact; beyond, a heuristic.
        tolerance: a |residual| that is good enough, in the bank's unit; it may save time.
        time_limit: seconds for each problem, after which the best subset found so far is returned
            with the status that it deserves; None for the method's own limit. Methods that take
            no more than a fraction of a second for their longest banks have no limit.

    Returns:
        The mask (..., K), achieved sum, residual, bound and reachable (...), the status, and
        which method it was and why.

    Raises:
        SpecError: the bank or target is empty, not finite or not of real numbers, they do not
            broadcast, the bank is longer than the method takes, there is no such method, or the
            time limit is not finite and positive.

    >>> solution = solve_subset([4.0, 2.2, -1.5, 0.0], 2.4)
    >>> solution.mask
    array([ True, False,  True, False])
    >>> solution.achieved, float(solution.residual) < 0.11, solution.status
    (np.float64(2.5), True, 'optimal')
    >>> solution.method, solution.reason
    ('meet-in-the-middle', 'K = 4: exact and fastest up to 32 elements')
    >>> solve_subset([1e-6, 2e-6, 4e-6], [0.0, 3.2e-6, 1.0]).achieved
    array([0.e+00, 3.e-06, 7.e-06])
    """
    chosen, reason = method, AS_ASKED
    if method == "auto":
        shape = shape_of("bank", bank)
        chosen, reason = choose(shape[-1] if shape else 1)
    solver = get_solver(chosen)
    if time_limit is not None:
        solver = solver.within(time_limit)
    solution = solver.prepare(bank).solve(target, tolerance)
    return replace(solution, reason=reason + solution.reason.removeprefix(AS_ASKED))
