"""Claim: subsets chosen for measured branches, behind extracted wires, hold weights to twelve bits.

Arrays of sky130 transistors, with the process's own mismatch, are programmed in several ways, from
the text-book one to the one that knows each branch and the wires; the weights are read back in
ngspice. Then the last one is read at other corners, temperatures and supplies, with and without
calibrated gains. Both tables are written into docs/silicon.md between their marks.

    python benchmarks/silicon.py [--process sky130] [--sizes 4 8] [--seeds 1 2 3 4 5] [--print]

Needs ngspice and the process's models; about fifteen minutes on two cores.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.compiler.tile import wires_of
from xbar.files import write_text
from xbar.silicon.array import Array
from xbar.silicon.branch import Branches, Conditions
from xbar.silicon.cell import Cell
from xbar.silicon.process import Process
from xbar.silicon.tables import condition_text
from xbar.silicon.tester import Measured, measure, transfer
from xbar.silicon.typical import typical_bank
from xbar.silicon.verification import VerificationSweep, sweep
from xbar.tables import table

Floats = NDArray[np.float64]

PAGE = Path(__file__).parent.parent / "docs" / "silicon.md"
NOISE = 1e-3
"""Relative error of a measurement, one sigma."""


@dataclass(frozen=True)
class Way:
    """A way to choose the switches.

    Attributes:
        name: what is known of the branches.
        chip: the chip that they are chosen for.
        wire_aware: whether the wires are taken into account.
    """

    name: str
    chip: xbar.Chip
    wire_aware: bool


@dataclass(frozen=True)
class Found:
    """Weights read back.

    Attributes:
        rms: rms error relative to the largest weight.
        off: largest difference from xbar's prediction, likewise.
    """

    rms: float
    off: float

    @property
    def bits(self) -> float:
        """Bits of a uniform quantiser of this error."""
        return float(np.log2(2 / (self.rms * np.sqrt(12))))


def typical(hardware: xbar.Hardware, branches: Branches, series: bool) -> xbar.Hardware:
    """The design with its typical branches alone, with or without what the layout adds to them."""
    bare = (
        branches
        if series
        else Branches(
            branches.process, branches.switch, branches.length, branches.width, 0 * branches.series
        )
    )
    bank = typical_bank(bare, Conditions(), np.zeros(len(branches.length)), 0.2)
    return hardware.model_copy(update={"bank": bank})


def squares(hardware: xbar.Hardware, branches: Branches) -> xbar.Hardware:
    """The design with resistors of sheet resistance times squares, and nothing else."""
    resistor = branches.process.resistor
    ohms = resistor.sheet * branches.length / resistor.width
    bank = xbar.Bank(resistors=len(ohms), nominal=tuple(ohms.tolist()), spread="none")
    return hardware.model_copy(update={"bank": bank})


def imported(found: Measured, hardware: xbar.Hardware) -> xbar.Chip:
    """A measurement as a user has it: a table of text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measured.csv"
        found.save(path)
        return xbar.Chip.from_measurement(path, hardware, behind_wires="line")


def ways(hardware: xbar.Hardware, branches: Branches, found: Measured, seed: int) -> Iterator[Way]:
    """All ways for one array."""
    measured = imported(found, hardware)
    noisy = imported(found.with_noise(NOISE, seed), hardware)
    for name, design in (
        ("sheet ohms x squares", squares(hardware, branches)),
        ("typical branch, before layout", typical(hardware, branches, series=False)),
        ("typical branch, after layout", typical(hardware, branches, series=True)),
    ):
        yield Way(name, xbar.Chip.sample(design, 0), wire_aware=False)
    yield Way("each branch measured", measured, wire_aware=False)
    yield Way("each measured, wire-aware", measured, wire_aware=True)
    yield Way(f"the same, measured to {100 * NOISE:g} %", noisy, wire_aware=True)


