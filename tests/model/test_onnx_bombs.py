"""Small ONNX files that declare or compute something huge, and damaged ones: one line each."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xbar.errors import FileError, ModelError, XbarError
from xbar.model.read import read_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
node = helper.make_node
FAR = 2**62


def ints(*values):
    return np.array(values, np.int64)


def tensor(*sizes, raw=b""):
    return onnx.TensorProto(name="w", data_type=1, dims=sizes, raw_data=raw)


@pytest.mark.parametrize("sizes", [(FAR,), (2**32, 2**32), (0, FAR), (FAR, 0), (1,) * 100], ids=str)
def test_a_tensor_of_absurd_shape_is_refused_before_memory_is_taken(read_onnx, make_model, sizes):
    model = make_model([node("Add", ["x", "w"], ["y"])], (4,))
    model.graph.initializer.append(tensor(*sizes, raw=b"\0\0\0\0" if max(sizes) == 1 else b""))
    with pytest.raises(FileError, match="shape"):
        read_onnx(model)


@pytest.mark.parametrize("shape", [(FAR,), (2**31, 2**31), (2**29,)])
def test_an_input_of_absurd_shape_is_refused(read_onnx, make_model, shape):
    with pytest.raises(ModelError, match=f"the limit is {2**28}"):
        read_onnx(make_model([node("Relu", ["x"], ["y"])], shape))


def test_an_absurd_batch_is_refused(read_onnx, make_model):
    model = make_model([node("Relu", ["x"], ["y"])], (4,))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**40
    with pytest.raises(ModelError, match=f"the limit is {2**28}"):
        read_onnx(model)


CONSTANTS = {
    "long": ints(2**30),
    "wide": ints(1, 2**30),
    "axes": ints(0, *[1] * 99, 4),
    "pads": ints(0, 0, 0, 2**30),
    "deep": ints(FAR),
    "pair": np.array([0, 1], np.float32),
    "kernel": np.ones((1, 1, 3), np.float32),
}
BOMBS = [
    (node("Expand", ["x", "three"], ["y"]), (4,), f"the limit is {2**28}"),
    (node("Tile", ["x", "wide"], ["y"]), (4,), f"the limit is {2**28}"),
    (node("ConstantOfShape", ["long"], ["y"]), (4,), f"the limit is {2**28}"),
    (node("Reshape", ["x", "axes"], ["y"]), (4,), "the limit is 64"),
    (node("Pad", ["x", "pads"], ["y"]), (4,), f"the limit is {2**28}"),
    (node("Pad", ["x", "pads"], ["y"], mode="edge"), (4,), "pads an axis of 4"),
    (node("OneHot", ["x", "deep", "pair"], ["y"]), (4,), f"from 1 to {2**20} is converted"),
    (node("TopK", ["x", "deep"], ["y", "i"]), (4,), "it takes 4611686018427387904 of 4"),
    (node("Split", ["x"], ["y"], axis=1, num_outputs=2**40), (4,), "into 1099511627776 parts"),
    (node("Conv", ["x", "kernel"], ["y"], pads=[2**40] * 2), (1, 8), "the limit is 65536"),
    (
        node("MaxPool", ["x"], ["y"], kernel_shape=[2**40], pads=[2**39] * 2),
        (1, 8),
        "the limit is 65536",
    ),
    (
        node("ConvTranspose", ["x", "kernel"], ["y"], strides=[2**40]),
        (1, 8),
        f"the limit is {2**28}",
    ),
    (node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 1e9]), (1, 8), "resizes an axis of 8"),
]


@pytest.mark.parametrize(
    ("bomb", "shape", "message"), BOMBS, ids=lambda x: getattr(x, "op_type", "")
)
def test_an_operator_that_makes_something_huge_is_refused_with_the_limit(
    read_onnx, make_model, bomb, shape, message
):
    constants = {**CONSTANTS, "three": ints(1, 2**30, 4)}
    version = 7 if bomb.op_type == "Upsample" else 20
    with pytest.raises(ModelError, match=message) as refused:
        read_onnx(make_model([bomb], shape, constants, version=version))
    assert "\n" not in str(refused.value)


def test_doubling_again_and_again_is_refused(read_onnx, make_model):
    """Of the input, and of a constant."""
    for first in ("x", "c"):
        names = [first, *(f"v{i}" for i in range(60))]
        nodes = [node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
        nodes += [node("ReduceSum", [names[-1]], ["s"]), node("Add", ["x", "s"], ["y"])]
        with pytest.raises(ModelError, match="too many"):
            read_onnx(make_model(nodes, (4,), {"c": np.ones((1, 4), np.float32)}))


def test_too_many_steps_that_are_written_out_are_refused(read_onnx, make_model):
    """A GRU that resets before its product, which ATen has not."""
    constants = {"w": np.ones((1, 6, 3), np.float32), "r": np.ones((1, 6, 2), np.float32)}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("GRU", ["t", "w", "r"], ["", "h"], hidden_size=2),
        node("Transpose", ["h"], ["y"], perm=[1, 0, 2]),
    ]
    with pytest.raises(ModelError, match="its number of steps is 10000000; the limit is 512"):
        read_onnx(make_model(nodes, (10**7, 3), constants))


@pytest.fixture(scope="module")
def sound():
    """The bytes of a model with many kinds of nodes, of which one is a branch."""
    yes = helper.make_graph(
        [node("Neg", ["p"], ["n"])], "b", [], [helper.make_empty_tensor_value_info("n")]
    )
    rng = np.random.default_rng(0)
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1], strides=[2]),
        node("DynamicQuantizeLinear", ["c"], ["q", "s", "z"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Pad", ["d", "pads"], ["p"], mode="reflect"),
        node("If", ["t"], ["i"], then_branch=yes, else_branch=yes),
        node("Flatten", ["i"], ["f"]),
        node("Gemm", ["f", "m"], ["y"], alpha=0.5),
    ]
    constants = {
        "w": rng.normal(size=(2, 1, 3)).astype(np.float32), "pads": ints(0, 0, 1, 0, 0, 1),
        "m": rng.normal(size=(12, 3)).astype(np.float32), "t": np.array(True),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, ["N", 1, 8])],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def test_the_sound_model_is_read(sound, tmp_path):
    (tmp_path / "m.onnx").write_bytes(sound)
    assert len(read_model(tmp_path / "m.onnx").layers) == 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["set", "cut", "add"])
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_changed_file_gives_a_network_or_one_line(sound, tmp_path, changes):
    data = bytearray(sound)
    for place, value, how in changes:
        place %= len(data)
        if how == "set":
            data[place] = value
        elif how == "cut":
            del data[place : place + value % 9]
        else:
            data[place:place] = bytes([value]) * (1 + value % 5)
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with contextlib.suppress(XbarError):
        read_model(path, (1, 8)).run(np.ones((2, 1, 8), np.float32))
