from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

import xbar
from xbar.compiler.corrections import Corrections
from xbar.errors import FileError, ModelError, SpecError
from xbar.hardware.temperature import Temperature
from xbar.model.read import from_module
from xbar.training import Tuning, calibrate, finetune

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.training.on_chip import OnChip


def design(wire=200.0, size=64, nominal="8k", **parts):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=4, nominal=nominal),
        tile=xbar.Tile(word_lines=size, bit_lines=size, word_wire=wire, bit_wire=wire),
        **parts,
    )


def digits():
    """scikit-learn's digits: training inputs and labels, held-out inputs and labels."""
    inputs, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(inputs))
    x, y = (inputs[order] / 16.0).astype(np.float32), labels[order]
    return x[:1300], y[:1300], x[1300:], y[1300:]


@pytest.fixture(scope="module")
def network():
    """A perceptron trained on the digits."""
    x, y, *_ = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimiser.step()
    return from_module(model, (64,))


@pytest.fixture(scope="module")
def chip():
    return xbar.Chip.sample(design(), 3)


@pytest.fixture(scope="module")
def plain(network, chip):
    return xbar.compile(network, chip, wire_aware=True)


@pytest.fixture(scope="module")
def trained(network, chip):
    x, y, *_ = digits()
    return finetune(network, (x, y), chip, epochs=4)


def right(outputs, labels):
    return float((np.asarray(outputs).argmax(axis=1) == labels).mean())


def outputs_of(program, x, readout="nodal", **tuning):
    """What the network in training gives for inputs, before a step."""
    net = OnChip(program, readout, Tuning(**tuning))
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def test_a_chip_answers_better_with_weights_trained_around_its_errors(plain, trained):
    *_, x, y = digits()
    before = right(plain.run(x, "nodal"), y)
    columns = right(calibrate(plain, digits()[0]).run(x, "nodal"), y)
    after = right(trained.program.run(x, "nodal"), y)
    assert after > before + 0.15
    assert after > columns + 0.03
    assert trained.history[-1].loss < trained.history[0].loss
    assert trained.history[-1].accuracy == pytest.approx(after, abs=0.08)


