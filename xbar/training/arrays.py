"""What arrives of weights behind exact wires, and its gradient.

    d (M,) signed siemens ── one cell of each pair ──► cells (T, W, B) ── exact ──► E (M,) effective

One cell of each pair is open, the other one has the weight's conductance. What arrives is exact at
every call, by the tiles' transfer matrices. Its gradient is either

    own      of each cell alone, the current that goes astray through others left out: its share,
             the voltage that its word line brings to it times the part of its current that its bit
             line brings to the sense amplifier
    exact    the adjoint: with v the voltages across cells when word line w is driven, u those when
             the sensed end of bit line b is driven with the circuit turned round, the transfer from
             w to b changes by v u with a cell's conductance

Shapes: T tiles of W x B cells, W' x B' crossings, M weights of all layers. Units: siemens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.transfers import transfers
from xbar.compiler.layout import crossings_of, from_crossings, to_crossings
from xbar.compiler.lines import laid
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.options import Options
from xbar.compiler.passes.wires.problem import order_of
from xbar.compiler.placement import Tiles, place
from xbar.hardware.spec import Hardware
from xbar.model.graph import Lines

Gradient: TypeAlias = Literal["own", "exact"]
Shapes: TypeAlias = Mapping[str, tuple[int, int, int]]

_ENDS = {"left": 0, "right": 1, "top": 0, "bottom": 1, "both": 2}
"""Of a line, as the kernel numbers them."""
_TURNED: Any = {
    "left": "top", "right": "bottom", "bottom": "right", "top": "left", "both": "both",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Arrays:
    """A design's tiles, and where weights lie on them.

    Attributes:
        hardware: the design.
        tiles: blocks of each tile.
        plus: (M,) flat index of each weight's plus cell in (T, W, B); the minus cell is the next.
        column: (M,) number of the block's column that each weight lies on.
        leak: (W, B) siemens of cells whose switches are all open.
        wired: whether wires are there; without them all arrives.
        lines: the order of each layer's inputs and outputs.
        device: where arrays are solved: "cpu", or "cuda" for a card.
    """

    hardware: Hardware
    tiles: Tiles
    plus: NDArray[np.int64]
    column: NDArray[np.int64]
    leak: float
    wired: bool
    lines: Mapping[str, Lines]
    device: str = "cpu"

    @classmethod
    def of(
        cls,
        hardware: Hardware,
        matrices: Mapping[str, Floats],
        leak: float,
        *,
        wired: bool,
        lines: Mapping[str, Lines] | None = None,
    ) -> Arrays:
        """Where the compiler lays matrices (G, outputs, inputs), large lines where little is lost.

        Args:
            hardware: the design.
            matrices: by layer.
            leak: siemens of a cell that is open.
            wired: whether wires are there.
            lines: the order that the network comes with.

        Raises:
            SpecError: the design has no room for one weight.
        """
        dense = {name: np.ones(matrix.shape) for name, matrix in matrices.items()}
        tiles = place(dense, hardware, DifferentialPair(), Options()).tiles
        plus = {name: np.zeros(matrix.shape, np.int64) for name, matrix in matrices.items()}
        column = {name: np.zeros(matrix.shape, np.int64) for name, matrix in matrices.items()}
        w, b = hardware.cells
        lines = dict(lines or lines_of(tiles, matrices, _usual(hardware, wired=wired)))
        tiles = laid(tiles, lines)
        columns = 0
        for tile, blocks in enumerate(tiles):
            for block in blocks:
                cells = block.word_lines[:, None] * b + 2 * block.columns
                at = block.group, block.outputs[:, None], block.inputs
                plus[block.layer][at] = (tile * w * b + cells).T
                column[block.layer][at] = (columns + np.arange(len(block.outputs)))[:, None]
                columns += len(block.outputs)
        return cls(
            hardware,
            tiles,
            np.concatenate([each.ravel() for each in plus.values()]),
            np.concatenate([each.ravel() for each in column.values()]),
            leak,
            wired,
            lines,
        )

    def crossings(self, signed: Floats) -> Floats:
        """(T, W', B') siemens for signed conductances (M,)."""
        w, b = self.hardware.cells
        flat = np.full(len(self.tiles) * w * b, self.leak)
        flat[self.plus] += np.maximum(signed, 0.0)
        flat[self.plus + 1] += np.maximum(-signed, 0.0)
        if self.hardware.bank.layout == "cell":
            return flat.reshape(len(self.tiles), w, b)
        k = self.hardware.bank.resistors
        each = np.repeat(flat.reshape(len(self.tiles), w, b, 1) / k, k, axis=-1)
        return np.stack([to_crossings(self.hardware, cell) for cell in each])

    def cells(self, crossings: Floats) -> Floats:
        """(T W B,) sums over the crossings of each cell."""
        if self.hardware.bank.layout == "cell":
            return crossings.reshape(-1)
        return np.stack([from_crossings(self.hardware, each) for each in crossings]).ravel()

    def transfer(self, crossings: Floats) -> Floats:
        """(T, W', B') siemens that arrive of each crossing's line and line."""
        if not self.wired:
            return crossings
        tile, load = self.hardware.tile, self.hardware.sense_load
        wires: dict[str, Any] = {"word_wire": tile.word_wire, "bit_wire": tile.bit_wire}
        wires |= {"source": tile.source, "load": load}
        if (tile.drive, tile.sense) == ("left", "bottom"):
            return transfers(crossings, **wires, device=self.device).swapaxes(1, 2)
        ends: dict[str, Any] = {"drive": tile.drive, "sense": tile.sense}
        return np.stack([Crossbar(each, **wires, **ends).transfer.T for each in crossings])

    def effective(self, crossings: Floats) -> Floats:
        """(M,) siemens that each weight has, wires included."""
        return self._differences(self.transfer(crossings))

    def shares(self, crossings: Floats) -> Floats:
        """(T, W', B') of each crossing's conductance, what its own lines leave of it."""
        return shares(self.hardware, crossings) if self.wired else np.ones_like(crossings)

    def alone(self, crossings: Floats, share: Floats) -> Floats:
        """(M,) siemens that each weight would have if no current went astray; of (T, W', B')."""
        return self._differences(crossings * share)

    def own(self, share: Floats, signed: Floats) -> Floats:
        """(M,) how much of a little more conductance arrives: of the cell that is not open."""
        if not self.wired:
            return np.ones(len(signed))
        cells = self.cells(share) * self._mean
        sides = cells[self.plus], cells[self.plus + 1]
        return np.where(signed > 0, sides[0], np.where(signed < 0, sides[1], sum(sides) / 2))

    def misses(self, found: Floats, exact: Floats) -> float:
        """Root mean square error of (M,) siemens, relative to the exact ones: of the worst tile."""
        w, b = self.hardware.cells
        power = [
            np.bincount(self.plus // (w * b), each**2, len(self.tiles))
            for each in (found - exact, exact)
        ]
        known = power[1] > 0
        return float(np.sqrt((power[0][known] / power[1][known]).max(initial=0.0)))

    def adjoint(self, crossings: Floats, signed: Floats, bar: Floats) -> Floats:
        """(M,) gradient by the signed conductances, from that (M,) by the effective ones."""
        if not self.wired:
            return bar
        w, b = self.hardware.cells
        flat = np.zeros(len(self.tiles) * w * b)
        flat[self.plus], flat[self.plus + 1] = bar, -bar
        k = self.hardware.bank.resistors
        found = []
        for one, cell in zip(crossings, flat.reshape(-1, w, b), strict=True):
            each = np.repeat(cell[..., None] / k, k, axis=-1)
            spread = to_crossings(self.hardware, each) / self._mean
            found.append(_adjoint(self.hardware, one, spread) if cell.any() else np.zeros_like(one))
        slope = self.cells(np.stack(found)) * self._mean
        sides = slope[self.plus], -slope[self.plus + 1]
        return np.where(signed > 0, sides[0], np.where(signed < 0, sides[1], sum(sides) / 2))

    def _differences(self, crossings: Floats) -> Floats:
        """(M,) plus minus cells, of values of crossings (T, W', B')."""
        cells = self.cells(crossings)
        found: Floats = cells[self.plus] - cells[self.plus + 1]
        return found

    @property
    def _mean(self) -> float:
        """Makes a cell's sum over its crossings their mean."""
        w, b = self.hardware.cells
        high, wide = crossings_of(self.hardware)
        return w * b / (high * wide)


def lines_of(tiles: Tiles, matrices: Mapping[str, Floats], arrives: Floats) -> dict[str, Lines]:
    """Ranks of each layer's inputs and outputs, so that large ones lie where little is lost.

    Args:
        tiles: blocks of each tile; of two that share inputs or outputs the first one counts.
        matrices: (G, outputs, inputs) by layer.
        arrives: (W, B) of each cell.
    """
    lines = {}
    for name, matrix in matrices.items():
        groups, outputs, inputs = matrix.shape
        lines[name] = np.full((groups, inputs), -1), np.full((groups, outputs), -1)
    for block in (block for blocks in tiles for block in blocks):
        order = order_of(
            block.of(matrices[block.layer]), arrives[block.word_lines[:, None], 2 * block.columns]
        )
        which = block.inputs, block.outputs
        for ranks, lie, own in zip(lines[block.layer], order, which, strict=True):
            new = np.empty(len(own), np.int64)
            new[lie] = np.arange(len(own))
            known = ranks[block.group, own]
            ranks[block.group, own] = np.where(known < 0, new, known)
    return lines


def _usual(hardware: Hardware, *, wired: bool) -> Floats:
    """(W, B) what arrives of each cell where all have half of their conductance."""
    w, b = hardware.cells
    bank = hardware.bank
    half = float(np.mean(bank.nominal_conductance)) * bank.resistors / 2
    shape = to_crossings(hardware, np.ones((w, b, bank.resistors))).shape
    usual = np.full((1, *shape), half)
    return from_crossings(hardware, shares(hardware, usual)[0] if wired else np.ones(shape))


def shares(hardware: Hardware, crossings: Floats) -> Floats:
    """(T, W', B') voltage of each crossing's word line, times what its bit line lets through."""
    from xbar.training import kernels

    tile, found = hardware.tile, np.empty_like(crossings)
    wires = np.array([tile.word_wire, tile.source, tile.bit_wire, hardware.sense_load])
    ends = np.array([_ENDS[tile.drive], _ENDS[tile.sense]])
    kernels.shares(np.ascontiguousarray(crossings), wires, ends, found)
    return found


def _adjoint(hardware: Hardware, crossings: Floats, bar: Floats) -> Floats:
    """(W', B') gradient by the crossings of one array, from that (W', B') by its transfer."""
    tile, load = hardware.tile, hardware.sense_load
    forth = Crossbar(
        crossings, tile.word_wire, tile.bit_wire, tile.source, load, tile.drive, tile.sense
    ).solve(np.eye(len(crossings)))
    drive, sense = _TURNED[tile.sense], _TURNED[tile.drive]
    back = Crossbar(
        crossings.T, tile.bit_wire, tile.word_wire, load, tile.source, drive, sense
    ).solve(np.eye(crossings.shape[1]))
    across = forth.word_voltage - forth.bit_voltage  # (W', W', B')
    turned = (back.word_voltage - back.bit_voltage).swapaxes(1, 2)  # (B', W', B')
    mixed = np.tensordot(bar, turned, axes=1)  # (W', W', B')
    gradient: Floats = np.einsum("nij,nij->ij", across, mixed)
    return gradient
