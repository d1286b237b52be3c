"""Programs on chips of later: the same switches, aged, and switches that are chosen again."""

import numpy as np
import pytest

import xbar
from xbar import Chip, Crossbar, Hardware, Options, Program, SpecError, Tile
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.tuned import TunedCells

LAW = {
    "activation": "0.5 eV",
    "drift": {
        "first": "1 s",
        "mean": {"polynomial": [0.05]},
        "sigma": {"polynomial": [0.02]},
    },
}
DESIGN = Hardware(
    bank={"resistors": 6, "sigma": 0.3},
    tile=Tile(word_lines=16, bit_lines=16, word_wire=1.0, bit_wire=1.0),
    device=LAW,
    temperature={"resistors": -1e-3, "resistors_sigma": 2e-4, "wires": "copper"},
)
WEIGHTS = {"fc": np.random.default_rng(0).normal(size=(6, 12))}
INPUTS = np.random.default_rng(1).normal(size=(5, 12))


def error(program, readout="ideal"):
    return np.abs(program.matrices(readout)["fc"] - WEIGHTS["fc"]).max()


def test_the_same_switches_conduct_what_the_aged_resistors_do():
    """By hand: the mask of each cell over the aged conductances, plus lines minus minus lines."""
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    later = program.on(program.chip.at(time="1 d"))
    for tile in later.tiles:
        same = program.tiles[tile.index]
        assert tile.packed.tobytes() == same.packed.tobytes()
        cells = (later.chip.on(tile.index) * same.mask).sum(axis=-1)
        np.testing.assert_allclose(tile.conductance, cells, rtol=1e-13)
        block = tile.blocks[0].block
        pairs = cells[np.asarray(block.word_lines)[:, None], DifferentialPair().lines(block)]
        expected = pairs[:, 0::2] - pairs[:, 1::2]
        np.testing.assert_allclose(tile.difference("ideal")[0], expected, atol=1e-18)
    assert error(later) > 0.2
    assert error(program) < 0.02  # and the program is as it was


def test_simulator_netlist_and_tile_see_the_same_aged_devices(tmp_path):
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    later = program.on(program.chip.at(time="1 d", temperature="27 C"))
    matrix = later.matrices("nodal")["fc"]
    np.testing.assert_allclose(later.run(INPUTS, "nodal"), INPUTS @ matrix.T, rtol=1e-10)
    volts = np.linspace(0.1, 0.2, 16)
    later.tiles[0].netlist(detail="resistor", voltage=volts).write(tmp_path / "tile.cir")
    op = xbar.read_spice(tmp_path / "tile.cir").solve()
    current = [op.current[f"vs_{line}"] for line in range(16)]
    cells = later.chip.branch(0, later.tiles[0].mask).sum(axis=-1)
    wire = 1.0 + 0.00393 * (300.15 - 300)
    array = Crossbar(cells, word_wire=wire, bit_wire=wire)
    np.testing.assert_allclose(current, array.read(volts[None])[0], rtol=1e-8)


def test_choosing_again_reaches_the_weights_on_the_aged_chip():
    chip = Chip.sample(DESIGN, 3)
    later = chip.at(time="1 d")
    again = xbar.compile(WEIGHTS, later)
    assert error(again) < 0.02 < 0.2 < error(xbar.compile(WEIGHTS, chip).on(later))


def test_a_program_on_a_chip_of_later_is_saved_and_loaded(tmp_path):
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    later = program.on(program.chip.at(time="1 d", temperature="60 C", seed=4))
    later.save(tmp_path / "later.xbar")
    loaded = Program.load(tmp_path / "later.xbar")
    assert loaded.options.aged
    np.testing.assert_array_equal(loaded.run(INPUTS, "nodal"), later.run(INPUTS, "nodal"))
    fresh = loaded.on(loaded.chip.programmed)
    np.testing.assert_array_equal(fresh.run(INPUTS, "nodal"), program.run(INPUTS, "nodal"))
    assert not fresh.options.aged


