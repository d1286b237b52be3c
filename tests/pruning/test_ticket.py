from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import ModelError, SpecError
from xbar.pruning.ticket import Ticket

torch = pytest.importorskip("torch")
nn = torch.nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    ).eval()


def masks(model, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.random(tuple(model[int(name)].weight.shape)) < 0.5 for name in ("0", "3")}


def test_kept_counts_every_masked_weight():
    mask = {"0": np.zeros((4, 1, 3, 3), bool), "3": np.ones((3, 16), bool)}
    assert Ticket(network(), mask, (2, 4, 4), "test").kept == 48 / (36 + 48)


def test_switches_lie_where_the_graph_has_the_weights():
    model = network()
    mask = masks(model)
    chip = xbar.Chip.sample(xbar.Hardware(), 0)
    with torch.no_grad():
        for name, kept in mask.items():
            model[int(name)].weight *= torch.from_numpy(kept)
    ticket = Ticket(model, mask, (2, 4, 4), "test", chip=chip)
    layers = {layer.name: layer.matrix for layer in ticket.graph().layers}
    switches = ticket.switches()
    assert switches is not None
    assert list(switches) == list(layers) == ["0", "3"]
    assert switches["0"].shape == (2, 2, 9)
    for name, matrix in layers.items():
        np.testing.assert_array_equal(switches[name], matrix != 0)


def test_without_a_chip_there_are_no_switches():
    model = network()
    assert Ticket(model, masks(model), (2, 4, 4), "test").switches() is None


def test_a_single_layer_is_named_as_its_graph_names_it():
    model = nn.Linear(3, 2)
    ticket = Ticket(model, {"weight": np.ones((2, 3), bool)}, (3,), "test")
    assert [layer.name for layer in ticket.graph().layers] == ["weight"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({}, "at least one layer"),
        ({"7": np.ones((3, 16), bool)}, "7: a mask must be named like a layer .* one of 0, 3"),
        ({"3": np.ones((16, 3), bool)}, r"3: its mask must be bool of shape \(3, 16\)"),
        ({"3": np.ones((3, 16))}, "3: its mask must be bool .* not float64"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, message):
    with pytest.raises(SpecError, match=message):
        Ticket(network(), mask, (2, 4, 4), "test")


def test_a_masked_layer_that_is_never_used_is_refused():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.a(x)

    with pytest.raises(ModelError, match="b: the network must use each masked layer"):
        Ticket(Unused(), {"b": np.ones((3, 3), bool)}, (3,), "test").graph()
