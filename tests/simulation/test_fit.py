"""Data in other layouts than the network's give its own outputs, and what was changed is told."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import xbar
from xbar.errors import SpecError, XbarWarning
from xbar.model.read import from_module
from xbar.simulation.fit import fit_inputs, threshold_of

DESIGN = xbar.Hardware(
    bank=xbar.Bank(resistors=10, nominal="100k", on_off_ratio=1e4),
    tile=xbar.Tile(word_lines=128, bit_lines=64),
)
nn = torch.nn


def read(module, *shape):
    torch.manual_seed(0)
    for each in module.modules():
        if hasattr(each, "reset_parameters"):
            each.reset_parameters()
    return from_module(module.eval(), shape)


@pytest.fixture(scope="module")
def images():
    """A network of three channels, inputs (N, 3, 4, 5), and the classes it gives them."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))
    graph = read(module, 3, 4, 5)
    x = np.random.default_rng(0).normal(size=(40, 3, 4, 5)).astype(np.float32)
    return xbar.compile(graph, DESIGN, seed=0), x, np.asarray(graph.run(x)).argmax(axis=1)


def test_channels_last_are_recognised_by_their_shape(images):
    program, x, labels = images
    plain = xbar.simulate(program, x, labels)
    moved = xbar.simulate(program, np.moveaxis(x, 1, -1), labels)
    assert moved.digital_accuracy == plain.digital_accuracy == 1
    assert moved.accuracy == plain.accuracy
    assert plain.notes == ()
    assert moved.notes == ("inputs of shape (N, 4, 5, 3) have their channels last; they are moved",)
    assert f"assumed: {moved.notes[0]}" in str(moved)
    assert moved.to_json()["notes"] == moved.notes


def test_flat_inputs_take_the_networks_shape(images):
    program, x, labels = images
    flat = xbar.simulate(program, x.reshape(40, -1), labels)
    assert flat.digital_accuracy == 1
    assert flat.notes == ("inputs of shape (N, 60) are reshaped to (3, 4, 5)",)
    with pytest.raises(SpecError, match="the network takes inputs"):
        xbar.simulate(program, x[:, :2], labels)


def test_labels_one_hot_and_as_a_column_give_the_same_accuracy(images):
    program, x, labels = images
    plain = xbar.simulate(program, x, labels)
    for given in (np.eye(3)[labels], labels[:, None], labels.astype(float)):
        assert xbar.simulate(program, x, given).accuracy == plain.accuracy


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1), (42,), (7, 6)])
def test_one_channel_may_be_missing_or_elsewhere(shape):
    graph = read(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), 1, 6, 7)
    x = np.random.default_rng(0).normal(size=(5, 1, 6, 7)).astype(np.float32)
    fitted, notes = fit_inputs(graph, x.reshape(5, *shape))
    if shape == (7, 6):
        assert (fitted.shape, notes) == ((5, 7, 6), ())  # for the network to refuse
        return
    np.testing.assert_array_equal(fitted, x)
    assert len(notes) == 1


@pytest.mark.parametrize("shape", [(1, 6, 7), (6, 7, 1), (6, 7)])
def test_images_are_flattened_for_a_network_of_vectors(shape):
    graph = read(nn.Sequential(nn.Linear(42, 3)), 42)
    x = np.random.default_rng(0).normal(size=(5, 42)).astype(np.float32)
    fitted, notes = fit_inputs(graph, x.reshape(5, *shape))
    np.testing.assert_array_equal(fitted, x)
    assert "flattened" in notes[0]


def test_channels_that_may_stand_last_are_remarked_on_when_they_are_flattened():
    graph = read(nn.Sequential(nn.Linear(48, 3)), 48)
    with pytest.warns(XbarWarning, match="seem to have their channels last"):
        fit_inputs(graph, np.zeros((5, 4, 4, 3)))


def test_tokens_stay_or_become_integers():
    module = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)).eval()
    graph = from_module(module, (3,))
    tokens = np.array([[1, 8, 0], [2, 2, 7]])
    want = module(torch.from_numpy(tokens)).detach().numpy()
    for given in (tokens, tokens.astype(np.uint8), tokens.astype(float)):
        fitted, _ = fit_inputs(graph, given)
        np.testing.assert_allclose(graph.run(fitted), want, atol=1e-5)
    with pytest.raises(SpecError, match="takes inputs of type int"):
        graph.run(fit_inputs(graph, tokens + 0.5)[0])


def test_bytes_are_remarked_on():
    images = read(nn.Sequential(nn.Linear(4, 3)), 4)
    _, notes = fit_inputs(images, np.array([[0, 1, 2, 255]], np.uint8))
    assert notes == ("inputs are bytes up to 255, and are not scaled",)
    assert fit_inputs(images, np.array([[0, 1, 1, 0]], np.uint8))[1] == ()


@pytest.mark.parametrize(
    ("end", "threshold"),
    [
        ([nn.Sigmoid()], 0.5),
        ([], 0.0),
        ([nn.Hardsigmoid()], 0.5),
        ([nn.Tanh()], 0.0),
        ([nn.Sigmoid(), nn.Flatten(0)], 0.5),
        ([nn.Flatten(0)], 0.0),
        ([nn.Softmax(-1)], None),
        ([nn.ReLU()], None),
    ],
)
def test_the_threshold_of_one_output_follows_from_the_last_operation(end, threshold):
    graph = read(nn.Sequential(nn.Linear(6, 1), *end), 6)
    assert threshold_of(graph) == threshold
    x = np.random.default_rng(1).normal(size=(60, 6))
    logits = x @ graph.layers[0].matrix[0].T
    bias = next(a for a in graph.constants.values() if a.shape == (1,))
    labels = (logits[:, 0] + bias > 0).astype(int)
    program = xbar.compile(graph, DESIGN, seed=0)
    if threshold is None:
        with pytest.raises(SpecError, match="accuracy of one output needs"):
            xbar.simulate(program, x, labels)
        return
    result = xbar.simulate(program, x, labels)
    assert result.digital_accuracy == 1
    assert result.accuracy > 0.9
    assert result.notes[-1].endswith(f"class 1 is above {threshold:g}")
    assert xbar.simulate(program, x, 1 - labels).digital_accuracy == 0
