"""Programming for the wires: the effective weights become the wanted ones."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

WEIGHTS = np.random.default_rng(0).standard_normal((16, 32))


def design(nominal=20e3, resistors=8, **changes):
    tile = {"word_lines": 32, "bit_lines": 32, "word_wire": 2.0, "bit_wire": 2.0, **changes}
    bank = xbar.Bank(resistors=resistors, nominal=nominal, on_off_ratio=1e3, stuck_open=0.01)
    return xbar.Hardware(bank=bank, tile=xbar.Tile(**tile))


def relative(matrix, wanted):
    return np.sqrt(((matrix - wanted) ** 2).mean() / (wanted**2).mean())


def test_effective_weights_are_restored_a_hundredfold():
    chip = xbar.Chip.sample(design(), seed=1)
    ignoring = xbar.compile({"fc": WEIGHTS}, chip)
    aware = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True)
    before = relative(ignoring.matrices("nodal")["fc"], WEIGHTS)
    after = relative(aware.matrices("nodal")["fc"], WEIGHTS)
    assert before > 0.1
    assert after < before / 100


def test_a_rectangular_tile_with_sources_loads_and_both_ends_is_restored_too():
    hardware = design(
        bit_lines=20, source=30.0, load=10.0, drive="both", sense="both", word_lines=40
    )
    chip = xbar.Chip.sample(hardware, seed=2)
    before = relative(xbar.compile({"fc": WEIGHTS}, chip).matrices("nodal")["fc"], WEIGHTS)
    aware = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True)
    assert relative(aware.matrices("nodal")["fc"], WEIGHTS) < before / 30


@pytest.mark.parametrize("layout", ["columns", "rows"])
def test_other_layouts_are_restored_too(layout):
    hardware = design(word_lines=64, bit_lines=64)
    hardware = hardware.model_copy(
        update={"bank": hardware.bank.model_copy(update={"layout": layout})}
    )
    chip = xbar.Chip.sample(hardware, seed=2)
    weights = WEIGHTS[:4, :8]
    before = relative(xbar.compile({"fc": weights}, chip).matrices("nodal")["fc"], weights)
    aware = xbar.compile({"fc": weights}, chip, wire_aware=True)
    assert relative(aware.matrices("nodal")["fc"], weights) < before / 10


def test_the_told_errors_are_those_of_the_transfer_matrix():
    chip = xbar.Chip.sample(design(), seed=1)
    (before,) = xbar.compile({"fc": WEIGHTS}, chip).tiles
    (tile,) = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True).tiles
    for which, number in [(tile, -1), (before, 0)]:
        (part,) = which.blocks
        effective = which.crossbar().transfer.T
        difference = effective[:, 0::2] - effective[:, 1::2]
        rows, columns = part.block.word_lines[:, None], part.block.columns
        expected = relative(difference[rows, columns] / part.scale, part.weight)
        step = 2.0**-23  # told with so many bits, as the rest depends on the BLAS
        assert tile.wire_errors[number] == pytest.approx(expected, rel=step / 2 + 1e-9)
    assert min(tile.wire_errors) == tile.wire_errors[-1]
    (part,), (residual,) = tile.blocks, tile.residual()
    np.testing.assert_allclose(residual, tile.difference("nodal")[0] - part.target)


def test_the_scale_leaves_headroom_for_the_attenuation():
    chip = xbar.Chip.sample(design(), seed=1)
    (plain,) = xbar.compile({"fc": WEIGHTS}, chip).tiles[0].blocks
    (aware,) = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True).tiles[0].blocks
    assert (aware.scale <= plain.scale).all()
    assert aware.scale.mean() < 0.9 * plain.scale.mean()


def test_ideal_wires_leave_the_program_as_it_is():
    hardware = design(word_wire=0.0, bit_wire=0.0)
    chip = xbar.Chip.sample(hardware, seed=1)
    plain = xbar.compile({"fc": WEIGHTS}, chip)
    aware = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True)
    np.testing.assert_array_equal(plain.tiles[0].mask, aware.tiles[0].mask)
    assert aware.tiles[0].wire_errors == ()


def test_a_wire_aware_program_is_saved_with_its_rounds(tmp_path):
    program = xbar.compile({"fc": WEIGHTS}, design(), seed=1, wire_aware=True)
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.wire_aware
    assert loaded.tiles[0].wire_errors == program.tiles[0].wire_errors
    np.testing.assert_array_equal(loaded.tiles[0].residual(), program.tiles[0].residual())


def test_other_chips_of_a_simulation_are_programmed_for_their_wires_too():
    from xbar.compiler.compiler import reprogram

    program = xbar.compile({"fc": WEIGHTS}, design(), seed=1, wire_aware=True)
    other = reprogram(program, xbar.Chip.sample(design(), seed=2))
    assert relative(other.matrices("nodal")["fc"], WEIGHTS) < 0.01


def test_the_report_tells_before_and_after():
    from xbar.report.metrics import layer_metrics
    from xbar.report.text import program_text

    program = xbar.compile({"fc": WEIGHTS}, design(), seed=1, wire_aware=True)
    (layer,) = layer_metrics(program)
    assert layer.wires_before == pytest.approx(program.tiles[0].wire_errors[0])
    assert layer.wires_after == pytest.approx(program.tiles[0].wire_errors[-1])
    assert f"-> {100 * layer.wires_after:.3g} %" in program_text(program, [layer])


def test_banks_too_large_for_it_are_refused():
    with pytest.raises(SpecError, match=r"bank\.resistors must be at most 16 .* not 17"):
        xbar.compile({"fc": WEIGHTS}, design(resistors=17), seed=1, wire_aware=True)


def random_chip(wire, nominal=10e3, noise=0.0, size=32, seed=0, **changes):
    return xbar.Chip.sample(
        xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=nominal),
            tile=xbar.Tile(
                word_lines=size, bit_lines=size, word_wire=wire, bit_wire=wire, **changes
            ),
            variation=xbar.Variation(read_noise=noise),
        ),
        seed,
    )


def read_error(weights, chip, options, inputs=600):
    """Relative error of the outputs, as a user reads them: wires and noise."""
    program = xbar.compile(weights, chip, options=options)
    x = np.random.default_rng(5).standard_normal((inputs, weights.shape[1]))
    return relative(program.run(x, readout="nodal", seed=3), x @ weights.T)


PLAIN, AWARE = xbar.Options(), xbar.Options(wire_aware=True)


@pytest.mark.parametrize("nominal", [100e3, 10e3])
@pytest.mark.parametrize("noise", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("wire", [0.05, 1.0, 10.0])
def test_it_is_never_worse_than_plain_programming_whatever_the_noise(nominal, noise, wire):
    for seed in range(2):
        chip = random_chip(wire, nominal, noise, seed=seed)
        plain, aware = (read_error(WEIGHTS, chip, options) for options in (PLAIN, AWARE))
        assert aware < 1.02 * plain  # 600 inputs tell it to about 1 %
        if plain > 0.06:
            assert aware < plain / 2


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("wire", [0.1, 2.0])
def test_beside_a_reference_column_it_is_never_worse_either(noise, wire):
    chip = random_chip(wire, 20e3, noise)
    reference = {"mapping": "reference"}
    plain = read_error(WEIGHTS, chip, xbar.Options(**reference))
    aware = read_error(WEIGHTS, chip, xbar.Options(**reference, wire_aware=True))
    assert aware < 1.02 * plain
    if wire > 1.0:
        assert aware < plain / 2


def test_one_scale_a_tile_is_enough_to_be_better_than_plain():
    chip = random_chip(8.0)
    shared = {"scale_per": "tile"}
    plain = read_error(WEIGHTS, chip, xbar.Options(**shared))
    assert read_error(WEIGHTS, chip, xbar.Options(**shared, wire_aware=True)) < plain / 20
    ((block,),) = [
        tile.blocks
        for tile in xbar.compile(
            WEIGHTS, chip, options=xbar.Options(**shared, wire_aware=True)
        ).tiles
    ]
    assert len(set(block.scale)) == 1


@pytest.mark.parametrize("calibrate", ["max", "least-squares"])
def test_converters_calibrated_on_data_read_what_it_programmed(calibrate):
    chip = random_chip(8.0)
    converters = {"dac": xbar.Converter(bits=10), "adc": xbar.Converter(bits=10)}
    chip = xbar.Chip.sample(chip.hardware.model_copy(update=converters), seed=0)
    x = np.random.default_rng(5).standard_normal((200, 32))
    snr = [
        xbar.simulate(
            xbar.compile({"fc": WEIGHTS}, chip, options=options),
            {"fc": x},
            readout="nodal",
            calibrate=calibrate,
        )
        .layers[0]
        .snr_db
        for options in (PLAIN, AWARE)
    ]
    assert snr[0] < 6.0
    assert snr[1] > 40.0  # 10 bits, with a range for all columns


@pytest.mark.parametrize(("wire", "most"), [(8.0, 0.004), (16.0, 0.01)])
def test_what_is_missing_is_added_to_the_target_over_the_attenuation(wire, most):
    # not divided by the attenuation, a correction falls short: 0.0093 and 0.021 at best
    for seed in range(3):
        program = xbar.compile({"fc": WEIGHTS}, random_chip(wire, seed=seed), wire_aware=True)
        assert relative(program.matrices("nodal")["fc"], WEIGHTS) < most


def test_where_loaded_lines_let_nothing_through_few_resistors_are_on():
    chip = random_chip(60.0, 8e3)
    plain = xbar.compile({"fc": WEIGHTS}, chip)
    aware = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True)
    assert relative(plain.matrices("nodal")["fc"], WEIGHTS) > 0.95
    assert relative(aware.matrices("nodal")["fc"], WEIGHTS) < 0.1
    assert aware.tiles[0].mask.mean() < plain.tiles[0].mask.mean() / 2
    # more arrives of less conductance
    arrives = [np.abs(p.tiles[0].difference("nodal")[0]).mean() for p in (plain, aware)]
    assert arrives[1] > 2 * arrives[0]


def test_large_inputs_and_outputs_go_where_little_is_lost():
    weights = WEIGHTS * np.linspace(1.0, 0.1, 32) * np.linspace(0.2, 1.0, 16)[:, None]
    chip = random_chip(60.0, 8e3)  # driven at the left, read at the bottom
    found = {}
    for swap in ("faults", "never"):
        options = xbar.Options(wire_aware=True, swap_lines=swap)
        program = xbar.compile({"fc": weights}, chip, options=options)
        (part,) = program.tiles[0].blocks
        found[swap] = relative(program.matrices("nodal")["fc"], weights)
        np.testing.assert_array_equal(part.block.inputs, np.arange(32))
        if swap == "never":
            np.testing.assert_array_equal(part.block.word_lines, np.arange(32))
            np.testing.assert_array_equal(part.block.columns, np.arange(16))
        else:
            size = (weights**2 / (weights**2).max(axis=1, keepdims=True)).sum(axis=0)
            assert np.argmax(part.block.word_lines) == np.argmax(size)
            assert np.corrcoef(part.block.word_lines, size)[0, 1] > 0.8
    assert found["faults"] < 0.8 * found["never"]


def test_a_program_with_other_lines_is_loaded_with_the_same_weights(tmp_path):
    program = xbar.compile({"fc": WEIGHTS}, random_chip(60.0, 8e3), wire_aware=True)
    assert (np.diff(program.tiles[0].blocks[0].block.word_lines) < 0).any()
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    np.testing.assert_array_equal(loaded.matrices("nodal")["fc"], program.matrices("nodal")["fc"])
    reached, residual = program.tiles[0].reached[0], program.tiles[0].residual()[0]
    assert reached.power == pytest.approx((residual**2).sum())


def test_told_errors_count_the_noise_that_arrives():
    chip = random_chip(2.0, 20e3, noise=0.03)
    (tile,) = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True).tiles
    (part,), transfer = tile.blocks, tile.crossbar().transfer.T
    rows, columns = part.block.word_lines[:, None], part.block.columns
    rng = np.random.default_rng(0)
    power = np.zeros(WEIGHTS.T.shape)
    branch = tile.branch
    own = np.maximum(branch.sum(axis=-1), 1e-30)
    for _ in range(400):  # to first order a resistor's noise arrives as its current does
        shaken = (branch * 0.03 * rng.standard_normal(branch.shape)).sum(axis=-1)
        cell = transfer * (1.0 + shaken / own)
        found = (cell[:, 0::2] - cell[:, 1::2])[rows, columns] / part.scale
        power += (found - part.weight) ** 2 / 400
    expected = np.sqrt(power.sum() / (part.weight**2).sum())
    assert tile.wire_errors[-1] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_noisy_chips_lose_nothing_to_mild_wires(noise):
    # without wires the choice of least bias and variance is exact
    ideal = read_error(WEIGHTS, random_chip(0.0, 100e3, noise), PLAIN)
    assert read_error(WEIGHTS, random_chip(1.0, 100e3, noise), AWARE) < 1.05 * ideal


def test_between_mild_and_hopeless_a_low_scale_is_tried_beside_few_resistors():
    weights = np.random.default_rng(7).standard_normal((32, 64))
    errors = []
    for seed in range(3):
        chip = random_chip(10.0, size=64, seed=seed)
        program = xbar.compile({"fc": weights}, chip, wire_aware=True)
        errors.append(relative(program.matrices("nodal")["fc"], weights))
    assert np.mean(errors) < 0.048  # few resistors alone: 0.053


def test_targets_beyond_reach_are_counted_on_the_lines_where_they_lie_now():
    bank = xbar.Bank(resistors=4, nominal=8e3, stuck_open=0.4)
    wires = xbar.Tile(word_lines=32, bit_lines=32, word_wire=60.0, bit_wire=60.0)
    chip = xbar.Chip.sample(xbar.Hardware(bank=bank, tile=wires), seed=1)
    (before,) = xbar.compile({"fc": WEIGHTS}, chip).tiles[0].blocks
    (tile,) = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True).tiles
    (part,) = tile.blocks
    assert (part.block.word_lines != before.block.word_lines).any()
    on, off, stuck = chip.resistors(0)
    most = np.where(stuck < 0, off, on).sum(axis=-1)
    least = off.sum(axis=-1)
    rows, plus = part.block.word_lines[:, None], 2 * part.block.columns
    highest = most[rows, plus] - least[rows, plus + 1]
    lowest = least[rows, plus] - most[rows, plus + 1]
    beyond = (part.target > highest) | (part.target < lowest)
    assert tile.reached[0].clipped == beyond.sum() > 0


def test_a_lower_scale_is_tried_where_targets_come_out_of_reach():
    weights = np.random.default_rng(1).standard_normal((40, 60))
    wires = xbar.Tile(word_lines=64, bit_lines=80, word_wire=4.0, bit_wire=4.0)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=8, nominal=8e3), tile=wires), 0)
    program = xbar.compile({"fc": weights}, chip, wire_aware=True)
    # the first attempt alone: 0.026
    assert relative(program.matrices("nodal")["fc"], weights) < 0.008


def test_a_higher_scale_is_tried_beside_a_reference_column():
    wires = xbar.Tile(word_lines=64, bit_lines=66, word_wire=10.0, bit_wire=10.0)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=5, nominal=20e3), tile=wires), 0)
    weights = np.random.default_rng(0).standard_normal((32, 64))
    options = xbar.Options(mapping="reference", wire_aware=True)
    program = xbar.compile({"fc": weights}, chip, options=options)
    # the first attempt alone: 0.41
    assert relative(program.matrices("nodal")["fc"], weights) < 0.33
