"""Conventional programming, against the closed formulas of theory (docs/theory.md)."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

RNG = np.random.default_rng(0)
WEIGHTS = RNG.uniform(-1, 1, (64, 64))
TUNED = ("write-verify", "bit-slice", "residual")


def design(resistors=4, **changes):
    bank = xbar.Bank(resistors=resistors, **{"nominal": 100e3, **changes})
    return xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=64, bit_lines=128))


def compiled(programming, resistors=4, write_error=0.02, cell_bits=2, weights=WEIGHTS, **changes):
    options = xbar.Options(
        programming=programming, write_error=write_error, cell_bits=cell_bits, scale_per="layer"
    )
    return xbar.compile({"fc": weights}, design(resistors, **changes), seed=1, options=options)


def error(program, weights=WEIGHTS):
    """Root mean square of what the weights miss."""
    return np.sqrt(((program.matrices()["fc"] - weights) ** 2).mean())


def bits(program, full_scale):
    """log2(1/(sqrt(12) error)), errors relative to the full scale of one half, in weights."""
    return -np.log2(np.sqrt(12) * error(program) / full_scale)


@pytest.mark.parametrize("devices", [1, 4, 16])
def test_averaging_gains_half_a_bit_with_each_doubling(devices):
    """log2(1/(sqrt(12) sigma)) + log2(n)/2."""
    program = compiled("write-verify", devices, 0.01)
    full = devices * 1e-5 / program.tiles[0].blocks[0].scale[0]
    expected = np.log2(1 / (np.sqrt(12) * 0.01)) + np.log2(devices) / 2
    assert bits(program, full) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.05, 0.1])
def test_each_further_stage_of_residual_programming_brings_its_bits(sigma):
    """log2(1/(6 sigma)) a device: 4.06 at 1 %, 3.06 at 2 %, 1.74 at 5 %, .74 at 10 %."""
    found = []
    for devices in (2, 3, 4):
        program = compiled("residual", devices, sigma)
        found.append(bits(program, 1e-5 / program.tiles[0].blocks[0].scale[0]))
    expected = {0.01: 4.06, 0.02: 3.06, 0.05: 1.74, 0.1: 0.74}[sigma]
    np.testing.assert_allclose(np.diff(found), expected, atol=0.06)


@pytest.mark.parametrize(("devices", "cell_bits"), [(1, 3), (2, 2), (3, 4), (6, 2)])
def test_exact_slices_hold_all_their_bits(devices, cell_bits):
    """A word of n c bits, rounded: an error of 1/sqrt(12) of its last bit."""
    program = compiled("bit-slice", devices, 0.0, cell_bits)
    full = program.tiles[0].tuned.reach / program.tiles[0].blocks[0].scale[0]
    steps = 2.0 ** (devices * cell_bits) - 1
    assert error(program) == pytest.approx(full / steps / np.sqrt(12), rel=0.05)


def test_slices_beyond_the_first_device_s_error_bring_nothing():
    """N c bits while the first device's error is below half the word's last bit."""
    sigma, fine = 0.01, []
    for devices in (1, 2, 3, 5):
        program = compiled("bit-slice", devices, sigma, 2)
        fine.append(
            bits(program, program.tiles[0].tuned.reach / program.tiles[0].blocks[0].scale[0])
        )
    assert fine[1] - fine[0] > 1.5
    assert fine[3] - fine[2] < 0.35
    # sigma of the first device and a quarter of it of the second, of 4/3 devices' full scale
    limit = np.log2(4 / 3 / (np.sqrt(12) * sigma * np.sqrt(16 / 15)))
    assert fine[3] == pytest.approx(limit, abs=0.35)


def test_a_written_tile_is_the_same_whenever_it_is_asked_for(tmp_path):
    for method in TUNED:
        program = compiled(method, on_off_ratio=100.0)
        program.save(tmp_path / method)
        loaded = xbar.Program.load(tmp_path / method)
        for a, b in zip(program.tiles, loaded.tiles, strict=True):
            np.testing.assert_array_equal(a.branch, b.branch)
        other = xbar.compile({"fc": WEIGHTS}, design(), seed=2, options=program.options)
        assert (other.tiles[0].branch != program.tiles[0].branch).any()


@pytest.mark.parametrize("method", TUNED)
def test_zeros_stay_open_and_are_exact(method):
    weights = WEIGHTS * (RNG.random(WEIGHTS.shape) < 0.5)
    program = compiled(method, weights=weights, on_off_ratio=50.0)
    np.testing.assert_array_equal(program.matrices()["fc"][weights == 0], 0.0)
    for tile in program.tiles:
        open_ = ~tile.mask
        counts = np.broadcast_to(tile.tuned.counts, open_.shape)
        np.testing.assert_allclose(tile.branch[open_], 1e-5 / 50.0 * counts[open_])


@pytest.mark.parametrize("method", TUNED)
def test_written_conductances_are_between_open_and_what_error_allows(method):
    program = compiled(method, write_error=0.05, on_off_ratio=50.0)
    for tile in program.tiles:
        own = tile.branch / tile.tuned.counts
        assert own.min() >= 1e-5 / 50 * (1 - 1e-12)
        assert own.max() < 1e-5 * 1.3


@pytest.mark.parametrize("method", TUNED)
def test_devices_are_stuck_where_the_chip_s_resistors_are(method):
    program = compiled(method, stuck_open=0.05, stuck_closed=0.03, on_off_ratio=50.0)
    for tile in program.tiles:
        stuck = tile.chip.stuck(tile.index)
        own = tile.branch / tile.tuned.counts
        np.testing.assert_allclose(own[stuck < 0], 1e-5 / 50)
        np.testing.assert_allclose(own[stuck > 0], 1e-5)
        assert not tile.mask[stuck != 0].any()


@pytest.mark.parametrize("resistors", [3, 5])
def test_the_nominal_code_is_the_best_one_that_knows_no_resistor(resistors):
    """Against all codes of one half, by nominal values; then with the actual ones."""
    program = compiled("nominal", resistors, ratio=2.0, sigma=0.1)
    nominal = 1e-5 / 2.0 ** np.arange(resistors)
    choices = ((np.arange(2**resistors)[:, None] >> np.arange(resistors)) & 1).astype(bool)
    for tile in program.tiles:
        (part,) = tile.blocks
        best = np.abs(np.abs(part.target)[..., None] - choices @ nominal).min(axis=-1)
        code = tile.mapping.difference(tile.mask @ nominal, part.block)
        np.testing.assert_allclose(np.abs(code - part.target), best, atol=1e-18)
        both = tile.mapping.choice(tile.mask, part.block).reshape(*part.block.shape, 2, -1)
        assert not both.any(axis=-1).all(axis=-1).any()
        actual = np.where(tile.mask, tile.chip.on(tile.index), tile.chip.off(tile.index))
        expected = tile.mapping.difference(actual.sum(axis=-1), part.block) - part.target
        np.testing.assert_allclose(tile.residual()[0], expected, atol=1e-18)


def test_a_measured_subset_beats_the_nominal_code_of_the_same_chip():
    for ratio in (1.0, 1.8):
        nominal = error(compiled("nominal", 6, ratio=ratio, sigma=0.1))
        assert error(compiled("subset", 6, ratio=ratio, sigma=0.1)) < nominal / 3


def test_the_nominal_code_works_beside_a_reference_column():
    options = xbar.Options(programming="nominal", mapping="reference")
    exact = design(6, ratio=2.0, spread="none")
    program = xbar.compile({"fc": WEIGHTS}, exact, seed=0, options=options)
    assert np.abs(program.matrices()["fc"] - WEIGHTS).max() < 2.1 / 2**6


@pytest.mark.parametrize("method", TUNED)
def test_no_other_scale_leaves_less_error(method):
    weights = RNG.standard_normal((64, 64)) ** 3
    program = compiled(method, 2, 0.1, 2, weights=weights)
    (scale,) = set(np.concatenate([t.blocks[0].scale for t in program.tiles]).tolist())
    cells = program.tiles[0].tuned

    (block,) = (part.block for part in program.tiles[0].blocks)

    def missed(factor, draws=8):
        target = factor * scale * weights.T
        total = 0.0
        for tile in range(draws):
            branch, _ = cells.branch(program.chip, tile, [(block, target)])
            found = program.tiles[0].mapping.difference(branch.sum(axis=-1), block)
            total += ((found / (factor * scale) - weights.T) ** 2).sum() / draws
        return total

    assert missed(1.0, draws=1) == pytest.approx(error(program, weights) ** 2 * weights.size)
    least = min(missed(factor) for factor in (0.6, 0.8, 0.9, 1.1, 1.25, 1.6))
    assert missed(1.0) < 1.03 * least
    assert program.tiles[0].reached[0].clipped == (np.abs(weights) * scale > cells.reach).sum() > 0


def test_wires_act_on_written_cells_as_on_switched_ones(ngspice):
    hardware = design(3).model_copy(
        update={"tile": xbar.Tile(word_lines=16, bit_lines=16, word_wire=2.0, bit_wire=2.0)}
    )
    options = xbar.Options(programming="residual")
    program = xbar.compile({"fc": WEIGHTS[:8, :16]}, hardware, seed=1, options=options)
    assert xbar.verify(program, detail="resistor").worst < 1e-9
    with pytest.raises(SpecError, match="for tuned cells: no switches"):
        program.tiles[0].netlist(detail="bank")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"programming": "residual", "mapping": "reference"}, "mapping must be 'pair' for"),
        ({"programming": "nominal", "wire_aware": True}, "programming must be 'subset' for wire"),
        ({"programming": "other"}, "programming must be 'subset', 'nominal'"),
        ({"write_error": -0.1}, "write_error must be greater than or equal to 0"),
        ({"cell_bits": 0}, "cell_bits must be greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        xbar.compile({"fc": [[1.0]]}, design(), options=xbar.Options(**options))
