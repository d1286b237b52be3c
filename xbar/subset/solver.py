"""Entry point of the subset solvers."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from numpy.typing import ArrayLike

from xbar.subset.problem import AS_ASKED, SubsetSolution, shape_of
from xbar.subset.registry import choose, get_solver


class Prepared(Protocol):
    """Prepared banks, reusable for any number of targets."""

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """Subsets of the banks (..., K) for targets (...), as `solve_subset` describes."""
        ...


class Solver(Protocol):
    """A method of subset selection.

    Attributes:
        name: name in the registry.
        max_elements: largest K.
    """

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    @property
    def max_elements(self) -> int:
        """Largest K."""
        ...

    def prepare(self, bank: ArrayLike) -> Prepared:
        """Precompute everything that depends only on the bank (..., K)."""
        ...

    def within(self, time_limit: float) -> Solver:
        """The same method with a time limit in seconds per problem."""
        ...

    def on(self, device: str) -> Solver:
        """The same method on "cpu", "cuda" (a card) or "auto" (a card if one works)."""
        ...


def solve_subset(
    bank: ArrayLike,
    target: ArrayLike,
    method: str = "auto",
    tolerance: float = 0.0,
    time_limit: float | None = None,
    device: str = "cpu",
) -> SubsetSolution:
    """Choose the elements of a bank whose sum is closest to a target.

    For a target out of range the optimum is the nearest limit: no positive and every negative
    element, or the opposite.

    Args:
        bank: elements (..., K) in siemens, or any signed numbers: +g on the plus line and -g on
            the minus line solve both halves of a differential pair jointly. 0 is a resistor stuck
            open. Use differences g_on - g_off for a finite on/off ratio, and subtract the sum of
            g_off from the target.
        target: targets (...) in the bank's unit, broadcast against the bank's leading axes: one
            bank and many targets, a target per bank, or any mixture.
        method: a name from `xbar.subset.names`, or "auto": "meet-in-the-middle" up to 32 elements
            and "schroeppel-shamir" up to 64, which are exact; beyond, a heuristic.
        tolerance: sufficient |residual|, in the bank's unit; may save time.
        time_limit: seconds per problem, after which the best subset so far is returned with the
            corresponding status; None for the method's default. Methods that take only a fraction
            of a second for their largest banks have no limit.
        device: "cpu", "cuda" for a card, or "auto" for one if it works. Masks and sums have the
            same bits. A card takes meet-in-the-middle with 2 to 20 elements and no tolerance; the
            rest runs on the CPU, with a warning for "cuda".

    Returns:
        Mask (..., K), achieved sum, residual, bound and reachable (...), status, and the method
        with the reason for it.

    Raises:
        SpecError: the bank or target is empty, not finite or not real, they do not broadcast, the
            bank is too large for the method, the method is unknown, or the time limit is not
            finite and positive; or there is no such device.
        ToolError: "cuda" without a card.

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
    if isinstance(method, str) and method == "auto":
        shape = shape_of("bank", bank)
        chosen, reason = choose(shape[-1] if shape else 1)
    solver = get_solver(chosen)
    if time_limit is not None:
        solver = solver.within(time_limit)
    if device != "cpu":
        solver = solver.on(device)
    solution = solver.prepare(bank).solve(target, tolerance)
    return replace(solution, reason=reason + solution.reason.removeprefix(AS_ASKED))
