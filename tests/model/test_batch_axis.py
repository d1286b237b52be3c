"""Outputs whose batch is not their first axis, or that have none, against PyTorch."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn


class TimeFirst(nn.Module):
    """A recurrent layer over an image's columns, its output (time, batch, classes)."""

    def __init__(self, flat):
        super().__init__()
        self.lstm, self.head, self.flat = nn.LSTM(4, 6), nn.Linear(6, 3), flat

    def forward(self, x):
        y = self.head(self.lstm(x.permute(2, 0, 1))[0])
        return y.reshape(-1, 3) if self.flat else y


@pytest.fixture
def network(tmp_path):
    """An ONNX file and its module, whose batch is open."""
    pytest.importorskip("onnx")

    def make(flat, batch=None):
        torch.manual_seed(0)
        module = TimeFirst(flat).eval()
        axes = {"x": {0: "batch"}} if batch is None else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the older exporter
            buffer = io.BytesIO()
            example = torch.zeros(batch or 2, 4, 5)
            torch.onnx.export(
                *(module, (example,), buffer),
                dynamo=False, input_names=["x"], dynamic_axes=axes, opset_version=17,
            )  # fmt: skip
        (tmp_path / "net.onnx").write_bytes(buffer.getvalue())
        return module, tmp_path / "net.onnx"

    return make


X = np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)


def test_the_batch_comes_first_where_the_network_has_time_first(network):
    module, path = network(flat=False)
    graph = read_model(path, (4, 5))
    want = module(torch.from_numpy(X)).detach().numpy()
    assert want.shape == (5, 3, 3)
    np.testing.assert_allclose(graph.run(X), want.transpose(1, 0, 2), atol=1e-6)
    assert "axis 1 of the output is the batch, and comes first" in graph.notes


@pytest.mark.parametrize("batch", [None, 1])
def test_an_output_without_a_batch_axis_is_one_for_each_input(network, batch):
    module, path = network(flat=True, batch=batch)
    graph = read_model(path, (4, 5))
    assert graph.batch == 1
    want = [module(torch.from_numpy(x[None])).detach().numpy() for x in X]
    np.testing.assert_allclose(graph.run(X), want, atol=1e-6)
    assert "the output has no batch axis: each input has the whole output" in graph.notes


def test_traced_networks_too(tmp_path):
    module = TimeFirst(flat=False).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that tracing is deprecated
        torch.jit.trace(module, torch.zeros(2, 4, 5)).save(tmp_path / "net.pt")
    graph = read_model(tmp_path / "net.pt", (4, 5))
    want = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(graph.run(X), want.transpose(1, 0, 2), atol=1e-6)


def test_modules_too_even_where_the_number_of_inputs_is_that_of_times():
    module = TimeFirst(flat=False).eval()
    graph = from_module(module, (4, 5))
    x = np.random.default_rng(2).standard_normal((5, 4, 5)).astype(np.float32)
    want = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(graph.run(x), want.transpose(1, 0, 2), atol=1e-6)


class Mean(nn.Module):
    """One result for the whole batch."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x).mean(0)


def test_an_output_for_the_whole_batch_is_refused_or_one_for_each_input(tmp_path):
    module = Mean().eval()
    with pytest.raises(ModelError, match="no batch axis; export it for a batch of one"):
        from_module(module, (4,))
    torch.export.save(torch.export.export(module, (torch.zeros(1, 4),)), tmp_path / "net.pt2")
    graph = read_model(tmp_path / "net.pt2")
    x = X[:, :, 0]
    want = module.fc(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(graph.run(x), want, atol=1e-6)
    assert "the output has no batch axis: each input has the whole output" in graph.notes


def test_an_output_that_is_a_constant_may_be_written_to():
    """It is a copy: the next run has the network's own numbers."""

    class Constant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("c", torch.arange(3.0))

        def forward(self, x):
            return self.c.expand(x.shape[0], 3)

    graph = from_module(Constant(), (4,))
    for _ in range(2):
        found = graph.run(np.zeros((5, 4), np.float32))
        np.testing.assert_array_equal(found, np.tile(np.arange(3.0), (5, 1)))
        found[:] = 7.0
