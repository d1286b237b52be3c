"""General resistor networks, seen from their terminals.

Shapes: E resistors (edges), T terminals. Units: SI throughout. The terminals are the first T
nodes. A node's label is its number, or its name in the graph that it came from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import (
    Floats,
    Ints,
    arguments,
    as_floats,
    as_indices,
    check_range,
    frozen,
)
from xbar.errors import CircuitError, SpecError
from xbar.tables import Outline

if TYPE_CHECKING:
    import networkx as nx


_SHOWN = 6  # maximum number of nodes listed in an error


def _tail(tail: ArrayLike) -> Ints:
    return as_indices(tail, "tail", None, "a node")


def _head(head: ArrayLike) -> Ints:
    return as_indices(head, "head", None, "a node")


def _siemens(conductance: ArrayLike) -> Floats:
    return frozen(np.atleast_1d(as_floats(conductance, "conductance")))


def _labels(labels: Sequence[Hashable]) -> Sequence[Hashable]:
    return tuple(labels)


@attrs.frozen(eq=False, slots=False, repr=False)
class ResistorNetwork(Outline):
    """E resistors between nodes, the first T of which are terminals.

    Attributes:
        tail: (E,) node number at one end of each resistor.
        head: (E,) node number at the other end of each resistor.
        conductance: (E,) siemens. Zero is an open resistor.
        terminals: number of terminals T, which are the first nodes.
        labels: label of each node; empty if nodes are labelled by their numbers.

    Raises:
        SpecError: a node number is out of range, a resistor has both ends at one node, or a
            conductance is negative or not finite.

    Two resistors of 1 ohm in series, the node between them is not a terminal:

    >>> network = ResistorNetwork([0, 2], [2, 1], [1.0, 1.0], terminals=2)
    >>> network.effective_resistance(0, 1)
    2.0
    >>> network.reduced
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """

    tail: Ints = attrs.field(converter=_tail)
    head: Ints = attrs.field(converter=_head)
    conductance: Floats = attrs.field(converter=_siemens)
    terminals: int
    labels: Sequence[Hashable] = attrs.field(default=(), converter=_labels)

    def __attrs_post_init__(self) -> None:
        count = len(self.labels) or None
        tail = as_indices(self.tail, "tail", count, "a node")
        head, conductance = as_indices(self.head, "head", count, "a node"), self.conductance
        if not tail.shape == head.shape == conductance.shape:
            raise SpecError(
                f"tail, head and conductance must be rows of one length, one entry per resistor, "
                f"not {tail.shape}, {head.shape} and {conductance.shape}"
            )
        check_range(conductance, "conductance", "S", ("resistor",), "0 is an open resistor")
        loops = np.flatnonzero(tail == head)
        if len(loops):
            raise SpecError(
                f"a resistor must join two nodes, not {self._label(tail[loops[0]])!r} with itself "
                f"at resistor {loops[0]}; leave it out"
            )
        _check_terminals(self.terminals, len(self.labels))
        if len(set(self.labels)) != len(self.labels):
            raise SpecError("labels must differ, one for each node")

    def __reduce__(self) -> tuple[type[ResistorNetwork], tuple[Any, ...]]:
        return type(self), arguments(self)

    @property
    def nodes(self) -> int:
        """Number of nodes, terminals included."""
        used = 1 + max(self.tail.max(initial=-1), self.head.max(initial=-1))
        return len(self.labels) or max(self.terminals, int(used))

    @classmethod
    def from_graph(
        cls, graph: nx.Graph, terminals: Iterable[Hashable], weight: str = "conductance"
    ) -> ResistorNetwork:
        """Convert a networkx graph; its nodes keep their names as labels.

        Args:
            graph: undirected graph; parallel edges of a multigraph stay separate resistors.
            terminals: nodes that become terminals, in this order.
            weight: edge attribute with the conductance in siemens.

        Raises:
            SpecError: the graph is directed, a terminal is not a node or repeated, or an edge lacks
                the attribute.
        """
        if graph.is_directed():
            raise SpecError("a resistor has no direction: use graph.to_undirected()")
        first = list(terminals)
        for terminal in first:
            if terminal not in graph:
                raise SpecError(f"terminal {terminal!r} must be a node of the graph")
        if len(set(first)) != len(first):
            raise SpecError(f"terminals must differ, not {first!r}")
        labels = first + [node for node in graph if node not in set(first)]
        number = {label: k for k, label in enumerate(labels)}
        edges = list(graph.edges(data=weight))
        for tail, head, value in edges:
            if value is None:
                raise SpecError(
                    f"every edge must have the attribute {weight!r} in siemens, "
                    f"and that between {tail!r} and {head!r} has not"
                )
        return cls(
            [number[tail] for tail, _, _ in edges],
            [number[head] for _, head, _ in edges],
            [value for _, _, value in edges],
            len(first),
            labels,
        )

    def to_graph(self) -> nx.MultiGraph:
        """Convert to a networkx multigraph: edges have ``conductance``, nodes ``terminal``."""
        import networkx as nx

        graph = nx.MultiGraph()
        for k in range(self.nodes):
            graph.add_node(self._label(k), terminal=k < self.terminals)
        for tail, head, value in zip(self.tail, self.head, self.conductance, strict=True):
            graph.add_edge(self._label(tail), self._label(head), conductance=float(value))
        return graph

    @cached_property
    def reduced(self) -> Floats:
        """The network reduced to its terminals, (T, T) siemens.

        ``reduced @ voltage`` is the current into each terminal. Rows add up to zero.

        Raises:
            CircuitError: a part of the network is connected to no terminal.
            SolverError: the conductances span too wide a range for double precision.
        """
        from xbar.circuit.solvers.factor import Factor

        part = self._parts
        floating = np.flatnonzero(~np.isin(part, part[: self.terminals]))
        if len(floating):
            raise CircuitError(
                f"every node must be connected to a terminal, and {self._name(floating)} "
                f"{'is' if len(floating) == 1 else 'are'} not; join it by a resistor or remove it"
            )
        live = self.conductance > 0
        factor = Factor(
            self.tail[live], self.head[live], self.conductance[live], self.nodes, self.terminals
        )
        into = factor.feed.T @ factor.solve(np.eye(self.terminals))
        np.fill_diagonal(into, 0.0)
        into = (into + into.T) / 2
        # no current without voltages: the diagonal follows, so that rows add up to zero
        return frozen(np.diag(into.sum(axis=1)) - into)

    def effective_resistance(self, a: Hashable, b: Hashable) -> float:
        """Resistance between any two nodes in ohms; 0.0 between a node and itself.

        Raises:
            SpecError: there is no such node.
            CircuitError: no path of resistors joins the two.
            SolverError: the conductances span too wide a range for double precision.
        """
        first, second = self._number(a), self._number(b)
        if first == second:
            return 0.0
        return 1 / float(self._flow(first, second)[1])

    def sensitivity(self, a: Hashable, b: Hashable) -> Floats:
        """Derivative of the resistance between two nodes by each resistor, (E,) ohms per ohm.

        dR_ab/dR_e = (i_e / i)², with i_e / i the fraction of the current from a to b through the
        resistor. Zero for open resistors.

        Raises:
            SpecError: there is no such node, or both are the same.
            CircuitError: no path of resistors joins the two.
            SolverError: the conductances span too wide a range for double precision.
        """
        first, second = self._number(a), self._number(b)
        if first == second:
            raise SpecError(f"sensitivity needs two different nodes, not {a!r} twice")
        current, total = self._flow(first, second)
        return np.asarray((current / total) ** 2)

    def _flow(self, first: int, second: int) -> tuple[Floats, float]:
        """Current through each resistor (E,) and total current, for 1 V between two nodes."""
        from xbar.circuit.solvers.factor import Factor

        part = self._parts
        if part[first] != part[second]:
            one, other = (np.flatnonzero(part == part[k]) for k in (first, second))
            raise CircuitError(
                f"no path of resistors joins {self._label(first)!r} and {self._label(second)!r}: "
                f"the first is connected to {self._name(one)}, the second to {self._name(other)}"
            )
        inside = np.flatnonzero(part == part[first])
        order = [first, second, *inside[(inside != first) & (inside != second)]]
        number = np.full(self.nodes, -1)
        number[order] = np.arange(len(order))
        live = (self.conductance > 0) & (part[self.tail] == part[first])
        tail, head = number[self.tail[live]], number[self.head[live]]
        factor = Factor(tail, head, self.conductance[live], len(order), 2)
        voltage = factor.solve(np.array([[1.0], [0.0]]))
        current = np.zeros(len(self.tail))
        current[live] = self.conductance[live] * (factor.drop @ voltage)[:, 0]
        return current, (factor.feed.T @ voltage)[1, 0]

    @cached_property
    def _parts(self) -> NDArray[np.int32]:
        """Connected component (nodes,) of each node."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        live = self.conductance > 0
        shape = (self.nodes, self.nodes)
        joined = coo_array((np.ones(live.sum()), (self.tail[live], self.head[live])), shape)
        return np.asarray(connected_components(joined, directed=False)[1])

    @cached_property
    def _numbers(self) -> dict[Hashable, int]:
        return {self._label(k): k for k in range(self.nodes)}

    def _number(self, label: Hashable) -> int:
        if label not in self._numbers:
            raise SpecError(
                f"a node must be one of the network's {self.nodes}, not {label!r}: "
                f"{self._name(range(self.nodes))}"
            )
        return self._numbers[label]

    def _label(self, number: int) -> Hashable:
        return self.labels[number] if self.labels else int(number)

    def _name(self, numbers: Iterable[int]) -> str:
        labels = [repr(self._label(k)) for k in numbers]
        more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
        return ", ".join(labels[:_SHOWN]) + more


def _check_terminals(terminals: int, labels: int) -> None:
    whole = isinstance(terminals, (int, np.integer)) and not isinstance(terminals, bool)
    if not whole or terminals < 0 or (labels and terminals > labels):
        raise SpecError(
            f"terminals must be how many of the first nodes are terminals, not {terminals!r}"
        )
