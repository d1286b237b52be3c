"""General resistor networks, seen from their terminals.

Shapes: E resistors (edges), T terminals. Units: SI throughout. The terminals are the first T
nodes. A node's label is its number, or its name in the graph that it came from. All resistances are
found by star-mesh elimination without subtractions: they are positive and right to a few roundings
per node, whatever range the conductances span.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import (
    Bools,
    Floats,
    Ints,
    arguments,
    as_floats,
    as_indices,
    check_range,
    frozen,
)
from xbar.circuit.graphs import NOTHING, Attribute, edge_resistors
from xbar.circuit.groups import Integers, carry, group_nodes, join_nodes
from xbar.circuit.solvers.memory import check_memory
from xbar.errors import CircuitError, SpecError, warn
from xbar.tables import Outline, quoted

if TYPE_CHECKING:
    import networkx as nx

    from xbar.circuit.solvers.elimination import Elimination


_SHOWN = 6  # maximum number of nodes listed in an error
_UNUSED = 1_000_000  # largest number of nodes without a resistor


def _tail(tail: ArrayLike) -> Ints:
    return as_indices(tail, "tail", None, "a node")


def _head(head: ArrayLike) -> Ints:
    return as_indices(head, "head", None, "a node")


def _siemens(conductance: ArrayLike) -> Floats:
    return frozen(np.atleast_1d(as_floats(conductance, "conductance")))


def _labels(labels: Sequence[Hashable]) -> Sequence[Hashable]:
    return tuple(labels)


def _aliases(aliases: Mapping[str, int]) -> Mapping[str, int]:
    return dict(aliases)


@attrs.frozen(eq=False, slots=False, repr=False)
class ResistorNetwork(Outline):
    """E resistors between nodes, the first T of which are terminals.

    Attributes:
        tail: (E,) node number at one end of each resistor.
        head: (E,) node number at the other end of each resistor.
        conductance: (E,) siemens. Zero is an open resistor, infinite a short.
        terminals: number of terminals T, which are the first nodes.
        labels: label of each node; empty if nodes are labelled by their numbers.
        aliases: node by other names, in lower case, which are found in any case.

    A resistor with both ends at one node has no effect; a warning says so.

    Raises:
        SpecError: a node number is out of range, or a conductance is negative or not a number.

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
    aliases: Mapping[str, int] = attrs.field(factory=dict, converter=_aliases)

    def __attrs_post_init__(self) -> None:
        count = len(self.labels) or None
        tail = as_indices(self.tail, "tail", count, "a node")
        head, conductance = as_indices(self.head, "head", count, "a node"), self.conductance
        if not tail.shape == head.shape == conductance.shape:
            raise SpecError(
                f"tail, head and conductance must be rows of one length, one entry per resistor, "
                f"not {tail.shape}, {head.shape} and {conductance.shape}"
            )
        finite = np.where(conductance == np.inf, 1.0, conductance)
        advice = "0 is an open resistor, inf a short"
        check_range(finite, "conductance", "S", ("resistor",), advice)
        _check_terminals(self.terminals, len(self.labels))
        if len(set(self.labels)) != len(self.labels):
            raise SpecError("labels must differ, one for each node")
        if not self.labels and self.nodes > 2 * len(tail) + _UNUSED:
            raise SpecError(
                f"nodes must be numbered from 0 without large gaps, and {len(tail)} resistors have "
                f"node numbers or terminals up to {self.nodes - 1}; renumber them, or give labels"
            )
        loops = np.flatnonzero(tail == head)
        if len(loops):
            warn(
                f"a resistor with both ends at one node has no effect: {len(loops)} of "
                f"{len(tail)}, the first at node {self._label(tail[loops[0]])!r}"
            )

    def __reduce__(self) -> tuple[type[ResistorNetwork], tuple[Any, ...]]:
        return type(self), arguments(self)

    @property
    def nodes(self) -> int:
        """Number of nodes, terminals included."""
        used = 1 + max(self.tail.max(initial=-1), self.head.max(initial=-1))
        return len(self.labels) or max(self.terminals, int(used))

    @classmethod
    def from_graph(
        cls,
        graph: nx.Graph,
        terminals: Iterable[Hashable],
        weight: Attribute = NOTHING,
        *,
        conductance: Attribute = NOTHING,
        resistance: Attribute = NOTHING,
    ) -> ResistorNetwork:
        """Convert a networkx graph; its nodes keep their names as labels.

        Values may be of any type of real number; a conductance of 0 is an open, an infinite one a
        short. At most one of the last three is given; by default edges have the attribute
        "conductance" in siemens.

        Args:
            graph: undirected graph; parallel edges of a multigraph stay separate resistors.
            terminals: nodes that become terminals, in this order.
            weight: None for edges of 1 S each, as in networkx.
            conductance: edge attribute in siemens.
            resistance: edge attribute in ohms.

        Raises:
            SpecError: the graph is directed, a terminal is not a node or repeated, an edge lacks
                the attribute or it is no number, or the attribute's unit is not clear.

        >>> import networkx as nx
        >>> graph = nx.Graph()
        >>> graph.add_edge("a", "b", ohms=10.0)
        >>> graph.add_edge("b", "c", ohms=30.0)
        >>> network = ResistorNetwork.from_graph(graph, ["a", "c"], resistance="ohms")
        >>> network.effective_resistance("a", "c")
        40.0
        """
        if graph.is_directed():
            raise SpecError("a resistor has no direction: use graph.to_undirected()")
        first = list(terminals)
        for terminal in first:
            if terminal not in graph:
                raise SpecError(f"terminal {terminal!r} must be a node of the graph")
        if len(set(first)) != len(first):
            raise SpecError(f"terminals must differ, not {first!r}")
        inside = set(first)
        labels = first + [node for node in graph if node not in inside]
        number = {label: k for k, label in enumerate(labels)}
        tails, heads, values = edge_resistors(graph, weight, conductance, resistance)
        return cls(
            [number[tail] for tail in tails],
            [number[head] for head in heads],
            values,
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
            CircuitError: a part of the network is connected to no terminal, or a short joins two.
            SolverError: the matrix does not fit into memory.
        """
        part = self._parts
        floating = np.flatnonzero(~np.isin(part, part[: self.terminals]))
        if len(floating):
            raise CircuitError(
                f"every node must be connected to a terminal, and {self._name(floating)} "
                f"{'is' if len(floating) == 1 else 'are'} not; join it by a resistor or remove it"
            )
        root = self._root[: self.terminals]
        if len(np.unique(root)) < len(root):
            joined = np.flatnonzero(np.bincount(root)[root] > 1)
            raise CircuitError(
                f"the conductance between terminals must be finite, and a short joins "
                f"{self._name(joined[root[joined] == root[joined[0]]])}; keep one of these"
            )
        check_memory(3 * 8 * self.terminals**2, f"a network of {self.terminals} terminals")
        between = self._eliminated(root, self._root)[0].between
        # no current without voltages: the diagonal follows, so that rows add up to zero
        return frozen(np.diag(between.sum(axis=1)) - between)

    def effective_resistances(self) -> Floats:
        """Resistances (T, T) in ohms between all pairs of terminals.

        0 between a terminal and itself, infinite between two that no path of resistors joins.

        Raises:
            SolverError: the matrix does not fit into memory.

        >>> ResistorNetwork([0, 1], [1, 2], [1.0, 0.5], terminals=3).effective_resistances()
        array([[0., 1., 3.],
               [1., 0., 2.],
               [3., 2., 0.]])
        """
        from xbar.circuit.solvers.pairs import pair_resistances

        check_memory(5 * 8 * self.terminals**2, f"a network of {self.terminals} terminals")
        roots, place = np.unique(self._root[: self.terminals], return_inverse=True)
        inside = self._root[np.isin(self._parts, self._parts[: self.terminals])]
        ohms = pair_resistances(self._eliminated(roots, inside)[0].between)
        return ohms[np.ix_(place, place)]

    def effective_resistance(self, a: Hashable, b: Hashable) -> float:
        """Resistance between any two nodes in ohms; 0.0 between a node and itself.

        Raises:
            SpecError: there is no such node.
            CircuitError: no path of resistors joins the two.
        """
        first, second = self._root[[self._number(a), self._number(b)]].tolist()
        if first == second:
            return 0.0
        self._check_joined(a, b)
        factor, _ = self._eliminated(np.array([first, second]), self._part_of(first))
        return 1 / float(factor.between[0, 1])

    def sensitivity(self, a: Hashable, b: Hashable) -> Floats:
        """Derivative of the resistance between two nodes by each resistor, (E,) ohms per ohm.

        dR_ab/dR_e = (i_e / i)², with i_e / i the fraction of the current from a to b through the
        resistor. Zero for open resistors, and for a short that others shorten again.

        Raises:
            SpecError: there is no such node, or both are the same.
            CircuitError: no path of resistors joins the two.
        """
        first, second = self._number(a), self._number(b)
        if first == second:
            raise SpecError(f"sensitivity needs two different nodes, not {a!r} twice")
        self._check_joined(a, b)
        current = np.zeros(len(self.tail) + 1)  # 1 A from a to b, and back through a source
        start, end = self._root[[first, second]].tolist()
        if start != end:
            factor, number = self._eliminated(np.array([end]), self._part_of(end))
            live = self._live & (self._parts[self.tail] == self._parts[end])
            into = np.zeros((factor.nodes, 1))
            into[number[start]] = 1.0
            across = factor.solve(np.zeros((1, 1)), into)[1][:, 0]
            current[:-1][live] = self.conductance[live] * across
        current[-1] = 1.0
        tail, head = np.append(self.tail, second), np.append(self.head, first)
        ideal = np.append(np.isinf(self.conductance) & (self.tail != self.head), False)
        groups = group_nodes(tail, head, ideal, np.zeros(len(tail)), self.nodes)
        carry(groups, tail, head, current)
        current[groups.undetermined] = 0.0
        return np.asarray(current[:-1] ** 2)

    def _check_joined(self, a: Hashable, b: Hashable) -> None:
        """Raise a CircuitError unless a path of resistors joins two nodes."""
        part = self._parts
        first, second = self._number(a), self._number(b)
        if part[first] != part[second]:
            one, other = (np.flatnonzero(part == part[k]) for k in (first, second))
            raise CircuitError(
                f"no path of resistors joins {self._label(first)!r} and {self._label(second)!r}: "
                f"the first is connected to {self._name(one)}, the second to {self._name(other)}"
            )

    def _eliminated(self, kept: Ints, inside: Ints) -> tuple[Elimination, Ints]:
        """The network between some merged nodes, with the others among ``inside`` eliminated.

        Also returns the number (nodes,) of each merged node there.
        """
        from xbar.circuit.solvers.elimination import Elimination

        rest = np.setdiff1d(inside, kept)
        number = np.full(self.nodes, -1)
        number[np.concatenate([kept, rest])] = np.arange(len(kept) + len(rest))
        tail, head = number[self._root[self.tail]], number[self._root[self.head]]
        live = self._live & (tail >= 0)
        count = len(kept) + len(rest)
        ends = tail[live], head[live]
        rank = self._rank[np.concatenate([kept, rest])]
        return Elimination(*ends, self.conductance[live], count, len(kept), rank), number

    @cached_property
    def _rank(self) -> Ints:
        """Number (nodes,) of each merged node in an order of elimination, whatever is kept."""
        from xbar.circuit.solvers.elimination import elimination_order

        ends = self._root[self.tail[self._live]], self._root[self.head[self._live]]
        return elimination_order(*ends, self.nodes)

    def _part_of(self, node: int) -> Integers:
        """Merged nodes of the connected part of a node."""
        return np.asarray(self._root[self._parts == self._parts[node]])

    @cached_property
    def _live(self) -> Bools:
        """Resistors (E,) between two different merged nodes."""
        joined = self._root[self.tail] != self._root[self.head]
        return np.asarray(joined & (self.conductance > 0))

    @cached_property
    def _root(self) -> Integers:
        """Merged node (nodes,) of each node: the lowest that shorts join to it."""
        short = np.isinf(self.conductance)
        return join_nodes(self.tail[short], self.head[short], self.nodes)

    @cached_property
    def _parts(self) -> Integers:
        """Lowest node (nodes,) of the connected part of each node."""
        joined = self.conductance > 0
        return join_nodes(self.tail[joined], self.head[joined], self.nodes)

    @cached_property
    def _numbers(self) -> dict[Hashable, int]:
        return {label: k for k, label in enumerate(self.labels)}

    def _number(self, label: Hashable) -> int:
        if self.labels and label in self._numbers:
            return self._numbers[label]
        for name in (str(label).lower(), str(label).lower().replace(":", ".")):
            if name in self.aliases:
                return self.aliases[name]
        if not self.labels and not isinstance(label, bool):
            try:
                number = operator.index(label)  # type: ignore[arg-type] # what isn't one raises
            except TypeError:
                number = -1
            if 0 <= number < self.nodes:
                return number
        raise SpecError(
            f"a node must be one of the network's {self.nodes}, not {label!r}: "
            f"{self._name(range(self.nodes))}"
        )

    def _label(self, number: int) -> Hashable:
        return self.labels[number] if self.labels else int(number)

    def _name(self, numbers: Iterable[int]) -> str:
        found = list(numbers)
        return quoted([*map(self._label, found[:_SHOWN]), *found[_SHOWN:]], _SHOWN)


def _check_terminals(terminals: int, labels: int) -> None:
    whole = isinstance(terminals, (int, np.integer)) and not isinstance(terminals, bool)
    if not whole or terminals < 0 or (labels and terminals > labels):
        raise SpecError(
            f"terminals must be how many of the first nodes are terminals, not {terminals!r}"
        )
