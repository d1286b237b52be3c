"""Ohms of an array's wires against hand-worked ones, and back into a design."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gdstk")

from xbar import Hardware
from xbar.errors import CircuitError
from xbar.hardware.bank import Bank
from xbar.silicon.checks.masks import Masks
from xbar.silicon.checks.rules import rule_data
from xbar.silicon.checks.wires import extract_wires
from xbar.silicon.layout import BankGeometry, Layout

LI, METAL, DIFFUSION, MCON, VIA = 12.2, 0.125, 182.0, 9.3, 4.5
"""Ohms of sky130: a square of local interconnect and of metals 1 and 2, and a contact."""
JOG = 41.5
"""From a drain's uppermost contact to its resistor's slot, by KLayout's own extractor."""
EIGHT = BankGeometry(lengths=(4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790))


@pytest.fixture(scope="module")
def eight():
    return extract_wires(Layout(EIGHT, word_lines=4, bit_lines=4))


def test_lines_take_their_squares_less_what_the_resistors_heads_widen_them(eight):
    plain = METAL * EIGHT.width / 2160
    assert 0.98 * plain < eight.word_wire < plain
    assert eight.bit_wire == pytest.approx(METAL * EIGHT.height / 2800, rel=1e-3)


def test_lines_agree_with_another_extractor(eight):
    """KLayout's own resistance extractor on the same masks: 0.435 and 0.685."""
    assert eight.word_wire == pytest.approx(0.435, rel=0.01)
    assert eight.bit_wire == pytest.approx(0.685, rel=0.002)


def test_a_branch_takes_its_contacts_and_interconnect(eight):
    # three contacts of the drain, a square of interconnect from one to the next; the interconnect
    # from the uppermost to the slot; three contacts of the source, two to metal 1; six above the
    # resistor, from where the shorter ones take some squares of metal 1 to the word line
    two = parallel(DIFFUSION, LI + DIFFUSION)
    drain = parallel(DIFFUSION, LI + two) + JOG
    source = DIFFUSION / 3 + MCON / 2
    metal = METAL * (7790 - np.array(EIGHT.lengths)) / 290
    assert eight.series == pytest.approx(drain + source + MCON / 6 + metal, abs=4)
    assert eight.error < 3e-3


def test_no_branch_shares_contacts_with_another(eight):
    assert np.all(eight.shared == 0)
    other = BankGeometry(lengths=(20000, 505, 4000), switch=(5000, 420, 1005))
    assert np.all(extract_wires(Layout(other, 1, 1)).shared == 0)


def parallel(a, b):
    return a * b / (a + b)


def test_a_lone_branch_takes_its_few_contacts():
    lone = extract_wires(Layout(BankGeometry(lengths=(500,), switch=420), 1, 1))
    drain = DIFFUSION + JOG + LI * 50 / 170  # one contact, 50 nm farther from its resistor
    # its source's contact lies below the one to metal 1; from there some squares to one via
    source = DIFFUSION + MCON + VIA
    assert lone.series[0] == pytest.approx(drain + source + MCON / 6, abs=4)
    assert lone.bit_wire == pytest.approx(METAL * 7490 / 650, rel=1e-6)


def test_wires_do_not_depend_on_the_size_of_the_array():
    geometry = BankGeometry(lengths=(4000, 4400))
    small = extract_wires(Layout(geometry, word_lines=1, bit_lines=1))
    large = extract_wires(Layout(geometry, word_lines=64, bit_lines=8))
    assert small.to_json() == large.to_json()


def test_wires_go_into_a_design(eight):
    hardware = Hardware(bank=Bank(resistors=8, nominal=30e3))
    behind = eight.on(hardware)
    assert behind.tile.word_wire == pytest.approx(eight.word_wire, rel=1e-5)
    assert behind.tile.bit_wire == pytest.approx(eight.bit_wire, rel=1e-5)
    assert behind.bank.series == pytest.approx(eight.series.tolist(), rel=1e-5)
    assert behind.bank.resistors == hardware.bank.resistors


def test_an_open_branch_is_told():
    layout = Layout(BankGeometry(lengths=(4000, 4400)), word_lines=1, bit_lines=1)
    layers = rule_data("sky130")["layers"]
    with pytest.raises(CircuitError, match="must have the label w_7, and have not"):
        Masks(layout.library(), "tile", layers).label("w_7")
    with pytest.raises(CircuitError, match=r"met1 must be drawn at \(-50.000, 0.000\) um"):
        Masks(layout.library(), "tile", layers).piece("met1", (-50000, 0))
