"""ONNX models, against onnx's own reference evaluator."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.model.graph import Graph
from xbar.model.read import from_module

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
nn = torch.nn
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT
IMAGE = (4, 7, 6)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def export(tmp_path):
    """A module as PyTorch writes it to ONNX, by either of its exporters."""

    def function(module, shape, exporter):
        path = tmp_path / "exported.onnx"
        new = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},), "external_data": False}
        old = {"dynamic_axes": {"x": {0: "N"}}, "input_names": ["x"]}
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # the exporters' remarks on their own insides
            logging.disable(logging.WARNING)
            options = new if exporter == "dynamo" else old
            example = (torch.zeros(2, *shape),)
            torch.onnx.export(module, example, path, dynamo=exporter == "dynamo", **options)
            logging.disable(logging.NOTSET)
        return onnx.load(path)

    return function


class Vision(nn.Module):
    """A small vision transformer."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 10, 8))
        self.block = nn.TransformerEncoderLayer(
            8, 2, 16, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.block(x))[:, 0])


NAMES = ["cross attention", "depthwise", "lenet", "mlp", "recurrent", "residual", "sequence"]
CASES = [(name, "dynamo") for name in ["encoder", "vision", *NAMES]]
CASES += [(name, "torchscript") for name in ["shared", "volume", *NAMES]]


@pytest.mark.parametrize(("name", "exporter"), CASES)
def test_an_exported_network_gives_what_the_reference_gives(
    reference, exact, read_onnx, export, make_net, name, exporter
):
    if exporter == "dynamo":
        pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    module, shape = (Vision().eval(), (1, 12, 12)) if name == "vision" else make_net(name)
    model = export(module, shape, exporter)
    graph = read_onnx(model)
    x = numbers(3, *shape)
    want = reference(model, x)
    np.testing.assert_allclose(graph.run(x), want, atol=1e-5)
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    again = Graph.from_json(json.loads(json.dumps(graph.to_json())), graph.constants)
    np.testing.assert_array_equal(again.run(x), graph.run(x))
    assert graph.batch is None
    native = from_module(module, shape)
    assert sorted(layer.positions for layer in graph.layers) == sorted(
        layer.positions for layer in native.layers
    )


def test_a_transposed_convolution_gives_what_its_module_gives(exact, read_onnx, export, make_net):
    """Against PyTorch, because onnx's reference has no groups there."""
    module, shape = make_net("transposed")
    graph = read_onnx(export(module, shape, "torchscript"))
    x = numbers(3, *shape)
    want = module(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    assert [layer.kind for layer in graph.layers] == ["conv2d_transposed"] * 2


def test_batch_norms_and_a_shortcut_written_by_hand_are_folded(
    reference, exact, read_onnx, make_model
):
    """A residual network with a depthwise convolution, as other tools write it."""
    constants = {
        "stem": numbers(4, 1, 3, 3), "deep": numbers(4, 1, 3, 3, seed=1), "w": numbers(64, 3),
        "scale": np.abs(numbers(4)), "shift": numbers(4, seed=2), "mean": numbers(4, seed=3),
        "var": np.abs(numbers(4, seed=4)) + 1, "b": numbers(3),
    }  # fmt: skip
    norm = ["scale", "shift", "mean", "var"]
    pad = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Conv", ["x", "stem"], ["a"], **pad),
        helper.make_node("BatchNormalization", ["a", *norm], ["c"], epsilon=1e-3),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "deep"], ["e"], group=4, **pad),
        helper.make_node("BatchNormalization", ["e", *norm], ["f"]),
        helper.make_node("Add", ["f", "d"], ["g"]),
        helper.make_node("Flatten", ["g"], ["h"]),
        helper.make_node("Gemm", ["h", "w", "b"], ["y"], alpha=0.5, beta=2.0),
    ]
    model = make_model(nodes, (1, 4, 4), constants)
    graph = read_onnx(model)
    x = numbers(5, 1, 4, 4)
    want = reference(model, x)
    np.testing.assert_allclose(graph.run(x), want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, rtol=1e-5, atol=1e-5)
    assert not [node for node in graph.nodes if "batch_norm" in node.op]
    assert [(layer.kind, layer.matrix.shape) for layer in graph.layers] == [
        ("conv2d", (1, 4, 9)), ("conv2d", (4, 1, 9)), ("linear", (1, 3, 64)),
    ]  # fmt: skip


def ints(*values):
    return np.array(values, np.int64)


