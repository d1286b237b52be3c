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


def reference(model, x):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x})[0]


def exact(graph):
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    return lambda layer, x: np.einsum("goi,ngi->ngo", matrices[layer], x)


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
    read_onnx, export, make_net, name, exporter
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


def test_a_transposed_convolution_gives_what_its_module_gives(read_onnx, export, make_net):
    """Against PyTorch, because onnx's reference has no groups there."""
    module, shape = make_net("transposed")
    graph = read_onnx(export(module, shape, "torchscript"))
    x = numbers(3, *shape)
    want = module(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    assert [layer.kind for layer in graph.layers] == ["conv2d_transposed"] * 2


def test_batch_norms_and_a_shortcut_written_by_hand_are_folded(read_onnx, make_model):
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


def one(kind, shape=(3, 4), constants=(), version=20, **attributes):
    """A case of one operator: constants are its further inputs, None one that is left out."""
    return (kind, shape, constants, version, attributes)


def ints(*values):
    return np.array(values, np.int64)


IMAGE = (4, 7, 6)
SINGLE = [
    *(one(kind) for kind in "Relu Sigmoid Tanh Softplus Erf Exp Abs Neg Floor Ceil Round".split()),
    *(one(kind) for kind in "Sign Sin Cos HardSwish Mish HardSigmoid Softsign Softmax".split()),
    *(one(kind) for kind in "LogSoftmax LeakyRelu Elu Celu Gelu Identity Dropout Flatten".split()),
    one("Elu", alpha=0.3),
    one("Celu", alpha=0.3),
    one("LeakyRelu", alpha=0.3),
    one("Gelu", approximate="tanh"),
    one("HardSigmoid", alpha=0.1, beta=0.4),
    one("Softmax", axis=1),
    one("Softmax", (4,), version=11),
    one("Clip", constants=[np.float32(-0.5), np.float32(0.25)]),
    one("Clip", constants=[None, np.float32(0.25)]),
    one("Clip", version=6, min=-0.25, max=0.5),
    one("PRelu", constants=[numbers(3, 1)]),
    one("PRelu", constants=[numbers(4)]),
    *(one(kind, constants=[numbers(4)]) for kind in "Add Sub Mul Div Max Min Sum Mean".split()),
    one("Pow", constants=[np.float32(2)]),
    one("Pow", constants=[np.array([2, 3, 2, 1], np.float32)]),
    one("MatMul", constants=[numbers(4, 5)]),
    one("MatMul", constants=[numbers(2, 4, 5)], shape=(2, 3, 4)),
    one("Gemm", (4,), [numbers(5, 4), numbers(5)], transB=1),
    one("Gemm", (4,), [numbers(4, 5), numbers(1, 5)], alpha=0.5, beta=3.0),
    one("Gemm", (4,), [numbers(4, 5)]),
    one("Conv", IMAGE, [numbers(6, 4, 3, 2), numbers(6)], strides=[2, 1], dilations=[1, 2]),
    one("Conv", IMAGE, [numbers(6, 4, 3, 2)], pads=[1, 0, 2, 1]),
    one("Conv", IMAGE, [numbers(6, 4, 3, 2)], auto_pad="SAME_UPPER", strides=[2, 2]),
    one("Conv", IMAGE, [numbers(6, 4, 3, 2)], auto_pad="SAME_LOWER"),
    one("Conv", IMAGE, [numbers(6, 4, 3, 2)], auto_pad="VALID"),
    one("Conv", IMAGE, [numbers(6, 2, 3, 3)], group=2, pads=[1, 1, 1, 1]),
    one("Conv", (4, 9), [numbers(6, 4, 3)], pads=[2, 2]),
    one("ConvTranspose", IMAGE, [numbers(4, 3, 3, 3)], strides=[2, 2], pads=[1, 1, 1, 1]),
    one("ConvTranspose", IMAGE, [numbers(4, 3, 3, 3)], strides=[2, 2], output_padding=[1, 1]),
    one("MaxPool", IMAGE, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    one("MaxPool", IMAGE, kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
    one("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    one("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 2]),
    one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    one("GlobalAveragePool", IMAGE),
    one("GlobalMaxPool", IMAGE),
    one("InstanceNormalization", IMAGE, [numbers(4), numbers(4)]),
    one("LayerNormalization", (3, 4), [numbers(4), numbers(4)]),
    one("LayerNormalization", (3, 4), [numbers(3, 4)], axis=1, epsilon=0.1),
    one("GroupNormalization", IMAGE, [numbers(4), numbers(4)], version=21, num_groups=2),
    one("Reshape", constants=[ints(0, -1)]),
    one("Reshape", constants=[ints(-1, 2, 6)]),
    one("Transpose", perm=[0, 2, 1]),
    one("Squeeze", (1, 4), [ints(1)]),
    one("Squeeze", (1, 4), version=11, axes=[1]),
    one("Unsqueeze", constants=[ints(1, -1)]),
    one("Slice", constants=[ints(1), ints(2**63 - 1), ints(2), ints(2)]),
    one("Slice", constants=[ints(-3, 0), ints(-1, 2), ints(2, 1)]),
    one("Slice", version=9, starts=[1], ends=[3], axes=[2]),
    one("Gather", constants=[ints(-1, 0)], axis=2),
    one("Gather", constants=[np.array(-2)], axis=1),
    one("Gather", constants=[np.array([[0, 1], [2, 0]])], axis=1),
    one("Expand", (1, 4), [ints(1, 3, 1)]),
    one("Tile", constants=[ints(1, 2, 3)]),
    one("Pad", constants=[ints(0, 1, 0, 0, 2, 1), np.float32(7)]),
    one("Pad", constants=[ints(1, 2), None, ints(2)]),
    one("Pad", constants=[ints(0, 1, 1, 0, 1, 1)], mode="reflect"),
    one("Pad", IMAGE, [ints(0, 0, 1, 2, 0, 0, 1, 0)], mode="edge"),
    one("DepthToSpace", (8, 2, 3), blocksize=2, mode="CRD"),
    one("ReduceMean", constants=[ints(-1)]),
    one("ReduceMean", version=13, axes=[1, 2], keepdims=0),
    one("ReduceSum", constants=[ints(1)], keepdims=0),
    one("ReduceMax", constants=[ints(1, 2)]),
    one("ReduceMin", constants=[ints(2)]),
    one("ReduceL2", constants=[ints(2)]),
    one("ReduceSum", noop_with_empty_axes=1),
    one("Where", constants=[numbers(3, 4), numbers(4)]),
    *(one(kind) for kind in "Tan Atan Sinh Cosh Asinh Selu ThresholdedRelu".split()),
    one("Swish", version=24, alpha=1.5),
    one("Selu", alpha=1.2, gamma=0.7),
    one("ThresholdedRelu", alpha=0.4),
    one("CastLike", constants=[numbers(1)]),
    one("CumSum", constants=[np.array(2)]),
    one("Trilu", constants=[np.array(1)]),
    one("Trilu", constants=[np.array(-1)], upper=0),
    one("SpaceToDepth", (3, 4, 6), blocksize=2),
    one("TopK", constants=[ints(2)], axis=1),
    one("TopK", constants=[ints(3)], largest=0),
    one("ReduceL1", constants=[ints(2)]),
    one("ReduceSumSquare", constants=[ints(1, 2)], keepdims=0),
    one("ReduceLogSumExp", constants=[ints(-1)]),
    one("ReduceProd", constants=[ints(1, 2)]),
    one("ReduceProd", constants=[ints(1, 2)], keepdims=0),
    one("LpNormalization"),
    one("RMSNormalization", constants=[numbers(4)], version=23),
    one("RMSNormalization", constants=[numbers(3, 4)], version=23, axis=1, epsilon=0.1),
]
WHERE = "half_pixel half_pixel_symmetric pytorch_half_pixel align_corners asymmetric".split()
ROUNDING = "round_prefer_floor round_prefer_ceil floor ceil".split()
BY = {"up": (1, 1, 2.0, 1.7), "down": (1, 1, 0.5, 0.6), "mixed": (1, 1, 0.4, 2.5)}


def resized(scales, **attributes):
    return one("Resize", IMAGE, [None, np.array(scales, np.float32)], 19, **attributes)


RUNTIME = [
    one("LpNormalization", axis=1, p=1),
    one("LRN", IMAGE, size=3, alpha=0.5, beta=0.6, bias=1.5),
    *(
        resized(scales, mode=mode, coordinate_transformation_mode=where)
        for scales in BY.values()
        for where in WHERE
        for mode in ("linear", "cubic", "nearest")
    ),
    *(resized(BY["mixed"], mode="nearest", nearest_mode=each) for each in ROUNDING),
    resized(BY["up"], mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
    resized((2.0, 3.0), mode="linear", axes=[2, 3]),
    one("Resize", IMAGE, [None, None, ints(2, 4, 5, 9)], 19, mode="linear"),
    one("Resize", IMAGE, [None, None, ints(5, 9)], 19, axes=[2, 3]),
    one("Resize", (4, 7), [None, np.array([1, 1, 2.5], np.float32)], 19, mode="linear"),
    one("Resize", IMAGE, [np.array([1, 1, 2, 3], np.float32)], 10, mode="linear"),
    one("Upsample", IMAGE, [np.array([1, 1, 2, 3], np.float32)], 9, mode="linear"),
    one("Upsample", IMAGE, [np.array([1, 1, 2, 3], np.float32)], 9, mode="nearest"),
    one("Upsample", IMAGE, version=7, scales=[1.0, 1.0, 2.0, 3.0]),
]


@pytest.mark.parametrize("case", SINGLE, ids=[f"{i}-{case[0]}" for i, case in enumerate(SINGLE)])
def test_an_operator_gives_what_the_reference_gives(read_onnx, case, make_model):
    kind, shape, constants, version, attributes = case
    named = {f"c{i}": np.asarray(each) for i, each in enumerate(constants) if each is not None}
    names = [f"c{i}" if each is not None else "" for i, each in enumerate(constants)]
    nodes = [helper.make_node(kind, ["x", *names], ["y"], **attributes)]
    if kind == "Where":
        nodes = [
            helper.make_node("Greater", ["x", "c1"], ["test"]),
            helper.make_node("Where", ["test", "x", "c0"], ["y"]),
        ]
    model = make_model(nodes, shape, named, version)
    graph = read_onnx(model)
    x = numbers(2, *shape, seed=9)
    want = reference(model, x)
    got = graph.run(x, exact(graph))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", RUNTIME, ids=[f"{i}-{case[0]}" for i, case in enumerate(RUNTIME)])
def test_an_operator_gives_what_onnxruntime_gives(read_onnx, case, make_model):
    """Where onnx's reference lacks the operator, or follows ONNX's text in part only."""
    runtime = pytest.importorskip("onnxruntime")
    kind, shape, constants, version, attributes = case
    named = {f"c{i}": np.asarray(each) for i, each in enumerate(constants) if each is not None}
    names = [f"c{i}" if each is not None else "" for i, each in enumerate(constants)]
    node = helper.make_node(kind, ["x", *names], ["y"], **attributes)
    model = make_model([node], shape, named, version)
    x = numbers(2, *shape, seed=9)
    want = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    got = read_onnx(model).run(x)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_quantised_weights_are_the_numbers_that_they_stand_for(read_onnx, make_model):
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
    read_onnx, kind, direction, make_model
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


def test_a_shape_that_is_computed_follows_the_batch(read_onnx, make_model):
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
    with pytest.raises(SpecError, match="open sizes needs the shape"):
        read_onnx(model)
    assert read_onnx(model, (3, 4)).inputs[0].shape == (None, 3, 4)
    with pytest.raises(SpecError, match="not \\(3, 5\\)"):
        read_onnx(model, (3, 5))