class Mixed(nn.Module):
    """Layers of several kinds, one of them cut into several tiles."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, groups=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.fc = nn.Linear(3 * 8 * 8, 5, bias=False)
        self.mix = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        y = torch.relu(self.up(torch.relu(self.conv(x)))).flatten(1)
        return self.fc(y) @ self.mix


CONVERTERS = {"dac": xbar.Converter(bits=6), "adc": xbar.Converter(bits=6)}
AMPLIFIERS = {"amplifier": {"feedback": 1e4, "open_loop": 1e3, "offset": 2e-3, "gain_error": 0.1}}


@pytest.mark.parametrize(
    ("parts", "readout"),
    [({}, "nodal"), ({}, "ideal"), (CONVERTERS, "nodal"), (AMPLIFIERS, "nodal")],
)
def test_what_is_trained_is_what_the_program_does(parts, readout):
    torch.manual_seed(0)
    x = np.random.default_rng(1).normal(size=(24, 2, 4, 4)).astype(np.float32)
    chip = xbar.Chip.sample(design(20.0, 48, **parts), 2)
    # nominal codes leave enough error for training to take away, without wires too
    how = {"tuning": Tuning(batch=8), "options": xbar.Options(programming="nominal")}
    found = finetune(Mixed(), x, chip, readout, epochs=2, input_shape=(2, 4, 4), **how)
    assert found.kept == 2
    program = found.program
    wanted = program.run(x, readout)
    trained = outputs_of(program, x, readout)
    off = np.abs(trained - wanted) / np.abs(wanted).max()
    # a current next to a step of an ADC may be rounded to the other side in float32
    assert off.max() < 1e-6 if "adc" not in parts else np.median(off) < 1e-6
    uncorrected = program.uncorrected.run(x, readout)
    assert np.abs(uncorrected - wanted).max() > 1e-3 * np.abs(wanted).max()


def test_read_noise_in_training_is_that_of_the_program():
    hardware = design(20.0, 32, variation=xbar.Variation(read_noise=0.1))
    torch.manual_seed(0)
    graph = from_module(nn.Linear(12, 5), (12,))
    program = xbar.compile(graph, xbar.Chip.sample(hardware, 1), wire_aware=True)
    x = np.tile(np.random.default_rng(0).normal(size=12).astype(np.float32), (4000, 1))
    net = OnChip(program, "nodal", Tuning())
    with torch.no_grad():
        noisy = net(torch.from_numpy(x), torch.Generator().manual_seed(0)).numpy()
    wanted = program.run(x, "nodal", seed=1)
    np.testing.assert_allclose(noisy.std(axis=0), wanted.std(axis=0), rtol=0.06)
    np.testing.assert_allclose(noisy.mean(axis=0), wanted.mean(axis=0), atol=wanted.std() / 10)


def test_training_begins_with_the_corrections_of_a_calibrated_program(plain):
    x = digits()[0]
    calibrated = calibrate(plain, x)
    wanted = calibrated.run(x[:50], "nodal")
    np.testing.assert_allclose(outputs_of(calibrated, x[:50]), wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(outputs_of(plain, x[:50]) - wanted).max() > 0.1


def test_the_last_epoch_changes_no_switch(plain):
    x, y, *_ = digits()
    found = finetune(plain, (x[:300], y[:300]), plain.chip, epochs=1)
    for before, after in zip(plain.tiles, found.program.tiles, strict=True):
        np.testing.assert_array_equal(before.mask, after.mask)
    for name, value in plain.graph.constants.items():
        np.testing.assert_array_equal(found.graph.constants[name], value)
    assert isinstance(found.program.corrections, Corrections)


def test_a_measured_chip_is_trained_for_as_it_is(network, trained, chip, tmp_path):
    tiles = range(len(trained.program.tiles))
    np.savez(
        tmp_path / "chip.npz",
        on=np.stack([chip.on(t) for t in tiles]),
        off=np.stack([chip.off(t) for t in tiles]),
    )
    measured = xbar.Chip.from_measurement(tmp_path / "chip.npz", chip.hardware)
    x, y, held, _ = digits()
    one, two = (finetune(network, (x[:128], y[:128]), c, epochs=2) for c in (chip, measured))
    assert one.history == two.history
    np.testing.assert_array_equal(one.program.run(held, "nodal"), two.program.run(held, "nodal"))


def test_a_trained_program_is_the_same_when_read_back(trained, tmp_path):
    held = digits()[2]
    trained.program.save(tmp_path / "out.xbar")
    read = xbar.Program.load(tmp_path / "out.xbar")
    np.testing.assert_array_equal(read.run(held, "nodal"), trained.program.run(held, "nodal"))
    assert "trained" in str(read.corrections)


def test_weights_of_0_stay_without_cells(network, chip):
    rng = np.random.default_rng(0)
    weight = next(name for name, value in network.constants.items() if value.shape == (16, 64))
    pruned = network.constants[weight] * (rng.random((16, 64)) > 0.5)
    sparse = replace(network, constants={**network.constants, weight: pruned.astype(np.float32)})
    x, y, *_ = digits()
    found = finetune(sparse, (x[:128], y[:128]), chip, epochs=2)
    after = found.graph.constants[weight]
    np.testing.assert_array_equal(after[pruned == 0], 0.0)
    assert (after[pruned != 0] != pruned[pruned != 0]).any()


def test_inputs_held_apart_judge_the_chip_and_the_same_seed_gives_the_same_program(network, chip):
    x, y, *_ = digits()
    runs = [
        finetune(network, (x[:128], y[:128]), chip, epochs=2, seed=s, validation=0.25, patience=1)
        for s in (5, 5, 6)
    ]
    assert runs[0].history == runs[1].history != runs[2].history
    losses = [epoch.validation_loss for epoch in runs[0].history]
    assert losses[-1] < losses[0]
    outputs = [run.program.run(x[:20], "nodal") for run in runs]
    np.testing.assert_array_equal(outputs[0], outputs[1])


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_last_epoch_that_makes_it_worse_is_not_kept(plain, chip, epochs):
    """Its rate throws factors of outputs about; what is held apart tells."""
    x, y, held, _ = digits()
    wild = Tuning(rate=8.0, batch=4)
    data = (x[:64], y[:64])
    found = finetune(plain, data, chip, epochs=epochs, tuning=wild, validation=0.25)
    losses = [epoch.validation_loss for epoch in found.history]
    assert found.kept < epochs == len(losses)
    assert losses[-1] == max(losses)
    assert found.kept == 0  # as it began
    np.testing.assert_allclose(
        found.program.run(held[:20], "nodal"), plain.run(held[:20], "nodal"), rtol=1e-6
    )


def test_a_warm_chip_is_trained_for_as_it_is_then(network):
    heat = Temperature(resistors=-2e-3, resistors_sigma=1e-3, wires="copper")
    hardware = design(20.0, temperature=heat)
    chip = xbar.Chip.sample(hardware, 0)
    program = xbar.compile(network, chip, wire_aware=True)
    x, y, held, _ = digits()
    later = chip.at(temperature="85 C")
    found = finetune(program, (x[:300], y[:300]), later, epochs=1)
    wanted = found.program.run(held, "nodal")
    assert np.abs(outputs_of(found.program, held) - wanted).max() < 1e-6 * np.abs(wanted).max()
    cold = found.program.on(chip).run(held, "nodal")
    assert np.abs(cold - wanted).max() > 1e-2 * np.abs(wanted).max()
    assert found.program.corrections.moment == later.hardware.later.moment


X, Y = np.zeros((4, 64), np.float32), np.arange(4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wire": 100.0}, "of the program's design, whose tile is another"),
        ({"adc": xbar.Converter(bits=8)}, "of the program's design, whose adc is another"),
    ],
)
def test_a_chip_of_another_design_is_refused(plain, change, message):
    with pytest.raises(SpecError, match=message):
        finetune(plain, (X, Y), xbar.Chip.sample(design(**change), 0))


def test_what_does_not_belong_together_is_told(network, plain):
    with pytest.raises(SpecError, match="give the chip, such as"):
        finetune(plain, (X, Y), plain.hardware)
    with pytest.raises(SpecError, match="give the chip, such as"):
        finetune(network, (X, Y), plain.hardware, options=xbar.Options())
    with pytest.raises(SpecError, match="options must be left out for a program"):
        finetune(plain, (X, Y), plain.chip, options=xbar.Options())
    matrices = xbar.compile(np.eye(3), plain.chip)
    with pytest.raises(ModelError, match="bare matrices has no network"):
        finetune(matrices, (X, Y), plain.chip)


def test_a_kept_run_is_refused_for_other_scales_or_ranges_of_its_program(tmp_path):
    """The switches are the same, but not what is read of them."""
    torch.manual_seed(0)
    graph = from_module(nn.Linear(12, 5), (12,))
    x = np.random.default_rng(0).normal(size=(16, 12)).astype(np.float32)
    chip = xbar.Chip.sample(design(20.0, 16, adc=xbar.Converter(bits=6)), 1)
    program = calibrate(xbar.compile(graph, chip), x, "gain", ranges="max")
    tile = program.tiles[0]
    blocks = [replace(each, scale=each.scale * 1.01) for each in tile.blocks]
    scaled = replace(program, tiles=(replace(tile, blocks=tuple(blocks)), *program.tiles[1:]))
    ranges = program.corrections.ranges
    wider = replace(ranges, currents={key: 2 * each for key, each in ranges.currents.items()})
    found = replace(program.corrections, ranges=wider)
    ranged = replace(program, plan=replace(program.plan, corrections=found))
    finetune(program, x, chip, epochs=1, checkpoint=tmp_path / "run")
    for other in (scaled, ranged):
        with pytest.raises(FileError, match="holds a run with program"):
            finetune(other, x, chip, epochs=1, checkpoint=tmp_path / "run")
