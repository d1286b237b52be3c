"""Forms of ONNX files: nodes in any order, branches, half precision, other operator sets."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model.read import read_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
node = helper.make_node
MICROSOFT = "com.microsoft"


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def answer(model, x):
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return runtime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


CHAIN = [
    node("MatMul", ["x", "w"], ["a"]),
    node("Relu", ["a"], ["b"]),
    node("Add", ["b", "c"], ["d"]),
    node("Neg", ["d"], ["y"]),
]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_nodes_may_stand_in_any_order(read_onnx, make_model, order):
    constants = {"w": numbers(4, 3), "c": numbers(3)}
    x = numbers(2, 4, seed=1)
    graph = read_onnx(make_model([CHAIN[i] for i in order], (4,), constants))
    want = answer(make_model(CHAIN, (4,), constants), x)
    np.testing.assert_allclose(graph.run(x), want, atol=1e-6)
    assert [layer.matrix.shape for layer in graph.layers] == [(1, 3, 4)]


def test_nodes_that_wait_for_each_other_are_refused(read_onnx, make_model):
    nodes = [node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"]), node("Abs", ["b"], ["y"])]
    with pytest.raises(ModelError, match="waits for its own result: the graph has a circle"):
        read_onnx(make_model(nodes, (3,)))


def test_two_nodes_that_compute_one_value_are_refused(read_onnx, make_model):
    nodes = [node("Neg", ["x"], ["a"]), node("Abs", ["x"], ["a"]), node("Add", ["a", "x"], ["y"])]
    with pytest.raises(ModelError, match="two nodes compute 'a'"):
        read_onnx(make_model(nodes, (3,)))
    with pytest.raises(ModelError, match="two nodes compute 'a', or one a given value"):
        read_onnx(make_model(nodes[1:], (3,), {"a": numbers(3)}))


def branch(name, nodes, constants=()):
    output = helper.make_empty_tensor_value_info(nodes[-1].output[0])
    tensors = [numpy_helper.from_array(array, key) for key, array in dict(constants).items()]
    return helper.make_graph(nodes, name, [], [output], tensors)


@pytest.mark.parametrize("rank", [1, 2])
def test_an_if_on_a_constant_is_the_branch_that_it_takes(read_onnx, make_model, rank):
    """The rank decides; a branch uses values from outside and constants of its own."""
    yes = branch("yes", [node("Mul", ["x", "k"], ["p"])], {"k": np.float32(3)})
    no = branch("no", [node("Add", ["x", "outer"], ["q"])])
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Size", ["s"], ["n"]),
        node("Equal", ["n", "two"], ["test"]),
        node("If", ["test"], ["y"], then_branch=yes, else_branch=no),
    ]
    constants = {"two": np.array(2), "outer": np.float32(0.5)}
    x = numbers(2, *[3] * rank)
    model = make_model(nodes, x.shape[1:], constants)
    np.testing.assert_allclose(read_onnx(model).run(x), answer(model, x), atol=1e-6)


def test_an_if_on_the_input_is_refused(read_onnx, make_model):
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["test"]),
        node(
            "If", ["test"], ["y"], then_branch=branch("a", [node("Neg", ["x"], ["p"])]),
            else_branch=branch("b", [node("Abs", ["x"], ["q"])]),
        ),
    ]  # fmt: skip
    with pytest.raises(ModelError, match="condition is computed from the input"):
        read_onnx(make_model(nodes, (3,), {"zero": np.float32(0)}))


def test_an_if_without_its_branch_is_refused(read_onnx, make_model):
    made = node("If", ["test"], ["y"], else_branch=branch("b", [node("Abs", ["x"], ["q"])]))
    with pytest.raises(ModelError, match="it has no then_branch"):
        read_onnx(make_model([made], (3,), {"test": np.array(True)}))


@pytest.mark.parametrize("ends", [True, False])
def test_half_precision_is_what_onnxruntime_computes(make_model, tmp_path, ends):
    """As onnxruntime's converter writes it: its casts stand behind the nodes that use them."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    constants = {"w": numbers(4, 3), "c": numbers(3)}
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = convert_float_to_float16(make_model(CHAIN, (4,), constants), keep_io_types=ends)
    logging.disable(logging.NOTSET)
    path = tmp_path / "half.onnx"
    path.write_bytes(model.SerializeToString())
    x = numbers(2, 4).astype(np.float32 if ends else np.float16)
    graph, want = read_model(path), answer(model, x)
    np.testing.assert_allclose(graph.run(x), want, atol=4e-3)
    assert [layer.matrix.shape for layer in graph.layers] == [(1, 3, 4)]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("clip", [{}, {"clip": 0.5}])
