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
        assert tile.wire_errors[number] == pytest.approx(expected, rel=1e-9)
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