def test_quantised_weights_are_the_numbers_that_they_stand_for(reference, read_onnx, make_model):
    """A convolution and a product between QuantizeLinear and DequantizeLinear, one per channel."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.integers(-128, 128, (6, 4, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.01, 0.02, 6).astype(np.float32), "wz": np.zeros(6, np.int8),
        "b": rng.integers(-999, 999, 6).astype(np.int32), "bs": np.float32(1e-3),
        "s": np.float32(0.03), "z": np.uint8(120), "shape": ints(0, -1),
        "m": rng.integers(0, 256, (120, 5)).astype(np.uint8), "ms": np.float32(0.01),
        "mz": np.uint8(131),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "bs"], ["bd"]),
        helper.make_node("Conv", ["d", "wd", "bd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["cd"]),
        helper.make_node("Reshape", ["cd", "shape"], ["f"]),
        helper.make_node("DequantizeLinear", ["m", "ms", "mz"], ["md"]),
        helper.make_node("MatMul", ["f", "md"], ["y"]),
    ]
    model = make_model(nodes, IMAGE, constants)
    graph = read_onnx(model)
    x = numbers(3, *IMAGE)
    np.testing.assert_allclose(graph.run(x), reference(model, x), rtol=1e-4, atol=1e-4)
    conv, product = graph.layers
    real = constants["w"] * constants["ws"].reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(conv.matrix[0], real.reshape(6, -1), rtol=1e-6)
    np.testing.assert_allclose(product.matrix[0], (constants["m"].T - 131.0) * 0.01, rtol=1e-6)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 3], pads=[0, 0, 1, 2]),
        helper.make_node(
            "AveragePool", ["x"], ["y"], kernel_shape=[2, 3], pads=[0, 0, 1, 2], count_include_pad=1
        ),
        helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    ],
)
def test_uneven_padding_is_what_onnxruntime_gives(read_onnx, node, make_model):
    """Against onnxruntime, because onnx's reference swaps the axes there."""
    runtime = pytest.importorskip("onnxruntime")
    model = make_model([node], IMAGE)
    session = runtime.InferenceSession(model.SerializeToString())
    x = numbers(2, *IMAGE)
    np.testing.assert_allclose(read_onnx(model).run(x), session.run(None, {"x": x})[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_recurrent_operator_is_two_layers_for_each_direction(
    exact, read_onnx, kind, direction, make_model
):
    """Against PyTorch's equations, through onnxruntime where it is installed."""
    runtime = pytest.importorskip("onnxruntime")
    gates, hidden, ways = (
        {"LSTM": 4, "GRU": 3, "RNN": 1}[kind],
        3,
        1 + (direction == "bidirectional"),
    )
    constants = {
        "w": numbers(ways, gates * hidden, 4), "r": numbers(ways, gates * hidden, hidden, seed=1),
        "b": numbers(ways, 2 * gates * hidden, seed=2), "shape": ints(0, -1),
    }  # fmt: skip
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(
            kind, ["t", "w", "r", "b"], ["s"], hidden_size=hidden, direction=direction, **more
        ),
        helper.make_node("Transpose", ["s"], ["u"], perm=[2, 0, 1, 3]),
        helper.make_node("Reshape", ["u", "shape"], ["y"]),
    ]
    model = make_model(nodes, (5, 4), constants)
    graph = read_onnx(model)
    x = numbers(2, 5, 4)
    session = runtime.InferenceSession(model.SerializeToString())
    want = session.run(None, {"x": x})[0]
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    assert [layer.positions for layer in graph.layers] == [5] * 2 * ways


def test_a_shape_that_is_computed_follows_the_batch(reference, read_onnx, make_model):
    """Shape, Gather, Unsqueeze, Concat, Reshape: as exporters write x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Mul", ["n", "two"], ["m"]),
        helper.make_node("Unsqueeze", ["m", "axes"], ["u"]),
        helper.make_node("Concat", ["u", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["z"]),
        helper.make_node("ReduceSum", ["z", "last"], ["r"], keepdims=0),
        helper.make_node("Reshape", ["r", "pairs"], ["y"]),
    ]
    constants = {
        "zero": np.array(0), "two": np.array(2), "axes": ints(0), "rest": ints(-1),
        "last": ints(1), "pairs": ints(-1, 2),
    }  # fmt: skip
    model = make_model(nodes, (4,), constants)
    graph = read_onnx(model)
    for count in (1, 2, 5):
        x = numbers(count, 4)
        np.testing.assert_allclose(graph.run(x), reference(model, x), atol=1e-6)


def test_a_fixed_batch_is_kept_and_a_shape_for_one_input_is_found(read_onnx, make_model):
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    model = make_model(nodes, (4,), {"s": ints(1, 2, 2)})
    graph = read_onnx(model)
    assert graph.batch == 1
    x = numbers(3, 4)
    np.testing.assert_array_equal(graph.run(x), x.reshape(3, 2, 2))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(ints(2, 4, 1), "s"))
    graph = read_onnx(model)
    assert graph.batch == 2
    np.testing.assert_array_equal(graph.run(x), x.reshape(3, 4, 1))


def test_open_sizes_of_the_input_need_its_shape(read_onnx, make_model):
    model = make_model([helper.make_node("Relu", ["x"], ["y"])], ("H", 4))
    with pytest.raises(SpecError, match="dynamic input sizes needs the shape"):
        read_onnx(model)
    assert read_onnx(model, (3, 4)).inputs[0].shape == (None, 3, 4)
    with pytest.raises(SpecError, match="not \\(3, 5\\)"):
        read_onnx(model, (3, 5))
