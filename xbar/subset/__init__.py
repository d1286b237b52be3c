"""Random subset sum: which resistors of a bank to switch in, so that they add up to a target.

The names below are imported when they are first used; numba is loaded by the first solution.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbar.subset.methods.differencing import Differencing as Differencing
    from xbar.subset.methods.exhaustive import Exhaustive as Exhaustive
    from xbar.subset.methods.greedy import Greedy as Greedy
    from xbar.subset.methods.meet_in_the_middle import MeetInTheMiddle as MeetInTheMiddle
    from xbar.subset.methods.schroeppel_shamir import SchroeppelShamir as SchroeppelShamir
    from xbar.subset.methods.window import Window as Window
    from xbar.subset.problem import SubsetSolution as SubsetSolution
    from xbar.subset.programs.constraints import Constraints as Constraints
    from xbar.subset.programs.milp import ConstrainedSolution as ConstrainedSolution
    from xbar.subset.programs.milp import Milp as Milp
    from xbar.subset.programs.milp import solve_constrained as solve_constrained
    from xbar.subset.registry import get_solver as get_solver
    from xbar.subset.registry import names as names
    from xbar.subset.solver import Prepared as Prepared
    from xbar.subset.solver import Solver as Solver
    from xbar.subset.solver import solve_subset as solve_subset
    from xbar.subset.variants.best_subsets import best_subsets as best_subsets
    from xbar.subset.variants.fixed_size import solve_fixed_size as solve_fixed_size
    from xbar.subset.variants.partition import PartitionSolution as PartitionSolution
    from xbar.subset.variants.partition import solve_many_targets as solve_many_targets
    from xbar.subset.variants.rational import NetworkSearch as NetworkSearch
    from xbar.subset.variants.rational import solve_network as solve_network
    from xbar.subset.variants.rational import solve_series as solve_series
    from xbar.subset.variants.robust import RobustSolution as RobustSolution
    from xbar.subset.variants.robust import solve_robust as solve_robust
    from xbar.subset.variants.smallest import SmallestSolution as SmallestSolution
    from xbar.subset.variants.smallest import solve_smallest as solve_smallest
    from xbar.subset.variants.stream import solve_stream as solve_stream
    from xbar.subset.variants.stuck import solve_with_stuck as solve_with_stuck
    from xbar.subset.variants.vector import VectorSolution as VectorSolution
    from xbar.subset.variants.vector import solve_vector as solve_vector

_HOME = {
    "ConstrainedSolution": "programs.milp",
    "Constraints": "programs.constraints",
    "Differencing": "methods.differencing",
    "Exhaustive": "methods.exhaustive",
    "Greedy": "methods.greedy",
    "MeetInTheMiddle": "methods.meet_in_the_middle",
    "Milp": "programs.milp",
    "NetworkSearch": "variants.rational",
    "PartitionSolution": "variants.partition",
    "Prepared": "solver",
    "RobustSolution": "variants.robust",
    "SchroeppelShamir": "methods.schroeppel_shamir",
    "SmallestSolution": "variants.smallest",
    "Solver": "solver",
    "SubsetSolution": "problem",
    "VectorSolution": "variants.vector",
    "Window": "methods.window",
    "best_subsets": "variants.best_subsets",
    "get_solver": "registry",
    "names": "registry",
    "solve_constrained": "programs.milp",
    "solve_fixed_size": "variants.fixed_size",
    "solve_many_targets": "variants.partition",
    "solve_network": "variants.rational",
    "solve_robust": "variants.robust",
    "solve_series": "variants.rational",
    "solve_smallest": "variants.smallest",
    "solve_stream": "variants.stream",
    "solve_subset": "solver",
    "solve_vector": "variants.vector",
    "solve_with_stuck": "variants.stuck",
}
_SIZING = {"bankdesign", "laws"}  # modules of the package above, by the names of the public API

__all__ = sorted([*_HOME, *_SIZING, "theory"])


def __getattr__(name: str) -> Any:
    if name in _SIZING:
        return import_module(f"xbar.sizing.{name}")
    if name == "theory":
        return import_module("xbar.subset.theory")
    if name not in _HOME:
        raise AttributeError(f"module 'xbar.subset' has no attribute {name!r}")
    value = getattr(import_module(f"xbar.subset.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
