"""Choosing again on a chip that has moved or lost devices since its program was chosen."""

import numpy as np
import pytest

import xbar
from xbar import Chip, Hardware, Options, SpecError, Tile
from xbar.compiler.changes import changes
from xbar.simulation.blocks import BlockCells
from xbar.simulation.ranges import adc_ranges

LAW = {
    "activation": "0.5 eV",
    "drift": {"first": "1 s", "mean": {"polynomial": [0.05]}, "sigma": {"polynomial": [0.02]}},
}
DESIGN = Hardware(
    bank={"resistors": 5, "sigma": 0.3, "on_off_ratio": 200},
    tile=Tile(word_lines=16, bit_lines=16),
    device=LAW,
    temperature={"resistors": -1e-3, "resistors_sigma": 2e-4},
)
WEIGHTS = {
    "a": np.random.default_rng(0).normal(size=(10, 12)),
    "b": np.random.default_rng(1).normal(size=(3, 9)),
}
INPUTS = {
    name: np.random.default_rng(2).normal(size=(7, w.shape[1])) for name, w in WEIGHTS.items()
}


def measured(chip, tiles, **more):
    """A file's content with what a tester would find on a chip."""
    each = [chip.resistors(tile) for tile in range(tiles)]
    on, off, stuck = (np.stack(arrays) for arrays in zip(*each, strict=True))
    return {"on": on, "off": off, "stuck": stuck, **more}


def errors(program):
    matrices = program.matrices()
    return {
        name: np.linalg.norm(matrices[name] - w) / np.linalg.norm(w) for name, w in WEIGHTS.items()
    }


@pytest.fixture(scope="module")
def program():
    return xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))


def test_other_switches_in_the_same_cells_reach_the_weights_of_an_aged_chip(program):
    later = program.chip.at(time="1 y", temperature="60 C")
    again = program.reprogram(later)
    before, after = errors(program.on(later)), errors(again)
    for name in WEIGHTS:
        assert after[name] < 0.03 < 0.2 < before[name]
    for old, new in zip(program.tiles, again.tiles, strict=True):
        for one, other in zip(old.blocks, new.blocks, strict=True):
            for key in ("inputs", "outputs", "word_lines", "columns"):
                np.testing.assert_array_equal(getattr(one.block, key), getattr(other.block, key))
    compiled = xbar.compile(WEIGHTS, later)  # the placement of the same network is the same
    for one, other in zip(again.tiles, compiled.tiles, strict=True):
        assert one.packed.tobytes() == other.packed.tobytes()


def test_what_changes_is_counted_cell_by_cell(program):
    """By hand: every switch of every cell of every block, and the weights through its mask."""
    later = program.chip.at(time="1 d", stuck_open=0.05)
    again = program.reprogram(later)
    found = changes(program, again)
    changed = cells = lines = 0
    for old, new in zip(program.tiles, again.tiles, strict=True):
        differ = old.mask != new.mask
        changed += differ.sum()
        cells += differ.any(axis=2).sum()
        lines += differ.any(axis=(1, 2)).sum()
    assert (found.changed, found.cells, found.word_lines) == (changed, cells, lines)
    assert sum(layer.changed for layer in found.layers) == changed
    assert found.switches == sum(2 * 5 * w.size for w in WEIGHTS.values())
    before, after = errors(program.on(later)), errors(again)
    for layer in found.layers:
        assert layer.before == pytest.approx(before[layer.name], rel=1e-9)
        assert layer.after == pytest.approx(after[layer.name], rel=1e-9)
        matrix, w = program.on(later).matrices()[layer.name].ravel(), WEIGHTS[layer.name].ravel()
        gain = np.linalg.lstsq(w[:, None], matrix, rcond=None)[0][0]
        rest = np.linalg.norm(matrix / gain - w) / np.linalg.norm(w)
        assert layer.compensated == pytest.approx(rest, rel=1e-9)
    assert "switches change" in str(found)


def test_the_switches_of_references_are_among_those_that_may_change():
    hardware = DESIGN.model_copy(update={"tile": Tile(word_lines=12, bit_lines=16)})
    options = Options(mapping="reference")
    first = xbar.compile({"a": WEIGHTS["a"]}, hardware, seed=3, options=options)
    again = first.reprogram(first.chip.at(stuck_open=0.2))
    found = changes(first, again)
    (tile,) = first.tiles
    differ = (tile.mask != again.tiles[0].mask).sum(axis=(0, 2))
    assert found.switches == 5 * 12 * (10 + 1)  # ten columns of weights and the reference
    assert found.layers[0].changed == differ[:10].sum()
    assert found.changed == found.layers[0].changed + differ[-1] > found.layers[0].changed


