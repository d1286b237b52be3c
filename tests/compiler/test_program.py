"""A program is a plan and its tiles; it is read once or, made ready, many times."""

from dataclasses import fields, replace

import numpy as np
import pytest

import xbar
from xbar.compiler.compiler import reprogram
from xbar.compiler.plan import Plan
from xbar.compiler.tile import ProgrammedTile
from xbar.errors import SpecError

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((7, 19))}
X = np.random.default_rng(1).standard_normal((40, 19))
WIRES = {"word_wire": 3.0, "bit_wire": 2.0, "source": 5.0, "load": 9.0}


def design(wires=WIRES, bank=None, **changes):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=6, nominal=20e3, **(bank or {})),
        tile=xbar.Tile(word_lines=8, bit_lines=10, **wires),
    ).model_copy(update=changes)


def program(options=None, **changes):
    return xbar.compile(WEIGHTS, design(**changes), seed=0, options=options)


NOISY = {"variation": xbar.Variation(read_noise=0.05)}
CONVERTERS = {"adc": xbar.Converter(bits=8), "dac": xbar.Converter(bits=6)}


def test_a_plans_attributes_are_its_programs():
    p = program(xbar.Options(mapping="reference"))
    assert isinstance(p.plan, Plan)
    for name in [field.name for field in fields(Plan)] + ["hardware", "mapping"]:
        assert getattr(p, name) is getattr(p.plan, name)
    assert p.mapping.name == "reference"
    assert p.hardware == design()


def test_another_chip_and_other_options_are_another_plan():
    p, chip = program(), xbar.Chip.sample(design(), seed=5)
    options = p.options.model_copy(update={"scale_per": "tile"})
    other = reprogram(p, chip, options)
    fresh = xbar.compile(WEIGHTS, chip, options=options)
    assert other.plan.chip is chip
    for one, two in zip(other.tiles, fresh.tiles, strict=True):
        np.testing.assert_array_equal(one.packed, two.packed)
        np.testing.assert_array_equal(one.blocks[0].scale, two.blocks[0].scale)
    assert p.chip.seed == 0
    assert p.options.scale_per == "column"


def test_a_fresh_tile_keeps_nothing_for_the_program(monkeypatch):
    tile, asked = program().tiles[0], []
    branch = xbar.Chip.branch

    def counted(chip, index, mask):
        asked.append(index)
        return branch(chip, index, mask)

    monkeypatch.setattr(xbar.Chip, "branch", counted)
    for _ in range(3):
        np.testing.assert_array_equal(tile.fresh().conductance, tile.conductance)
    assert len(asked) == 3 + 1


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
@pytest.mark.parametrize("changes", [{}, NOISY, CONVERTERS, {**NOISY, **CONVERTERS}])
def test_a_reader_reads_as_run_does_and_asks_the_tiles_once(readout, changes, monkeypatch):
    p, fresh = program(**changes), program(**changes)
    reader, other = p.reader(readout, seed=3), p.reader(readout, seed=3)
    np.testing.assert_array_equal(reader(X), p.run(X, readout, seed=3))
    other(X[:1])

    def asked(*_):
        raise AssertionError("a tile was asked again")

    for name in ("cells", "difference", "crossbar", "noise_parts", "noise_power", "branch", "mask"):
        monkeypatch.setattr(ProgrammedTile, name, property(asked))
    # a field, which the class itself does not have
    monkeypatch.setattr(ProgrammedTile, "packed", property(asked), raising=False)
    with pytest.raises(AssertionError, match="asked again"):
        fresh.run(X, readout)
    again = other({"fc": X[1:]})["fc"]
    if "variation" not in changes:
        np.testing.assert_allclose(again, reader(X)[1:], rtol=1e-12)


