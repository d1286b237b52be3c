"""How many subset problems of a construction fail, against what was predicted and published."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from xbar.pruning import approximate

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_published_failure_rate_of_products_is_met(linear):
    """Burkholz and others (2022): products of two uniforms, n = 15, eps = 0.01: 3.55 % fail."""
    rng = np.random.default_rng(8)
    net = nn.Sequential(linear(rng, 10_000, 2, 1.0, bias=False))
    layer = approximate(net, "pensia", 0.01, 15, seed=9).certificate.layers[0]
    error = math.sqrt(0.0355 * 0.9645 * (1 / 20_000 + 1 / 20_000 + 1 / 100_000))
    assert layer.instances == 20_000
    # two weights share an input's 15 first-layer numbers, which at worst halves the sample
    error *= math.sqrt(2)
    assert layer.failures / layer.instances == pytest.approx(0.0355, abs=3 * error)


@pytest.mark.parametrize(
    ("method", "samples", "minimise"),
    [("pensia", 9, "error"), ("pensia", 10, "size"), ("malach", 60, "error"), ("cnn", 14, "error")],
)
def test_failures_match_their_prediction(linear, method, samples, minimise):
    rng = np.random.default_rng(10)
    net = nn.Sequential(linear(rng, 120, 60, 0.5), nn.ReLU(), linear(rng, 60, 40, 2.5))
    account = approximate(net, method, 0.02, samples, seed=11, minimise=minimise).certificate
    for layer in account.layers:
        rate = layer.prediction.counted.value
        error = math.sqrt(rate * (1 - rate) * (1 / layer.instances + 1 / 20_000))
        assert 0.01 < rate < 0.99
        assert layer.failures / layer.instances == pytest.approx(rate, abs=3 * error)
    assert account.predicted_failures == pytest.approx(account.failures, rel=0.15)


def test_neurons_fail_as_predicted(linear):
    rng = np.random.default_rng(12)
    net = nn.Sequential(linear(rng, 300, 4, 0.5))
    account = approximate(net, "neurons", 0.02, 11, seed=13).certificate
    layer = account.layers[0]
    rate = layer.prediction.counted.value
    error = math.sqrt(rate * (1 - rate) * (1 / layer.instances + 1 / 200))
    assert layer.instances == 600
    assert layer.failures / 600 == pytest.approx(rate, abs=3 * error)


def test_single_paths_fail_by_the_closed_form_of_products(linear):
    """P(|u v - w| <= eps) is the integral of -ln|t|/2; n paths miss with (1 - p)^n."""

    def integral(t):
        return (t - t * np.log(np.abs(t))) / 2

    rng = np.random.default_rng(14)
    net = nn.Sequential(linear(rng, 20_000, 1, 0.9, bias=False))
    w = net[0].weight.detach().double().numpy().ravel()
    layer = approximate(net, "malach", 0.02, 80, seed=15).certificate.layers[0]
    missed = (1 - (integral(np.abs(w) + 0.02) - integral(np.abs(w) - 0.02))) ** 80
    missed = np.where(np.abs(w) <= 0.02, 0.0, missed)
    error = math.sqrt((missed * (1 - missed)).sum())
    assert missed.mean() > 0.05
    assert layer.failures == pytest.approx(missed.sum(), abs=3 * error)
    spread = missed.std() / math.sqrt(20_000)
    assert layer.prediction.counted.value == pytest.approx(missed.mean(), abs=5 * spread)
