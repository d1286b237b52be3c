"""Networks as ONNX Runtime's tools quantise them, against ONNX Runtime without its fusions."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import pytest

from xbar.model.read import read_model

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from onnxruntime import quantization

nn = torch.nn
helper = onnx.helper
TYPES = quantization.QuantType


class Branches(nn.Module):
    """Convolutions, a sum, a concatenation, pools and a product."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.depth, self.fc = nn.Conv2d(8, 8, 3, groups=8), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.cat([x + self.second(x), torch.sigmoid(x) * x], 1)
        x = nn.functional.leaky_relu(self.depth(nn.functional.max_pool2d(x, 2)), 0.1)
        x = nn.functional.avg_pool2d(x, 2)
        return torch.softmax(self.fc(x.mean((2, 3))), 1)


class Sequences(nn.Module):
    """An LSTM and a product of two activations."""

    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x):
        y = self.lstm(x)[0]
        return self.fc(y @ (y.transpose(1, 2) @ y))


NETWORKS = {
    "branches": (Branches, (2, 8, 8)),
    "plain": (lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)), (6,)),
    "sequences": (Sequences, (5, 4)),
}


class Reader(quantization.CalibrationDataReader):
    """Inputs one by one."""

    def __init__(self, x):
        self.rows = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self):
        return next(self.rows, None)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Each network's file, and inputs."""
    folder, found = tmp_path_factory.mktemp("float"), {}
    for name, (build, shape) in NETWORKS.items():
        torch.manual_seed(1)
        path = folder / f"{name}.onnx"
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                build().eval(), (torch.zeros(2, *shape),), path, dynamo=False, opset_version=17,
                input_names=["x"], dynamic_axes={"x": {0: "n"}},
            )  # fmt: skip
        found[name] = path, np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    return found


@pytest.fixture
def quiet():
    """Without the tools' advice."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def answer(path, x):
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return runtime.InferenceSession(str(path), options).run(None, {"x": x})[0]


QDQ, OPERATORS = quantization.QuantFormat.QDQ, quantization.QuantFormat.QOperator
STATIC = {
    "defaults": {},
    "per channel": {"per_channel": True},
    "reduced range": {"reduce_range": True},
    "unsigned weights": {"activation_type": TYPES.QUInt8, "weight_type": TYPES.QUInt8},
    "signed activations": {"activation_type": TYPES.QInt8},
    "symmetric": {
        "activation_type": TYPES.QInt8,
        "extra_options": {"ActivationSymmetric": True, "WeightSymmetric": True},
    },
    "16 bits": {"activation_type": TYPES.QUInt16},
    "operators": {"quant_format": OPERATORS},
    "operators per channel": {"quant_format": OPERATORS, "per_channel": True},
    "operators of unsigned weights": {
        "quant_format": OPERATORS,
        "activation_type": TYPES.QUInt8,
        "weight_type": TYPES.QUInt8,
    },
}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("how", STATIC)
@pytest.mark.parametrize("name", ["branches", "plain"])
def test_a_network_quantised_with_data_gives_what_onnxruntime_gives(originals, name, how, tmp_path):
    """Up to one step in a few numbers, where a sum falls between two steps."""
    source, x = originals[name]
    path = tmp_path / "quantised.onnx"
    quantization.quantize_static(source, path, Reader(x), **STATIC[how])
    got, want = read_model(path).run(x), answer(path, x)
    assert got.shape == want.shape
    off = np.abs(got - want) > 1e-5 * np.abs(want).max()
    assert off.mean() <= 0.1
    np.testing.assert_allclose(got, want, atol=0.012 * np.abs(want).max())


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("how", [{}, {"per_channel": True}, {"weight_type": TYPES.QUInt8}])
def test_a_network_quantised_as_it_runs_gives_what_onnxruntime_gives(
    originals, name, how, tmp_path
):
    source, x = originals[name]
    path = tmp_path / "dynamic.onnx"
    quantization.quantize_dynamic(source, path, **how)
    graph = read_model(path)
    got, want = graph.run(x), answer(path, x)
    np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())
    assert any("one scale for all inputs of a batch" in note for note in graph.notes)
    assert [layer.matrix.shape[1:] for layer in graph.layers]
