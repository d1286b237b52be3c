"""What arrives of a tile's cells, against crossbars that are written out."""

import numpy as np
import pytest

import xbar
from xbar.compiler.passes.wires.array import Array

WEIGHTS = np.random.default_rng(0).standard_normal((5, 12))


def tile_of(layout="cell", mapping="pair", **changes):
    bank = xbar.Bank(resistors=3, nominal=5e3, on_off_ratio=50.0, layout=layout)
    size = {"word_lines": 12, "bit_lines": 10, "word_wire": 3.0, "bit_wire": 2.0}
    if layout == "columns":
        size["bit_lines"] *= 3
    if layout == "rows":
        size["word_lines"] *= 3
    wires = xbar.Tile(**{**size, "source": 10.0, "load": 5.0, **changes})
    options = xbar.Options(mapping=mapping)
    return xbar.compile(WEIGHTS, xbar.Hardware(bank=bank, tile=wires), options=options).tiles[0]


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["top", "bottom", "both"])
def test_shares_are_those_of_each_line_beside_ideal_ones(drive, sense):
    tile = tile_of(drive=drive, sense=sense)
    cells = tile.conductance
    word = xbar.Crossbar(cells, word_wire=3.0, source=10.0, drive=drive, sense=sense).transfer.T
    bit = xbar.Crossbar(cells, bit_wire=2.0, load=5.0, drive=drive, sense=sense).transfer.T
    share = word * bit / cells**2
    plus, minus = Array(tile, noisy=False).read(None).share.reshape(2, 12, 5)
    np.testing.assert_allclose(plus, share[:, 0::2], rtol=1e-12)
    np.testing.assert_allclose(minus, share[:, 1::2], rtol=1e-12)


@pytest.mark.parametrize("ends", [{"drive": "both", "sense": "both"}, {}])
def test_lines_without_resistance_share_nothing_out(ends):
    tile = tile_of(word_wire=0.0, source=0.0, **ends)
    bit = xbar.Crossbar(
        tile.conductance, bit_wire=2.0, load=5.0, sense=ends.get("sense", "bottom")
    ).transfer.T
    share = bit / tile.conductance
    plus, minus = Array(tile, noisy=False).read(None).share.reshape(2, 12, 5)
    np.testing.assert_allclose(plus, share[:, 0::2], rtol=1e-12)
    np.testing.assert_allclose(minus, share[:, 1::2], rtol=1e-12)


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("mapping", ["pair", "reference"])
def test_a_choice_is_read_like_the_tile_that_is_programmed_with_it(layout, mapping):
    tile = tile_of(layout, mapping)
    reading = Array(tile, noisy=True).read(None)
    np.testing.assert_array_equal(reading.difference, tile.difference("nodal")[0].ravel())
    np.testing.assert_allclose(reading.power, tile.noise_power("nodal")[0].ravel(), rtol=1e-12)
    ideal = Array(tile, noisy=True).read(None, wires=False)
    np.testing.assert_allclose(ideal.difference, tile.difference("ideal")[0].ravel(), rtol=1e-12)
    np.testing.assert_allclose(ideal.power, tile.noise_power("ideal")[0].ravel(), rtol=1e-12)


def test_a_choice_closes_the_switches_that_it_names():
    tile = tile_of()
    choice = np.random.default_rng(1).random((60, 6)) < 0.5
    array = Array(tile, noisy=False)
    mask = array.mask(choice)
    np.testing.assert_array_equal(mask.reshape(60, 6), choice)
    cells = tile.chip.branch(0, mask).sum(axis=-1)
    wires = {"word_wire": 3.0, "bit_wire": 2.0, "source": 10.0, "load": 5.0}
    transfer = xbar.Crossbar(cells, **wires).transfer.T
    expected = (transfer[:, 0::2] - transfer[:, 1::2]).ravel()
    np.testing.assert_array_equal(array.read(choice).difference, expected)


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
def test_signed_conductances_lie_in_one_cell_of_each_pair_up_to_all_it_has(layout):
    tile = tile_of(layout)
    on, off, _ = tile.chip.resistors(0)
    full = (on - off).sum(axis=-1)
    wanted = np.random.default_rng(1).uniform(-1.2, 1.2, (12, 5)) * 6e-4
    cells = np.empty((12, 10))
    cells[:, 0::2], cells[:, 1::2] = np.maximum(wanted, 0), np.maximum(-wanted, 0)
    assert (cells > full).any()
    share = np.minimum(cells / full, 1.0)
    resistor = off + share[..., None] * (on - off)
    crossing = {
        "cell": resistor.sum(axis=-1),
        "columns": resistor.reshape(12, 30),
        "rows": resistor.transpose(0, 2, 1).reshape(36, 10),
    }[layout]
    wires = {"word_wire": 3.0, "bit_wire": 2.0, "source": 10.0, "load": 5.0}
    arrives = xbar.Crossbar(crossing, **wires).transfer.T
    if layout == "columns":
        arrives = arrives.reshape(12, 10, 3).sum(axis=2)
    if layout == "rows":
        arrives = arrives.reshape(12, 3, 10).sum(axis=1)
    found = Array(tile, noisy=False).read_open(wanted.ravel()).difference.reshape(12, 5)
    np.testing.assert_allclose(found, arrives[:, 0::2] - arrives[:, 1::2], rtol=1e-9, atol=1e-15)