def test_a_measured_chip_is_chosen_for_as_the_sampled_one_it_was_measured_on(program, tmp_path):
    later = program.chip.at(time="1 y", stuck_closed=0.03)
    np.savez(tmp_path / "aged.npz", **measured(later, len(program.tiles)))
    chip = Chip.from_measurement(tmp_path / "aged.npz", DESIGN)
    one, other = program.reprogram(later), program.reprogram(chip)
    for mine, given in zip(one.tiles, other.tiles, strict=True):
        assert mine.packed.tobytes() == given.packed.tobytes()


def test_lines_move_around_dead_devices_only_where_that_is_asked_for(program, tmp_path):
    content = measured(program.chip, len(program.tiles))
    content["stuck"][:, program.tiles[0].blocks[0].block.word_lines[2]] = -1  # a broken driver
    np.savez(tmp_path / "broken.npz", **content)
    later = Chip.from_measurement(tmp_path / "broken.npz", DESIGN)
    stay, move = program.reprogram(later), program.reprogram(later, lines=True)
    kept, moved = (
        [each.block.word_lines.tolist() for tile in one.tiles for each in tile.blocks]
        for one in (stay, move)
    )
    assert kept == [e.block.word_lines.tolist() for tile in program.tiles for e in tile.blocks]
    assert moved != kept
    assert sum(errors(move).values()) < sum(errors(stay).values())
    assert stay.options == program.options


def test_more_devices_die_beside_those_that_are_dead_already():
    design = DESIGN.model_copy(update={"bank": {"resistors": 5, "stuck_open": 0.1}})
    chip = Chip.sample(design, 7)
    first, few, more = (
        np.stack([each.stuck(tile) for tile in range(40)])
        for each in (chip, chip.at(stuck_open=0.04, stuck_closed=0.02), chip.at(stuck_open=0.2))
    )
    sound = first == 0
    np.testing.assert_array_equal(few[~sound], first[~sound])
    assert (more[few < 0] < 0).all()
    count = sound.sum()
    for share, found in ((0.04, few[sound] < 0), (0.02, few[sound] > 0), (0.2, more[sound] < 0)):
        assert abs(found.mean() - share) < 4 * np.sqrt(share * (1 - share) / count)
    other = np.stack([chip.at(stuck_open=0.04, seed=1).stuck(tile) for tile in range(40)])
    assert not np.array_equal(other[sound] < 0, few[sound] < 0)
    later = chip.at(time="1 d", stuck_open=0.04)  # time and heat kill no other ones
    np.testing.assert_array_equal(later.stuck(3), chip.at(stuck_open=0.04).stuck(3))
    assert "4 % more stuck open" in later.origin
    again = later.at(time="1 y")  # what is dead stays dead, and the life goes on
    np.testing.assert_array_equal(again.stuck(3), later.stuck(3))
    third = chip.at(time="1 d", stuck_open=0.04, seed=2)
    np.testing.assert_array_equal(third.at(time="1 y").on(1), chip.at(time="1 y", seed=2).on(1))
    assert not third.at(time="1 y", stuck_open=0.0).hardware.later.died


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"stuck_open": -0.1}, "stuck_open must be a finite number from 0"),
        ({"stuck_closed": "a"}, "stuck_closed must be a finite number from 0"),
        ({"stuck_open": 0.7, "stuck_closed": 0.4}, "must be at most 1, not 1.1"),
        ({}, "at needs a time, a temperature or both"),
    ],
)
def test_shares_of_dead_devices_that_are_none_are_refused(shares, message):
    with pytest.raises(SpecError, match=message):
        Chip.sample(DESIGN, 0).at(**shares)


