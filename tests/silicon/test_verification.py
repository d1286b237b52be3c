"""Programs against transistors: predictions that hold, and faults that are told."""

from dataclasses import replace

import numpy as np
import pytest
from silicon_designs import design

import xbar
from xbar.errors import FileError, SpecError, ToolError
from xbar.hardware.toml import to_toml
from xbar.silicon.tile import Choice, TransistorTile
from xbar.silicon.verification import sweep, verify

WEIGHTS = np.random.default_rng(0).standard_normal((2, 3))
WIRES = {"word_wire": 4.0, "bit_wire": 3.0}


@pytest.fixture(scope="module")
def program(gf180mcu):
    """2 x 3 weights among others on a tile of gf180mcu, with an idle line."""
    hardware = design(gf180mcu, 5, 8, **WIRES)
    weights = np.random.default_rng(1).standard_normal((3, 4))
    return xbar.compile({"fc": weights}, xbar.Chip.sample(hardware, 3), wire_aware=True)


def test_a_sampled_chip_holds_in_ngspice_what_xbar_says(program):
    found = verify(program, 0, (2, 4))
    assert found.weight_error < 1e-7
    assert found.current_error < 1e-5  # that of its bend at up to 0.2 V
    assert found.passed
    assert found.read.shape == (2, 2)
    # the nodal read-out is that of small signals, the same circuit
    nodal = program.matrices("nodal")["fc"][:2, :2].T
    np.testing.assert_allclose(found.predicted, nodal, rtol=0, atol=1e-12 * found.largest)
    np.testing.assert_array_equal(found.target, program.weights["fc"][0, :2, :2].T)


def test_read_outs_netlists_and_transistors_are_one_circuit_at_small_signals(program):
    from xbar.circuit.engines.registry import get_engine
    from xbar.effects.nonlinearity import line_currents

    tile, said = program.tiles[0], program.matrices("nodal")["fc"][:2, :2].T
    found = verify(program, 0, (2, 4))
    assert np.abs(found.read - said).max() < 1e-7 * found.largest
    nodal, drive, seen = tile.crossbar().transfer.T, np.eye(5), {}
    seen["nonlinear"] = line_currents(tile.crossbar(), tile.law(), 1e-6 * drive) / 1e-6
    engine = get_engine("ngspice")
    for readout in ("nodal", "nonlinear"):
        small, double = (
            np.array([engine.run(tile.netlist("ngspice", v, "resistor", readout)) for v in volts])
            for volts in (1e-3 * drive, 2e-3 * drive)
        )
        # what goes with v |v| is taken out
        seen[f"netlist, {readout}"] = (2 * small - double / 2) / 1e-3
    for name, siemens in seen.items():
        error = np.abs(siemens - nodal).max() / nodal.max()
        assert error < 1e-7, name


def test_cells_in_the_middle_of_a_tile_are_loaded_by_the_others(program):
    found = verify(program, 0, (1, 2), seed=4)
    assert found.weight_error < 2e-7
    assert found.passed


@pytest.mark.parametrize(
    ("corner", "temperature", "supply"),
    [("ss", 27.0, None), ("tt", 85.0, None), ("ll", -40.0, 3.0)],
)
def test_another_condition_is_predicted_from_its_typical_branch(
    program, corner, temperature, supply
):
    found = verify(program, 0, (1, 2), corner, temperature, supply)
    assert found.weight_error < 2e-7
    moved = np.abs(found.read - found.target).max() / found.largest
    assert moved > 1e-3  # the condition matters
    assert found.rms("chip") < found.rms()


def test_a_design_for_another_condition_is_nominal_there_and_not_at_27_degrees(gf180mcu, tmp_path):
    from xbar.silicon import Cell, Plan, Sample

    cell = Cell(gf180mcu, resistors=2, length="20u", ratio=1.2, series=100.0)
    plan = Plan(temperature=85.0, supply=3.0, sigma=0.02, sample=Sample(copies=20))
    made = cell.hardware(1, 2, (4.0, 3.0), cell.characterise(plan))
    (tmp_path / "hot.toml").write_text(to_toml(made), encoding="utf-8")
    hardware = xbar.Hardware.load(tmp_path / "hot.toml")
    made = xbar.compile({"fc": [[0.7]]}, xbar.Chip.sample(hardware, 0), wire_aware=True)
    there, cold = verify(made, 0, (1, 2), "tt", 85.0, 3.0), verify(made, 0, (1, 2))
    assert there.weight_error < 2e-7
    assert cold.weight_error < 2e-7
    assert (cold.read / there.read).item() < 0.99  # gf180mcu's resistors conduct more when hot


