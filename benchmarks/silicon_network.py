"""Claim: a network keeps its accuracy on arrays of silicon, once its subsets allow for the wires.

The demo's LeNet-5 on 64 x 64 tiles of sky130, with the bank that ``xbar silicon design`` finds for
12 bits, chips drawn from its model and the wires of its drawing: plain, and programmed for the
wires. Beside it the default bank of equal resistors with a lognormal spread of 30 % and ideal
wires. Then cells of three tiles as transistors in ngspice, driven with the network's activations.

    python benchmarks/silicon_network.py [--chips 5] [--cells 8 8] [--print]

Needs ngspice and the models of sky130; writes its tables into docs/silicon.md between their marks.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pages import write_table
from silicon import PAGE
from wires import Task, lenet

import xbar
from xbar.compiler.program import Program
from xbar.files import write_bytes
from xbar.silicon.bits import bits_of
from xbar.silicon.cell import Cell
from xbar.silicon.process import Process
from xbar.silicon.verification import Verification, verify
from xbar.tables import table

if TYPE_CHECKING:
    from xbar.effects.readout import MatrixReadout

LINES = 64
DESIGN = (8, "3.435u", 1.05)
"""Resistors, first length and ratio of ``xbar silicon design sky130 --bits 12``."""
TILES = 3


@dataclass(frozen=True)
class Row:
    """A way to programme the network, over chips.

    Attributes:
        name: bank and way.
        accuracy: of each chip.
        error: rms error of its weights, relative to the largest of their block.
        output: rms error of the network's outputs, relative to their rms.
    """

    name: str
    accuracy: list[float]
    error: list[float]
    output: list[float]


def weight_error(program: Program, readout: MatrixReadout) -> float:
    """Rms error of the weights over the tiles, relative to the largest of their block."""
    squares = []
    for tile in program.tiles:
        fresh = tile.fresh()
        for placed, found in zip(fresh.blocks, fresh.difference(readout), strict=True):
            read = fresh.reading_gain * found / placed.scale
            squares.append(((read - placed.weight) / np.abs(placed.weight).max()).ravel() ** 2)
    return float(np.sqrt(np.concatenate(squares).mean()))


def rows(task: Task, silicon: xbar.Hardware, chips: int) -> Iterator[tuple[Row, Program]]:
    """Each way, and its program for the first chip."""
    ideal = xbar.Hardware(bank=xbar.Bank(), tile=xbar.Tile(word_lines=LINES, bit_lines=LINES))
    blind, plain, aware = (
        xbar.Options(programming="nominal"),
        xbar.Options(),
        xbar.Options(wire_aware=True),
    )
    ways: list[tuple[str, xbar.Hardware, MatrixReadout, xbar.Options]] = [
        ("lognormal 30 %, ideal wires", ideal, "ideal", plain),
        ("sky130, not measured", silicon, "nodal", blind),
        ("sky130, measured, plain", silicon, "nodal", plain),
        ("sky130, measured, wire-aware", silicon, "nodal", aware),
    ]
    digital = np.asarray(task.graph.run(task.inputs), dtype=np.float64)
    scale = float(np.sqrt((digital**2).mean()))
    for name, design, readout, options in ways:
        row, first = Row(name, [], [], []), None
        for seed in range(chips):
            program = xbar.compile(task.graph, xbar.Chip.sample(design, seed), options=options)
            outputs = np.asarray(program.run(task.inputs, readout))
            row.accuracy.append(task.right(outputs))
            row.error.append(weight_error(program, readout))
            row.output.append(float(np.sqrt(((outputs - digital) ** 2).mean()) / scale))
            first = first or program
            print(name, seed, row.accuracy[-1], row.error[-1], row.output[-1], flush=True)
        assert first is not None
        yield row, first


def accuracy_table(digital: float, found: list[Row]) -> str:
    """Mean and range over the chips."""
    lines = [["digital", f"{100 * digital:.1f}", "", "", ""]]
    for row in found:
        low, mean, high = (100 * each(row.accuracy) for each in (min, np.mean, max))
        rms = float(np.sqrt(np.mean(np.square(row.error))))
        shown = f"{mean:.1f} ({low:.1f} to {high:.1f})"
        out = float(np.sqrt(np.mean(np.square(row.output))))
        lines.append([row.name, shown, f"{100 * out:.2g} %", f"{rms:.1e}", f"{bits_of(rms):.1f}"])
    head = ["LeNet-5, 64 x 64 tiles", "accuracy, % (range)", "outputs off", "weights off", "bits"]
    title = f"{len(found[0].accuracy)} chips; those of sky130 behind the wires of their masks"
    return table(title, head, lines)


def draw_bits(found: list[Row]) -> bytes:
    """The bits of each way as bars, an SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6.4, 2.2), layout="constrained")
    panel = picture.subplots()
    bits = [bits_of(float(np.sqrt(np.mean(np.square(row.error))))) for row in found]
    bars = panel.barh([row.name for row in found], bits, color="#4477aa")
    panel.bar_label(bars, [f"{each:.1f}" for each in bits], padding=3)
    panel.invert_yaxis()
    panel.set(xlabel="bits of the weights of LeNet-5", xlim=(0, 17))
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xbar"}):
        picture.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def transistor_table(found: list[Verification]) -> str:
    """What ngspice says of the tiles sampled."""
    lines = [
        [
            f"{each.tile}, {each.layer}",
            f"{each.cells[0]} x {each.cells[1]}",
            f"{each.weight_error:.1e}",
            f"{each.current_error:.1e}",
            f"{each.bits():.1f}",
        ]
        for each in found
    ]
    head = ["tile", "cells", "prediction off by", "currents", "bits of the weights"]
    return table("wire-aware, transistors in ngspice, driven with activations", head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--cells", type=int, nargs=2, default=[8, 8])
    parser.add_argument("--print", action="store_true", help="leave docs/silicon.md as it is")
    given = parser.parse_args()
    task = lenet()
    digital = task.right(np.asarray(task.graph.run(task.inputs), dtype=np.float64))
    silicon = Cell(Process.find("sky130"), *DESIGN).hardware(LINES, LINES)
    found = list(rows(task, silicon, given.chips))
    text = accuracy_table(digital, [row for row, _ in found])
    print(text)
    program = found[-1][1]
    count = len(program.tiles)
    sampled = [verify(program, n, given.cells, inputs=task.inputs[:4]) for n in sample(count)]
    told = transistor_table(sampled)
    print(told)
    if not given.print:
        write_table(PAGE, "silicon_network", f"```\n{text}\n{told.rstrip()}\n```")
        picture = draw_bits([row for row, _ in found])
        write_bytes(PAGE.parent / "figures" / "silicon_bits.svg", picture, force=True)


def sample(count: int) -> list[int]:
    """The first tile, the last, and one between them."""
    return sorted({0, count // 2, count - 1})[:TILES]


if __name__ == "__main__":
    main()
