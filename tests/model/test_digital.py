from __future__ import annotations

import json

import numpy as np
import pytest

from xbar.errors import FileError, SpecError
from xbar.model.graph import Graph
from xbar.model.read import from_module

torch = pytest.importorskip("torch")
nn = torch.nn


@pytest.fixture
def lenet(make_net):
    return from_module(*make_net("lenet"))


def test_a_layer_that_is_left_out_stays_digital_and_is_listed(lenet):
    chosen = lenet.select(skip=["0"])
    assert [layer.name for layer in chosen.layers] == ["3", "7"]
    assert chosen.digital == (("0", "excluded by skip 0"),)
    asked = set()

    def multiply(layer, x):
        asked.add(layer)
        matrix = next(each.matrix for each in lenet.layers if each.name == layer)
        return np.einsum("goi,ngi->ngo", matrix, x)

    x = torch.randn(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(chosen.run(x, multiply), lenet.run(x), atol=1e-6)
    assert asked == {"3", "7"}


def test_only_and_skip_are_patterns_that_combine(make_net):
    graph = from_module(*make_net("encoder"))
    chosen = graph.select(only=["self_attn.*", "linear1"], skip=["*.out_proj"])
    assert [layer.name for layer in chosen.layers] == ["self_attn.in_proj", "linear1"]
    reasons = dict(chosen.digital)
    assert reasons["self_attn.out_proj"] == "excluded by skip *.out_proj"
    assert reasons["linear2"] == "not selected by only self_attn.*, linear1"


def test_selecting_twice_leaves_out_both(lenet):
    chosen = lenet.select(skip=["0"]).select(skip=["3"])
    assert [layer.name for layer in chosen.layers] == ["7"]
    assert [name for name, _ in chosen.digital] == ["0", "3"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"only": ["conv*"]}, r"only 'conv\*' matches no layer; the layers are 0, 3, 7"),
        ({"skip": ["0", "9"]}, "skip '9' matches no layer"),
        ({"skip": ["*"]}, "no layer is left"),
    ],
)
def test_a_choice_that_chooses_nothing_is_refused(lenet, choice, message):
    with pytest.raises(SpecError, match=message):
        lenet.select(**choice)


def test_the_choice_survives_json(lenet):
    chosen = lenet.select(only=["7"])
    again = Graph.from_json(json.loads(json.dumps(chosen.to_json())), chosen.constants)
    assert again.digital == chosen.digital
    assert [layer.name for layer in again.layers] == ["7"]


@pytest.mark.parametrize(
    "change", [{"notes": 3}, {"notes": [3]}, {"left_out": [["0"]]}, {"left_out": "0"}]
)
def test_a_damaged_choice_in_a_record_is_refused(lenet, change):
    with pytest.raises(FileError):
        Graph.from_json(lenet.to_json() | change, lenet.constants)


class Various(nn.Module):
    """Products that no crossbar can hold."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.make = nn.Linear(4, 12)

    def forward(self, x):
        y = self.words(x)
        w = self.make(y).unflatten(-1, (3, 4))
        return torch.nn.functional.scaled_dot_product_attention(y, y, y) @ w.mean((1, 2))[..., None]


def test_each_product_that_can_not_move_has_its_reason():
    class Ints(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Various()

        def forward(self, x):
            return self.inner(x.long())

    graph = from_module(Ints(), (5,))
    assert [layer.name for layer in graph.layers] == ["inner.make"]
    assert [reason for _, reason in graph.digital] == [
        "it is a table look-up without products",
        "both factors are activations",
        "both factors are activations",
    ]
