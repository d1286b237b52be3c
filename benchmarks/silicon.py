"""Claim: subsets chosen for measured branches, behind extracted wires, hold weights to twelve bits.

Arrays of sky130 transistors, with the process's own mismatch, are programmed in several ways, from
the text-book one to the one that knows each branch and the wires; the weights are read back in
ngspice. Then the last one is read at other corners, temperatures and supplies, with and without
calibrated gains. A third table tells how far xbar is from ngspice, for measured chips and for chips
drawn from the characterised model. All are written into docs/silicon.md between their marks.

    python benchmarks/silicon.py [--process sky130] [--sizes 4 8] [--seeds 1 2 3 4 5] [--print]

Needs ngspice and the process's models; about fifteen minutes of processor time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pages import write_table

import xbar
from xbar.hardware.silicon import Drawn
from xbar.silicon.array import Array
from xbar.silicon.bits import bits_of
from xbar.silicon.branch import Branches, Conditions
from xbar.silicon.cell import Cell
from xbar.silicon.checks.wires import Wires
from xbar.silicon.process import Process
from xbar.silicon.tables import condition_text
from xbar.silicon.tester import Measured, measure, transfer
from xbar.silicon.tile import Choice, TransistorTile
from xbar.silicon.typical import typical_bank
from xbar.silicon.verification import Gain, Verification, VerificationSweep, compare, drive

Floats = NDArray[np.float64]

PAGE = Path(__file__).parent.parent / "docs" / "silicon.md"
NOISE = 1e-3
"""Relative error of a measurement, one sigma."""
BEST = "measured, wire-aware"
CALIBRATED: tuple[Gain, ...] = ("none", "chip", "columns")


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
        return bits_of(self.rms)


def typical(branches: Branches) -> xbar.Bank:
    """Typical branches as SPICE has them."""
    return typical_bank(branches, Conditions(), np.zeros(len(branches.length)), 0.2)


def squares(branches: Branches) -> xbar.Bank:
    """Resistors of sheet resistance times squares, and nothing else."""
    resistor = branches.process.resistor
    ohms = resistor.sheet * branches.length / resistor.width
    return xbar.Bank(resistors=len(ohms), nominal=tuple(ohms.tolist()), spread="none")


def drawn_design(cell: Cell, wires: Wires) -> tuple[xbar.Hardware, Branches]:
    """The design of a drawn cell's typical branches, and the branches."""
    with_wires = replace(cell, series=tuple(wires.series.tolist()))
    drawn = Drawn(
        process=with_wires.branches.process.name,
        lengths=cell.lengths,
        switch_width=cell.switch_widths,
    )
    tile = xbar.Tile(word_wire=wires.word_wire, bit_wire=wires.bit_wire)
    bank = typical(with_wires.branches)
    return xbar.Hardware(bank=bank, tile=tile, silicon=drawn), with_wires.branches


def imported(found: Measured, hardware: xbar.Hardware) -> xbar.Chip:
    """A measurement as a user has it: a table of text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measured.csv"
        found.save(path)
        return xbar.Chip.from_measurement(path, hardware, behind_wires="line")


def ways(
    hardware: xbar.Hardware, banks: dict[str, xbar.Bank], found: Measured, seed: int
) -> Iterator[Way]:
    """All ways for one array."""
    for name, bank in banks.items():
        design = hardware.model_copy(update={"bank": bank})
        yield Way(name, xbar.Chip.sample(design, 0), wire_aware=False)
    measured = imported(found, hardware)
    yield Way("each branch measured", measured, wire_aware=False)
    yield Way(BEST, measured, wire_aware=True)
    noisy = imported(found.with_noise(NOISE, seed), hardware)
    yield Way(f"{BEST}, {100 * NOISE:g} % noise", noisy, wire_aware=True)


def read_back(array: Array, program: xbar.Program) -> Found:
    """Close a program's switches in an array, and read its weights."""
    tile = program.tiles[0]
    placed = tile.blocks[0]
    real, said = (
        tile.mapping.difference(cells, placed.block) / placed.scale
        for cells in (transfer(array, tile.mask), tile.cells("nodal"))
    )
    largest = np.abs(placed.weight).max()
    rms = float(np.sqrt(np.mean((real - placed.weight) ** 2)) / largest)
    return Found(rms, float(np.abs(real - said).max() / largest))


def one_array(
    design: xbar.Hardware, banks: dict[str, xbar.Bank], size: int, seed: int
) -> tuple[dict[str, Found], xbar.Program]:
    """Every way on the array of one seed, and the program of the one that knows most."""
    tile = design.tile.model_copy(update={"word_lines": size, "bit_lines": 2 * size})
    hardware = design.model_copy(update={"tile": tile})
    array = Array.of_design(hardware, Conditions(seed=seed))
    weights = np.random.default_rng(seed).standard_normal((size, size))
    result, best = {}, None
    for way in ways(hardware, banks, measure(array), seed):
        program = xbar.compile({"fc": weights}, way.chip, wire_aware=way.wire_aware)
        result[way.name] = read_back(array, program)
        if way.name == BEST:
            best = program
    assert best is not None
    return result, best


