"""Part of a tile as transistors, in ngspice: its wires, its branches, their configuration voltages.

    driver i ──source──wire──●──wire──●──         word line i
                             │        │
                          branches  branches      K in each cell: resistor, its contacts, switch
                             │        │
    bit line j ──────────────●── …  ──wire──load── amplifier j

The sampled cells are the crossings of some word lines with some bit lines, and consist of the
process's own devices; every other cell of the tile is one resistor, or nothing, so that all wires
carry the currents that they carry on the tile. One deck makes all operating points: its sweep
counts them, and the voltages of drivers and gates are functions of the count.

Shapes: W word lines and B bit lines of the tile; w x b sampled cells of K branches; N operating
points. Units: SI.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.layout import Wires, wires_of
from xbar.errors import SpecError
from xbar.hardware.base import spread_out
from xbar.hardware.fabricate import Deviations
from xbar.hardware.spec import Hardware
from xbar.silicon.branch import Branches, Conditions, Nodes
from xbar.silicon.ngspice import simulate, source
from xbar.silicon.process import Process
from xbar.tables import Outline
from xbar.units import format_quantity

MOST_BRANCHES = 3072
"""Branches of transistors in one deck; ngspice takes about 0.8 MB for each of sky130."""
Masks = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Array(Outline):
    """Part of a tile as transistors, the rest of it as resistors.

    Attributes:
        branches: the K branches of every cell.
        wires: wires, drivers and sense amplifiers of the tile.
        word_lines: (w,) indices of the sampled word lines.
        bit_lines: (b,) indices of the sampled bit lines.
        rest: (W, B) siemens of the other cells, 0 for an open one; what it has for the sampled
            cells is not used.
        deviations: (w, b, K) of the sampled branches; None for typical ones.
        conditions: corner, temperature, supply, and the seed with which ngspice draws the process's
            own mismatch, in place of ``deviations``; the same seed gives the same devices only for
            the same cells.
    """

    branches: Branches
    wires: Wires
    word_lines: Indices
    bit_lines: Indices
    rest: Floats
    deviations: Deviations | None = None
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        if self.deviations is not None and self.conditions.seed is not None:
            raise SpecError("an array has either deviations or a seed of mismatch, not both")

    @classmethod
    def of_design(
        cls, hardware: Hardware, conditions: Conditions, pdk: str | Path | None = None
    ) -> Array:
        """A whole tile of a design, its devices typical ones or as ngspice draws them.

        Args:
            hardware: a design that says its process.
            conditions: corner, temperature, supply, and the seed of the process's mismatch.
            pdk: folder of the process's models; see ``Process.find``.

        Raises:
            SpecError: the design does not say what its bank is drawn as, or its tile has too many
                branches.
            ToolError: the process's models are not installed.
        """
        branches, (word_lines, bit_lines) = branches_of(hardware, pdk), hardware.cells
        if word_lines * bit_lines * hardware.bank.resistors > MOST_BRANCHES:
            raise SpecError(
                f"a tile must have at most {MOST_BRANCHES:,} branches, which ngspice can hold, not "
                f"{word_lines} x {bit_lines} cells of {hardware.bank.resistors}; take a design of "
                "fewer lines"
            )
        return cls(
            branches,
            wires_of(hardware),
            np.arange(word_lines, dtype=np.int64),
            np.arange(bit_lines, dtype=np.int64),
            np.zeros(hardware.cells),
            conditions=conditions,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(w, b, K) of the sampled cells."""
        return len(self.word_lines), len(self.bit_lines), len(self.branches.length)

    @property
    def supply(self) -> float:
        """Volts at the gates of closed switches."""
        given = self.conditions.supply
        return self.branches.switch.supply if given is None else given

    def currents(self, voltage: Floats, closed: Masks, limit: float = 3600.0) -> Floats:
        """(N, b) amperes into the sense amplifiers of the sampled bit lines.

        Args:
            voltage: (N, W) volts of the drivers, from the bit lines' voltage at rest.
            closed: (w, b, K) or (N, w, b, K) closed switches.
            limit: seconds that ngspice may take.

        Raises:
            ToolError: ngspice is missing.
            EngineError: ngspice gave no usable answer.
        """
        gates = np.broadcast_to(closed, (len(voltage), *self.shape))
        process, seed = self.branches.process, self.conditions.seed
        found = simulate(self.deck(voltage, gates), process, seed, limit)
        names = [f"i(vb_{j})" for j in self.bit_lines]
        return np.array([found[name][: len(voltage)] for name in names]).T

    def deck(self, voltage: Floats, gates: Masks) -> str:
        """The deck of operating points with driver voltages (N, W) and switches (N, w, b, K)."""
        points, process = len(voltage), self.branches.process
        saved = " ".join(f"i(vb_{j})" for j in self.bit_lines)
        lines = [
            f"* {self.rest.shape[0]} x {self.rest.shape[1]} cells, {process.name}",
            *process.load(self.conditions.corner, self.conditions.seed is not None),
            f".temp {self.conditions.temperature:.15g}",
            "Vsel sel 0 0",
            f"Vdd vdd 0 {self.supply:.15g}",
            *self._drivers(voltage),
            *self._cells(gates),
            f".save {saved}",
            f".dc Vsel 0 {max(points - 1, 1)} 1",
        ]
        return "\n".join([*lines, ""])

    def _drivers(self, voltage: Floats) -> Iterator[str]:
        """Drivers, wires and amplifiers."""
        rest, wires = self.branches.common, self.wires
        rows, columns = self.rest.shape
        for i in range(rows):
            yield source(f"w_{i}", f"wd_{i}", rest + voltage[:, i])
            yield from _line("w", i, columns, wires["word_wire"], wires["source"], self._driven)
        for j in range(columns):
            yield f"Vb_{j} bd_{j} 0 {rest:.15g}"
            yield from _line("b", j, rows, wires["bit_wire"], wires["load"], self._sensed)

    @property
    def _driven(self) -> tuple[bool, bool]:
        drive = self.wires["drive"]
        return drive in ("left", "both"), drive in ("right", "both")

    @property
    def _sensed(self) -> tuple[bool, bool]:
        sense = self.wires["sense"]
        return sense in ("top", "both"), sense in ("bottom", "both")

    def _word(self, i: int, j: int) -> str:
        return _node("w", i, j, self.wires["word_wire"], self.wires["source"])

    def _bit(self, i: int, j: int) -> str:
        return _node("b", j, i, self.wires["bit_wire"], self.wires["load"])

    def _cells(self, gates: Masks) -> Iterator[str]:
        rows = {int(i): n for n, i in enumerate(self.word_lines)}
        columns = {int(j): n for n, j in enumerate(self.bit_lines)}
        for i, j in np.ndindex(*self.rest.shape):
            ends = self._word(i, j), self._bit(i, j)
            if i in rows and j in columns:
                place = rows[i], columns[j]
                yield from self._cell(f"{i}_{j}", ends, place, gates)
            elif self.rest[i, j] > 0:
                yield f"Rc_{i}_{j} {ends[0]} {ends[1]} {1 / self.rest[i, j]:.15g}"

    def _cell(
        self, name: str, ends: tuple[str, str], place: tuple[int, int], gates: Masks
    ) -> Iterator[str]:
        """The branches of one cell."""
        for k in range(len(self.branches.length)):
            yield from self._branch(f"{name}_{k}", ends, (*place, k), gates)

    def _branch(
        self, name: str, ends: tuple[str, str], place: tuple[int, int, int], gates: Masks
    ) -> Iterator[str]:
        """One branch, and the sources of its gates where they are not the supply or ground."""
        resistor = threshold = 0.0
        if self.deviations is not None:
            resistor = float(self.deviations.resistor[place])
            threshold = float(self.deviations.threshold[place])
        closed = gates[:, *place]
        signals = [("g", np.where(closed, self.supply, 0.0) - threshold)]
        if self.branches.kind == "transmission":
            signals.append(("i", np.where(closed, 0.0, self.supply) + threshold))
        nodes = []
        for kind, volts in signals:
            if threshold == 0 and np.all(volts == volts[0]):
                nodes.append("vdd" if volts[0] else "0")
                continue
            nodes.append(f"{kind}_{name}")
            yield source(nodes[-1], nodes[-1], volts)
        yield from self.branches.lines(place[2], f"_{name}", Nodes(*ends, *nodes), resistor)


