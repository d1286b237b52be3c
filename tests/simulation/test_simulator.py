"""A simulation's accuracy is the accuracy of the outputs that the chip gives."""

import copy
import json

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation.dataset import read_dataset

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5, on_off_ratio=100),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
)


@pytest.fixture(scope="module")
def data(trained):
    return read_dataset(trained.data)


@pytest.fixture(scope="module")
def graph(trained):
    return xbar.read_model(trained.path)


@pytest.fixture(scope="module")
def program(graph):
    return xbar.compile(graph, HARDWARE, seed=2)


def test_many_resistors_give_the_networks_own_outputs(trained, graph, data):
    torch = pytest.importorskip("torch")

    fine = HARDWARE.model_copy(update={"bank": xbar.Bank(resistors=12)})
    outputs = xbar.compile(graph, fine, seed=0).run(data.inputs)
    with torch.no_grad():
        expected = trained.module(torch.from_numpy(data.inputs)).numpy()
    assert np.abs(outputs - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_accuracy_is_pytorchs_with_the_realised_matrices_in_the_network(
    trained, program, data, readout
):
    torch = pytest.importorskip("torch")
    module = copy.deepcopy(trained.module)
    with torch.no_grad():
        norm, conv = module.norm, module.conv
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        conv.bias.copy_((conv.bias - norm.running_mean) * gain + norm.bias)
        module.norm = torch.nn.Identity()
        for name, matrix in program.matrices(readout).items():
            weight = module.get_submodule(name).weight
            weight.copy_(torch.from_numpy(matrix).reshape(weight.shape))
        outputs = module(torch.from_numpy(data.inputs)).numpy()
    result = xbar.simulate(program, data.inputs, data.labels, readout=readout)
    assert result.accuracy == (outputs.argmax(axis=1) == data.labels).mean()
    assert result.accuracies == (result.accuracy,)
    np.testing.assert_allclose(program.run(data.inputs, readout=readout), outputs, atol=1e-4)


def test_digital_accuracy_is_pytorchs(trained, program, data):
    torch = pytest.importorskip("torch")

    with torch.no_grad():
        expected = trained.module(torch.from_numpy(data.inputs)).argmax(dim=1).numpy()
    result = xbar.simulate(program, data.inputs, data.labels)
    assert result.digital_accuracy == (expected == data.labels).mean()
    assert result.digital_accuracy > 0.9


def test_layers_are_listed_with_their_signal_to_error_ratio(program, data):
    result = xbar.simulate(program, data.inputs, data.labels)
    assert [(layer.name, layer.weights) for layer in result.layers] == [
        ("conv", 54),
        ("hidden", 96 * 24),
        ("out", 240),
    ]
    first = result.layers[0]
    (layer,) = [layer for layer in program.graph.layers if layer.name == "conv"]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(data.inputs, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3)
    )[:, 0, ::2, ::2].reshape(-1, 9)
    exact = windows @ layer.matrix[0].T
    error = windows @ program.matrices()["conv"].T - exact
    expected = 10 * np.log10((exact**2).sum() / (error**2).sum())
    assert first.snr_db == pytest.approx(expected, rel=1e-6)
    assert first.bits == pytest.approx((expected - 1.76) / 6.02, rel=1e-6)


def test_trials_are_other_chips_of_the_same_design(program, data):
    result = xbar.simulate(program, data.inputs, data.labels, trials=3, seed=1)
    again = xbar.simulate(program, data.inputs, data.labels, trials=3, seed=1)
    assert result == again
    assert len(result.accuracies) == 3
    low, high = result.interval
    assert low <= result.accuracy <= high
    single = xbar.simulate(program, data.inputs, data.labels)
    assert result.accuracies[0] == single.accuracy
    assert result.layers[0].snr_db != single.layers[0].snr_db


