"""One mask for a chip's whole life: several times and temperatures at once."""

from itertools import product

import numpy as np
import pytest

import xbar
from xbar import Chip, Hardware, Options, SpecError, Tile
from xbar.compiler.life_record import life_record
from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import WholeLife
from xbar.compiler.passes.set_scales import expect
from xbar.compiler.whole_life import Ahead, whole_tile
from xbar.hardware.outlook import by_devices, by_law

DRIFT = {"first": "1 s", "mean": {"polynomial": [0.05]}, "sigma": {"polynomial": [0.01]}}
DESIGN = Hardware(
    bank={"resistors": 4, "sigma": 0.3, "on_off_ratio": 100},
    tile=Tile(word_lines=16, bit_lines=16),
    device={"drift": DRIFT, "activation": "0.3 eV"},
    temperature={"resistors": -1e-3, "resistors_sigma": 5e-4},
    variation=xbar.Variation(read_noise=0.01),
)
WEIGHTS = {"fc": np.random.default_rng(0).normal(size=(7, 14))}
TIMES = ["1 h", "1 y"]


def error(program, chip, *, gain):
    """Relative error of the weights on a chip, with one factor taken out if asked."""
    found, w = program.on(chip).matrices()["fc"], WEIGHTS["fc"]
    factor = (found * w).sum() / (w * w).sum() if gain else 1.0
    return np.linalg.norm(found / factor - w) / np.linalg.norm(w)


def test_what_the_law_says_of_a_device_is_the_mean_and_variance_of_its_lives():
    """Drift by hand: g e^(-m L + s² L² / 2), of a lognormal; and over many lives of one chip."""
    design = DESIGN.model_copy(update={"temperature": None})
    chip = Chip.sample(design, 3)
    later = chip.at(time="1 y")
    found, log = by_law(later, 2), np.log(31557600.0)
    on = chip.on(2)
    mean = on * np.exp(-0.05 * log + (0.01 * log) ** 2 / 2)
    np.testing.assert_allclose(found.on, mean, rtol=1e-9)
    np.testing.assert_allclose(found.off, mean / 100, rtol=1e-9)
    variance = (0.99 * mean) ** 2 * (np.exp((0.01 * log) ** 2) - 1)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-6)
    hot = Chip.sample(DESIGN, 3).at(time="1 y", temperature="90 C")
    by_seed = np.stack(
        [
            hot.then(hot.hardware.later.moment.model_copy(update={"seed": n})).on(2)
            for n in range(99)
        ]
    )
    seen = by_law(hot, 2)
    ratio = (by_seed / seen.on).mean()
    assert abs(ratio - 1) < 1e-3
    spread = by_seed.var(axis=0, ddof=1).mean() / (seen.variance.mean() / 0.99**2)
    assert abs(spread - 1) < 0.03
    exact = by_devices(hot, 2)
    np.testing.assert_array_equal(exact.on, hot.on(2))
    assert not exact.variance.any()


@pytest.mark.parametrize("mapping", ["pair", "reference"])
@pytest.mark.parametrize("over", ["worst", "mean"])
def test_no_other_mask_has_a_smaller_error_over_the_points(mapping, over):
    """Every subset of every bank, judged by hand at the program's scales."""
    options = Options(
        mapping=mapping,
        whole_life=WholeLife(times=TIMES, temperatures=["27 C"], over=over, outlook="devices"),
    )
    chip = Chip.sample(DESIGN, 5)
    program = xbar.compile(WEIGHTS, chip, options=options)
    tile, signed = program.tiles[0], get_mapping(mapping)
    placed = tile.blocks[0]
    masks = tile.mask
    each = []
    for time in TIMES:
        now = chip.at(time=time, temperature="27 C")
        bank = signed.bank(*now.resistors(0), placed.block, masks)
        each.append((bank, 0.01))
    chosen = signed.choice(masks, placed.block)
    elements = chosen.shape[-1]
    every = np.array(list(product([False, True], repeat=elements)))

    def judged(choice, row, column):
        errors = []
        for bank, noise in each:
            own = np.where(choice, bank.element[row, column], 0.0)
            bias = own.sum(axis=-1) + bank.offset[row, column] - placed.target[row, column]
            errors.append(bias**2 + noise**2 * (own**2).sum(axis=-1))
        return np.max(errors, axis=0) if over == "worst" else np.mean(errors, axis=0)

    for row, column in product(range(5), range(3)):
        mine = judged(chosen[row, column], row, column)
        assert mine == pytest.approx(judged(every, row, column).min(), rel=1e-9)


