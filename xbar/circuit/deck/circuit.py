"""A circuit of resistors and ideal sources, and its operating point.

Nodes joined by ideal elements (voltage sources and resistors of 0 ohm) form groups with one unknown
voltage each (see nodal.py). The currents of the ideal elements are found from the leaves of each
group's tree to its root.

Shapes: E elements. Units: SI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.deck.groups import group_nodes, join_nodes
from xbar.circuit.deck.hierarchy import FlatElement
from xbar.circuit.deck.nodal import Elements, floating_nodes, solve
from xbar.circuit.network import ResistorNetwork
from xbar.errors import CircuitError
from xbar.tables import Outline

_SHOWN = 6  # maximum number of names listed in an error


@dataclass(frozen=True, repr=False)
class OperatingPoint(Outline):
    """Voltages and currents of a circuit.

    Attributes:
        voltage: volts by node, in lower case; ground is "0".
        current: amperes by element, in lower case: through a resistor from its first to its second
            node, through a source from its positive to its negative node.
    """

    voltage: Mapping[str, float]
    current: Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Circuit(Outline):
    """Resistors, voltage sources and current sources between nodes.

    Attributes:
        elements: E elements with distinct names.
    """

    elements: Sequence[FlatElement]

    def solve(self) -> OperatingPoint:
        """The operating point.

        Raises:
            CircuitError: some nodes are not connected to ground, or ideal sources and shorts form
                a loop; the message names them.
            SolverError: the resistances span too wide a range for double precision.
        """
        e = self._arrays
        ideal = (self._kind == "v") | self._short
        groups = group_nodes(e.first, e.second, ideal, e.value, len(self.nodes))
        if groups.loop:
            names = _listed(self.elements[k].name for k in groups.loop)
            raise CircuitError(
                f"ideal sources and shorts must not form a loop, but {names} do: its current is "
                f"undefined; put a small resistor into it"
            )
        floating = floating_nodes(e, groups)
        if len(floating):
            names = _listed(self.nodes[k] for k in floating.tolist())
            raise CircuitError(
                f"every node must be connected to node 0 by resistors or voltage sources, and "
                f"{names} {'is' if len(floating) == 1 else 'are'} not"
            )
        voltage, current = solve(e, groups)
        return OperatingPoint(
            dict(zip(self.nodes, voltage.tolist(), strict=True)),
            dict(zip((element.name for element in self.elements), current.tolist(), strict=True)),
        )

    @cached_property
    def network(self) -> ResistorNetwork:
        """The resistors only; ground and the nodes of sources are the terminals.

        Terminals are in the deck's order, ground first. Nodes joined by resistors of 0 ohm are
        merged, under the name of the first.
        """
        e = self._arrays
        root = join_nodes(e.first[self._short], e.second[self._short], len(self.nodes))
        ends = root[np.column_stack([e.first, e.second])]
        live = e.resistive & (ends[:, 0] != ends[:, 1])
        touched = ends[self._kind != "r"].ravel().tolist()
        between = ends[live].ravel().tolist()
        ground = [0] if 0 in touched or 0 in between else []
        terminals = list(dict.fromkeys([*ground, *touched]))
        order = list(dict.fromkeys([*terminals, *between]))
        number = np.full(len(self.nodes), -1)
        number[order] = np.arange(len(order))
        tail, head = number[ends[live]].T
        labels = [self.nodes[k] for k in order]
        return ResistorNetwork(tail, head, 1 / e.value[live], len(terminals), labels)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes; ground, "0", is the first."""
        ends = (node for e in self.elements for node in (e.first, e.second))
        return tuple(dict.fromkeys(["0", *ends]))

    @cached_property
    def _kind(self) -> NDArray[np.str_]:
        return np.array([e.name[0] for e in self.elements], dtype="<U1")

    @cached_property
    def _short(self) -> NDArray[np.bool_]:
        """Resistors of 0 ohm between two distinct nodes; those within one node have no effect."""
        e = self._arrays
        return np.asarray((self._kind == "r") & (e.value == 0) & (e.first != e.second))

    @cached_property
    def _arrays(self) -> Elements:
        number = {node: k for k, node in enumerate(self.nodes)}
        first = np.array([number[e.first] for e in self.elements], dtype=np.int64)
        second = np.array([number[e.second] for e in self.elements], dtype=np.int64)
        value = np.array([e.value for e in self.elements], dtype=np.float64)
        resistive = (self._kind == "r") & (value > 0) & (first != second)
        return Elements(first, second, value, resistive, self._kind == "i")


def _listed(names: Iterable[str]) -> str:
    found = [repr(name) for name in names]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
