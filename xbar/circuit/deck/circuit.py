"""A circuit of linear elements and sources, and its operating point.

Nodes joined by ideal elements (voltage sources, resistors of 0 ohm, inductors) form groups with one
unknown voltage each (see nodal.py). The currents of the ideal elements are found from the leaves of
each group's tree to its root. With controlled sources it is controlled.py that solves.

Shapes: E elements. Units: SI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, one_of
from xbar.circuit.deck.controlled import solve_controlled
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.nodal import Elements, parts, solve, supplied_parts
from xbar.circuit.deck.point import OperatingPoint, Values
from xbar.circuit.groups import Groups, Integers, group_nodes, join_nodes
from xbar.circuit.network import ResistorNetwork
from xbar.errors import CircuitError, warn
from xbar.tables import Outline, quoted

Floating: TypeAlias = Literal["warn", "report", "refuse"]
FLOATING: tuple[Floating, ...] = ("warn", "report", "refuse")
_FLOATS = "no voltage for {}: nothing connects it to node 0; join it to it by a resistor"
_UNDETERMINED = (
    "no current for {}: ideal sources and shorts in a loop, so only the sum of their currents is "
    "determined; put a small resistor into the loop"
)


@dataclass(frozen=True, eq=False, repr=False)
class Circuit(Outline):
    """Resistors, capacitors, inductors and sources between nodes.

    Attributes:
        elements: E elements with distinct names.
        notes: what was assumed while they were read.
        hint: why nodes may be without a connection, for messages about them.
    """

    elements: Sequence[FlatElement]
    notes: tuple[str, ...] = ()
    hint: str = ""

    def solve(self, floating: Floating = "warn") -> OperatingPoint:
        """The operating point.

        Nodes that nothing connects to ground have no voltage, and ideal elements in a loop no
        current of their own; a warning names them, and looking one up is an error. The currents in
        a floating part are determined, unless a current source drives a current into it that has no
        way back, which is refused.

        Args:
            floating: what to do about floating nodes: "warn", "report" them in the result only, or
                "refuse" the circuit.

        Raises:
            CircuitError: ideal sources form a loop in which their voltages do not add up to 0, a
                current has no way back, or nodes float that may not; the message names them.
            SolverError: the resistances span too wide a range for double precision.
            SpecError: ``floating`` is none of the three.
        """
        one_of(floating, "floating", FLOATING)
        e = self._arrays
        groups = group_nodes(e.first, e.second, self._ideal, e.value, len(self.nodes))
        part = parts(self._linked, groups)
        lost = np.flatnonzero(part != part[0])
        self._check(groups, part, lost if floating == "refuse" else lost[:0])
        voltage, current = self._solved(groups, part)
        point = self._point(voltage, current, lost, groups.undetermined)
        if point.undetermined:
            warn(_UNDETERMINED.format(quoted(point.undetermined)))
        if point.floating and floating == "warn":
            warn(self._hinted(_FLOATS.format(quoted(point.floating))))
        return point

    def _check(self, groups: Groups, part: Integers, refused: Integers) -> None:
        """Raise a CircuitError if there is no solution."""
        names = [element.name for element in self.elements]
        for k in np.flatnonzero(groups.undetermined).tolist():
            if self.elements[k].controls:
                raise CircuitError(
                    f"a controlled source must not be in a loop of ideal sources and shorts, and "
                    f"{names[k]!r} is"
                )
        if groups.loop:
            raise CircuitError(
                f"voltages of ideal sources and shorts in a loop must add up to 0, and those of "
                f"{quoted(names[k] for k in groups.loop)} do not; put a small resistor into it"
            )
        driven = supplied_parts(self._arrays, part)
        if len(driven):
            inside = quoted(self.nodes[k] for k in np.flatnonzero(np.isin(part, driven)).tolist())
            raise CircuitError(
                self._hinted(
                    f"a current must have a way back to its source, and nothing but current "
                    f"sources connects {inside} to node 0; join them to it by a resistor"
                )
            )
        if len(refused):
            raise CircuitError(
                self._hinted(
                    f"every node must be connected to node 0 by resistors or voltage sources, and "
                    f"{quoted(self.nodes[k] for k in refused.tolist())} "
                    f"{'is' if len(refused) == 1 else 'are'} not"
                )
            )

    def _hinted(self, message: str) -> str:
        return f"{message} ({self.hint})" if self.hint else message

    def _solved(self, groups: Groups, part: Integers) -> tuple[Floats, Floats]:
        """Voltages (nodes,) and currents (E,), those of closing elements 0."""
        controlled = [k for k, element in enumerate(self.elements) if element.controls]
        if not controlled:
            return solve(self._arrays, groups, part)
        e, names = self._arrays, [element.name for element in self.elements]
        senses = [c.by for k in controlled for c in self.elements[k].controls]
        ends = [self._number[node] for by in senses if len(by) == 2 for node in by]
        ends += [e.first[k] for k in controlled] + [e.second[k] for k in controlled]
        lost = [self.nodes[k] for k in ends if part[k] != part[0]]
        if lost:
            raise CircuitError(
                f"controlled sources must be connected to node 0 by resistors or voltage sources, "
                f"and {quoted(dict.fromkeys(lost))} {'is' if len(lost) == 1 else 'are'} not"
            )
        taken = (part[e.first] == part[0]) & (part[e.second] == part[0])
        taken[groups.closing] = False
        voltage, current = np.zeros(len(self.nodes)), np.zeros(len(names))
        if not taken.all():  # floating parts by themselves
            voltage, current = solve(self._arrays, groups, parts(self._arrays, groups))
        kept = [self.elements[k] for k in np.flatnonzero(taken).tolist()]
        near = [self.nodes[k] for k in np.flatnonzero(part == part[0]).tolist()]
        voltage[part == part[0]], current[taken] = solve_controlled(kept, near)
        return voltage, current

    def _point(
        self, voltage: Floats, current: Floats, lost: Integers, open_: NDArray[np.bool_]
    ) -> OperatingPoint:
        names = [element.name for element in self.elements]
        volts = dict(zip(self.nodes, voltage.tolist(), strict=True))
        amperes = dict(zip(names, current.tolist(), strict=True))
        floating = tuple(self.nodes[k] for k in lost.tolist())
        undetermined = tuple(names[k] for k in np.flatnonzero(open_).tolist())
        for node in floating:
            del volts[node]
        for name in undetermined:
            del amperes[name]
        return OperatingPoint(
            Values(volts, "node", {node: _FLOATS.format(repr(node)) for node in floating}),
            Values(
                amperes,
                "element",
                {name: _UNDETERMINED.format(repr(name)) for name in undetermined},
            ),
            floating,
            undetermined,
        )

    @cached_property
    def network(self) -> ResistorNetwork:
        """The resistors only; ground and the nodes of sources are the terminals.

        Terminals are in the deck's order, ground first. Nodes joined by resistors of 0 ohm are
        merged, under the name of the first; all their names are found, in any case.
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
        aliases = {node.lower(): int(number[root[k]]) for k, node in enumerate(self.nodes)}
        aliases = {node: place for node, place in aliases.items() if place >= 0}
        if "0" in aliases:
            aliases["gnd"] = aliases["0"]
        return ResistorNetwork(tail, head, 1 / e.value[live], len(terminals), labels, aliases)

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
    def _linked(self) -> Elements:
        """The same, current sources that a voltage controls taken for connections.

        Whether they are is seen when the equations are solved.
        """
        controlled = [e.form == "i" and bool(e.controls) for e in self.elements]
        e = self._arrays
        return replace(e, resistive=e.resistive | np.array(controlled, dtype=np.bool_))

    @cached_property
    def _arrays(self) -> Elements:
        number = self._number
        first = np.array([number[e.first] for e in self.elements], dtype=np.int64)
        second = np.array([number[e.second] for e in self.elements], dtype=np.int64)
        value = np.array([e.value for e in self.elements], dtype=np.float64)
        value[self._form == "l"] = 0.0
        resistive = (self._form == "r") & (value > 0) & (first != second)
        return Elements(first, second, value, resistive, self._form == "i")