def test_it_is_better_over_the_life_than_a_mask_for_the_chip_as_programmed():
    chip = Chip.sample(DESIGN, 3)
    later = [chip.at(time=time) for time in TIMES]
    plain = xbar.compile(WEIGHTS, chip)
    for over in ("worst", "mean"):
        program = xbar.compile(WEIGHTS, chip, life=TIMES, over=over)
        pick = max if over == "worst" else np.mean
        before, after = (
            pick([error(one, now, gain=False) for now in later]) for one in (plain, program)
        )
        assert after < 0.6 * before
    worst, mean = (
        max(
            error(xbar.compile(WEIGHTS, chip, life=TIMES, over=over), now, gain=False)
            for now in later
        )
        for over in ("worst", "mean")
    )
    assert worst < mean


def test_with_a_gain_compensated_at_each_point_only_what_devices_differ_by_is_left():
    design = DESIGN.model_copy(update={"variation": xbar.Variation(), "temperature": None})
    chip = Chip.sample(design, 3)
    later = [chip.at(time=time) for time in TIMES]
    plain = xbar.compile(WEIGHTS, chip)
    known, law = (
        xbar.compile(WEIGHTS, chip, life=TIMES, compensate="gain", outlook=outlook)
        for outlook in ("devices", "law")
    )
    before, by_law_, by_device = (
        max(error(one, now, gain=True) for now in later) for one in (plain, law, known)
    )
    assert by_device < 0.5 * before
    assert by_law_ < 0.9 * before


def test_gains_are_those_by_which_the_chips_conductances_fell():
    design = DESIGN.model_copy(
        update={"device": {"drift": DRIFT | {"sigma": {"polynomial": [0.0]}}}, "temperature": None}
    )
    options = Options(whole_life=WholeLife(times=TIMES, compensate="gain"))
    gains = Ahead.of(Chip.sample(design, 3), options).gains
    np.testing.assert_allclose(gains, [3600.0**-0.05, 31557600.0**-0.05], rtol=1e-12)
    program = xbar.compile(WEIGHTS, Chip.sample(design, 3), options=options)
    plain = xbar.compile(WEIGHTS, Chip.sample(design, 3))
    for one, other in zip(program.tiles, plain.tiles, strict=True):  # nothing but that happens
        assert (one.mask != other.mask).mean() < 0.02


def test_the_record_tells_what_is_reached_at_each_point():
    chip = Chip.sample(DESIGN, 3)
    program = xbar.compile(WEIGHTS, chip, corners=["27 C", 350.0], life=TIMES)
    record = life_record(program)
    assert [(p.time, p.temperature) for p in record.points] == [
        (3600.0, 300.15), (3600.0, 350.0), (31557600.0, 300.15), (31557600.0, 350.0),
    ]  # fmt: skip
    for point in record.points:
        now = chip.at(point.time, point.temperature)
        assert point.reached["fc"] == pytest.approx(error(program, now, gain=False), rel=1e-9)
        assert point.expected["fc"] > 0.5 * point.reached["fc"]
    assert record.method == "exact"
    assert record.bound == record.error
    assert record.error["fc"] >= max(point.expected["fc"] for point in record.points)
    assert "1 h, 27 °C" in str(record)


def test_long_banks_tell_a_bound_that_is_below_what_they_reach():
    design = DESIGN.model_copy(update={"bank": {"resistors": 15, "sigma": 0.3}})
    chip = Chip.sample(design, 3)
    program = xbar.compile({"fc": WEIGHTS["fc"][:4]}, chip, life=TIMES)
    record = life_record(program)
    assert record.method == "improved relaxation"
    assert 0 < record.bound["fc"] < record.error["fc"] < 4 * record.bound["fc"]


