"""Side weights stay digital, are all that is trained, and are the network's in its file too."""

from __future__ import annotations

import numpy as np
import pytest
from handwritten import digits

import xbar
from xbar.errors import ModelError, SpecError, XbarWarning
from xbar.model.read import from_module
from xbar.training import Tuning, finetune
from xbar.training.side import with_side

torch = pytest.importorskip("torch")
nn = torch.nn


def design(wire=20.0):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal="8k"),
        tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=wire, bit_wire=wire),
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10, bias=False))
    x, y, *_ = (torch.from_numpy(each) for each in digits())
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return from_module(model, (64,))


def test_side_weights_of_zero_change_nothing_and_others_add_their_product(network):
    x = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    graph, sides = with_side(network, 3)
    np.testing.assert_array_equal(graph.run(x), network.run(x))
    assert [layer.name for layer in graph.layers] == [layer.name for layer in network.layers]
    rng, (side, _) = np.random.default_rng(1), sides
    for name in (side.first, side.second):
        graph.constants[name][:] = rng.normal(size=graph.constants[name].shape)
    first = network.layers[0].matrix[0]
    matrix = first + graph.constants[side.second] @ graph.constants[side.first]
    bias = next(v for v in network.constants.values() if v.shape == (20,))
    hidden = np.maximum(x @ matrix.T + bias, 0)
    np.testing.assert_allclose(
        graph.run(x), hidden @ network.layers[1].matrix[0].T, rtol=1e-4, atol=1e-4
    )


def test_they_are_trained_and_conductances_are_not(network, tmp_path):
    x, y, held, labels = digits()
    tuned, plain = (
        finetune(network, (x, y), design(), epochs=epochs, tuning=Tuning(lora=4, rate=rate))
        for epochs, rate in ((3, 0.02), (1, 1e-12))
    )
    for before, after in zip(plain.graph.layers, tuned.graph.layers, strict=True):
        one, other = before.matrix[0], after.matrix[0]
        gain = np.nanmax(np.divide(other, one, out=np.full(one.shape, np.nan), where=one != 0), 1)
        # each output has one gain for all of its inputs
        np.testing.assert_allclose(other, one * gain[:, None], rtol=1e-4)
        assert np.abs(gain - 1).max() > 0.01
    assert tuned.history[-1].loss < 0.7 * plain.history[-1].loss
    tuned.save(tmp_path / "tuned.pt2")
    read = xbar.read_model(tmp_path / "tuned.pt2")
    assert [layer.shape for layer in read.layers] == [layer.shape for layer in network.layers]
    np.testing.assert_allclose(read.run(held), tuned.graph.run(held), rtol=1e-5, atol=1e-5)
    with pytest.warns(XbarWarning, match="24 % of the network's 1,936 weights stay digital"):
        program = xbar.compile(read, xbar.Chip.sample(design(), 0), wire_aware=True)
    right = (np.asarray(program.run(held, "nodal")).argmax(axis=1) == labels).mean()
    assert right > 0.8


def test_a_network_without_linear_layers_has_no_side_weights(network):
    graph = from_module(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), (1, 4, 4))
    with pytest.raises(ModelError, match="linear layers"):
        with_side(graph, 2)
    with pytest.raises(SpecError, match="lora must be"):
        Tuning(lora=-1)
