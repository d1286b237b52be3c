"""Data and networks that tests of pruning share."""

from __future__ import annotations

from itertools import pairwise

import pytest

from xbar.cli.demo_networks import Split


@pytest.fixture(scope="session")
def digits() -> Split:
    """scikit-learn's digits, a quarter held out."""
    pytest.importorskip("sklearn")
    from xbar.cli.demo_networks import digits

    return digits()


@pytest.fixture
def one_thread():
    """PyTorch uses one thread."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def linear():
    """Makes a layer with uniform weights of some reach, and biases within 1."""
    torch = pytest.importorskip("torch")

    def make(rng, inputs, outputs, reach=1.0, bias=True):
        layer = torch.nn.Linear(inputs, outputs, bias=bias)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(rng.uniform(-reach, reach, layer.weight.shape)))
            if bias:
                layer.bias.copy_(torch.from_numpy(rng.uniform(-1, 1, outputs)))
        return layer

    return make


@pytest.fixture(scope="session")
def perceptron(linear):
    """Makes a chain of such layers with ReLU between them."""
    nn = pytest.importorskip("torch").nn

    def make(rng, widths=(6, 5, 3), reach=1.0):
        layers = []
        for a, b in pairwise(widths):
            layers += [linear(rng, a, b, reach), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return make
