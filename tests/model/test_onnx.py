"""ONNX models, against onnx's own reference evaluator."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import warnings

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError, ToolError, UntrustedFileError, XbarError
from xbar.model.graph import Graph
from xbar.model.onnx import file as onnx_file
from xbar.model.read import from_module, read_model

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


def make_model(nodes, shape, constants=None, version=20, dtype=FLOAT):
    """A model of these nodes from "x" (N, *shape) to "y"."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", dtype, ["N", *shape])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)


@pytest.fixture
def read(tmp_path):
    """Write a model and read it."""

    def function(model, shape=None):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return read_model(path, shape)

    return function


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

    def forward(self, x):  # noqa: D102
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.block(x))[:, 0])


NAMES = ["cross attention", "depthwise", "lenet", "mlp", "recurrent", "residual", "sequence"]
CASES = [(name, "dynamo") for name in ["encoder", "vision", *NAMES]]
CASES += [(name, "torchscript") for name in ["shared", "volume", *NAMES]]


@pytest.mark.parametrize(("name", "exporter"), CASES)
def test_an_exported_network_gives_what_the_reference_gives(read, export, make_net, name, exporter):
    if exporter == "dynamo":
        pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    module, shape = (Vision().eval(), (1, 12, 12)) if name == "vision" else make_net(name)
    model = export(module, shape, exporter)
    graph = read(model)
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


def test_a_transposed_convolution_gives_what_its_module_gives(read, export, make_net):
    """Against PyTorch, because onnx's reference has no groups there."""
    module, shape = make_net("transposed")
    graph = read(export(module, shape, "torchscript"))
    x = numbers(3, *shape)
    want = module(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    assert [layer.kind for layer in graph.layers] == ["conv2d_transposed"] * 2


def test_batch_norms_and_a_shortcut_written_by_hand_are_folded(read):
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
    onnx.checker.check_model(model)
    graph = read(model)
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
    *(one(kind) for kind in "Relu Sigmoid Tanh Softplus Erf Exp Abs Neg Floor Ceil Round".split()),  # noqa: SIM905
    *(one(kind) for kind in "Sign Sin Cos HardSwish Mish HardSigmoid Softsign Softmax".split()),  # noqa: SIM905
    *(one(kind) for kind in "LogSoftmax LeakyRelu Elu Celu Gelu Identity Dropout Flatten".split()),  # noqa: SIM905
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
    *(one(kind, constants=[numbers(4)]) for kind in "Add Sub Mul Div Max Min Sum Mean".split()),  # noqa: SIM905
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
    one("MaxPool", IMAGE, kernel_shape=[2, 2], pads=[0, 0, 1, 1]),
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
    one("Flatten", (3, 4, 2), axis=2),
    one("Flatten", (3, 4, 2), axis=-1),
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
    one("Concat", constants=[numbers(2, 1, 4)], axis=0),
    one("Where", constants=[numbers(3, 4), numbers(4)]),
]


@pytest.mark.parametrize("case", SINGLE, ids=[f"{i}-{case[0]}" for i, case in enumerate(SINGLE)])
def test_an_operator_gives_what_the_reference_gives(read, case):
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
    graph = read(model)
    x = numbers(2, *shape, seed=9)
    want = reference(model, x)
    got = graph.run(x, exact(graph))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_recurrent_operator_is_two_layers_for_each_direction(read, kind, direction):
    """Against PyTorch's equations, through onnxruntime where it is installed."""
    runtime = pytest.importorskip("onnxruntime")
    gates, hidden, ways = (4 if kind == "LSTM" else 3), 3, 1 + (direction == "bidirectional")
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
    graph = read(model)
    x = numbers(2, 5, 4)
    session = runtime.InferenceSession(model.SerializeToString())
    want = session.run(None, {"x": x})[0]
    np.testing.assert_allclose(graph.run(x, exact(graph)), want, atol=1e-5)
    assert [layer.positions for layer in graph.layers] == [5] * 2 * ways


def test_a_shape_that_is_computed_follows_the_batch(read):
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
    graph = read(model)
    for count in (1, 2, 5):
        x = numbers(count, 4)
        np.testing.assert_allclose(graph.run(x), reference(model, x), atol=1e-6)


