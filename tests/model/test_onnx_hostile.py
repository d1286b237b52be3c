"""ONNX models that are hostile, damaged, or of what is not converted: one line, nothing read."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, ToolError, UntrustedFileError, XbarError
from xbar.model import build
from xbar.model.onnx import file as onnx_file
from xbar.model.read import read_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Loop", ["x", "", "x"], ["y"]), "operator Loop is not converted"),
        (helper.make_node("FusedMatMul", ["x"], ["y"], domain="com.microsoft"), "of com.microsoft"),
        (helper.make_node("Relu", ["z"], ["y"]), "uses 'z', which no node computes"),
        (helper.make_node("Relu", ["x"], ["z"]), "no node computes its output"),
        (helper.make_node("Relu", [], ["y"]), "input 0 is missing"),
        (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 0]), "can't be applied"),
        (helper.make_node("Transpose", ["x"], ["y"], perm="ab"), "malformed"),
        (helper.make_node("MaxPool", ["x"], ["y"]), "malformed .KeyError: 'kernel_shape'"),
        (helper.make_node("Softmax", ["x"], ["y"], axis=7), "axis 7 is outside"),
        (helper.make_node("Reshape", ["x", "x"], ["y"]), "needs a constant input"),
        (helper.make_node("Constant", [], ["y"], value_string="a"), "no value of plain numbers"),
        (helper.make_node("Dropout", ["x", "c", "t"], ["y"]), "exported for training"),
        (helper.make_node("Expand", ["c", "huge"], ["y"]), "too many"),
        (helper.make_node("ConstantOfShape", ["huge"], ["y"]), "too many"),
        (helper.make_node("Tile", ["x", "huge"], ["y"]), "too many"),
        (helper.make_node("Range", ["c", "far", "tiny"], ["y"]), "range"),
        (helper.make_node("Cast", ["x"], ["y"], to=8), "type that is not converted"),
        (helper.make_node("Resize", ["x", "", "batch"], ["y"]), "resizes the batch"),
        (helper.make_node("Resize", ["x", "", "nothing"], ["y"]), "an axis of 4 by 0"),
        (helper.make_node("Resize", ["x", "", "endless"], ["y"]), "malformed|an axis of 4 by inf"),
        (helper.make_node("Resize", ["x", "", "far"], ["y"]), "1 sizes or scales for 2 axes"),
        (helper.make_node("Resize", ["x", "", "nothing"], ["y"], antialias=1), "antialias"),
        (helper.make_node("QuantizeLinear", ["x", "c", "c"], ["y"]), "zero point is of type float"),
        (helper.make_node("TopK", ["x", "nothing"], ["y", "z"]), "one number"),
    ],
)
def test_a_model_that_can_not_be_converted_names_its_node(read_onnx, node, message, make_model):
    constants = {
        "c": np.array(0.5, np.float32), "t": np.array(True), "huge": ints(10**6, 10**6, 10**3),
        "far": np.array(1e30, np.float32), "tiny": np.array(1e-9, np.float32),
        "batch": np.array([2, 1], np.float32), "nothing": np.array([1, 0], np.float32),
        "endless": np.array([1, np.inf], np.float32),
    }  # fmt: skip
    with pytest.raises(ModelError, match=message) as refused:
        read_onnx(make_model([node], (4,), constants))
    assert "\n" not in str(refused.value)


def test_what_does_not_fit_is_told_once(read_onnx, make_model, capfd):
    """PyTorch prints a traceback of its own for some operations."""
    node = onnx.helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[9, 9])
    with pytest.raises(ModelError, match="MaxPool"):
        read_onnx(make_model([node], (1, 4, 4)))
    assert capfd.readouterr() == ("", "")


def test_a_model_of_two_inputs_is_refused(read_onnx, make_model):
    model = make_model([helper.make_node("Add", ["x", "z"], ["y"])], (4,))
    model.graph.input.append(helper.make_tensor_value_info("z", FLOAT, [4]))
    with pytest.raises(ModelError, match=r"must take one tensor, not 2 .'x', 'z'.*--bind"):
        read_onnx(model)


def with_external(tmp_path, make_model, location, offset=0, length=None):
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


def test_weights_beside_the_model_are_read(tmp_path, make_model):
    path = with_external(tmp_path, make_model, "weights.bin", offset=8, length=32)
    (path.parent / "weights.bin").write_bytes(bytes(8) + numbers(4, 2).tobytes())
    np.testing.assert_allclose(read_model(path).layers[0].matrix[0], numbers(4, 2).T)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "a/../../secret", "link", "", "."]
)
def test_weights_outside_the_folder_are_refused_before_anything_is_read(
    tmp_path, location, monkeypatch, make_model
):
    (tmp_path / "secret").write_bytes(numbers(4, 2).tobytes())
    path = with_external(tmp_path, make_model, location)
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
        ({"offset": -1}, "invalid offset"),
        ({"length": 10**15}, "which has 32"),
        ({"length": 16}, "needs 32 bytes, the file has 16"),
        ({"location": "gone"}, "is missing"),
        ({"location": 300 * "x"}, "is missing"),
    ],
)
def test_weights_that_are_not_where_they_should_be_are_an_error(
    tmp_path, place, message, make_model
):
    path = with_external(tmp_path, make_model, **({"location": "weights.bin"} | place))
    (path.parent / "weights.bin").write_bytes(numbers(4, 2).tobytes())
    with pytest.raises(FileError, match=message):
        read_model(path)


@pytest.mark.parametrize("dims", [[10**9, 10**9], [-4, -2], [4, 3], []])
@pytest.mark.parametrize("raw", [True, False])
def test_a_weight_of_another_size_than_its_numbers_is_refused(read_onnx, dims, raw, make_model):
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], (4,), {"w": numbers(4, 2)})
    weight = model.graph.initializer[0]
    del weight.dims[:]
    weight.dims.extend(dims)
    if not raw:
        weight.ClearField("raw_data")
        weight.float_data.extend([1.0] * 8)
    with pytest.raises(FileError, match="'w'"):
        read_onnx(model)


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
def test_weights_of_other_precisions_are_read(read_onnx, kind, make_model):
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
    np.testing.assert_allclose(read_onnx(model).run(x), x @ weight, atol=0.1)


def test_onnx_cut_or_changed_anywhere_gives_a_network_or_one_line(tmp_path, make_model):
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
            assert "\n" not in str(error)


def test_graphs_nested_without_end_are_refused(tmp_path, make_model):
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


def test_functions_of_the_models_own_are_refused_with_the_way_out(read_onnx, make_model):
    model = make_model([helper.make_node("Mine", ["x"], ["y"], domain="own")], (4,))
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    imports = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "Mine", ["a"], ["b"], inner, imports))
    with pytest.raises(ModelError, match="inline_local_functions"):
        read_onnx(model)


def test_without_onnx_the_error_says_how_to_install_it(read_onnx, monkeypatch, make_model):
    monkeypatch.setattr(onnx_file, "find_spec", lambda _: None)
    model = make_model([helper.make_node("Relu", ["x"], ["y"])], (4,))
    with pytest.raises(ToolError, match=r"pip install xbar\[onnx\]"):
        read_onnx(model)


def test_absurdly_many_operations_are_refused(read_onnx, monkeypatch, make_model):
    monkeypatch.setattr(build, "MOST_NODES", 2000)
    count = 2500
    names = ["x", *(f"v{i}" for i in range(count)), "y"]
    with pytest.raises(ModelError, match="more than 2000 operations"):
        read_onnx(make_model([helper.make_node("Neg", [a], [b]) for a, b in pairwise(names)], (2,)))