def test_compiling_for_a_chip_of_later_resumes_and_ends_the_same(tmp_path):
    later = Chip.sample(DESIGN, 3).at(time="1 d")
    written = xbar.compile(WEIGHTS, later, output=tmp_path / "again.xbar")
    plain = xbar.compile(WEIGHTS, later)
    loaded = Program.load(tmp_path / "again.xbar")
    for one in (written, loaded):
        np.testing.assert_array_equal(one.run(INPUTS), plain.run(INPUTS))


@pytest.mark.parametrize("method", ["write-verify", "bit-slice", "residual"])
def test_tuned_cells_keep_what_was_written_and_move_with_it(method):
    design = DESIGN.model_copy(
        update={"device": LAW | {"error": {"polynomial": [0.05], "per": 1e-5, "scale": 1e-5}}}
    )
    chip = Chip.sample(design, 3)
    program = xbar.compile(WEIGHTS, chip, options=Options(programming=method))
    later = program.on(chip.at(time="1 d"))
    for one, other in zip(program.tiles, later.tiles, strict=True):
        before, now = one.branch, other.branch
        expected = chip.at(time="1 d").devices(one.index, before / one.tuned.counts)
        np.testing.assert_allclose(now, expected * one.tuned.counts, rtol=1e-12)
        assert (now[before > 0] < before[before > 0]).all()
    with pytest.raises(SpecError, match="must stay there, as time counts from programming"):
        xbar.compile(WEIGHTS, chip.at(time="1 h"), options=Options(programming=method)).on(chip)


@pytest.mark.parametrize("method", ["subset", "write-verify", "bit-slice", "residual"])
def test_a_device_stuck_closed_ages_as_the_others(method):
    """A switched resistor as it was made; a tuned cell from full scale."""
    bank = xbar.Bank(resistors=3, sigma=0.1, stuck_closed=0.1, stuck_open=0.05)
    chip = Chip.sample(DESIGN.model_copy(update={"bank": bank}), 3)
    program = xbar.compile(WEIGHTS, chip, options=Options(programming=method))
    later = chip.at(time="1 d", temperature="60 C")
    before, now = (each.tiles[0].branch for each in (program, program.on(later)))
    stuck = chip.stuck(0)
    expected = later.on(0)
    if method != "subset":
        full = np.full(stuck.shape, bank.nominal_conductance[0])
        expected = later.devices(0, full) * program.tiles[0].tuned.counts
    assert (stuck > 0).sum() > 50
    np.testing.assert_allclose(now[stuck > 0], expected[stuck > 0], rtol=1e-12)
    assert (now[stuck > 0] != before[stuck > 0]).all()
    assert (now[stuck < 0] == before[stuck < 0]).all()


@pytest.mark.parametrize("method", ["subset", "write-verify", "bit-slice", "residual"])
def test_a_hot_program_comes_back_as_it_was_saved(tmp_path, method):
    """Where open devices leak more: tuned cells are those that were written at the reference."""
    bank = {"resistors": 3, "sigma": 0.1, "on_off_ratio": 50, "stuck_open": 0.05}
    heat = {"reference": "25 C", "resistors": -1e-3, "leakage": [["25 C", 1.0], ["85 C", 20.0]]}
    design = DESIGN.model_copy(update={"bank": xbar.Bank(**bank)})
    design = design.model_copy(update={"temperature": xbar.Temperature(**heat)})
    program = xbar.compile(WEIGHTS, Chip.sample(design, 3), options=Options(programming=method))
    later = program.on(program.chip.at(time="1 d", temperature="85 C"))
    later.save(tmp_path / "a.xbar")
    loaded = Program.load(tmp_path / "a.xbar")
    for one, other in zip(later.tiles, loaded.tiles, strict=True):
        np.testing.assert_array_equal(one.branch, other.branch)
    if method != "subset":
        idle = sorted({*range(16)} - {*later.tiles[0].blocks[0].block.word_lines.tolist()})
        before, now = (each.tiles[0].branch[idle] for each in (program, later))
        sound = later.chip.stuck(0)[idle] == 0
        np.testing.assert_allclose(now[sound], 20 * before[sound], rtol=1e-12)