def test_a_fixed_batch_is_kept_and_a_shape_for_one_input_is_found(read):
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    model = make_model(nodes, (4,), {"s": ints(1, 2, 2)})
    graph = read(model)
    assert graph.batch == 1
    x = numbers(3, 4)
    np.testing.assert_array_equal(graph.run(x), x.reshape(3, 2, 2))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(ints(2, 4, 1), "s"))
    graph = read(model)
    assert graph.batch == 2
    np.testing.assert_array_equal(graph.run(x), x.reshape(3, 4, 1))


def test_open_sizes_of_the_input_need_its_shape(read):
    model = make_model([helper.make_node("Relu", ["x"], ["y"])], ("H", 4))
    with pytest.raises(SpecError, match="open sizes needs the shape"):
        read(model)
    assert read(model, (3, 4)).inputs[0].shape == (None, 3, 4)
    with pytest.raises(SpecError, match="not \\(3, 5\\)"):
        read(model, (3, 5))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Loop", ["x", "", "x"], ["y"]), "operator Loop is not converted"),
        (helper.make_node("FusedMatMul", ["x"], ["y"], domain="com.microsoft"), "of com.microsoft"),
        (helper.make_node("Relu", ["z"], ["y"]), "uses 'z', which no earlier node computes"),
        (helper.make_node("Relu", ["x"], ["z"]), "no node computes its output"),
        (helper.make_node("Relu", [], ["y"]), "input 0 is missing"),
        (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 0]), "can't be applied"),
        (helper.make_node("Transpose", ["x"], ["y"], perm="ab"), "malformed"),
        (helper.make_node("MaxPool", ["x"], ["y"]), "malformed .KeyError: 'kernel_shape'"),
        (helper.make_node("Softmax", ["x"], ["y"], axis=7), "axis 7 is outside"),
        (helper.make_node("Reshape", ["x", "x"], ["y"]), "known beforehand"),
        (helper.make_node("Constant", [], ["y"], value_string="a"), "no value of plain numbers"),
        (helper.make_node("Dropout", ["x", "c", "t"], ["y"]), "exported for training"),
        (helper.make_node("Expand", ["x", "huge"], ["y"]), "too many"),
        (helper.make_node("ConstantOfShape", ["huge"], ["y"]), "too large"),
        (helper.make_node("Tile", ["x", "huge"], ["y"]), "too many"),
        (helper.make_node("Range", ["c", "far", "tiny"], ["y"]), "range"),
        (helper.make_node("Cast", ["x"], ["y"], to=8), "type that is not converted"),
    ],
)
def test_a_model_that_can_not_be_converted_names_its_node(read, node, message):
    constants = {
        "c": np.array(0.5, np.float32), "t": np.array(True), "huge": ints(10**6, 10**6, 10**3),
        "far": np.array(1e30, np.float32), "tiny": np.array(1e-9, np.float32),
    }  # fmt: skip
    with pytest.raises(ModelError, match=message) as refused:
        read(make_model([node], (4,), constants))
    assert "\n" not in str(refused.value)


def test_a_model_of_two_inputs_is_refused(read):
    model = make_model([helper.make_node("Add", ["x", "z"], ["y"])], (4,))
    model.graph.input.append(helper.make_tensor_value_info("z", FLOAT, [4]))
    with pytest.raises(ModelError, match="take one tensor and return one, not 2 and 1"):
        read(model)


