"""The subset solvers by name. A new one takes one module and one line here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from xbar.errors import SpecError, shown
from xbar.subset.methods.differencing import Differencing
from xbar.subset.methods.exhaustive import Exhaustive
from xbar.subset.methods.greedy import Greedy
from xbar.subset.methods.meet_in_the_middle import MeetInTheMiddle
from xbar.subset.methods.schroeppel_shamir import SchroeppelShamir
from xbar.subset.methods.window import Window
from xbar.subset.programs.milp import Milp

if TYPE_CHECKING:
    from xbar.subset.solver import Solver


_MANY = 100  # bank size above which differencing is better than a window


@cache
def _solvers() -> dict[str, Solver]:
    solvers: list[Solver] = [
        Exhaustive(),
        MeetInTheMiddle(),
        SchroeppelShamir(),
        Differencing(),
        Window(),
        Greedy(),
        Milp(),
    ]
    return {solver.name: solver for solver in solvers}


def names() -> list[str]:
    """Names accepted by `get_solver` and `solve_subset`.

    >>> names()[:4]
    ['exhaustive', 'meet-in-the-middle', 'schroeppel-shamir', 'differencing']
    """
    return list(_solvers())


def choose(elements: int) -> tuple[str, str]:
    """The method for a bank of K elements, and the reason.

    >>> choose(16)
    ('meet-in-the-middle', 'K = 16: exact and fastest up to 32 elements')
    """
    if elements <= MeetInTheMiddle.max_elements:
        return MeetInTheMiddle.name, f"K = {elements}: exact and fastest up to 32 elements"
    if elements <= SchroeppelShamir.max_elements:
        return SchroeppelShamir.name, f"K = {elements}: exact up to 64 elements in little memory"
    if elements < _MANY:
        why = f"K = {elements}: no exact method takes more than 64, a window is closest below"
        return Window.name, f"{why} {_MANY}"
    return Differencing.name, f"K = {elements}: the closest from {_MANY} elements on"


def get_solver(name: str) -> Solver:
    """The solver with a given name.

    Raises:
        SpecError: the name is unknown.

    >>> get_solver("exhaustive").prepare([1.0, 2.0, 4.0]).solve(5.2).achieved
    np.float64(5.0)
    """
    solvers = _solvers()
    if not isinstance(name, str) or name not in solvers:
        raise SpecError(
            f"there is no subset solver {shown(name)}; take one of {', '.join(solvers)}, or auto"
        )
    return solvers[name]