def test_faults_reference_columns_and_lines_with_two_ends_are_predicted(gf180mcu):
    hardware = design(gf180mcu, 3, 4, **WIRES, drive="both", sense="both", source=5.0, load=4.0)
    bank = hardware.bank.model_copy(update={"stuck_open": 0.15, "stuck_closed": 0.15})
    chip = xbar.Chip.sample(hardware.model_copy(update={"bank": bank}), 0)
    assert np.any(chip.stuck(0) > 0)
    assert np.any(chip.stuck(0) < 0)
    options = xbar.Options(mapping="reference")
    found = verify(xbar.compile({"fc": WEIGHTS}, chip, options=options), 0, (3, 3))
    assert found.read.shape == (3, 2)
    assert found.weight_error < 2e-7
    assert found.passed


def test_other_deviations_than_the_chips_are_found(program):
    other = replace(program.tiles[0], chip=xbar.Chip.sample(program.hardware, 4))
    found = verify(replace(program, tiles=(other,)), 0, (1, 2))
    assert found.passed  # its own chip, if a wrong one for these switches
    wrong = replace(found, predicted=program.matrices("nodal")["fc"][:1, :1].T)
    assert wrong.weight_error > 1e-3
    assert not wrong.passed


def test_wires_that_are_not_the_designs_are_found(program, monkeypatch):
    from xbar.silicon import tile

    def doubled(self, conditions, prediction):
        made = original(self, conditions, prediction)
        return replace(made, wires={**made.wires, "bit_wire": 6.0})

    original = tile.TransistorTile.array
    monkeypatch.setattr(tile.TransistorTile, "array", doubled)
    assert not verify(program, 0, (1, 2), tolerance=1e-5).passed


def test_a_measured_chip_holds_to_seven_digits_with_the_mismatch_that_was_measured(
    gf180mcu, tmp_path
):
    # the branches as ngspice draws them, wires taken out of the measurement
    from xbar.silicon.tester import measure_design

    hardware = design(gf180mcu, 3, 4, word_wire=0.4, bit_wire=0.7)
    found = measure_design(hardware, mismatch=5)
    found.save(tmp_path / "chip.npz")
    chip = xbar.Chip.from_measurement(tmp_path / "chip.npz", hardware, behind_wires="line")
    made = xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True)
    seen = verify(made, 0, (3, 4), mismatch=5)
    assert seen.weight_error < 1e-7
    assert seen.current_error < 1e-5  # by the bend of each branch, which tells its threshold
    assert verify(made, 0, (3, 4), mismatch=6).weight_error > 1e-5
    # without the seed the deviations of the measurement are written into the netlist
    again = verify(made, 0, (3, 4))
    assert again.weight_error < 2e-7
    assert again.current_error < 1e-5
    assert "deviation was given to its resistor" not in str(again)
    # nor without the bend, but then it is the resistor that deviates, not the switch
    replace(found, c2=None).save(tmp_path / "plain.csv")
    chip = xbar.Chip.from_measurement(tmp_path / "plain.csv", hardware, behind_wires="line")
    plain = verify(xbar.compile({"fc": WEIGHTS}, chip, wire_aware=True), 0, (3, 4))
    assert plain.weight_error < 2e-7
    assert "a measured branch's deviation was given to its resistor" in str(plain)