def with_external(tmp_path, location, offset=0, length=None):
    """A model whose weight lies in another file, and its path."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = make_model([node], (4,), {"w": numbers(4, 2)})
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    given = {"location": location, "offset": str(offset)}
    given |= {} if length is None else {"length": str(length)}
    for key, value in given.items():
        weight.external_data.add(key=key, value=value)
    path = tmp_path / "model" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_model_are_read(tmp_path):
    path = with_external(tmp_path, "weights.bin", offset=8, length=32)
    (path.parent / "weights.bin").write_bytes(bytes(8) + numbers(4, 2).tobytes())
    np.testing.assert_allclose(read_model(path).layers[0].matrix[0], numbers(4, 2).T)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "a/../../secret", "link", "", "."]
)
def test_weights_outside_the_folder_are_refused_before_anything_is_read(
    tmp_path, location, monkeypatch
):
    (tmp_path / "secret").write_bytes(numbers(4, 2).tobytes())
    path = with_external(tmp_path, location)
    (path.parent / "a").mkdir()
    (path.parent / "link").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(onnx_file.Tensors, "read", lambda *_: pytest.fail("a tensor was read"))
    with pytest.raises(UntrustedFileError, match="outside the model's folder") as refused:
        read_model(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"offset": 40}, "bytes 40 to"),
        ({"offset": -1}, "odd place"),
        ({"length": 10**15}, "which has 32"),
        ({"length": 16}, "needs 32 bytes, the file has 16"),
        ({"location": "gone"}, "is missing"),
    ],
)
def test_weights_that_are_not_where_they_should_be_are_an_error(tmp_path, place, message):
    path = with_external(tmp_path, **({"location": "weights.bin"} | place))
    (path.parent / "weights.bin").write_bytes(numbers(4, 2).tobytes())
    with pytest.raises(FileError, match=message):
        read_model(path)


@pytest.mark.parametrize("dims", [[10**9, 10**9], [-4, -2], [4, 3], []])
@pytest.mark.parametrize("raw", [True, False])
def test_a_weight_of_another_size_than_its_numbers_is_refused(read, dims, raw):
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], (4,), {"w": numbers(4, 2)})
    weight = model.graph.initializer[0]
    del weight.dims[:]
    weight.dims.extend(dims)
    if not raw:
        weight.ClearField("raw_data")
        weight.float_data.extend([1.0] * 8)
    with pytest.raises(FileError, match="'w'"):
        read(model)


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
def test_weights_of_other_precisions_are_read(read, kind):
    weight = numbers(4, 2)
    if kind == "bfloat16":
        tensor = helper.make_tensor("w", onnx.TensorProto.BFLOAT16, (4, 2), weight.ravel())
    else:
        tensor = numpy_helper.from_array(weight.astype(kind), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["v"], to=FLOAT),
        helper.make_node("MatMul", ["x", "v"], ["y"]),
    ]
    model = make_model(nodes, (4,))
    model.graph.initializer.append(tensor)
    x = numbers(2, 4)
    np.testing.assert_allclose(read(model).run(x), x @ weight, atol=0.1)


def test_onnx_cut_or_changed_anywhere_gives_a_network_or_one_line(tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    model = make_model(nodes, (4,), {"w": numbers(3, 4), "b": numbers(3)})
    data, path = model.SerializeToString(), tmp_path / "model.onnx"
    for cut in range(0, len(data), 3):
        path.write_bytes(data[:cut])
        with contextlib.suppress(XbarError):
            read_model(path)
    for cut in range(12, len(data) // 2, 2):
        path.write_bytes(data[:cut])
        with pytest.raises(XbarError) as refused:
            read_model(path)
        assert "\n" not in str(refused.value)
    rng = np.random.default_rng(0)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_model(path)
        except XbarError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_graphs_nested_without_end_are_refused(tmp_path):
    graph = onnx.GraphProto(name="g")
    for _ in range(40):
        outer = onnx.GraphProto(name="g")
        node = outer.node.add(op_type="If", input=["x"], output=["y"])
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g.CopyFrom(graph)
        graph = outer
    model = make_model(graph.node, (4,))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(XbarError):
        read_model(tmp_path / "m.onnx")


def test_functions_of_the_models_own_are_refused_with_the_way_out(read):
    model = make_model([helper.make_node("Mine", ["x"], ["y"], domain="own")], (4,))
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    imports = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "Mine", ["a"], ["b"], inner, imports))
    with pytest.raises(ModelError, match="inline_local_functions"):
        read(model)


def test_without_onnx_the_error_says_how_to_install_it(read, monkeypatch):
    monkeypatch.setattr(onnx_file, "find_spec", lambda _: None)
    model = make_model([helper.make_node("Relu", ["x"], ["y"])], (4,))
    with pytest.raises(ToolError, match=r"pip install xbar\[onnx\]"):
        read(model)


def test_absurdly_many_operations_are_refused(read):
    count = 60_000
    names = ["x", *(f"v{i}" for i in range(count)), "y"]
    pairs = zip(names, names[1:], strict=False)
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in pairs]
    assert math.isfinite(read(make_model(nodes, (2,))).run(numbers(1, 2)).sum())
