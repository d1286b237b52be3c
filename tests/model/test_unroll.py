"""Recurrent layers written out, against PyTorch's own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model import unroll
from xbar.model.graph import Graph
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn


class Sequence(nn.Module):
    """A recurrent layer; its outputs and its last states, joined."""

    def __init__(self, kind, **options):
        super().__init__()
        self.first = options.get("batch_first", False)
        self.layer = getattr(nn, kind)(4, 6, **options)

    def forward(self, x):
        y, state = self.layer(x if self.first else x.transpose(0, 1))
        y = y if self.first else y.transpose(0, 1)
        states = state if isinstance(state, tuple) else (state,)
        last = [each.transpose(0, 1).flatten(1) for each in states]
        return torch.cat([y.flatten(1), *last], -1)


def inputs(count, *shape):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3))


def exact(graph):
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    return lambda layer, x: np.einsum("goi,ngi->ngo", matrices[layer], x)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    "options",
    [
        {"batch_first": True},
        {},
        {"bias": False},
        {"num_layers": 2, "bidirectional": True},
        {"batch_first": True, "bidirectional": True},
    ],
)
def test_the_steps_are_pytorchs_and_each_weight_is_one_layer(kind, options):
    torch.manual_seed(0)
    module = Sequence(kind, **options).eval()
    graph = from_module(module, (5, 4))
    x = inputs(3, 5, 4)
    want = module(x).detach()
    np.testing.assert_allclose(graph.run(x), want, rtol=0, atol=1e-6)
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, rtol=0, atol=1e-6)
    assert graph.digital == ()
    weights = [name for name, _ in module.named_parameters() if "weight" in name]
    assert sorted(layer.name for layer in graph.layers) == sorted(weights)
    assert all(layer.positions == 5 for layer in graph.layers)


def test_every_step_of_a_recurrent_layer_is_handed_to_the_multiplier(make_net):
    graph = from_module(*make_net("recurrent"))
    made = {layer.name: 0 for layer in graph.layers}
    multiply = exact(graph)

    def count(layer, x):
        made[layer] += len(x)
        return multiply(layer, x)

    graph.run(inputs(3, 5, 4), count)
    assert made == {"lstm.weight_ih_l0": 15, "lstm.weight_hh_l0": 15, "fc": 3}


class Cells(nn.Module):
    """A cell of each kind, twice."""

    def __init__(self, kind):
        super().__init__()
        self.cell = getattr(nn, kind)(4, 6)

    def forward(self, x):
        state = self.cell(x)
        state = self.cell(x, state)
        return torch.cat(state, -1) if isinstance(state, tuple) else state


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_cell_is_two_layers_used_at_each_call(kind):
    torch.manual_seed(0)
    module = Cells(kind).eval()
    graph = from_module(module, (4,))
    x = inputs(3, 4)
    np.testing.assert_allclose(graph.run(x, exact(graph)), module(x).detach(), atol=1e-6)
    assert {layer.name: layer.positions for layer in graph.layers} == {
        "cell.weight_ih": 2,
        "cell.weight_hh": 2,
    }


def test_a_network_written_out_survives_json(make_net):
    graph = from_module(*make_net("recurrent"))
    again = Graph.from_json(json.loads(json.dumps(graph.to_json())), graph.constants)
    x = inputs(2, 5, 4)
    np.testing.assert_array_equal(again.run(x), graph.run(x))
    assert [layer.name for layer in again.layers] == [layer.name for layer in graph.layers]


@pytest.mark.parametrize(
    ("options", "shape"), [({"proj_size": 3}, (5, 4)), ({"batch_first": True}, (1, 4))]
)
def test_what_can_not_be_written_out_stays_digital_with_a_reason(options, shape):
    torch.manual_seed(0)
    module = Sequence("LSTM", **options).eval()
    graph = from_module(module, shape)
    assert graph.layers == ()
    assert [name for name, _ in graph.digital] == ["lstm"] or len(graph.digital) == 1
    x = inputs(3, *shape)
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


def test_a_sequence_with_more_steps_than_the_limit_stays_digital(make_net, monkeypatch):
    monkeypatch.setattr(unroll, "MOST_STEPS", 4)
    module, shape = make_net("recurrent")
    graph = from_module(module, shape)
    assert [layer.name for layer in graph.layers] == ["fc"]
    assert "too long" in graph.digital[0][1]


def test_beyond_a_number_of_nodes_nothing_more_is_written_out(monkeypatch):
    """A small file may hold many recurrent layers of thousands of steps each."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.GRU(4, 6, batch_first=True)
            self.second = nn.GRU(6, 3, batch_first=True)

        def forward(self, x):
            return self.second(self.first(x)[0])[0]

    module = Two().eval()
    assert len(from_module(module, (5, 4)).layers) == 4
    monkeypatch.setattr(unroll, "MOST_NODES", 20)
    graph = from_module(module, (5, 4))
    assert [layer.name.split(".")[0] for layer in graph.layers] == ["first"] * 2
    x = inputs(3, 5, 4)
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


def test_a_sequence_of_another_length_is_an_error_and_no_wrong_result(make_net):
    graph = from_module(*make_net("recurrent"))
    taken = replace(graph.inputs[0], shape=(None, None, 4))
    open_ended = replace(graph, inputs=(taken,))
    assert open_ended.run(inputs(2, 5, 4)).shape == (2, 3)
    for length in (4, 6):
        with pytest.raises(ModelError, match="split_with_sizes"):
            open_ended.run(inputs(2, length, 4))


def test_an_archive_gives_the_same_layers(make_net, save_export):
    module, shape = make_net("recurrent")
    graph = read_model(save_export(module, shape))
    assert [layer.name for layer in graph.layers] == [
        "lstm.weight_ih_l0", "lstm.weight_hh_l0", "fc",
    ]  # fmt: skip
