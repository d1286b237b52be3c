"""The subset solvers by name. To add one: its own file, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.errors import SpecError
from xbar.subset.exhaustive import Exhaustive
from xbar.subset.meet_in_the_middle import MeetInTheMiddle
from xbar.subset.milp import Milp

if TYPE_CHECKING:
    from xbar.subset.solver import Solver


def _solvers() -> dict[str, Solver]:
    return {solver.name: solver for solver in (Exhaustive(), MeetInTheMiddle(), Milp())}


def names() -> list[str]:
    """The names that `get_solver` and `solve_subset` take.

    >>> names()
    ['exhaustive', 'meet-in-the-middle', 'milp']
    """
    return list(_solvers())


def get_solver(name: str) -> Solver:
    """The solver of that name.

    Raises:
        SpecError: there is none.

    >>> get_solver("exhaustive").prepare([1.0, 2.0, 4.0]).solve(5.2).achieved
    np.float64(5.0)
    """
    solvers = _solvers()
    if name not in solvers:
        raise SpecError(
            f"there is no subset solver {name!r}; take one of {', '.join(solvers)}, or auto"
        )
    return solvers[name]