def test_cells_are_written_with_the_error_of_the_device_law_at_their_targets():
    """Twice the error at twice the target, as the law says; or that of the options, if given."""
    device = {"error": {"polynomial": [0.0, 0.1], "per": 1e-6, "scale": 1e-6}}
    design = DESIGN.model_copy(update={"device": device, "bank": {"resistors": 1}})
    chip = Chip.sample(design, 3)
    tuned = TunedCells.of(Options(programming="write-verify"), chip)
    own = TunedCells.of(Options(programming="write-verify", write_error=0.02), chip)
    z = np.random.default_rng(0).normal(size=4000)
    for wanted in (1e-6, 2e-6, 8e-6):
        found = tuned._stored(np.full(4000, wanted), z)
        np.testing.assert_allclose(found, np.maximum(wanted * (1 + 0.1 * z), 0), rtol=1e-12)
        fixed = own._stored(np.full(4000, wanted), z)
        np.testing.assert_allclose(fixed, np.maximum(wanted + 0.02e-5 * z, 0), rtol=1e-12)
    assert tuned.error == pytest.approx(0.1)


def test_a_chip_of_another_shape_is_refused():
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    small = DESIGN.model_copy(update={"tile": Tile(word_lines=8, bit_lines=16)})
    with pytest.raises(SpecError, match=r"chip must have the program's cells, \(16, 16\), not"):
        program.on(Chip.sample(small, 3))
    with pytest.raises(SpecError, match=r"chip must be a Chip, such as .*, not "):
        program.on(DESIGN)
    with pytest.raises(SpecError, match=r"options\.aged and options\.chosen must be left out of"):
        xbar.compile(WEIGHTS, program.chip, options=Options(aged=True))


def test_the_budget_has_drift_and_temperature_as_rows_and_is_digital_without_all():
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    later = program.on(program.chip.at(time="1 d", temperature="27 C"))
    found = xbar.simulate(later, INPUTS, readout="nodal", budget=True).budget
    parts = {part.part: part for part in found.parts}
    assert set(parts) == {"selection", "drift", "temperature", "wires"}
    assert found.error_without_all == 0.0
    fresh = xbar.simulate(program, INPUTS, budget=True).budget
    chosen = {part.part: part for part in fresh.parts}["selection"]
    assert parts["selection"].error_alone == pytest.approx(chosen.error_alone)
    aged = program.on(later.chip.at_temperature(None)).run(INPUTS)
    exact = INPUTS @ WEIGHTS["fc"].T
    drifted = np.sqrt(((aged - program.run(INPUTS)) ** 2).sum() / (exact**2).sum())
    assert parts["drift"].error_alone == pytest.approx(drifted)
    assert parts["drift"].error_without < found.error < 2 * parts["drift"].error_alone


def test_heat_without_drift_moves_weights_as_it_moves_those_of_the_aged_chip():
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    later = program.on(program.chip.at(time="1 d", temperature="80 C"))
    found = xbar.simulate(later, INPUTS, budget=True).budget
    parts = {part.part: part for part in found.parts}
    heat = later.run(INPUTS) - program.on(later.chip.at_temperature(None)).run(INPUTS)
    exact = INPUTS @ WEIGHTS["fc"].T
    left = program.run(INPUTS) + heat - exact
    assert parts["drift"].error_without == pytest.approx(
        np.sqrt((left**2).sum() / (exact**2).sum())
    )


