"""Nodal analysis of resistors and sources, with one unknown voltage per group of nodes.

Kirchhoff's current law for the groups is D' g (D x + d) = c: D is the difference operator on the
groups' voltages x, d the known differences within groups, c the sources' currents. The system is
sparse and symmetric. Currents are summed per resistor and the solution is refined against those
sums, so that small conductances are not lost to rounding beside large ones.

Shapes: E elements, nodes. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.deck.groups import Groups, join_nodes
from xbar.errors import SolverError

if TYPE_CHECKING:
    import scipy.sparse as sp
    from scipy.sparse.linalg import SuperLU

Integers = NDArray[np.int64]

_STEPS = 10
_GOOD, _ENOUGH = (
    1e-15,
    1e-10,
)  # net current at a node relative to the currents there: target, and largest accepted
_FLOOR = 1e-16  # currents below this times the largest voltage times the largest conductance are 0


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a circuit as arrays (E,).

    Attributes:
        first: first node, the positive one of a source.
        second: second node.
        value: ohms, volts or amperes.
        resistive: True for resistors of positive resistance.
        driven: True for current sources.
    """

    first: Integers
    second: Integers
    value: Floats
    resistive: NDArray[np.bool_]
    driven: NDArray[np.bool_]


def floating_nodes(elements: Elements, groups: Groups) -> Integers:
    """Nodes without a connection to node 0 by resistors or ideal elements."""
    live = elements.resistive
    tail, head = groups.root[elements.first[live]], groups.root[elements.second[live]]
    part = join_nodes(tail, head, len(groups.root))[groups.root]
    return np.flatnonzero(part != part[0])


def solve(elements: Elements, groups: Groups) -> tuple[Floats, Floats]:
    """Voltages (nodes,) and currents (E,) of a circuit without floating nodes.

    Raises:
        SolverError: the resistances span too wide a range for double precision.
    """
    live, first, second = elements.resistive, elements.first, elements.second
    roots, group = np.unique(groups.root, return_inverse=True)
    current = np.where(elements.driven, elements.value, 0.0)
    leaving = _leaving(first, second, current, len(group))
    unknown, drop = _settle(
        _Law(
            np.column_stack([group[first[live]], group[second[live]]]),
            1 / elements.value[live],
            groups.offset[first[live]] - groups.offset[second[live]],
            -_total(group, leaving, len(roots)),
            _total(group, np.abs(leaving), len(roots)),
        )
    )
    current[live] = drop / elements.value[live]
    leaving = _leaving(first, second, current, len(group))
    for node in groups.order[::-1].tolist():
        k = int(groups.element[node])
        if k >= 0:
            forward = first[k] == node
            current[k] = -leaving[node] if forward else leaving[node]
            leaving[second[k] if forward else first[k]] += leaving[node]
    return unknown[group] + groups.offset, current


def _total(place: Integers, values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(place, values, count), dtype=np.float64)


def _leaving(first: Integers, second: Integers, current: Floats, nodes: int) -> Floats:
    """Current (nodes,) leaving each node through elements, in amperes."""
    return _total(first, current, nodes) - _total(second, current, nodes)


@dataclass(frozen=True, eq=False)
class _Law:
    """Kirchhoff's current law for groups; the first group is ground.

    Attributes:
        ends: (R, 2) groups at both ends of each resistor.
        conductance: (R,) siemens.
        known: (R,) voltage across each resistor due to offsets within groups.
        supplied: (groups,) net current from current sources, amperes.
        moved: (groups,) sum of their absolute values.
    """

    ends: Integers
    conductance: Floats
    known: Floats
    supplied: Floats
    moved: Floats


def _settle(law: _Law) -> tuple[Floats, Floats]:
    """Voltages (groups,) and voltage (R,) across each resistor.

    The correction by refinement is kept separate from the first solution, so that a small voltage
    across a resistor is more precise than the large voltages at its ends.
    """
    count = len(law.supplied)
    coarse, fine, best, least = np.zeros(count), np.zeros(count), np.zeros(count), np.inf
    if count == 1:
        return coarse, law.known
    difference, leaving = _operators(law, count)
    factor = _factorise((leaving @ difference).tocsc()[1:, 1:].tocsc())
    coarse[1:] = factor.solve((law.supplied - leaving @ law.known)[1:])
    for _ in range(_STEPS):
        drop = difference @ coarse + law.known + difference @ fine
        left = law.supplied - leaving @ drop
        flows = abs(leaving) @ np.abs(drop) + law.moved
        highest = max(float(np.abs(coarse).max()), float(np.abs(law.known).max(initial=0.0)))
        floor = _FLOOR * float(law.conductance.max(initial=0.0)) * highest
        share = float((np.abs(left) / np.maximum(flows, floor or 1.0))[1:].max())
        if not share < least:
            break
        best, least = fine.copy(), share
        if share <= _GOOD:
            break
        fine[1:] += factor.solve(left[1:])
    if not least <= _ENOUGH:
        raise SolverError(
            f"the resistances span too wide a range: Kirchhoff's current law must hold to "
            f"{_ENOUGH:g} of the currents at each node, not {least:.1e}"
        )
    return coarse + best, difference @ coarse + law.known + difference @ best


def _operators(law: _Law, count: int) -> tuple[sp.csr_array[np.float64], sp.csr_array[np.float64]]:
    """Operators (R, groups) from voltages to drops and (groups, R) from drops to net currents."""
    import scipy.sparse as sp

    edges = np.tile(np.arange(len(law.ends)), 2)
    sign = np.repeat([1.0, -1.0], len(law.ends))
    group = law.ends.T.ravel()
    difference = sp.csr_array((sign, (edges, group)), (len(law.ends), count))
    current = sign * np.tile(law.conductance, 2)
    return difference, sp.csr_array((current, (group, edges)), (count, len(law.ends)))


def _factorise(matrix: sp.csc_array[np.float64]) -> SuperLU:
    from scipy.sparse.linalg import splu

    try:
        return splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,  # diagonal pivots, possible by symmetry
            options={"SymmetricMode": True},
        )
    except RuntimeError as error:  # a pivot was rounded to zero
        raise SolverError("the resistances span too wide a range for double precision") from error