def test_faults_are_chosen_around():
    design = DESIGN.model_copy(
        update={"bank": {"resistors": 4, "sigma": 0.3, "stuck_open": 0.1, "stuck_closed": 0.05}}
    )
    chip = Chip.sample(design, 3)
    program = xbar.compile(WEIGHTS, chip, life=TIMES)
    plain = xbar.compile(WEIGHTS, chip)
    stuck = chip.stuck(0) != 0
    assert not program.tiles[0].mask[stuck].any()
    worst = [max(error(p, chip.at(time=t), gain=False) for t in TIMES) for p in (program, plain)]
    assert worst[0] < worst[1]


def test_the_scale_is_chosen_for_the_life_too():
    chip = Chip.sample(DESIGN, 3)
    plain, lived = (xbar.compile(WEIGHTS, chip, **how) for how in ({}, {"life": TIMES}))
    assert not np.allclose(plain.tiles[0].blocks[0].scale, lived.tiles[0].blocks[0].scale)
    curve = expect(chip, Options(whole_life=WholeLife(times=TIMES))).curve
    assert curve.table[0] > expect(chip, Options()).curve.table[0]


def test_it_is_saved_loaded_and_resumed_and_has_the_same_bytes(tmp_path):
    chip = Chip.sample(DESIGN, 3)
    how = {"life": TIMES, "corners": "85 C", "over": "mean", "compensate": "gain"}
    written = xbar.compile(WEIGHTS, chip, output=tmp_path / "a.xbar", workers=2, **how)
    plain = xbar.compile(WEIGHTS, chip, workers=1, **how)
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.options == plain.options
    assert loaded.options.whole_life.times == (3600.0, 31557600.0)
    for one, other in zip(written.tiles, plain.tiles, strict=True):
        assert one.packed.tobytes() == other.packed.tobytes()
    assert life_record(loaded) == life_record(plain)
    now = loaded.on(chip.at(time="1 y"))  # also of a program that is seen later
    assert life_record(now) == life_record(plain)


def test_further_trials_are_chosen_for_the_life_too():
    chip = Chip.sample(DESIGN, 3)
    program = xbar.compile(WEIGHTS, chip, life=TIMES)
    other = xbar.compiler.compiler.reprogram(program, Chip.sample(DESIGN, 8))
    again = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 8), life=TIMES)
    for one, expected in zip(other.tiles, again.tiles, strict=True):
        assert one.packed.tobytes() == expected.packed.tobytes()


def test_choosing_again_is_for_the_chip_as_it_is_then():
    chip = Chip.sample(DESIGN, 3)
    program = xbar.compile(WEIGHTS, chip, life=TIMES)
    again = program.reprogram(chip.at(time="1 y"))
    assert again.options.whole_life is None
    assert error(again, again.chip, gain=False) < 0.3 * error(program, again.chip, gain=False)


WRONG = [
    ({"over": "worst"}, "over must be left out without corners or life"),
    ({"life": "1 y", "over": "least"}, "over"),
    ({"life": []}, "whole_life needs times or temperatures"),
    ({"life": "0.1 s"}, "time must be at least 1 s after programming"),
    ({"corners": "-300 C"}, "temperature"),
    ({"corners": "700 C"}, "temperature must be from"),
    ({"life": "soon"}, "soon"),
    ({"life": "1 y", "wire_aware": True}, "must be left out with wire-aware programming"),
    (
        {"life": "1 y", "options": Options(programming="nominal")},
        "must be left out with programming 'nominal'",
    ),
    (
        {"life": "1 y", "options": Options(programming="residual")},
        "must be left out with programming 'residual'",
    ),
]


@pytest.mark.parametrize(("how", "message"), WRONG)
def test_what_can_not_be_is_refused(how, message):
    with pytest.raises(SpecError, match=message):
        xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3), **how)


def test_a_chip_of_later_and_a_design_without_a_law_are_refused():
    with pytest.raises(SpecError, match="must be those of a chip as programmed"):
        xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3).at(time="1 h"), life="1 y")
    with pytest.raises(SpecError, match="time needs a device law"):
        xbar.compile(WEIGHTS, Hardware(), life="1 y")
    with pytest.raises(SpecError, match="must have been compiled for corners or life"):
        life_record(xbar.compile(WEIGHTS, Hardware()))


def test_a_whole_tile_is_a_block_of_all_its_cells():
    block = whole_tile(Chip.sample(DESIGN, 0), Options())
    assert block.shape == (16, 8)
