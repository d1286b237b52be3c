"""A crossbar as a list of resistors between numbered nodes.

Solvers and netlists are based on the same list, so that simulation and export agree. Nodes joined
by an ideal wire (0 ohm) are merged, and open cells are omitted.

    d_i ──source──┤──segment 0──● w_i_0 ──segment 1──● w_i_1 … ──segment B──├──source── d_i

Word line i has one driver node at its input voltage, connected to one end or both. Bit line j
likewise has one sense node at 0 V, and runs from its top end to its bottom end.

An array with source lines likewise has a driver a source line, at the ends that are opposite to
those at which its bit lines are read.

Nodes are numbered: drivers, sense amplifiers, then the remaining merged nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import frozen

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar
    from xbar.circuit.source_lines import SourceLines

KINDS = ("source", "word", "cell", "bit", "load")


@dataclass(frozen=True, eq=False)
class Assembly:
    """The resistors of a crossbar, and their origins.

    Attributes:
        nodes: number of nodes; the first ones are drivers, then sense amplifiers.
        tail: (E,) node at the driver's side.
        head: (E,) node at the sense amplifier's side.
        conductance: (E,) siemens, all positive.
        resistance: (E,) ohms, all positive.
        kind: (E,) index into KINDS.
        row: (E,) first index into the crossbar's array; 0 top or 1 bottom for loads.
        column: (E,) last index into the crossbar's array; 0 left or 1 right for sources.
        word_node: (W, B) node at the word-line side of each cell.
        bit_node: (W, B) node at the bit-line side of each cell.
        origin: (nodes,) first of the unmerged nodes of each node.
        drivers: number of drivers, the first nodes.
        amplifiers: number of sense amplifiers, the next ones.
        letter: of the lines that are driven, in the names of their nodes and segments.
        sides: names of the ends at which they are driven.
    """

    nodes: int
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    conductance: NDArray[np.float64]
    resistance: NDArray[np.float64]
    kind: NDArray[np.int8]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    word_node: NDArray[np.int64]
    bit_node: NDArray[np.int64]
    origin: NDArray[np.int64]
    drivers: int
    amplifiers: int
    letter: str = "w"
    sides: tuple[str, str] = ("left", "right")

    def names(self) -> list[str]:
        """Netlist name of each node: that of the first of its merged nodes."""
        rows, columns = self.word_node.shape
        drivers, amplifiers = range(self.drivers), range(self.amplifiers)
        names = [f"d_{i}" for i in drivers] + [f"s_{j}" for j in amplifiers]
        names += [f"e_{i}_{side}" for side in self.sides for i in drivers]
        names += [f"f_{j}_{side}" for side in ("top", "bottom") for j in amplifiers]
        names += [f"{self.letter}_{i}_{j}" for i in range(rows) for j in range(columns)]
        names += [f"b_{i}_{j}" for i in range(rows) for j in amplifiers]
        return [names[k] for k in self.origin]


@dataclass(frozen=True, eq=False)
class _Elements:
    """Elements of one kind before nodes are merged; each array has E entries."""

    kind: str
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    resistance: NDArray[np.float64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]


def _joined(elements: Sequence[_Elements]) -> tuple[NDArray[Any], ...]:
    """Kind, tail, head, resistance, row and column of elements of all kinds, one after another."""
    kind = [np.full(len(each.tail), KINDS.index(each.kind), np.int8) for each in elements]
    return np.concatenate(kind), *(
        np.concatenate([getattr(each, field) for each in elements])
        for field in ("tail", "head", "resistance", "row", "column")
    )


def assemble(crossbar: Crossbar | SourceLines, far: float = np.inf) -> Assembly:
    """The resistors of an array between its merged nodes, in a fixed order; all cells are on.

    Args:
        crossbar: array of either kind.
        far: ohms in place of infinite sources and loads, which are left out by default.
    """
    from xbar.circuit.crossbar import Crossbar

    lines, columns = crossbar.conductance.shape
    drivers, amplifiers = lines, columns
    if not isinstance(crossbar, Crossbar):
        drivers, amplifiers = columns, columns // (2 if crossbar.paired else 1)
    first = 3 * (drivers + amplifiers)
    word = first + np.arange(lines * columns).reshape(lines, columns)
    bit = first + lines * columns + np.arange(lines * amplifiers).reshape(lines, amplifiers)
    count = first + lines * (columns + amplifiers)
    reached = np.repeat(bit, columns // amplifiers, axis=1)
    cells = _cells(crossbar.conductance, word, reached)
    if isinstance(crossbar, Crossbar):
        elements = [*_word_line(crossbar, word, far), cells, *_bit_line(crossbar, bit, far)]
        named = ("w", ("left", "right"))
    else:
        elements = [*_source_line(crossbar, word), cells, *_read_line(crossbar, bit)]
        named = ("p", ("top", "bottom"))
    kind, tail, head, resistance, row, column = _joined(elements)
    merged, origin = _merge(count, tail, head, resistance == 0)
    tail, head = merged[tail], merged[head]
    keep = np.isfinite(resistance) & (tail != head)
    conductance = 1 / resistance[keep]
    is_cell = kind[keep] == KINDS.index("cell")
    conductance[is_cell] = crossbar.conductance[row[keep][is_cell], column[keep][is_cell]]
    return Assembly(
        nodes=len(origin),
        tail=frozen(tail[keep]),
        head=frozen(head[keep]),
        conductance=frozen(conductance),
        resistance=frozen(resistance[keep]),
        kind=frozen(kind[keep]),
        row=frozen(row[keep]),
        column=frozen(column[keep]),
        word_node=frozen(merged[word]),
        bit_node=frozen(merged[reached]),
        origin=frozen(origin),
        drivers=drivers,
        amplifiers=amplifiers,
        letter=named[0],
        sides=named[1],
    )


def _source_line(array: SourceLines, node: NDArray[np.int64]) -> list[_Elements]:
    """The sources and segments of source lines, from the upper end."""
    rows, lines = node.shape
    upper = lines + array.bit_lines + np.arange(lines)
    chain = np.vstack([upper, node, upper + lines])
    ends = [end for end in (0, 1) if array.sense in (("bottom", "top")[end], "both")]
    line = np.arange(lines)
    sources = [
        _elements("source", line, chain[-end], _filled(lines, array.source), line, end)
        for end in ends
    ]
    # a segment before the first cell from each driven end, and between cells
    segments = np.arange(rows + 1)[0 not in ends : rows + (1 in ends)]
    index = np.indices((len(segments), lines))
    ohms = np.full((len(segments), lines), array.source_wire)
    return [*sources, _elements("word", chain[segments], chain[segments + 1], ohms, *index)]


def _read_line(array: SourceLines, node: NDArray[np.int64]) -> list[_Elements]:
    """The segments of bit lines, from the upper end, and the loads."""
    rows, lines = node.shape
    drivers = array.conductance.shape[1]
    top = 3 * drivers + lines + np.arange(lines)
    chain, sense = np.vstack([top, node, top + lines]), drivers + np.arange(lines)
    ends = [end for end in (0, 1) if array.sense in (("top", "bottom")[end], "both")]
    loads = [
        _elements("load", chain[-end], sense, _filled(lines, array.load), end, np.arange(lines))
        for end in ends
    ]
    segments = np.arange(rows + 1)[0 not in ends : rows + (1 in ends)]
    index = np.indices((len(segments), lines))
    ohms = np.full((len(segments), lines), array.bit_wire)
    return [_elements("bit", chain[segments], chain[segments + 1], ohms, *index), *loads]


def _filled(count: int, ohms: float) -> NDArray[np.float64]:
    return np.full(count, ohms)


def _word_line(crossbar: Crossbar, word: NDArray[np.int64], far: float) -> list[_Elements]:
    """The sources and word-line segments, from the left end."""
    lines, columns = word.shape
    left = lines + columns + np.arange(lines)
    source = np.minimum(crossbar.source, far)
    chain = np.column_stack([left, word, left + lines])
    sources = [
        _elements("source", np.arange(lines), chain[:, -end], source, np.arange(lines), end)
        for end in (0, 1)
        if crossbar.drive in (("left", "right")[end], "both")
    ]
    # an end without a driver has no segment either
    segments = np.arange(columns + 1)[
        crossbar.drive == "right" : columns + (crossbar.drive != "left")
    ]
    index = np.indices(crossbar.word_wire.shape)
    tail, head = chain[:, segments], chain[:, segments + 1]
    return [*sources, _elements("word", tail, head, crossbar.word_wire, *index)]


def _bit_line(crossbar: Crossbar, bit: NDArray[np.int64], far: float) -> list[_Elements]:
    """The bit-line segments, from the top end, and the loads."""
    lines, columns = bit.shape
    top = 3 * lines + columns + np.arange(columns)
    sense, load = lines + np.arange(columns), np.minimum(crossbar.load, far)
    chain = np.vstack([top, bit, top + columns])
    loads = [
        _elements("load", chain[-end], sense, load, end, np.arange(columns))
        for end in (0, 1)
        if crossbar.sense in (("top", "bottom")[end], "both")
    ]
    segments = np.arange(lines + 1)[crossbar.sense == "bottom" : lines + (crossbar.sense != "top")]
    index = np.indices(crossbar.bit_wire.shape)
    tail, head = chain[segments], chain[segments + 1]
    return [_elements("bit", tail, head, crossbar.bit_wire, *index), *loads]


def _cells(
    conductance: NDArray[np.float64], word: NDArray[np.int64], bit: NDArray[np.int64]
) -> _Elements:
    index = np.indices(word.shape)
    resistance = np.full(word.shape, np.inf)
    np.divide(1, conductance, out=resistance, where=conductance > 0)
    return _elements("cell", word, bit, resistance, *index)


def _elements(
    kind: str,
    tail: NDArray[np.int64],
    head: NDArray[np.int64],
    resistance: NDArray[np.float64],
    row: NDArray[np.int64] | int,
    column: NDArray[np.int64] | int,
) -> _Elements:
    flat = (np.broadcast_to(a, tail.shape).ravel() for a in (tail, head, resistance, row, column))
    return _Elements(kind, *flat)


def _merge(
    count: int, tail: NDArray[np.int64], head: NDArray[np.int64], ideal: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The merged number (count,) of each node and the first node (nodes,) of each merged one.

    A node that no element touches (the end of a line without a driver or an amplifier) goes.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    label = np.arange(count)
    if ideal.any():
        joined = coo_array((np.ones(ideal.sum()), (tail[ideal], head[ideal])), (count, count))
        label = np.asarray(connected_components(joined, directed=False)[1], dtype=np.int64)
    touched = np.zeros(count, dtype=bool)
    touched[tail] = touched[head] = True
    used = np.flatnonzero(touched)
    _, first, inverse = np.unique(label[used], return_index=True, return_inverse=True)
    order = np.argsort(first)
    merged = np.full(count, -1)
    merged[used] = np.argsort(order)[inverse]
    return merged, used[first[order]]
