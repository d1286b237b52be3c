"""Random subset sum: which resistors of a bank to switch in, so that they add up to a target.

The names below are imported when they are first used; numba is loaded by the first solution.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbar.subset import bankdesign as bankdesign
    from xbar.subset import laws as laws
    from xbar.subset import theory as theory
    from xbar.subset.differencing import Differencing as Differencing
    from xbar.subset.exhaustive import Exhaustive as Exhaustive
    from xbar.subset.greedy import Greedy as Greedy
    from xbar.subset.meet_in_the_middle import MeetInTheMiddle as MeetInTheMiddle
    from xbar.subset.problem import SubsetSolution as SubsetSolution
    from xbar.subset.registry import get_solver as get_solver
    from xbar.subset.registry import names as names
    from xbar.subset.schroeppel_shamir import SchroeppelShamir as SchroeppelShamir
    from xbar.subset.solver import Prepared as Prepared
    from xbar.subset.solver import Solver as Solver
    from xbar.subset.solver import solve_subset as solve_subset
    from xbar.subset.stream import solve_stream as solve_stream
    from xbar.subset.window import Window as Window

_HOME = {
    "Greedy": "greedy",
    "Window": "window",
    "Differencing": "differencing",
    "SchroeppelShamir": "schroeppel_shamir",
    "Exhaustive": "exhaustive",
    "MeetInTheMiddle": "meet_in_the_middle",
    "Prepared": "solver",
    "Solver": "solver",
    "SubsetSolution": "problem",
    "get_solver": "registry",
    "names": "registry",
    "solve_stream": "stream",
    "solve_subset": "solver",
}

_MODULES = {"bankdesign", "laws", "theory"}

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"xbar.subset.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'xbar.subset' has no attribute {name!r}")
    value = getattr(import_module(f"xbar.subset.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
