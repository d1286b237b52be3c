"""Compensation "batchnorm": statistics of batch norms found again on the chip, beside PyTorch's."""

from copy import deepcopy

import numpy as np
import pytest

import xbar
from xbar.simulation.compensation import Compensated, Known
from xbar.simulation.data import Data
from xbar.simulation.readout import AnalogProducts

torch = pytest.importorskip("torch")

DRIFT = {"first": "1 s", "mean": {"polynomial": [0.04]}, "sigma": {"polynomial": [0.01]}}
DESIGN = xbar.Hardware(
    bank=xbar.Bank(resistors=5), tile=xbar.Tile(word_lines=16, bit_lines=16),
    device={"drift": DRIFT},
)  # fmt: skip
INPUTS = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)


def network():
    """Two layers with norms whose statistics are those of INPUTS, scales of both signs."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Linear(8, 6), torch.nn.BatchNorm1d(6, eps=1e-10), torch.nn.ReLU(),
        torch.nn.Linear(6, 4, bias=False), torch.nn.BatchNorm1d(4, eps=1e-10),
    ).double()  # fmt: skip
    x = torch.tensor(INPUTS, dtype=torch.float64)
    with torch.no_grad():
        for norm in (net[1], net[4]):
            norm.weight.normal_().add_(0.3)
            norm.bias.normal_()
        for place, layer in enumerate(net):
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.running_mean.copy_(x.mean(dim=0))
                layer.running_var.copy_(x.var(dim=0, unbiased=False))
            net.eval()
            x = net[place](x)
    return net


def outputs_of(program, **how):
    """The network's outputs for INPUTS."""
    kept = []

    def keep(outputs, labels):
        kept.append(np.array(outputs))
        return 0.0

    xbar.simulate(program, INPUTS, metric=keep, **how)
    return kept[-1]  # after the digital pass


def corrected(program, x):
    """The outputs (N, outputs) of a program of one matrix "a"."""
    known = Known.of(program, Data.of(program, x, None))
    multiply = Compensated(AnalogProducts(program, "ideal", 0), known, "batchnorm")
    return multiply("a", x["a"][:, None])[:, 0]


def test_outputs_are_those_of_the_norms_in_training_mode_with_the_chips_weights():
    net = network()
    chip = xbar.Chip.sample(DESIGN, 3)
    program = xbar.compile(deepcopy(net).float(), chip, input_shape=(8,))
    later = program.on(chip.at(time="1 y"))
    real = [*later.matrices().values()]
    found = outputs_of(later, compensate="batchnorm", calibration=60)
    with torch.no_grad():
        for place, matrix in zip((0, 3), real, strict=True):
            norm = net[place + 1]
            unfold = torch.sqrt(norm.running_var + norm.eps) / norm.weight
            net[place].weight.copy_(torch.tensor(matrix) * unfold[:, None])
        net.train()
        expected = net(torch.tensor(INPUTS, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)  # float32 weights
    plain, digital = outputs_of(later), program.graph.run(INPUTS)
    lost, kept = (np.linalg.norm(each - digital) for each in (plain, found))
    assert kept < 0.4 * lost


def test_each_output_has_the_digital_mean_and_deviation_by_hand():
    weights = {"a": np.random.default_rng(1).normal(size=(5, 12))}
    x = {"a": np.random.default_rng(2).normal(1.0, 1.0, size=(40, 12))}
    chip = xbar.Chip.sample(DESIGN, 4)
    later = xbar.compile(weights, chip).on(chip.at(time="1 y"))
    found = corrected(later, x)
    exact = x["a"] @ weights["a"].T
    np.testing.assert_allclose(found.mean(axis=0), exact.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std(axis=0), exact.std(axis=0), rtol=1e-9)
    reading = x["a"] @ later.matrices()["a"].T
    by_hand = (reading - reading.mean(axis=0)) / reading.std(axis=0) * exact.std(axis=0)
    np.testing.assert_allclose(found, by_hand + exact.mean(axis=0), rtol=1e-8)


def test_an_output_that_never_changes_gets_its_mean_only():
    weights = {"a": np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])}
    x = {"a": np.random.default_rng(2).normal(size=(30, 3))}
    chip = xbar.Chip.sample(DESIGN, 4)
    later = xbar.compile(weights, chip).on(chip.at(time="1 y"))
    found = corrected(later, x)
    assert np.isfinite(found).all()
    assert not found[:, 1].any()


def test_conversions_of_the_pass_that_finds_them_are_not_counted(trained):
    design = DESIGN.model_copy(update={"adc": xbar.Converter(bits=4, range=2e-6)})
    weights = {"a": np.random.default_rng(1).normal(size=(5, 12))}
    x = {"a": np.random.default_rng(2).normal(size=(30, 12))}
    program = xbar.compile(weights, xbar.Chip.sample(design, 4))
    plain, norm = (xbar.simulate(program, x, compensate=way) for way in ("none", "batchnorm"))
    assert plain.layers[0].clipped == norm.layers[0].clipped
    assert "compensated by batchnorm" in str(norm)
