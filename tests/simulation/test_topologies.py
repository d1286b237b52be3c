"""The published topologies of an array, each against nodal analysis of its own drawing."""

from __future__ import annotations

import numpy as np
import pytest
from topologies import INPUTS, INTERLEAVED, SEPARATE, WEIGHTS, design, gated_design, line, nodal

import xbar
from xbar.effects.nonlinearity import line_currents
from xbar.errors import SpecError
from xbar.simulation.blocks import BlockCells

RNG = np.random.default_rng(5)


def interleaved_currents(plus, minus, volts, tile):
    """(C,) amperes: pairs of word lines with opposite voltages, cells of a pair at one place."""
    rows, columns = plus.shape
    held, drawn = {}, []
    for i in range(rows):
        for sign, side in ((1.0, "+"), (-1.0, "-")):
            driver = f"d{side}{i}"
            held[driver] = sign * volts[i]
            end = (driver, tile.source)
            left = end if tile.drive != "right" else None
            right = end if tile.drive != "left" else None
            drawn += line(f"w{side}{i}", columns, tile.word_wire, left, right)
    for j in range(columns):
        held[f"s{j}"] = 0.0
        end = (f"s{j}", tile.load)
        top = end if tile.sense != "bottom" else None
        bottom = end if tile.sense != "top" else None
        drawn += line(f"b{j}", rows, tile.bit_wire, top, bottom)
        for i in range(rows):
            for side, cells in (("+", plus), ("-", minus)):
                if cells[i, j]:
                    drawn.append(((f"w{side}{i}", j), (f"b{j}", i), 1 / cells[i, j]))
    return np.array([nodal(drawn, held, f"s{j}") for j in range(columns)])


def crossings(tile):
    """(R, C, K) or so of plus and minus cells of an interleaved tile, as they lie in its array."""
    branch = tile.branch
    plus, minus = branch[:, 0::2], branch[:, 1::2]
    layout = tile.chip.hardware.bank.layout
    if layout == "cell":
        return plus.sum(-1), minus.sum(-1)
    if layout == "columns":
        return tuple(side.reshape(len(side), -1) for side in (plus, minus))
    return tuple(side.swapaxes(1, 2).reshape(-1, side.shape[1]) for side in (plus, minus))


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize(
    "ends", [{}, {"drive": "both"}, {"sense": "both"}, {"drive": "right", "sense": "top"}], ids=str
)
def test_interleaved_pairs_are_the_nodal_solution_of_their_drawing(layout, ends):
    program = xbar.compile({"fc": WEIGHTS}, design(layout, **INTERLEAVED, **ends), seed=3)
    tile = program.tiles[0]
    resistors = 2
    volts = RNG.uniform(-0.2, 0.2, tile.chip.hardware.cells[0])
    expected = interleaved_currents(
        *crossings(tile),
        np.repeat(volts, resistors) if layout == "rows" else volts,
        tile.chip.hardware.tile,
    )
    if layout == "columns":
        expected = expected.reshape(-1, resistors).sum(axis=1)
    found = tile.columns(tile.crossbar().read(tile.lines(volts[None])))[0]
    scale = np.abs(expected).max()
    assert np.abs(found[0::2] - found[1::2] - expected).max() < 1e-9 * scale
    matrix = tile.cells("nodal")
    assert np.abs(volts @ (matrix[:, 0::2] - matrix[:, 1::2]) - expected).max() < 1e-9 * scale


def test_interleaved_programs_read_what_their_tiles_conduct():
    program = xbar.compile({"fc": WEIGHTS}, design(**INTERLEAVED), seed=3)
    assert program.hardware.cells == (14, 48)
    ideal, nodal_ = (program.run({"fc": INPUTS}, readout=each)["fc"] for each in ("ideal", "nodal"))
    assert np.abs(ideal - INPUTS @ program.matrices()["fc"].T).max() < 1e-12
    assert np.abs(nodal_ - INPUTS @ program.matrices("nodal")["fc"].T).max() < 1e-12
    assert np.abs(ideal - nodal_).max() > 1e-4