def read_back(array: Array, weights: Floats, way: Way) -> tuple[Found, xbar.Program]:
    """Choose switches, close them in the array, and read its weights."""
    program = xbar.compile({"fc": weights}, way.chip, wire_aware=way.wire_aware)
    tile = program.tiles[0]
    placed = tile.blocks[0]
    real, said = (
        tile.mapping.difference(cells, placed.block) / placed.scale
        for cells in (transfer(array, tile.mask), tile.cells("nodal"))
    )
    largest = np.abs(placed.weight).max()
    rms = float(np.sqrt(np.mean((real - placed.weight) ** 2)) / largest)
    return Found(rms, float(np.abs(real - said).max() / largest)), program


def one_array(
    cell: Cell, hardware: xbar.Hardware, size: int, seed: int
) -> tuple[dict[str, Found], xbar.Program]:
    """Every way on the array of one seed; the program of the best one last."""
    tile = hardware.tile.model_copy(update={"word_lines": size, "bit_lines": 2 * size})
    hardware = hardware.model_copy(update={"tile": tile})
    lines = (np.arange(size), np.arange(2 * size))
    rest = np.zeros((size, 2 * size))
    at = Conditions(seed=seed)
    array = Array(cell.branches, wires_of(hardware), *lines, rest, conditions=at)
    weights = np.random.default_rng(seed).standard_normal((size, size))
    result, best = {}, None
    for way in ways(hardware, cell.branches, measure(array), seed):
        result[way.name], program = read_back(array, weights, way)
        best = program if way.name == "each measured, wire-aware" else best
    assert best is not None
    return result, best


def bits_table(found: dict[int, list[dict[str, Found]]], process: str) -> str:
    """Bits of each way and size: the median, and the range over the arrays."""
    rows = []
    for name in next(iter(found.values()))[0]:
        row = [name]
        for arrays in found.values():
            bits = np.sort([each[name].bits for each in arrays])
            rms = np.median([each[name].rms for each in arrays])
            worst = max(each[name].off for each in arrays)
            row += [f"{np.median(bits):.1f} ({bits[0]:.1f} to {bits[-1]:.1f})", f"{rms:.1e}"]
        rows.append([*row, f"{worst:.0e}"])
    head = ["switches chosen for"]
    for size in found:
        head += [f"{size}x{size} weights, bits", "rms"]
    count = len(next(iter(found.values())))
    title = f"{process}: {count} arrays, median and range"
    return table(title, [*head, "xbar off by"], rows)


def conditions_table(found: VerificationSweep) -> str:
    """Bits of one array under other conditions than those it was programmed for."""
    rows = [
        [
            condition_text(point.conditions),
            f"{point.gain()[0]:.4f}",
            f"{point.rms():.1e}",
            *(f"{point.bits(of):.1f}" for of in ("none", "chip", "columns")),
            f"{point.weight_error:.0e}",
        ]
        for point in found.points
    ]
    head = ["condition", "gain", "rms", "bits", "one gain", "by column", "xbar off by"]
    w, b = found.points[0].cells
    return table(f"{w} x {b} cells programmed at the first", head, rows)


def write(name: str, text: str) -> None:
    """Replace a table in the page."""
    page = PAGE.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not mark.search(page):
        raise SystemExit(f"{PAGE} has no mark for the table {name}")
    block = f"```\n{text.rstrip()}\n```\n"
    write_text(PAGE, mark.sub(lambda m: m[1] + block + m[2], page), force=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--process", default="sky130")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--print", action="store_true", help="leave docs/silicon.md as it is")
    given = parser.parse_args()
    cell = Cell(Process.find(given.process), series=182.0)
    hardware = cell.hardware(given.sizes[0], 2 * given.sizes[0])
    found: dict[int, list[dict[str, Found]]] = {}
    programs = []
    start = time.perf_counter()
    for size in given.sizes:
        for seed in given.seeds:
            result, program = one_array(cell, hardware, size, seed)
            found.setdefault(size, []).append(result)
            programs.append((seed, program))
            print(size, seed, f"{time.perf_counter() - start:.0f} s", flush=True)
    bits = bits_table(found, given.process)
    print(bits)
    seed, program = programs[-len(given.seeds)]
    cells = program.hardware.cells
    moved = conditions_table(sweep(program, 0, cells, mismatch=seed))
    print(moved)
    if not given.print:
        write("silicon_bits", bits)
        write("silicon_conditions", moved)


if __name__ == "__main__":
    main()
