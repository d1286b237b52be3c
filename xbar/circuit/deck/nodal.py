"""Nodal analysis of resistors and sources, one unknown voltage for each group of nodes.

Kirchhoff's current law for the groups is D' g (D x + d) = c: D takes differences of the groups'
voltages x, d are the known differences within groups, c the sources' currents. It is a sparse,
symmetric system. Currents are summed resistor by resistor and the solution is refined against
those sums, so that large conductances do not round small ones away.

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
_GOOD, _ENOUGH = 1e-15, 1e-10  # current left over at a node, relative to what flows there
_FLOOR = 1e-16  # of the largest voltage across the largest conductance: a smaller current is none


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a circuit as arrays (E,).

    Attributes:
        first: node, the positive one of a source.
        second: the other node.
        value: ohms, volts or amperes.
        resistive: whether Ohm's law gives its current; its value is positive.
        driven: whether it is a current source.
    """

    first: Integers
    second: Integers
    value: Floats
    resistive: NDArray[np.bool_]
    driven: NDArray[np.bool_]


def floating_nodes(elements: Elements, groups: Groups) -> Integers:
    """The nodes that neither resistors nor ideal elements connect to node 0."""
    live = elements.resistive
    tail, head = groups.root[elements.first[live]], groups.root[elements.second[live]]
    part = join_nodes(tail, head, len(groups.root))[groups.root]
    return np.flatnonzero(part != part[0])


def solve(elements: Elements, groups: Groups) -> tuple[Floats, Floats]:
    """Voltages (nodes,) and currents (E,) of a circuit in which everything is grounded.

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
    """Amperes (nodes,) that leave each node through elements."""
    return _total(first, current, nodes) - _total(second, current, nodes)


@dataclass(frozen=True, eq=False)
class _Law:
    """Kirchhoff's current law for the groups, the first of which is ground.

    Attributes:
        ends: (R, 2) groups that each resistor joins.
        conductance: (R,) siemens.
        known: (R,) volts that the groups themselves put across each resistor.
        supplied: (groups,) amperes from current sources.
        moved: (groups,) the sum of their absolute values.
    """

    ends: Integers
    conductance: Floats
    known: Floats
    supplied: Floats
    moved: Floats


def _settle(law: _Law) -> tuple[Floats, Floats]:
    """Voltages (groups,) and the voltage (R,) across each resistor.

    What refinement adds is kept apart from the first solution, so that a small voltage across a
    resistor is known to more digits than the large voltages at its ends.
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
            f"{_ENOUGH:g} of the currents at each node, and it holds to {least:.1e}"
        )
    return coarse + best, difference @ coarse + law.known + difference @ best


def _operators(law: _Law, count: int) -> tuple[sp.csr_array[np.float64], sp.csr_array[np.float64]]:
    """(R, groups) from voltages to drops, and (groups, R) from drops to leaving currents."""
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
            diag_pivot_thresh=0.0,  # pivots stay on the diagonal, as symmetry allows
            options={"SymmetricMode": True},
        )
    except RuntimeError as error:  # a pivot was rounded to zero
        raise SolverError("the resistances span too wide a range for double precision") from error