def bits_table(found: dict[int, list[dict[str, Found]]]) -> str:
    """Bits of each way and size: the median over the arrays, the range, and the rms error."""
    head = ["switches chosen for"]
    for size, arrays in found.items():
        head += [f"{size} x {size} weights, {len(arrays)} arrays: bits", "rms error"]
    rows = []
    for name in next(iter(found.values()))[0]:
        row, worst = [name], 0.0
        for arrays in found.values():
            bits = np.sort([each[name].bits for each in arrays])
            rms = float(np.median([each[name].rms for each in arrays]))
            row += [f"{np.median(bits):.1f} ({bits[0]:.1f} to {bits[-1]:.1f})", f"{rms:.1e}"]
            worst = max(worst, *(each[name].off for each in arrays))
        rows.append([*row, f"{worst:.1e}"])
    return markdown([*head, "xbar off by at worst"], rows)


def conditions_table(found: VerificationSweep) -> str:
    """Bits of one array under other conditions than those it was programmed for."""
    rows = [
        [
            condition_text(replace(point.conditions, seed=None)),
            f"{point.gain()[0]:.4f}",
            *(f"{point.bits(of):.1f}" for of in CALIBRATED),
            f"{point.weight_error:.1e}",
        ]
        for point in found.points
    ]
    calibrated = ["bits as programmed", "with one gain", "with a gain by column"]
    return markdown(["condition", "gain", *calibrated, "xbar off by at worst"], rows)


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table for the page."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> float:
    """Seconds of processor time of this process and its children."""
    return sum(os.times()[:4])


def moved(program: xbar.Program, seed: int) -> VerificationSweep:
    """The array of one seed under the usual conditions."""
    made = TransistorTile.of(program, 0, program.hardware.cells, Choice(mismatch=seed))
    volts = drive(program, made.tile, None, None)
    points = [made.conditions(*each) for each in made.usual_conditions()]
    return VerificationSweep(tuple(compare(made, at, volts) for at in points))


def nominal(program: xbar.Program, mismatch: int | None) -> Verification:
    """All weights of a program, and currents at up to the read voltage, by xbar and by ngspice."""
    made = TransistorTile.of(program, 0, program.hardware.cells, Choice(mismatch=mismatch))
    return compare(made, made.conditions(*made.nominal), drive(program, made.tile, None, None))


def drawn_chips(cell: Cell, size: int, seeds: list[int]) -> list[Verification]:
    """Chips drawn from the model of a cell, their deviations written into the netlist."""
    hardware = cell.hardware(size, 2 * size)
    found = []
    for seed in seeds:
        weights = np.random.default_rng(seed).standard_normal((size, size))
        chip = xbar.Chip.sample(hardware, seed)
        found.append(nominal(xbar.compile({"fc": weights}, chip, wire_aware=True), None))
    return found


def agreement_table(found: dict[str, list[Verification]]) -> str:
    """How far xbar is from ngspice: the least and the largest of the arrays' worst."""
    head = ["weights", "arrays", "weights off by at worst", "rms", "currents off by at worst"]
    rows = []
    for name, arrays in found.items():
        rms = [
            float(np.sqrt(np.mean((each.read - each.predicted) ** 2))) / each.largest
            for each in arrays
        ]
        ranges = [
            f"{min(values):.1e} to {max(values):.1e}"
            for values in (
                [each.weight_error for each in arrays],
                rms,
                [each.current_error for each in arrays],
            )
        ]
        rows.append([name, str(len(arrays)), *ranges])
    return markdown(head, rows)


def kinds_of(
    cell: Cell, programs: dict[int, list[xbar.Program]], seeds: list[int]
) -> dict[str, list[Verification]]:
    """Arrays under nominal conditions: those measured of each size, and the largest as drawn."""
    kinds = {
        f"{size} x {size}, measured": [
            nominal(program, seed) for program, seed in zip(programs[size], seeds, strict=True)
        ]
        for size in programs
    }
    size = list(programs)[-1]
    kinds[f"{size} x {size}, drawn from the model"] = drawn_chips(cell, size, seeds)
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--process", default="sky130")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--print", action="store_true", help="leave docs/silicon.md as it is")
    given = parser.parse_args()
    cell = Cell(Process.find(given.process))
    design, branches = drawn_design(cell, cell.layout(2, 2).wires())
    banks = {
        "sheet ohms x squares": squares(branches),
        "typical branch, before layout": typical(replace(cell, series=0.0).branches),
        "typical branch, after layout": design.bank,
    }
    found: dict[int, list[dict[str, Found]]] = {}
    programs: dict[int, list[xbar.Program]] = {}
    start = time.perf_counter()
    for size in given.sizes:
        for seed in given.seeds:
            result, program = one_array(design, banks, size, seed)
            found.setdefault(size, []).append(result)
            programs.setdefault(size, []).append(program)
            print(size, seed, f"{time.perf_counter() - start:.0f} s", flush=True)
    bits = bits_table(found)
    print(bits, flush=True)
    conditions = conditions_table(moved(programs[given.sizes[0]][0], given.seeds[0]))
    print(conditions, flush=True)
    agreement = agreement_table(kinds_of(cell, programs, given.seeds))
    print(agreement)
    print(f"{time.perf_counter() - start:.0f} s, of the processor {processor():.0f} s")
    if not given.print:
        write_table(PAGE, "silicon_bits", bits)
        write_table(PAGE, "silicon_conditions", conditions)
        write_table(PAGE, "silicon_agreement", agreement)


if __name__ == "__main__":
    main()