def test_heat_alone_is_the_row_of_temperature_and_exact_with_wires():
    program = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3))
    hot = program.on(program.chip.at(temperature="100 C"))
    found = xbar.simulate(hot, INPUTS, readout="nodal", budget=True).budget
    parts = {part.part: part for part in found.parts}
    assert set(parts) == {"selection", "temperature", "wires"}
    exact = INPUTS @ WEIGHTS["fc"].T
    whole = np.sqrt(((hot.run(INPUTS, "nodal") - exact) ** 2).sum() / (exact**2).sum())
    assert found.error == pytest.approx(whole)
    assert parts["temperature"].error_alone > 0.03


def published():
    from xbar.hardware.catalog import TECHNOLOGIES

    designs = {name: each.hardware for name, each in TECHNOLOGIES.items()}
    return [name for name, each in designs.items() if each.device and each.device.first is not None]


@pytest.mark.parametrize("name", published())
def test_every_published_law_that_changes_in_time_is_read_and_has_its_row(name):
    """Also where the first table is that of 0 s: a pass reads the aged resistors' own sums."""
    design = Hardware.from_catalog(name)
    quiet = {"device": design.device.model_copy(update={"noise": None})}
    design = design.model_copy(update={**quiet, "variation": xbar.Variation()})
    program = xbar.compile(WEIGHTS, Chip.sample(design, 3))
    later = program.on(program.chip.at(time="1 d"))
    matrix = later.matrices()["fc"]
    assert np.abs(matrix - program.matrices()["fc"]).max() > 1e-3
    np.testing.assert_allclose(later.run(INPUTS), INPUTS @ matrix.T, rtol=1e-10, atol=1e-12)
    budget = xbar.simulate(later, INPUTS, budget=["drift"]).budget
    assert [part.part for part in budget.parts] == ["drift"]
    assert budget.parts[0].error_alone > 1e-3


def test_switches_chosen_for_a_chip_of_later_have_no_drift():
    again = xbar.compile(WEIGHTS, Chip.sample(DESIGN, 3).at(time="1 d"))
    found = xbar.simulate(again, INPUTS, budget=True).budget
    parts = {part.part: part for part in found.parts}
    assert parts["drift"].error_alone < 1e-15
    assert parts["drift"].error_without == found.error < 0.02


# aihwkit 1.1.0, PCMLikeNoiseModel(g_max=25): std over mean of 4,000,000 reads with one exponent
READS = [(2.0, "1 d", 0.23114), (20.0, "1 d", 0.05174), (20.0, "1 y", 0.05738)]


@pytest.mark.parametrize(("microsiemens", "time", "published"), READS)
@pytest.mark.parametrize("programming", ["subset", "write-verify"])
def test_drifted_devices_keep_the_relative_read_noise_of_aihwkit(
    microsiemens, time, published, programming
):
    """A device's noise goes with its conductance of now, and by that when it was programmed."""
    design = Hardware(
        bank={"resistors": 2, "nominal": 1e6 / microsiemens, "spread": "none"},
        tile=Tile(word_lines=16, bit_lines=16),
        device={"law": "pcm", "error": {"polynomial": [0.0]}},
    )
    weights = {"fc": np.sign(WEIGHTS["fc"])}  # every device at full scale, or open
    options = Options(programming=programming)
    program = xbar.compile(weights, Chip.sample(design, 3), options=options)
    later = program.on(program.chip.at(time=time))
    tile = later.tiles[0]
    power = (tile.branch**2).sum(axis=-1)
    noise = later.chip.hardware.variation.read_noise**2 * tile.noise_power("ideal")[0]
    block = tile.blocks[0].block
    pairs = power[np.asarray(block.word_lines)[:, None], DifferentialPair().lines(block)]
    relative = np.sqrt(noise / (pairs[:, 0::2] + pairs[:, 1::2]))
    written = 1e6 * program.tiles[0].branch.max()  # tuned cells: a little below full scale
    assert written == pytest.approx(microsiemens, rel=0.05)
    expected = published * (written / microsiemens) ** -0.65
    np.testing.assert_allclose(relative, expected, rtol=2e-3)