def test_the_read_noise_of_a_reader_goes_on_from_call_to_call():
    """Two calls have the noise of one that is as long, and no part of it twice."""
    p = program(**NOISY)
    reader = p.reader(seed=3)
    halves = [reader(X[:15]), reader(X[15:])]
    np.testing.assert_allclose(np.concatenate(halves), p.run(X, seed=3), rtol=1e-9)
    assert np.abs(reader(X) - reader(X)).max() > 0.01
    assert np.abs(p.run(X, seed=4) - p.run(X, seed=3)).max() > 0.01


def test_seeds_are_0_unless_told():
    p = program(**NOISY)
    assert np.array_equal(p.run(X), p.run(X, seed=0))
    assert np.array_equal(p.reader()(X), p.reader(seed=0)(X))
    assert np.abs(p.run(X) - p.run(X, seed=1)).max() > 0.01


def test_a_read_of_cells_with_a_cubic_law_is_their_sum():
    """I = g (V + c V³) of each cell: ideal wires, no solver."""
    c = 4.0
    p = program(wires={}, bank={"nonlinearity": {"odd": [c]}})
    unit = p.hardware.read_voltage / np.abs(X).max(axis=1, keepdims=True)
    y = np.zeros((len(X), 7))
    for tile, _, part in p.blocks_of("fc"):
        volts = (X * unit)[:, part.block.inputs]
        (difference,) = tile.difference("ideal")
        y[:, part.block.outputs] += (volts + c * volts**3) @ difference / part.scale
    found = p.run(X, readout="nonlinear")
    np.testing.assert_allclose(found, y / unit, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(p.reader("nonlinear")(X), found)
    assert np.abs(found - p.run(X)).max() > 0.05


def test_all_ways_to_read_refuse_a_readout_in_the_same_words():
    p = program()
    ways = [
        lambda word: p.run(X, readout=word),
        lambda word: p.reader(readout=word),
        lambda word: p.matrices(readout=word),
        lambda word: xbar.simulate(p, X, readout=word),
    ]
    for way in ways:
        with pytest.raises(SpecError, match=r"^readout must be 'ideal', 'nodal' or 'nonlinear', "):
            way("spice")
    for way in (ways[0], ways[1], ways[3]):
        with pytest.raises(SpecError, match=r"^readout 'nonlinear' needs .*bank\.nonlinearity"):
            way("nonlinear")
    with pytest.raises(SpecError, match=r"not 'nonlinear': .*have no matrix; run the program"):
        program(bank={"nonlinearity": {"sinh": 0.3}}).matrices("nonlinear")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu"}, "device must be one of cpu, cuda, auto, not 'tpu'"),
        ({"seed": -1}, "seed must be a non-negative integer, not -1"),
        ({"seed": 0.5}, "seed must be a non-negative integer, not 0.5"),
    ],
)
def test_a_reader_that_can_not_be_is_refused_when_it_is_asked_for(arguments, message):
    with pytest.raises(SpecError, match=f"^{message}"):
        program().reader(**arguments)


def test_a_program_with_fewer_tiles_is_the_same_plan():
    p = program()
    less = replace(p, tiles=p.tiles[:1])
    assert less.plan is p.plan
    assert not np.array_equal(less.matrices()["fc"], p.matrices()["fc"])


@pytest.mark.parametrize("mapping", ["pair", "reference"])
def test_what_a_block_reached_is_what_its_cells_miss(mapping):
    """From the chip's resistors and the masks alone; open switches leak."""
    p = program(xbar.Options(mapping=mapping), bank={"on_off_ratio": 20})
    for tile in p.tiles:
        on, off = p.chip.on(tile.index), p.chip.off(tile.index)
        cell = np.where(tile.mask, on, off).sum(axis=-1)
        for placed, reached in zip(tile.blocks, tile.reached, strict=True):
            rows, columns = placed.block.word_lines[:, None], placed.block.columns
            if mapping == "pair":
                found = cell[rows, 2 * columns] - cell[rows, 2 * columns + 1]
            else:
                found = cell[rows, columns] - cell[rows, -1]
            miss = found - placed.weight * placed.scale
            assert reached.worst == pytest.approx(np.abs(miss).max())
            assert reached.power == pytest.approx((miss**2).sum())
