"""Small designs in a process, characterised for their laws alone."""

from __future__ import annotations

import numpy as np

import xbar
from xbar.hardware.silicon import Drawn
from xbar.silicon.branch import Branches, Conditions
from xbar.silicon.process import Process
from xbar.silicon.typical import typical_bank

LENGTHS = {"gf180mcu": (20e-6, 22e-6, 25e-6), "sky130": (4e-6, 4.4e-6, 4.84e-6, 5.325e-6, 5.855e-6)}


def branches(process: Process, series: float = 100.0) -> Branches:
    """A few branches whose switches are 1 µm wide."""
    lengths = np.array(LENGTHS[process.name])
    each = np.ones(len(lengths))
    return Branches(process, process.switch(), lengths, 1e-6 * each, series * each)


def design(process: Process, word_lines: int, bit_lines: int, **tile: object) -> xbar.Hardware:
    """Tiles of such cells: resistors deviate by 3 %, thresholds by 15 mV."""
    made = branches(process)
    law = typical_bank(made, Conditions(), np.full(len(made.length), 0.06), 0.2)
    assert law.switch is not None
    switch = law.switch.model_copy(update={"sigma": 0.015})
    bank = law.model_copy(update={"spread": "resistance", "sigma": 0.03, "switch": switch})
    lines = xbar.Tile(word_lines=word_lines, bit_lines=bit_lines, **tile)
    drawn = Drawn(process=process.name, lengths=LENGTHS[process.name], switch_width=1e-6)
    return xbar.Hardware(bank=bank, tile=lines, silicon=drawn)
