"""Cells as subcircuits with switches: ngspice reads the same currents as from their sums."""

from __future__ import annotations

import re

import numpy as np
import pytest

import xbar
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.switches import SwitchedBank

HOSTILE = "fc\n.control\nshell touch owned\n.endc\n"


def random_bank(seed, shape=(7, 5, 4), ratio=200.0):
    rng = np.random.default_rng(seed)
    on = 1e-4 * rng.lognormal(0.0, 0.5, shape)
    return SwitchedBank(on, on / ratio, rng.random(shape) < 0.5), rng.uniform(-1, 1, shape[0])


@pytest.mark.parametrize("ratio", [np.inf, 1e6, 20.0, 1.0])
@pytest.mark.parametrize("wire", [0.0, 2.0])
def test_a_tile_of_switched_banks_reads_like_its_sums(ngspice, ratio, wire):
    cells, volts = random_bank(int(wire), ratio=ratio)
    tile = Crossbar(cells.branch.sum(axis=2), wire, wire, 100.0 * wire, 10.0)
    found = run(crossbar_netlist(tile, volts, branch=cells))
    scale = np.abs(tile.transfer) @ np.abs(volts)
    assert np.all(np.abs(found - tile.read(volts[None])[0]) <= 1e-9 * scale)


def test_a_tile_of_32_x_32_x_8_switched_resistors_agrees_to_1e_9(ngspice):
    cells, volts = random_bank(3, (32, 32, 8))
    tile = Crossbar(cells.branch.sum(axis=2), 1.0, 1.0)
    found = run(crossbar_netlist(tile, np.abs(volts), branch=cells))
    np.testing.assert_allclose(found, tile.read(np.abs(volts)[None])[0], rtol=1e-9)


def changed(netlist, pattern, replacement):
    text, count = re.subn(pattern, replacement, netlist.text)
    assert count
    return type(netlist)(text, netlist.dialect, netlist.currents)


@pytest.mark.parametrize("ratio", [200.0, np.inf])
def test_turning_every_switch_in_the_deck_reprograms_the_tile(ngspice, ratio):
    cells, volts = random_bank(4, (7, 5, 2), ratio)
    assert not cells.closed.any(axis=2).all()  # some cells have nothing switched in at first
    deck = crossbar_netlist(Crossbar(cells.branch.sum(axis=2), 1.0), volts, branch=cells)
    turned = deck
    for before, after in ((0, 2), (1, 0), (2, 1)):
        turned = changed(turned, rf"(?<= )(c\d)={before}\b", rf"\1={after}")
    other = np.where(cells.closed, cells.off, cells.on).sum(axis=2)
    np.testing.assert_allclose(run(turned), Crossbar(other, 1.0).read([volts])[0], rtol=1e-9)


def test_the_resistance_of_all_closed_switches_is_one_parameter(ngspice):
    cells, volts = random_bank(5, ratio=np.inf)
    deck = crossbar_netlist(Crossbar(cells.branch.sum(axis=2)), volts, branch=cells)
    worse = changed(deck, r"switch_on=\S+", "switch_on=5k")
    expected = np.where(cells.closed, 1 / (cells.resistor + 5e3), 0.0).sum(axis=2)
    np.testing.assert_allclose(run(worse), Crossbar(expected).read([volts])[0], rtol=1e-9)


def test_another_switch_can_take_the_switch_subcircuits_place(ngspice):
    cells, volts = random_bank(6, ratio=np.inf)
    deck = crossbar_netlist(Crossbar(cells.branch.sum(axis=2)), volts, branch=cells)
    gated = (
        "Vg g 0 {closed}\n"
        "S1 a b g 0 gate\n"
        f".model gate sw vt=0.5 ron={cells.closed_ohms!r} roff=1e18\n"
        ".ends xbar_switch"
    )
    found = run(changed(deck, r"R1 a b \S+\n\.ends xbar_switch", gated))
    np.testing.assert_allclose(
        found, Crossbar(cells.branch.sum(axis=2)).read([volts])[0], rtol=1e-9
    )


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_a_programmed_tile_with_stuck_resistors_is_verified_at_every_level(ngspice, detail, layout):
    stuck = {"stuck_open": 0.1, "stuck_closed": 0.1}
    bank = xbar.Bank(resistors=4, sigma=0.3, on_off_ratio=50, layout=layout, **stuck)
    tile = xbar.Tile(word_lines=16, bit_lines=32, word_wire=1.0, bit_wire=1.5)
    chip = xbar.Chip.sample(xbar.Hardware(bank=bank, tile=tile), seed=1)
    weights = np.random.default_rng(0).normal(size=(3, 6))
    program = xbar.compile({HOSTILE: weights}, chip)
    assert xbar.verify(program, detail=detail).worst < 1e-9
    for line in program.tiles[0].netlist(detail=detail).text.splitlines():
        assert line[0] in "*RVX+."
        assert not line.startswith(".control")