def test_real_activations_drive_the_tile(gf180mcu):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    hardware = design(gf180mcu, 3, 4, **WIRES)
    made = xbar.compile(torch.nn.Linear(3, 2), hardware, seed=0, input_shape=(3,))
    tile = made.tiles[0]
    inputs = np.array([[0.0, 5.0, 0.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0]])
    found = verify(made, 0, (3, 4), inputs=inputs)
    # no current flows for the second, so it is left out; the first drives one line by 0.2 V
    assert found.current.shape == (2, 4)
    block = tile.blocks[0]
    amps = tile.mapping.currents(found.current, block.block)
    row = int(np.flatnonzero(block.block.inputs == 1)[0])
    np.testing.assert_allclose(amps[0] / (0.2 * block.scale), found.read[row], atol=2e-3)
    assert found.current_error < 5e-5


def test_inputs_that_drive_nothing_are_told(gf180mcu):
    torch = pytest.importorskip("torch")
    hardware = design(gf180mcu, 3, 4, **WIRES)
    made = xbar.compile(torch.nn.Linear(3, 2), hardware, seed=0, input_shape=(3,))
    found = verify(made, 0, (1, 2), inputs=np.zeros((2, 3)))
    assert found.current.shape == (0, 2)
    assert "no input drives a word line of this tile" in str(found)


def test_a_program_of_zeros_has_no_tile_to_verify(gf180mcu):
    made = xbar.compile({"fc": np.zeros((2, 3))}, xbar.Chip.sample(design(gf180mcu, 3, 4), 0))
    with pytest.raises(SpecError, match="must have a tile, and has none: all its weights are zero"):
        verify(made)


def test_inputs_need_a_network(program):
    with pytest.raises(SpecError, match="inputs need a network"):
        verify(program, 0, (1, 2), inputs=np.zeros((1, 4)))


def test_bad_arguments_are_one_line(program, tmp_path):
    with pytest.raises(SpecError, match="tile must be from 0 to 0, not 1"):
        verify(program, 1)
    with pytest.raises(SpecError, match=r"corner of gf180mcu must be one of .*not 'xx'"):
        verify(program, corner="xx")
    with pytest.raises(SpecError, match="temperature must be from -100 to 200 C, not 900"):
        verify(program, temperature=900)
    with pytest.raises(SpecError, match=r"supply must be from 1.65 to 3.96 V.*not 9"):
        verify(program, supply=9)
    with pytest.raises(SpecError, match="cells must be the whole tile, 5 x 8"):
        verify(program, cells=(2, 2), mismatch=1)
    with pytest.raises(ToolError, match="no models of gf180mcu"):
        verify(program, pdk=tmp_path)
    with pytest.raises(FileError, match="must be a folder"):
        verify(program, pdk=tmp_path / "none")


def test_a_design_without_a_process_is_refused():
    made = xbar.compile({"fc": WEIGHTS}, xbar.Hardware(), seed=0)
    with pytest.raises(SpecError, match=r"must say its process .*\[silicon\]"):
        verify(made)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"lengths": (20e-6, 22e-6, 1e-8)}, "silicon.lengths must be at least .* gf180mcu makes"),
        ({"switch_width": 1e-8}, "silicon.switch_width must be at least .* not 10 nm"),
    ],
)
def test_a_design_that_the_process_cannot_make_is_refused(gf180mcu, sizes, told):
    whole = design(gf180mcu, 2, 2)
    drawn = whole.silicon.model_copy(update=sizes)
    made = xbar.compile(
        {"fc": np.ones((1, 2))}, xbar.Chip.sample(whole.model_copy(update={"silicon": drawn}), 0)
    )
    with pytest.raises(SpecError, match=told):
        verify(made, cells=(2, 2))


def test_a_deck_that_no_machine_holds_is_refused(gf180mcu):
    hardware = design(gf180mcu, 64, 64)
    made = xbar.compile({"fc": np.ones((32, 64))}, xbar.Chip.sample(hardware, 0))
    with pytest.raises(SpecError, match=r"at most 3,072 branches.*not 64 x 64 cells of 3"):
        verify(made, cells=(64, 64))


def test_a_sweep_is_one_verification_a_condition(program):
    seen = []
    some = [("tt", 27.0, None), ("ff", 27.0, None)]
    found = sweep(program, 0, (1, 2), some, progress=lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]
    alone = verify(program, 0, (1, 2), "ff")
    np.testing.assert_allclose(found.points[1].read, alone.read, rtol=1e-9)
    slow, fast = (point.gain()[0] for point in found.points)
    assert fast > 1.05 * slow  # the fast corner conducts more


