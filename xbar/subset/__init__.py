"""Random subset sum: choice of the resistors of a bank whose sum is closest to a target.

The names below are imported on first use; numba is loaded by the first solve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.subset import theory as theory
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
    "ConstrainedSolution": "xbar.subset.programs.milp",
    "Constraints": "xbar.subset.programs.constraints",
    "Differencing": "xbar.subset.methods.differencing",
    "Exhaustive": "xbar.subset.methods.exhaustive",
    "Greedy": "xbar.subset.methods.greedy",
    "MeetInTheMiddle": "xbar.subset.methods.meet_in_the_middle",
    "Milp": "xbar.subset.programs.milp",
    "NetworkSearch": "xbar.subset.variants.rational",
    "PartitionSolution": "xbar.subset.variants.partition",
    "Prepared": "xbar.subset.solver",
    "RobustSolution": "xbar.subset.variants.robust",
    "SchroeppelShamir": "xbar.subset.methods.schroeppel_shamir",
    "SmallestSolution": "xbar.subset.variants.smallest",
    "Solver": "xbar.subset.solver",
    "SubsetSolution": "xbar.subset.problem",
    "VectorSolution": "xbar.subset.variants.vector",
    "Window": "xbar.subset.methods.window",
    "best_subsets": "xbar.subset.variants.best_subsets",
    "get_solver": "xbar.subset.registry",
    "names": "xbar.subset.registry",
    "solve_constrained": "xbar.subset.programs.milp",
    "solve_fixed_size": "xbar.subset.variants.fixed_size",
    "solve_many_targets": "xbar.subset.variants.partition",
    "solve_network": "xbar.subset.variants.rational",
    "solve_robust": "xbar.subset.variants.robust",
    "solve_series": "xbar.subset.variants.rational",
    "solve_smallest": "xbar.subset.variants.smallest",
    "solve_stream": "xbar.subset.variants.stream",
    "solve_subset": "xbar.subset.solver",
    "solve_vector": "xbar.subset.variants.vector",
    "solve_with_stuck": "xbar.subset.variants.stuck",
}
# xbar.sizing depends on the solvers, so these can't be imported above
_HOME |= {"bankdesign": "xbar.sizing", "laws": "xbar.sizing"}
_MODULES = ("theory",)

__all__ = sorted([*_HOME, *_MODULES])

__getattr__, __dir__ = public_names("xbar.subset", _HOME, _MODULES)
