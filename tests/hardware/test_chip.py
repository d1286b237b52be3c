"""A chip is its seed or its measurement: the same resistors whoever asks, in any order."""

import numpy as np
import pytest
from scipy import stats

from xbar.errors import FileError, SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

SMALL = Hardware(
    bank=Bank(resistors=3, nominal=1e4, sigma=0.2, on_off_ratio=50),
    tile=Tile(word_lines=4, bit_lines=2),
)


def hardware(**bank):
    return Hardware(bank=Bank(**bank), tile=Tile(word_lines=128, bit_lines=128))


def test_tiles_are_the_same_in_every_order():
    chip, again = Chip.sample(SMALL, seed=3), Chip.sample(SMALL, seed=3)
    first = [chip.on(t) for t in range(5)]
    backwards = [again.on(t) for t in reversed(range(5))][::-1]
    for a, b in zip(first, backwards, strict=True):
        np.testing.assert_array_equal(a, b)


def test_tiles_and_seeds_differ():
    chip = Chip.sample(SMALL, seed=3)
    assert not np.isclose(chip.on(0), chip.on(1)).any()
    assert not np.isclose(chip.on(0), Chip.sample(SMALL, seed=4).on(0)).any()


def test_a_fabricated_tile_is_these_numbers_to_the_last_bit():
    g = Chip.sample(Hardware(), seed=7).on(11).ravel()[[0, 1000, -1]]
    assert [x.hex() for x in g.tolist()] == [
        "0x1.ab2c7d932d165p-17",
        "0x1.581dd7de3f331p-17",
        "0x1.44a48776515edp-17",
    ]


@pytest.mark.parametrize(
    ("spread", "sigma", "law"),
    [
        ("lognormal", 0.3, stats.lognorm(s=0.3)),
        ("normal", 0.1, stats.norm(loc=1, scale=0.1)),
        ("uniform", 1 / np.sqrt(3), stats.uniform(0, 2)),
        ("uniform", 0.2, stats.uniform(1 - 0.2 * np.sqrt(3), 0.4 * np.sqrt(3))),
    ],
)
def test_the_spread_has_its_law(spread, sigma, law):
    chip = Chip.sample(hardware(resistors=4, nominal=1e4, spread=spread, sigma=sigma), seed=1)
    factor = chip.on(0).ravel() * 1e4
    assert stats.kstest(factor, law.cdf).pvalue > 0.01


def test_no_spread_is_the_nominal_value():
    bank = Bank(resistors=3, nominal=(1e3, 2e3, 5e3), spread="none")
    chip = Chip.sample(Hardware(bank=bank), seed=0)
    np.testing.assert_array_equal(chip.on(2)[5, 7], bank.nominal_conductance)


def test_a_wide_normal_spread_never_reaches_zero():
    chip = Chip.sample(hardware(resistors=8, spread="normal", sigma=0.5), seed=0)
    assert chip.on(0).min() >= 0.01 / 100e3


def test_stuck_rates_are_met():
    chip = Chip.sample(hardware(resistors=8, stuck_open=0.02, stuck_closed=0.01), seed=2)
    stuck = chip.stuck(0)
    n = stuck.size
    assert abs((stuck < 0).sum() - 0.02 * n) < 4 * np.sqrt(0.02 * n)
    assert abs((stuck > 0).sum() - 0.01 * n) < 4 * np.sqrt(0.01 * n)


def test_a_stuck_resistor_ignores_its_switch():
    bank = Bank(resistors=4, stuck_open=0.2, stuck_closed=0.2, on_off_ratio=100)
    chip = Chip.sample(Hardware(bank=bank), seed=5)
    on, off, stuck = chip.on(0), chip.off(0), chip.stuck(0)
    for command in (False, True):
        branch = chip.branch(0, np.full(on.shape, command))
        np.testing.assert_array_equal(branch[stuck > 0], on[stuck > 0])
        np.testing.assert_array_equal(branch[stuck < 0], off[stuck < 0])
        np.testing.assert_array_equal(branch[stuck == 0], (on if command else off)[stuck == 0])
    np.testing.assert_array_equal(off, on / 100)


def test_a_tiles_resistors_in_memory_are_those_of_the_chip(measured, tmp_path):
    path = tmp_path / "chip.npz"
    np.savez(path, on=measured)
    bank = Bank(resistors=3, sigma=0.2, stuck_open=0.2, stuck_closed=0.1)
    sampled = Chip.sample(Hardware(bank=bank, tile=SMALL.tile), 3)
    for chip in (sampled, Chip.from_measurement(path, SMALL)):
        held = chip.resistors(1)
        mask = np.random.default_rng(1).random(chip.on(1).shape) < 0.5
        closed = (mask & (chip.stuck(1) >= 0)) | (chip.stuck(1) > 0)
        expected = np.where(closed, chip.on(1), chip.off(1))
        np.testing.assert_array_equal(held.branch(mask), expected)
        np.testing.assert_array_equal(chip.branch(1, mask), expected)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", None])
def test_a_seed_that_is_no_64_bit_integer_is_refused(seed):
    with pytest.raises(SpecError, match="seed must be"):
        Chip.sample(SMALL, seed)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(SpecError, match=r"mask must have shape \(4, 2, 3\), not \(4, 2\)"):
        Chip.sample(SMALL, 0).branch(0, np.ones((4, 2), dtype=bool))


