"""Write the reference decks of this folder, and beside each what a simulator must find.

    python netlists/make.py            # or: make netlists

Each deck is for ngspice unless its name says otherwise; only ngspice runs in the test suite, the
decks in other dialects are there to be tried in their simulators. ``<deck>.json`` holds the
currents in amperes that the deck asks for, by the names that the simulator gives them, to ten
digits: as xbar computes them, without SPICE.

The resistors are imprecise on purpose, by a rule that is the same on every machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.circuit.cells import CellCircuit, LadderCell, ParallelCell, SeriesCell
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.files import write_text

Floats = NDArray[np.float64]

FOLDER = Path(__file__).parent
DIGITS = 10
OTHER_DIALECTS = {"xyce": "xyce.cir", "hspice": "hspice.sp", "spectre": "spectre.scs"}


@dataclass(frozen=True)
class Reference:
    """A deck and its answer.

    Attributes:
        file: name of the deck.
        what: what it shows.
        netlist: the deck.
        current: (B,) amperes.
    """

    file: str
    what: str
    netlist: Netlist
    current: Floats

    def answer(self) -> str:
        """The expected answer as JSON."""
        amperes = [float(f"{value:.{DIGITS - 1}e}") for value in self.current.tolist()]
        content = {
            "deck": self.file,
            "what": self.what,
            "dialect": self.netlist.dialect,
            "current": dict(zip(self.netlist.currents, amperes, strict=True)),
            "unit": "A",
            "digits": DIGITS,
        }
        return json.dumps(content, indent=2) + "\n"


def imprecise(nominal: float, shape: tuple[int, ...]) -> Floats:
    """Ohms around a nominal value, 25 % up or down at most, by a fixed rule."""
    step = sum((7, 3, 5)[axis] * index for axis, index in enumerate(np.indices(shape)))
    return np.asarray(nominal * (1 + (step % 11 - 5) / 20), dtype=np.float64)


def references() -> Iterator[Reference]:
    """Every reference deck."""
    yield from _cells()
    yield from _crossbars()
    yield _tile()


def _cells() -> Iterator[Reference]:
    ohms = imprecise(10e3, (4,))
    mask = [True, False, True, True]
    cells: list[tuple[str, str, CellCircuit]] = [
        (
            "cell_bank",
            "one cell at 1 V: four resistors in parallel, each with a switch; the second is open",
            ParallelCell(ohms, switch_on=10.0, switch_off=10e6),
        ),
        (
            "series_bank",
            "one cell at 1 V: four resistors in series with by-passes; the second is by-passed",
            SeriesCell(ohms, switch_on=10.0, switch_off=10e6),
        ),
        (
            "ladder",
            "one cell at 1 V: a ladder of four rungs; the second is open",
            LadderCell(2 * ohms, switch_on=10.0, switch_off=10e6, rail=ohms),
        ),
    ]
    for name, what, cell in cells:
        netlist = cell.netlist(mask, title=name)
        yield Reference(f"{name}.cir", what, netlist, np.atleast_1d(cell.value(mask)))


def _crossbars() -> Iterator[Reference]:
    small = Crossbar(1 / imprecise(20e3, (2, 2)))
    what = "2 x 2 cells, one resistor each, ideal wires"
    yield _crossbar("crossbar_2x2", what, small, np.array([0.2, 0.1]))

    on = 1 / imprecise(10e3, (4, 3, 3))
    closed = np.indices(on.shape).sum(axis=0) % 2 == 0
    bank = SwitchedBank(on, on / 100, closed, switch_on=100.0)
    cells, volts = bank.branch.sum(axis=2), np.array([0.2, 0.1, -0.05, 0.15])
    wired = Crossbar(cells, 2.0, 3.0, 50.0, 20.0)
    what = "4 x 3 cells of three resistors in parallel, wires, drivers and loads"
    yield _crossbar("crossbar_4x3", what, wired, volts, bank.branch)
    what = "4 x 3 cells as subcircuits of three resistors with switches; switches leak"
    yield _crossbar("crossbar_4x3_bank", what, wired, volts, bank)
    for dialect, ending in OTHER_DIALECTS.items():
        file = f"crossbar_4x3_bank.{ending}"
        yield _crossbar(file, what, wired, volts, bank, dialect)

    both = Crossbar(1 / imprecise(5e3, (3, 4)), 1.5, 2.5, 50.0, 0.0, "both", "both")
    what = "3 x 4 cells, driven and read at both ends"
    yield _crossbar("crossbar_3x4_both", what, both, np.array([0.1, 0.2, 0.3]))


def _tile() -> Reference:
    """A programmed tile: a small layer on a chip whose resistors come from a seed."""
    rows, columns = np.indices((4, 8))
    weights = ((7 * columns + 3 * rows) % 11 - 5) / 5
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=4, nominal=50e3, sigma=0.3, on_off_ratio=1e3),
        tile=xbar.Tile(word_lines=8, bit_lines=8, word_wire=1.0, bit_wire=1.0),
    )
    chip = xbar.Chip.sample(hardware, seed=0)
    tile = xbar.compile({"example": weights}, chip).tiles[0]
    volts = 0.2 * imprecise(1.0, (8,)) / 1.25
    what = "a layer of 8 inputs and 4 outputs on differential pairs, each resistor an element"
    netlist = tile.netlist("ngspice", volts, "resistor")
    return Reference("tile_8x8.cir", what, netlist, tile.crossbar().read(volts[None])[0])


def _crossbar(
    name: str,
    what: str,
    crossbar: Crossbar,
    volts: Floats,
    branch: Floats | SwitchedBank | None = None,
    dialect: str = "ngspice",
) -> Reference:
    title = name.split(".")[0]
    netlist = crossbar_netlist(crossbar, volts, dialect=dialect, title=title, branch=branch)
    file = name if "." in name else f"{name}.cir"
    return Reference(file, what, netlist, crossbar.read(volts[None])[0])


def main(folder: Path = FOLDER) -> None:
    """Write every deck and its answer."""
    for reference in references():
        reference.netlist.write(folder / reference.file, force=True)
        write_text(folder / f"{reference.file}.json", reference.answer(), force=True)
        print(reference.file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