# sky130: the same on the models of another foundry, with mismatch of resistors


@pytest.mark.sky130
def test_sky130_holds_what_xbar_says(sky130):
    hardware = design(sky130, 2, 4, word_wire=0.437, bit_wire=0.685)
    made = xbar.compile({"fc": WEIGHTS[:, :2]}, xbar.Chip.sample(hardware, 1), wire_aware=True)
    found = verify(made, 0, (2, 4))
    assert found.weight_error < 1e-7
    difference = found.current - found.predicted_current
    rms = np.sqrt(np.mean(difference**2)) / np.abs(found.predicted_current).max()
    assert rms < 2e-5  # of up to 0.2 V on all inputs, by c2 and c3 of each length


@pytest.mark.sky130
def test_sky130_measured_with_noise_is_compiled_to_many_bits(sky130, tmp_path):
    from xbar.silicon.tester import measure_design

    hardware = design(sky130, 2, 4, word_wire=0.437, bit_wire=0.685)
    exact = measure_design(hardware, mismatch=3)
    bits = []
    for name, found in (("exact", exact), ("noisy", exact.with_noise(1e-3, seed=0))):
        path = tmp_path / f"{name}.csv"
        found.save(path)
        chip = xbar.Chip.from_measurement(path, hardware, behind_wires="line")
        made = xbar.compile({"fc": WEIGHTS[:, :2]}, chip, wire_aware=True)
        seen = verify(made, 0, (2, 4), mismatch=3)
        bits.append(seen.bits())
        if name == "exact":
            assert seen.weight_error < 1e-7
    # a weight of 2 x 5 branches, about half of them closed, each off by 0.1 % of its own
    assert bits[0] > 9
    assert 7.5 < bits[1] < bits[0] + 0.5


@pytest.mark.sky130
def test_the_wires_of_the_masks_are_in_netlist_prediction_and_nodal_read_out(sky130):
    from xbar.silicon.layout.geometry import BankGeometry
    from xbar.silicon.layout.layout import Layout

    hardware = design(sky130, 2, 4, word_wire=0.437, bit_wire=0.685)
    lengths = tuple(round(1e9 * each) for each in hardware.silicon.lengths)
    wires = Layout(BankGeometry(lengths, 1000), 2, 4).wires()
    made = xbar.compile({"fc": WEIGHTS[:, :2]}, wires.on(hardware), seed=1, wire_aware=True)
    planned = made.matrices("nodal")["fc"][:2, :2].T
    found = verify(made, 0, (2, 4))
    assert found.weight_error < 1e-7
    assert np.abs(found.predicted - planned).max() / found.largest < 1e-9


def test_a_design_for_a_high_supply_is_swept_up_to_the_highest_that_is_allowed(gf180mcu):
    whole = design(gf180mcu, 2, 2)
    high = whole.silicon.model_copy(update={"supply": 3.7})
    hardware = whole.model_copy(update={"silicon": high})
    made = xbar.compile({"fc": [[0.5, 0.2]]}, xbar.Chip.sample(hardware, 0))
    tile = TransistorTile.of(made, 0, (2, 2), Choice())
    supplies = [supply for _, _, supply in tile.usual_conditions()]
    assert supplies[0] == 3.7
    assert supplies[-2:] == pytest.approx([3.33, 3.96])
    for corner, celsius, supply in tile.usual_conditions():
        assert tile.conditions(corner, celsius, supply).supply == supply
    # no higher one is left
    most = whole.model_copy(update={"silicon": high.model_copy(update={"supply": 3.96})})
    made = xbar.compile({"fc": [[0.5, 0.2]]}, xbar.Chip.sample(most, 0))
    tile = TransistorTile.of(made, 0, (2, 2), Choice())
    assert [supply for *_, supply in tile.usual_conditions()][-2:] == [3.96, 3.564]
    assert tile.conditions(None, 27.0, 3.96).supply == 3.96