@pytest.fixture
def measured():
    return np.random.default_rng(0).uniform(1e-5, 1e-4, (2, 4, 2, 3))


def test_a_measured_archive_gives_back_what_was_measured(tmp_path, measured):
    stuck = np.zeros(measured.shape, dtype=int)
    stuck[1, 2, 0, 1] = -1
    np.savez(tmp_path / "chip.npz", on=measured, off=measured / 7, stuck=stuck)
    chip = Chip.from_measurement(tmp_path / "chip.npz", SMALL)
    assert chip.tiles == 2
    np.testing.assert_array_equal(chip.on(1), measured[1])
    np.testing.assert_array_equal(chip.off(0), measured[0] / 7)
    assert chip.stuck(1)[2, 0, 1] == -1
    with pytest.raises(SpecError, match="tile must be from 0 to 1, not 2"):
        chip.on(2)


def test_a_measured_table_in_any_order_gives_the_same_chip(tmp_path, measured):
    lines = [
        f"{t},{w},{b},{k},{measured[t, w, b, k]!r}".replace("np.float64(", "").replace(")", "")
        for t, w, b, k in np.ndindex(measured.shape)
    ]
    np.random.default_rng(1).shuffle(lines)
    path = tmp_path / "chip.csv"
    path.write_text("\n".join(["tile,word_line,bit_line,resistor,on", *lines]))
    chip = Chip.from_measurement(path, SMALL)
    np.testing.assert_array_equal(chip.on(1), measured[1])
    np.testing.assert_array_equal(chip.off(1), measured[1] / 50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"on": np.ones((2, 4, 2))},
            r"on must have the shape \(tiles, 4, 2, 3\), not \(2, 4, 2\)",
        ),
        ({"on": np.full((1, 4, 2, 3), np.nan)}, "on holds no conductance"),
        ({"on": np.full((1, 4, 2, 3), np.inf)}, r"not inf S at tile 0, word line 0, bit line 0"),
        ({"on": -np.ones((1, 4, 2, 3))}, r"non-negative, not -1\.0 S"),
        ({"off": np.ones((1, 4, 2, 3))}, "must have one shape"),
        ({"stuck": np.full((2, 4, 2, 3), 2)}, "stuck must be"),
        ({"on": np.ones((1, 4, 2, 3), bool)}, "must be numbers in siemens, not bool"),
        ({"on": np.full((1, 4, 2, 3), "x")}, "on must hold real numbers, not <U1"),
    ],
)
def test_a_bad_measurement_is_refused_with_its_place(tmp_path, measured, change, message):
    np.savez(tmp_path / "chip.npz", **{"on": measured, **change})
    with pytest.raises(SpecError, match=message):
        Chip.from_measurement(tmp_path / "chip.npz", SMALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be"),
        ("tile,word_line\n", "first line must be"),
        ("tile,word_line,bit_line,resistor,on\n", "no line of data"),
        ("tile,word_line,bit_line,resistor,on\n0,0,0,0\n", "line 2: must have 5 values, not 4"),
        (
            "tile,word_line,bit_line,resistor,on\n0,0,0,x,1\n",
            "line 2: resistor: a quantity",
        ),
        ("tile,word_line,bit_line,resistor,on\n0,9,0,0,1\n", "word_line must be under 4, not 9"),
        (
            "tile,word_line,bit_line,resistor,on\n0,0,0,0,1\n",
            "does not stand, nor do 22 others",
        ),
        ("tile,word_line,bit_line,resistor,on\n0,0,0.5,0,1\n", "must be integers"),
        ("tile,word_line,bit_line,resistor,on\nnan,0,0,0,1\n", "must be integers"),
        ("tile,word_line,bit_line,resistor,on\n1e300,0,0,0,1\n", "must be integers"),
        (
            "tile,word_line,bit_line,resistor,on\n2000000000,0,0,0,1\n",
            "tile 0, .* does not stand",
        ),
        ('"tile\x07word_line"\n', r'not "tile\?word_line"'),
    ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "chip.csv"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        Chip.from_measurement(path, SMALL)


def test_a_resistor_that_stands_twice_is_named(tmp_path, measured):
    lines = [f"{t},{w},{b},{k},1e-5" for t, w, b, k in np.ndindex(measured.shape)]
    path = tmp_path / "chip.csv"
    path.write_text("\n".join(["tile,word_line,bit_line,resistor,on", *lines, lines[7]]))
    with pytest.raises(SpecError, match="word_line 1, bit_line 0, resistor 1 stands 2 times"):
        Chip.from_measurement(path, SMALL)


@pytest.mark.parametrize(
    "content",
    [b"a,\x81", b"\xff\xfe\xff", b"tile,word_line,bit_line,resistor,on\n0,0,0,0," + b"1" * 200_000],
    ids=range(3),
)
def test_a_table_that_is_no_table_is_a_file_error(tmp_path, content):
    path = tmp_path / "chip.csv"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"is not a readable \.csv file"):
        Chip.from_measurement(path, SMALL)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"hello"])
def test_a_damaged_archive_is_a_file_error(tmp_path, content):
    path = tmp_path / "chip.npz"
    path.write_bytes(content)
    with pytest.raises(FileError):
        Chip.from_measurement(path, SMALL)


def test_a_missing_measurement_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        Chip.from_measurement(tmp_path / "none.npz", SMALL)
