"""A circuit of resistors and ideal sources, and its operating point.

Nodes joined by ideal elements (voltage sources, resistors of 0 ohm, inductors) form groups with one
unknown voltage each (see nodal.py). The currents of the ideal elements are found from the leaves of
each group's tree to its root. With controlled sources it is controlled.py that solves.

Shapes: E elements. Units: SI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.deck.controlled import solve_controlled
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.groups import group_nodes, join_nodes
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
    """Resistors, capacitors, inductors and sources between nodes.

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
        groups = group_nodes(e.first, e.second, self._ideal, e.value, len(self.nodes))
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
        if any(element.controls for element in self.elements):
            voltage, current = solve_controlled(self.elements, self.nodes)
        else:
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
        controls = (c.by for element in self.elements for c in element.controls)
        controlling = [self._number[node] for by in controls if len(by) == 2 for node in by]
        driven = ends[(self._form == "v") | (self._form == "i")]
        touched = [*driven.ravel().tolist(), *root[controlling].tolist()]
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
        found = dict.fromkeys(["0"])
        for e in self.elements:
            found[e.first] = found[e.second] = None
            for control in e.controls:
                if len(control.by) == 2:
                    found.update(dict.fromkeys(control.by))
        return tuple(found)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {node: k for k, node in enumerate(self.nodes)}

    @cached_property
    def _form(self) -> NDArray[np.str_]:
        return np.array([e.form for e in self.elements], dtype="<U1")

    @cached_property
    def _ideal(self) -> NDArray[np.bool_]:
        """Elements that fix the voltage between their nodes."""
        return np.asarray((self._form == "v") | self._short)

    @cached_property
    def _short(self) -> NDArray[np.bool_]:
        """Shorts between two distinct nodes; those within one node have no effect."""
        e = self._arrays
        shorts = ((self._form == "r") & (e.value == 0)) | (self._form == "l")
        return np.asarray(shorts & (e.first != e.second))

    @cached_property
    def _arrays(self) -> Elements:
        number = self._number
        first = np.array([number[e.first] for e in self.elements], dtype=np.int64)
        second = np.array([number[e.second] for e in self.elements], dtype=np.int64)
        value = np.array([e.value for e in self.elements], dtype=np.float64)
        value[self._form == "l"] = 0.0
        resistive = (self._form == "r") & (value > 0) & (first != second)
        return Elements(first, second, value, resistive, self._form == "i")


def _listed(names: Iterable[str]) -> str:
    found = [repr(name) for name in names]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
