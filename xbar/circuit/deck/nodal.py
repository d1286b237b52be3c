"""Nodal analysis of resistors and sources, with one unknown voltage per group of nodes.

Nodes that ideal sources join to ground have known voltages, and are merged where these are equal.
Every other group has one unknown voltage; a resistor at one of its nodes sees that plus the node's
offset within the group, which acts as a current source g d in parallel. The network is solved by
star-mesh elimination (`solvers/elimination.py`), so that small conductances are not lost to
rounding beside large ones. A part that is not connected to ground gets 0 V at its lowest node,
which doesn't affect its currents if its sources supply no net current.

Shapes: E elements, R resistors, nodes. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.groups import Groups, carry, join_nodes
from xbar.errors import SolverError

if TYPE_CHECKING:
    from xbar.circuit.solvers.elimination import Elimination

Integers = NDArray[np.int64]
Extended: TypeAlias = NDArray[np.longdouble]

_STEPS = 8
_GOOD = 1e-17  # net current into a group, relative to the currents there
_ENOUGH = 1e-10  # sum of those into all groups, relative to the largest current
_NO_CURRENT = 1e-12  # net current into a floating part, relative to that of its sources: rounding


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


def parts(elements: Elements, groups: Groups) -> Integers:
    """The lowest node (nodes,) connected to each node by resistors or ideal elements."""
    live = elements.resistive
    tail, head = groups.root[elements.first[live]], groups.root[elements.second[live]]
    return join_nodes(tail, head, len(groups.root))[groups.root]


def supplied_parts(elements: Elements, part: Integers) -> Integers:
    """Lowest nodes of the floating parts into which current sources drive a net current."""
    amperes = elements.value * elements.driven
    count = len(part)
    leaving = _leaving(part[elements.first], part[elements.second], amperes, count)
    moved = np.bincount(part[elements.first], np.abs(amperes), count)
    moved += np.bincount(part[elements.second], np.abs(amperes), count)
    return np.flatnonzero((np.abs(leaving) > _NO_CURRENT * moved) & (np.arange(count) != part[0]))


def solve(elements: Elements, groups: Groups, part: Integers) -> tuple[Floats, Floats]:
    """Voltages (nodes,) and currents (E,); in a floating part, relative to its lowest node.

    Args:
        elements: elements, of which closing ones carry no current.
        groups: groups of nodes.
        part: lowest node of each node's part, from `parts`.

    Raises:
        SolverError: the resistances span too wide a range for double precision.
    """
    from xbar.circuit.solvers.elimination import Elimination

    live, first, second = elements.resistive, elements.first, elements.second
    place, known, shift = _places(groups, part)
    tail, head, ohms = place[first[live]], place[second[live]], elements.value[live]
    joint = tail != head
    drop = np.asarray(shift[first[live]] - shift[second[live]], dtype=np.longdouble)
    current = np.where(elements.driven, elements.value, 0.0)
    count = int(place.max()) + 1
    law = _Law(
        Elimination(tail[joint], head[joint], 1 / ohms[joint], count, len(known)),
        tail[joint],
        head[joint],
        ohms[joint].astype(np.longdouble),
        known,
        -_leaving(place[first], place[second], current, count),
    )
    level, drop[joint] = _settle(law, drop[joint])
    current[live] = drop / ohms
    carry(groups, first, second, current)
    return level[place] + shift, current


def _places(groups: Groups, part: Integers) -> tuple[Integers, Floats, Floats]:
    """Number (nodes,) of each node's merged node, known voltages, and offset (nodes,) from it.

    The known ones are numbered first, in ascending order of voltage.
    """
    nodes = np.arange(len(part))
    ground = groups.root == groups.root[0]
    known, of_ground = np.unique(groups.offset[ground], return_inverse=True)
    place = np.empty(len(part), dtype=np.int64)
    place[ground] = of_ground
    zero = place[0]
    roots = np.flatnonzero((groups.root == nodes) & ~ground)
    number = np.full(len(part), -1)
    fixed = part[roots] == roots  # the lowest node of a floating part
    number[roots[fixed]] = zero
    number[roots[~fixed]] = len(known) + np.arange((~fixed).sum())
    place[~ground] = number[groups.root[~ground]]
    return place, known, np.where(ground, 0.0, groups.offset)


def _leaving(first: Integers, second: Integers, current: Floats, nodes: int) -> Floats:
    """Current (nodes,) leaving each node through elements, in amperes."""
    leaving = np.bincount(first, current, nodes) - np.bincount(second, current, nodes)
    return np.asarray(leaving, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Law:
    """Kirchhoff's current law for merged nodes, of which the first K are known.

    Attributes:
        factor: the resistors between merged nodes.
        tail: (R,) merged node at one end of each.
        head: (R,) merged node at the other end.
        ohms: (R,) their resistances.
        known: (K,) volts.
        supplied: (merged nodes,) net current from current sources, amperes.
    """

    factor: Elimination
    tail: Integers
    head: Integers
    ohms: Extended
    known: Floats
    supplied: Floats

    @cached_property
    def _leaving(self) -> Any:
        """Operator (merged nodes, R) from currents to the net currents out of merged nodes."""
        from scipy.sparse import csr_array

        edges = np.tile(np.arange(len(self.tail)), 2)
        sign = np.repeat(np.array([1.0, -1.0], dtype=np.longdouble), len(self.tail))
        shape = (len(self.supplied), len(self.tail))
        return csr_array((sign, (np.concatenate([self.tail, self.head]), edges)), shape)

    def missing(self, drop: Extended) -> tuple[Floats, float]:
        """Current (merged nodes,) that is missing at each unknown node, for drops (R,).

        Also returns the largest relative to the currents at its node.
        """
        through = drop / self.ohms
        net = self.supplied - self._leaving @ through
        net[: len(self.known)] = 0.0
        flows = abs(self._leaving) @ np.abs(through) + np.abs(self.supplied)
        share = np.divide(np.abs(net), flows, out=np.zeros_like(net), where=flows > 0)
        return np.asarray(net, dtype=np.float64), float(share.max(initial=0.0))


def _settle(law: _Law, own: Extended) -> tuple[Floats, Extended]:
    """Voltages (merged nodes,), and the voltage (R,) across each resistor.

    Args:
        law: the equations.
        own: (R,) voltage across each resistor due to offsets within groups.

    The solution is refined in extended precision, where the machine has it, until Kirchhoff's law
    holds at each node by itself: offsets, and the currents of several sources, may nearly cancel,
    and a small current may flow beside large ones.
    """
    level, drop = np.zeros(len(law.supplied)), own
    known = law.known[:, None]
    for _ in range(_STEPS):
        missing, share = law.missing(drop)
        if share <= _GOOD and not known.any():
            break
        more, across = law.factor.solve(known, missing[:, None])
        level, drop = level + more[:, 0], drop + across[:, 0]
        known = np.zeros_like(known)  # from the second step on a correction
    missing, _ = law.missing(drop)
    largest = float(np.abs(drop / law.ohms).max(initial=0.0))
    if not np.abs(missing).sum() <= _ENOUGH * largest:
        raise SolverError(
            f"the resistances span too wide a range: Kirchhoff's current law must hold to "
            f"{_ENOUGH:g} of the largest current, {largest:.1e} A, and {np.abs(missing).sum():.1e} "
            f"A are missing"
        )
    return level, drop