@pytest.mark.parametrize("options", [{}, {"temperature": "60 C"}, {"stuck_open": 0.1}])
def test_a_program_chosen_later_knows_of_when_on_a_chip_later_still(program, options):
    """Rows of its budget and ranges of its ADCs begin at the chip that it was chosen for."""
    design = DESIGN.model_copy(update={"adc": xbar.Converter(bits=8)})
    chip = Chip.sample(design, 3)
    first = chip.at(time="1 h", **options)
    chosen = xbar.compile(WEIGHTS, first)
    now = chosen.on(chip.at(time="1 y", temperature="85 C", stuck_open=0.2))
    assert now.options.aged
    assert now.options.chosen == first.hardware.later.moment
    for name in WEIGHTS:
        for key, range_ in adc_ranges(chosen, name, None).items():
            np.testing.assert_array_equal(adc_ranges(now, name, None)[key], range_)
    budget = xbar.simulate(
        now, INPUTS, budget=["selection", "drift", "temperature", "faults", "adc"]
    ).budget
    parts = {part.part: part for part in budget.parts}
    own = xbar.simulate(chosen, INPUTS, budget=["selection"]).budget.parts[0]
    # what the choice alone misses is that of the chip that it was made for
    assert parts["selection"].error_alone == pytest.approx(own.error_alone, rel=1e-12)
    assert parts["faults"].error_alone > 0.02
    assert parts["drift"].error_alone > 0.1
    # drift and temperature and deaths, one after the other, are all that happened
    whole = now.run(INPUTS, seed=0)
    alone = chosen.on(now.chip).run(INPUTS, seed=0)
    for name in WEIGHTS:
        np.testing.assert_array_equal(whole[name], alone[name])
    # back on its own chip it is the program that it was
    back = now.on(first)
    assert not back.options.aged
    np.testing.assert_array_equal(back.run(INPUTS)["a"], chosen.run(INPUTS)["a"])
    fresh = now.on(chip)
    cells = BlockCells(fresh.tiles[0], 0)
    np.testing.assert_array_equal(fresh.tiles[0].branch, chip.branch(0, fresh.tiles[0].mask))
    for row in (cells.programmed, cells.aged, cells.alive, cells.achieved):
        np.testing.assert_array_equal(row, fresh.tiles[0].difference("ideal")[0])


def test_the_row_of_temperature_begins_at_the_temperature_of_choice():
    """Hot when chosen and as hot now: no effect of temperature, all of it drift."""
    chip = Chip.sample(DESIGN, 3)
    chosen = xbar.compile(WEIGHTS, chip.at(time="1 h", temperature="60 C"))
    now = chosen.on(chip.at(time="1 y", temperature="60 C"))
    parts = {
        part.part: part
        for part in xbar.simulate(now, INPUTS, budget=["drift", "temperature"]).budget.parts
    }
    assert parts["temperature"].error_alone == pytest.approx(0.0, abs=1e-12)
    cold = chosen.on(chip.at(time="1 y"))
    both = {part.part: part for part in xbar.simulate(cold, INPUTS, budget=["drift"]).budget.parts}
    assert both["drift"].error_alone > 0.05


def test_further_trials_are_chosen_at_the_same_moment(program):
    chip = Chip.sample(DESIGN, 3)
    chosen = xbar.compile(WEIGHTS, chip.at(time="1 h")).on(chip.at(time="1 y"))
    found = xbar.compiler.compiler.reprogram(chosen, Chip.sample(DESIGN, 9).at(time="1 y"))
    other = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 9).at(time="1 h"))
    for one, expected in zip(found.tiles, other.tiles, strict=True):
        assert one.packed.tobytes() == expected.packed.tobytes()
    assert found.chip.hardware.later.time == pytest.approx(31557600)


def test_a_program_chosen_later_is_saved_and_loaded(program, tmp_path):
    chip = program.chip
    chosen = program.reprogram(chip.at(time="1 h", stuck_open=0.1)).on(chip.at(time="1 y"))
    chosen.save(tmp_path / "later.xbar")
    loaded = xbar.Program.load(tmp_path / "later.xbar")
    assert loaded.options == chosen.options
    np.testing.assert_array_equal(loaded.run(INPUTS)["b"], chosen.run(INPUTS)["b"])
    one, other = (
        xbar.simulate(each, INPUTS, budget=["drift"]).budget.parts for each in (loaded, chosen)
    )
    assert one == other


@pytest.mark.parametrize("method", ["nominal", "write-verify", "residual"])
def test_programs_without_chosen_switches_are_refused(method):
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3), options=Options(programming=method))
    with pytest.raises(SpecError, match=f"not those of programming '{method}'; compile"):
        program.reprogram(program.chip)


def test_a_chip_of_another_shape_is_refused(program):
    small = DESIGN.model_copy(update={"tile": Tile(word_lines=8, bit_lines=16)})
    with pytest.raises(SpecError, match=r"chip must have the program's cells, \(16, 16\), not"):
        program.reprogram(Chip.sample(small, 3))


def test_tuned_devices_that_die_later_were_written_as_if_sound():
    design = DESIGN.model_copy(update={"device": LAW | {"error": {"polynomial": [0.02]}}})
    chip = Chip.sample(design, 3)
    program = xbar.compile(WEIGHTS, chip, options=Options(programming="residual"))
    later = program.on(chip.at(stuck_open=0.3))
    dead = later.chip.stuck(0) < 0
    np.testing.assert_array_equal(later.tiles[0].branch[~dead], program.tiles[0].branch[~dead])
    assert (later.tiles[0].branch[dead] <= program.tiles[0].branch[dead] + 1e-18).all()
