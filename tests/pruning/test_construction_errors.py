"""What a construction refuses, in one line that says what to do."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from xbar.errors import ModelError, SpecError
from xbar.pruning import approximate

BLOCK = nn.Sequential(nn.Linear(4, 4))


class Tanh(nn.Tanh):
    """Not PyTorch's own, so it may do anything."""


class Reversed(nn.Sequential):
    """Runs its layers backwards."""


def _net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be finite and above 0, not 0.0"),
        ({"epsilon": -1.0}, "epsilon must be finite and above 0"),
        ({"epsilon": float("nan")}, "epsilon must be finite and above 0"),
        ({"samples": 33}, "samples of pensia must be at most 32"),
        ({"samples": 33, "method": "cnn"}, "samples of cnn must be at most 32"),
        ({"samples": 35, "method": "neurons"}, "samples of neurons must be at most 34"),
        ({"samples": 0}, "samples must be a whole number of at least 1, not 0"),
        ({"samples": 2.5}, "samples must be a whole number of at least 1, not 2.5"),
        ({"group": 0}, "group must be a whole number of at least 1, not 0"),
        ({"method": "gurobi"}, "method must be one of malach, pensia, cnn, neurons, not 'gurobi'"),
        ({"minimise": "power"}, "minimise must be 'error' or 'size'"),
        ({"minimise": "size", "method": "neurons"}, "neurons are chosen for the least error"),
        ({"seed": -1}, "seed must be from 0"),
        ({"input_range": (1.0, 0.0)}, "input_range must be a finite low below its high"),
        ({"inputs": np.full((2, 4), 2.0)}, "must lie within input_range"),
        ({"inputs": np.full((2, 4), np.nan)}, "inputs must be finite numbers"),
        ({"inputs": np.zeros((2, 4)), "input_shape": (5,)}, "must be that of the inputs"),
        ({"method": "cnn", "input_range": (-1, 1)}, "0: the convolutional theorem needs inputs"),
    ],
)
def test_arguments_that_are_not_allowed(arguments, message):
    with pytest.raises(SpecError, match=message) as caught:
        approximate(_net(), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.GRU(3, 2)), "1: this GRU is not supported"),
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), "1: this Softmax is not supported"),
        (nn.Sequential(nn.Linear(4, 3), Tanh()), "1: this Tanh is not supported"),
        (nn.Sequential(BLOCK, BLOCK), "network.1: a container must not be used twice"),
        (Reversed(nn.Linear(4, 3)), "takes a torch.nn.Sequential, not a Rever"),
        (nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 2)), "1: does not accept values of shape"),
        (nn.Sequential(nn.ReLU()), "input_shape must be given"),
        (nn.TransformerEncoderLayer(4, 2), "takes a torch.nn.Sequential"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), "input_shape must be given"),
    ],
)
def test_networks_that_are_no_chain_of_known_layers(model, message):
    with pytest.raises((ModelError, SpecError), match=message) as caught:
        approximate(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Sequential(nn.ReLU(), nn.Flatten()), (4,), "must have a linear layer"),
        (nn.Sequential(nn.Linear(4, 2)), (3, 4), "a linear layer must take one vector per input"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")),
            (1, 5, 5),
            "must have numeric zero padding",
        ),
        (
            nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
            (1, 4, 4),
            "0: this MaxPool2d is not supported",
        ),
        (
            nn.Sequential(nn.AvgPool2d(2, divisor_override=1)),
            (1, 4, 4),
            "0: this AvgPool2d is not supported",
        ),
        (nn.Sequential(nn.Flatten(2), nn.Linear(4, 2)), (1, 2, 2), "0: this Flatten"),
    ],
)
def test_networks_that_only_their_values_rule_out(model, shape, message):
    with pytest.raises(ModelError, match=message):
        approximate(model, input_shape=shape)


def test_weights_must_be_finite():
    net = _net()
    with torch.no_grad():
        net[2].weight[1, 1] = float("inf")
    with pytest.raises(ModelError, match="2: its weights must be finite"):
        approximate(net)


def test_kernels_with_taps_have_no_neurons_to_remove():
    with pytest.raises(SpecError, match="0: whole neurons are removed only from fully connected"):
        approximate(nn.Sequential(nn.Conv2d(1, 2, 3)), "neurons", input_shape=(1, 5, 5))


def test_a_tanh_lets_negative_inputs_through_where_the_theorem_forbids_them():
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    with pytest.raises(SpecError, match=r"2: .* put a ReLU before the layer"):
        approximate(net, "cnn")
    assert approximate(net, "pensia").certificate.layers[1].instances == 12


def test_the_model_is_left_as_it_was():
    net = _net().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    approximate(net, samples=5)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert next(net.parameters()).dtype == torch.float32