def test_currents_that_cancel_along_the_bit_line_raise_it_less():
    weights, rise = np.random.default_rng(6).normal(size=(16, 64)), {}
    for name, lines in (("input-source", (64, 32)), ("interleaved-input-source", (128, 16))):
        tile = xbar.Tile(word_lines=lines[0], bit_lines=lines[1], bit_wire=20.0, topology=name)
        program = xbar.compile({"fc": weights}, design().model_copy(update={"tile": tile}), seed=1)
        array = program.tiles[0]
        solved = array.crossbar().solve(array.lines(np.full((1, 64), 0.2)))
        rise[name] = np.abs(solved.bit_voltage).max()
    assert rise["interleaved-input-source"] < 0.5 * rise["input-source"]


def test_wire_aware_programming_mends_interleaved_arrays():
    hardware = design(**INTERLEAVED)
    finer = hardware.bank.model_copy(update={"resistors": 7})
    hardware = hardware.model_copy(update={"bank": finer})
    plain, aware = (
        xbar.compile({"fc": WEIGHTS}, hardware, wire_aware=each, seed=2) for each in (False, True)
    )
    errors = [np.linalg.norm(each.matrices("nodal")["fc"] - WEIGHTS) for each in (plain, aware)]
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_ngspice_confirms_interleaved_tiles(ngspice, layout, detail):
    program = xbar.compile({"fc": WEIGHTS}, design(layout, **INTERLEAVED), seed=3)
    assert xbar.verify(program, detail=detail).passed


def test_ngspice_confirms_interleaved_cells_that_bend(ngspice):
    hardware = design(**INTERLEAVED)
    bank = hardware.bank.model_copy(update={"nonlinearity": xbar.Nonlinearity(sinh=0.3)})
    program = xbar.compile({"fc": WEIGHTS}, hardware.model_copy(update={"bank": bank}), seed=3)
    assert xbar.verify(program, readout="nonlinear").passed
    tile = program.tiles[0]
    volts = tile.lines(np.full((1, 14), 0.2))
    bent = line_currents(tile.crossbar(), tile.law(), volts)
    assert np.abs(bent - tile.crossbar().read(volts)).max() > 1e-3 * np.abs(bent).max()


def test_interleaved_arrays_need_pairs():
    with pytest.raises(SpecError, match="share a bit line"):
        xbar.compile(
            {"fc": WEIGHTS}, design(**INTERLEAVED), options=xbar.Options(mapping="reference")
        )


def test_wires_of_other_topologies_are_refused():
    with pytest.raises(SpecError, match="no source lines"):
        xbar.Tile(source_wire=1.0)
    with pytest.raises(SpecError, match="carry no current"):
        xbar.Tile(word_wire=1.0, topology="separate-source")


def test_an_amplifiers_offset_drives_all_cells_of_an_interleaved_line():
    """The bit line held at the offset by the circuit solver, the drivers at 0 V."""
    amplifier = xbar.Amplifier(offset="2 mV")
    program = xbar.compile({"fc": WEIGHTS}, design(more={"amplifier": amplifier}, **INTERLEAVED))
    tile = program.tiles[0]
    held = tile.crossbar().read(np.zeros((1, 28)), np.full(24, -1.0))[0]
    found = BlockCells(tile, 0).lines("nodal")
    assert found == pytest.approx(held[tile.blocks[0].block.columns], rel=0.02)
    alone = BlockCells(tile, 0).lines("ideal")
    assert alone == pytest.approx(tile.crossbar().conductance.sum(axis=0)[:5], rel=1e-12)
    with pytest.raises(SpecError, match=r"amplifier\.offset must be 0"):
        gated_design(SEPARATE, amplifier=amplifier)