def test_a_measured_chips_trials_differ_by_noise_alone(tmp_path, graph, data):
    on = np.random.default_rng(0).lognormal(np.log(1e-5), 0.3, (9, 32, 32, 5))
    np.savez(tmp_path / "chip.npz", on=on)
    chip = xbar.Chip.from_measurement(tmp_path / "chip.npz", HARDWARE)
    quiet = xbar.compile(graph, chip)
    assert len(set(xbar.simulate(quiet, data.inputs, data.labels, trials=3).accuracies)) == 1
    noisy_design = HARDWARE.model_copy(update={"variation": xbar.Variation(read_noise=0.5)})
    noisy = xbar.compile(graph, xbar.Chip.from_measurement(tmp_path / "chip.npz", noisy_design))
    assert len(set(xbar.simulate(noisy, data.inputs, data.labels, trials=3).accuracies)) > 1


def test_coarse_converters_cost_accuracy_and_are_counted(graph, data):
    coarse = HARDWARE.model_copy(
        update={"dac": xbar.Converter(bits=2), "adc": xbar.Converter(bits=3, range=1e-6)}
    )
    program = xbar.compile(graph, coarse, seed=2)
    result = xbar.simulate(program, data.inputs, data.labels)
    assert result.accuracy < result.digital_accuracy
    assert max(layer.clipped for layer in result.layers) > 0
    fine = xbar.simulate(xbar.compile(graph, HARDWARE, seed=2), data.inputs, data.labels)
    assert all(a.snr_db < b.snr_db for a, b in zip(result.layers, fine.layers, strict=True))


def test_without_labels_only_products_are_compared(program, data):
    result = xbar.simulate(program, data.inputs)
    assert result.accuracy is None
    assert result.interval is None
    assert result.digital_accuracy is None
    assert len(result.layers) == 3


def test_bare_matrices_are_compared_too():
    program = xbar.compile({"fc": np.eye(3)}, HARDWARE, seed=0)
    result = xbar.simulate(program, {"fc": np.eye(3)})
    assert result.layers[0].snr_db > 20


def test_inputs_of_bare_matrices_are_counted_over_all_of_them():
    program = xbar.compile({"a": np.eye(3), "b": np.eye(2)}, HARDWARE, seed=0)
    assert xbar.simulate(program, {"a": np.ones((5, 3)), "b": np.ones((2, 2))}).inputs == 7
    alone = xbar.compile(np.eye(3), HARDWARE, seed=0)
    assert xbar.simulate(alone, np.ones((4, 3))).inputs == 4
    for ragged in ([[1.0, 2.0, 3.0], [1.0]], {"matrix": [[1.0], [1.0, 2.0]]}, 3.0, [1.0, 2.0, 3.0]):
        with pytest.raises(SpecError, match="inputs must"):
            xbar.simulate(alone, ragged)


def test_an_exact_layer_is_written_as_null():
    program = xbar.compile({"fc": np.zeros((2, 2))}, xbar.Hardware(), seed=0)
    result = xbar.simulate(program, {"fc": np.ones((1, 2))})
    text = json.dumps(result.to_json(), allow_nan=False)
    assert json.loads(text)["layers"][0]["snr_db"] is None


def test_a_loaded_program_simulates_alike(tmp_path, program, data):
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    for readout in ("ideal", "nodal"):
        kept = xbar.simulate(loaded, data.inputs, data.labels, readout=readout)
        assert kept == xbar.simulate(program, data.inputs, data.labels, readout=readout)


def test_progress_ends_at_its_total(program, data):
    seen = []
    xbar.simulate(
        program, data.inputs, data.labels, trials=2, progress=lambda *step: seen.append(step)
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, not 0"),
        ({"seed": -1}, "seed must be a non-negative integer, not -1"),
        ({"readout": "spice"}, "readout must be"),
        ({"labels": [1, 2]}, r"labels must have shape \(120,\)"),
        ({"inputs": np.zeros((3, 1, 7, 7))}, r"takes inputs \(N, 1, 8, 8\).*not \(3, 1, 7, 7\)"),
        ({"inputs": np.full((120, 1, 8, 8), np.nan)}, "inputs must be finite"),
        ({"inputs": np.zeros((0, 1, 8, 8)), "labels": None}, "at least one input"),
    ],
)
def test_bad_arguments_are_refused(program, data, change, message):
    arguments = {"inputs": data.inputs, "labels": data.labels, **change}
    if "inputs" in change:
        arguments["labels"] = None
    with pytest.raises(SpecError, match=message):
        xbar.simulate(program, **arguments)
