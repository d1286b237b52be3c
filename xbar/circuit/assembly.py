"""A crossbar as a list of resistors between numbered nodes.

Solvers and netlists are based on the same list, so that simulation and export agree. Nodes joined
by an ideal wire (0 ohm) are merged, and open cells are omitted.

    d_i ──source──┤──segment 0──● w_i_0 ──segment 1──● w_i_1 … ──segment B──├──source── d_i

Word line i has one driver node at its input voltage, connected to one end or both. Bit line j
likewise has one sense node at 0 V, and runs from its top end to its bottom end.

Nodes are numbered: W drivers, B sense amplifiers, then the remaining merged nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import frozen

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar

KINDS = ("source", "word", "cell", "bit", "load")


@dataclass(frozen=True, eq=False)
class Assembly:
    """The resistors of a crossbar, and their origins.

    Attributes:
        nodes: number of nodes; the first W + B are drivers and sense amplifiers.
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

    def names(self) -> list[str]:
        """Netlist name of each node: that of the first of its merged nodes."""
        lines, columns = self.word_node.shape
        names = [f"d_{i}" for i in range(lines)] + [f"s_{j}" for j in range(columns)]
        names += [f"e_{i}_{side}" for side in ("left", "right") for i in range(lines)]
        names += [f"f_{j}_{side}" for side in ("top", "bottom") for j in range(columns)]
        names += [f"{line}_{i}_{j}" for line in "wb" for i in range(lines) for j in range(columns)]
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


def assemble(crossbar: Crossbar, far: float = np.inf) -> Assembly:
    """The resistors of a crossbar between its merged nodes, in a fixed order.

    Args:
        crossbar: crossbar.
        far: ohms in place of infinite sources and loads, which are left out by default.
    """
    lines, columns = crossbar.conductance.shape
    count = 3 * (lines + columns) + 2 * lines * columns
    first = count - 2 * lines * columns
    word = first + np.arange(lines * columns).reshape(lines, columns)
    bit = word + lines * columns
    elements = [
        *_word_line(crossbar, word, far),
        _cells(crossbar, word, bit),
        *_bit_line(crossbar, bit, far),
    ]
    kind = np.concatenate([np.full(len(e.tail), KINDS.index(e.kind), np.int8) for e in elements])
    tail, head, resistance, row, column = (
        np.concatenate([getattr(e, field) for e in elements])
        for field in ("tail", "head", "resistance", "row", "column")
    )
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
        bit_node=frozen(merged[bit]),
        origin=frozen(origin),
    )


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


def _cells(crossbar: Crossbar, word: NDArray[np.int64], bit: NDArray[np.int64]) -> _Elements:
    index = np.indices(word.shape)
    resistance = np.full(word.shape, np.inf)
    np.divide(1, crossbar.conductance, out=resistance, where=crossbar.conductance > 0)
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