def test_a_recurrent_operator_with_the_batch_first_is_the_one_with_the_time_first(
    read_onnx, make_model, kind, clip
):
    """Against the other layout, as ONNX Runtime has none of this one."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    constants = {
        "w": numbers(2, gates * 3, 4), "r": numbers(2, gates * 3, 3, seed=1),
        "h": numbers(2, 2, 3, seed=2), "turned": numbers(2, 2, 3, seed=2).transpose(1, 0, 2),
    }  # fmt: skip
    more = {"hidden_size": 3, "direction": "bidirectional", **clip}
    by_batch = [node(kind, ["x", "w", "r", "", "", "turned"], ["y", "last"], layout=1, **more)]
    by_time = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(kind, ["t", "w", "r", "", "", "h"], ["o", "last"], **more),
        node("Transpose", ["o"], ["y"], perm=[2, 0, 1, 3]),
    ]
    x = numbers(2, 5, 4, seed=3)
    models = [make_model(nodes, (5, 4), constants) for nodes in (by_batch, by_time)]
    for model in models:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    got, want = (read_onnx(model).run(x) for model in models)
    assert got.shape == (2, 5, 2, 3)
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_constants_that_are_too_large_to_fold_are_computed(read_onnx, make_model):
    nodes = [
        node("ConstantOfShape", ["size"], ["zeros"]),
        node("Concat", ["whole", "whole"], ["twice"], axis=0),
        node("Cast", ["twice"], ["real"], to=1),
        node("Add", ["zeros", "real"], ["sum"]),
        node("Add", ["x", "sum"], ["y"]),
    ]
    constants = {"size": ints(6000), "whole": np.arange(3000)}
    model = make_model(nodes, (6000,), constants)
    x = numbers(2, 6000)
    np.testing.assert_array_equal(read_onnx(model).run(x), answer(model, x))


STEPS = {"s": np.float32(0.04), "z": np.uint8(120), "t": np.float32(0.05), "u": np.uint8(115)}
QUANTISED = {
    "QLinearAdd": (["q", "s", "z", "q", "s", "z", "t", "u"], {}),
    "QLinearMul": (["q", "s", "z", "q", "s", "z", "t", "u"], {}),
    "QLinearSigmoid": (["q", "s", "z", "t", "u"], {}),
    "QLinearLeakyRelu": (["q", "s", "z", "t", "u"], {"alpha": 0.3}),
    "QLinearSoftmax": (["q", "s", "z", "t", "z0"], {"axis": 1, "opset": 13}),
    "QLinearConcat": (["t", "u", "q", "s", "z", "q", "t", "u"], {"axis": 1}),
    "QLinearGlobalAveragePool": (["q", "s", "z", "t", "u"], {}),
    "QLinearAveragePool": (
        ["q", "s", "z", "t", "u"],
        {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]},
    ),
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_an_operator_of_onnxruntimes_quantiser_gives_what_it_gives(read_onnx, make_model, kind):
    """Up to one step where a value falls between two."""
    inputs, attributes = QUANTISED[kind]
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node(kind, inputs, ["o"], domain=MICROSOFT, **attributes),
        node("DequantizeLinear", ["o", "t", "u"], ["y"]),
    ]
    model = make_model(nodes, (3, 5, 4), {**STEPS, "z0": np.uint8(0)})
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    x = numbers(2, 3, 5, 4)
    got, want = read_onnx(model).run(x), answer(model, x)
    assert got.shape == want.shape
    assert (np.abs(got - want) > 1e-5).mean() < 0.02
    np.testing.assert_allclose(got, want, atol=0.0501)


def test_products_of_steps_to_real_numbers_give_what_onnxruntime_gives(read_onnx, make_model):
    rng = np.random.default_rng(0)
    constants = {
        **STEPS, "w": rng.integers(0, 255, (4, 3)).astype(np.uint8), "b": numbers(3),
        "ws": np.float32(0.02), "wz": np.uint8(128),
    }  # fmt: skip
    x = numbers(2, 5, 4)
    dynamic = [node("DynamicQuantizeMatMul", ["x", "w", "ws", "wz", "b"], ["y"], domain=MICROSOFT)]
    given = ["q", "w", "s", "ws", "z", "wz", "b"]
    static = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("MatMulIntegerToFloat", given, ["y"], domain=MICROSOFT),
    ]
    for nodes in (dynamic, static):
        model = make_model(nodes, (5, 4), constants)
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
        graph = read_onnx(model)
        np.testing.assert_allclose(graph.run(x), answer(model, x), atol=1e-5)
        matrix = (constants["w"].T - 128.0) * 0.02
        np.testing.assert_allclose(graph.layers[0].matrix[0], matrix, rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (node("Gelu", ["x"], ["y"]), "version 17 of the operator set has no such operator"),
        (node("Relu", ["x"], ["y"], alpha=0.3), "attribute 'alpha', which version 17"),
        (node("Add", ["x", "x"], ["y"], axis=1, broadcast=1), "attribute 'axis', which version 17"),
        (node("Pad", ["x", "p"], ["y"], mode="odd"), "its mode is 'odd'"),
        (node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="odd"), "its mode is 'odd'"),
        (node("Gather", ["x", "far"], ["y"], axis=1), "picks element 9 of an axis of 4"),
        (node("Mod", ["x", "x"], ["y"]), "fmod must be 1"),
    ],
)
def test_what_the_specification_does_not_have_is_refused(read_onnx, make_model, made, message):
    constants = {"p": ints(0, 1, 0, 0, 0, 1, 0, 0), "far": ints(9)}
    with pytest.raises(ModelError, match=message):
        read_onnx(make_model([made], (4, 4, 4), constants, version=17))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("BatchNormalization", {}), ("Dropout", {}), ("Dropout", {"is_test": 0})],
)
def test_operators_of_old_sets_in_training_are_refused(read_onnx, make_model, kind, attributes):
    constants = {name: numbers(4) ** 2 for name in "abcd"}
    inputs = ["x", *(constants if kind[0] == "B" else [])]
    model = make_model([node(kind, inputs, ["y"], **attributes)], (4, 3), constants, version=6)
    with pytest.raises(ModelError, match="exported for training"):
        read_onnx(model)
    model.graph.node[0].attribute.append(helper.make_attribute("is_test", 1))
    if not attributes:
        read_onnx(model).run(numbers(2, 4, 3))
