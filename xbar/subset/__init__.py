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
    from xbar.subset.best_subsets import best_subsets as best_subsets
    from xbar.subset.constraints import Constraints as Constraints
    from xbar.subset.differencing import Differencing as Differencing
    from xbar.subset.exhaustive import Exhaustive as Exhaustive
    from xbar.subset.fixed_size import solve_fixed_size as solve_fixed_size
    from xbar.subset.greedy import Greedy as Greedy
    from xbar.subset.meet_in_the_middle import MeetInTheMiddle as MeetInTheMiddle
    from xbar.subset.milp import ConstrainedSolution as ConstrainedSolution
    from xbar.subset.milp import Milp as Milp
    from xbar.subset.milp import solve_constrained as solve_constrained
    from xbar.subset.partition import PartitionSolution as PartitionSolution
    from xbar.subset.partition import solve_many_targets as solve_many_targets
    from xbar.subset.problem import SubsetSolution as SubsetSolution
    from xbar.subset.rational import NetworkSearch as NetworkSearch
    from xbar.subset.rational import solve_network as solve_network
    from xbar.subset.rational import solve_series as solve_series
    from xbar.subset.registry import get_solver as get_solver
    from xbar.subset.registry import names as names
    from xbar.subset.robust import RobustSolution as RobustSolution
    from xbar.subset.robust import solve_robust as solve_robust
    from xbar.subset.schroeppel_shamir import SchroeppelShamir as SchroeppelShamir
    from xbar.subset.smallest import SmallestSolution as SmallestSolution
    from xbar.subset.smallest import solve_smallest as solve_smallest
    from xbar.subset.solver import Prepared as Prepared
    from xbar.subset.solver import Solver as Solver
    from xbar.subset.solver import solve_subset as solve_subset
    from xbar.subset.stream import solve_stream as solve_stream
    from xbar.subset.stuck import solve_with_stuck as solve_with_stuck
    from xbar.subset.vector import VectorSolution as VectorSolution
    from xbar.subset.vector import solve_vector as solve_vector
    from xbar.subset.window import Window as Window

_HOME = {
    "ConstrainedSolution": "milp",
    "Constraints": "constraints",
    "Differencing": "differencing",
    "Exhaustive": "exhaustive",
    "Greedy": "greedy",
    "MeetInTheMiddle": "meet_in_the_middle",
    "Milp": "milp",
    "NetworkSearch": "rational",
    "PartitionSolution": "partition",
    "Prepared": "solver",
    "RobustSolution": "robust",
    "SchroeppelShamir": "schroeppel_shamir",
    "SmallestSolution": "smallest",
    "Solver": "solver",
    "SubsetSolution": "problem",
    "VectorSolution": "vector",
    "Window": "window",
    "best_subsets": "best_subsets",
    "get_solver": "registry",
    "names": "registry",
    "solve_constrained": "milp",
    "solve_fixed_size": "fixed_size",
    "solve_many_targets": "partition",
    "solve_network": "rational",
    "solve_robust": "robust",
    "solve_series": "rational",
    "solve_smallest": "smallest",
    "solve_stream": "stream",
    "solve_subset": "solver",
    "solve_vector": "vector",
    "solve_with_stuck": "stuck",
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