def branches_of(hardware: Hardware, pdk: str | Path | None) -> Branches:
    """The branches of a design, in its process.

    Raises:
        SpecError: the design does not say what its bank is drawn as, or the process can't make it.
        ToolError: the process's models are not installed.
    """
    drawn, bank = hardware.silicon, hardware.bank
    plain = hardware.tile.topology == "input-source"
    if drawn is None or bank.switch is None or bank.layout != "cell" or not plain:
        lacks = {
            "its process and the sizes of its devices, [silicon]": drawn is None,
            "its switch, [bank.switch]": bank.switch is None,
            "a cell at one crossing, bank.layout = 'cell'": bank.layout != "cell",
            "a word line and a bit line a cell, tile.topology = 'input-source'": not plain,
        }
        missing = next(what for what, is_missing in lacks.items() if is_missing)
        raise SpecError(
            f"the design must say {missing}, to be verified as transistors; make it by xbar "
            "silicon design or characterise"
        )
    process = Process.find(drawn.process, pdk)
    switch = process.switch(drawn.switch)
    least = {"lengths": process.resistor.least_length, "switch_width": switch.least_width}
    for key, values in (("lengths", drawn.lengths), ("switch_width", drawn.switch_widths)):
        if min(values) < (1 - 1e-9) * least[key]:
            raise SpecError(
                f"silicon.{key} must be at least {format_quantity(least[key], 'm')}, the least "
                f"that {process.name} makes, not {format_quantity(min(values), 'm', 4)}"
            )
    return Branches(
        process,
        switch,
        np.array(drawn.lengths),
        np.array(drawn.switch_widths),
        spread_out(bank.series, bank.resistors),
    )


def _node(kind: str, line: int, cell: int, wire: float, end: float) -> str:
    """The node of a line at a cell: one for the whole line if its wire has no resistance."""
    if wire > 0:
        return f"{kind}_{line}_{cell}"
    return f"{kind}_{line}" if end > 0 else f"{kind}d_{line}"


def _line(
    kind: str, line: int, cells: int, wire: float, end: float, ends: tuple[bool, bool]
) -> Iterator[str]:
    """The resistors of a line: between neighbouring cells, and to what drives or reads its ends."""
    for side, used, cell in (("a", ends[0], 0), ("z", ends[1], cells - 1)):
        if not used:
            continue
        node, name = f"{kind}d_{line}", f"{kind}_{line}_{side}"
        inner = _node(kind, line, cell, wire, end)
        if end > 0:
            behind = f"{kind}e_{line}_{side}" if wire > 0 else inner
            yield f"Re{name} {node} {behind} {end:.15g}"
            node = behind
        if wire > 0:
            yield f"Rw{name} {node} {inner} {wire:.15g}"
    if wire > 0:
        for cell in range(1, cells):
            name = f"{kind}_{line}_{cell}"
            yield f"Rw{name} {kind}_{line}_{cell - 1} {name} {wire:.15g}"
