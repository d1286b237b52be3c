from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.circuit.crossbar import Crossbar
from xbar.training.arrays import Arrays, shares


def design(wire=2.0, drive="left", sense="bottom", layout="cell", size=12):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=2, nominal="2k", layout=layout),
        tile=xbar.Tile(
            word_lines=size, bit_lines=size, word_wire=wire, bit_wire=2 * wire, drive=drive,
            sense=sense, source=30.0, load=10.0,
        ),
    )  # fmt: skip


def matrices():
    rng = np.random.default_rng(0)
    return {"conv": rng.normal(size=(2, 3, 4)), "fc": rng.normal(size=(1, 7, 9))}


def arrays(hardware):
    return Arrays.of(hardware, matrices(), 1e-6, wired=True)


def signed(count, seed=1):
    """Conductances, some of them 0."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=count) * 3e-4 * (rng.random(count) > 0.2)


ENDS = [("left", "bottom"), ("right", "top"), ("both", "bottom"), ("left", "both")]


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize(("drive", "sense"), ENDS)
def test_the_adjoint_is_the_slope_of_finite_differences(drive, sense, layout):
    found = arrays(design(5.0, drive, sense, layout))
    d = signed(len(found.plus))
    rng = np.random.default_rng(2)
    bar = rng.normal(size=len(d))
    gradient = found.adjoint(found.crossings(d), d, bar)
    moved = rng.normal(size=len(d)) * (d != 0)  # at 0 a weight changes cells
    step = 1e-8
    ends = [found.effective(found.crossings(d + sign * step * moved)) for sign in (1, -1)]
    slope = (bar * (ends[0] - ends[1])).sum() / (2 * step)
    assert slope == pytest.approx((gradient * moved).sum(), rel=1e-6)


@pytest.mark.parametrize(("drive", "sense"), ENDS)
def test_what_arrives_is_the_transfer_of_the_arrays_with_these_cells(drive, sense):
    hardware = design(5.0, drive, sense)
    found = arrays(hardware)
    d = signed(len(found.plus))
    cells = np.full((len(found.tiles), 12, 12), 1e-6)
    flat = cells.reshape(-1)
    for place, value in zip(found.plus, d, strict=True):
        flat[place if value > 0 else place + 1] += abs(value)
    tile = hardware.tile
    wires = (tile.word_wire, tile.bit_wire, tile.source, tile.load, drive, sense)
    exact = np.stack([Crossbar(each, *wires).transfer.T for each in cells]).reshape(-1)
    arrives = found.effective(found.crossings(d))
    np.testing.assert_allclose(arrives, exact[found.plus] - exact[found.plus + 1], rtol=1e-9)


def test_each_weight_has_a_pair_of_cells_of_its_own():
    found = arrays(design())
    both = np.concatenate([found.plus, found.plus + 1])
    assert len(np.unique(both)) == 2 * sum(m.size for m in matrices().values())


def test_with_milder_wires_the_own_attenuation_becomes_the_adjoint():
    off = []
    for wire in (1e-1, 1e-2):
        found = arrays(design(wire).model_copy(update={"tile": tile_of(wire)}))
        d = signed(len(found.plus))
        bar = np.random.default_rng(2).normal(size=len(d))
        crossings = found.crossings(d)
        exact = found.adjoint(crossings, d, bar)
        own = bar * found.own(found.shares(crossings), d)
        off.append(float(np.sqrt(((own - exact) ** 2).mean() / (exact**2).mean())))
    assert off[0] < 0.01
    assert off[1] == pytest.approx(off[0] / 10, rel=0.1)


def tile_of(wire):
    return xbar.Tile(word_lines=12, bit_lines=12, word_wire=wire, bit_wire=wire)


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_a_crossings_share_is_that_of_its_own_lines(drive, sense):
    hardware = design(5.0, drive, sense)
    cells = np.random.default_rng(0).uniform(1e-6, 1e-3, (2, 12, 12))
    word, bit = hardware.tile.word_wire, hardware.tile.bit_wire
    found = shares(hardware, cells)
    for tile in range(2):
        for i, j in ((0, 0), (3, 8), (11, 11)):
            # a word line of one ideal bit line a cell, and a bit line of one ideal word line a cell
            row = Crossbar(cells[tile, i : i + 1], word, 0.0, 30.0, 0.0, drive, "bottom")
            column = Crossbar(cells[tile, :, j : j + 1], 0.0, bit, 0.0, 10.0, "left", sense)
            volts = row.transfer[j, 0] / cells[tile, i, j]
            part = column.transfer[0, i] / cells[tile, i, j]
            assert found[tile, i, j] == pytest.approx(volts * part, rel=1e-12)


def test_without_wires_all_arrives():
    found = Arrays.of(design(), matrices(), 1e-6, wired=False)
    d = signed(len(found.plus))
    crossings = found.crossings(d)
    np.testing.assert_allclose(found.effective(crossings), d, atol=1e-18)
    np.testing.assert_array_equal(found.own(found.shares(crossings), d), 1.0)


def test_large_weights_lie_next_to_driver_and_amplifier():
    matrix = np.outer(np.arange(1.0, 6.0), np.arange(1.0, 13.0))[None]  # (1, outputs, inputs)
    found = Arrays.of(design(), {"fc": matrix}, 0.0, wired=True)
    word_line = (found.plus // 12 % 12).reshape(5, 12)
    assert (np.diff(word_line[0]) > 0).all()  # the largest input on the line next to the amplifier
