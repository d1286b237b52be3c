"""ONNX operators one by one, against its reference evaluator and ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
helper = onnx.helper


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def one(kind, shape=(3, 4), constants=(), version=20, **attributes):
    """A case of one operator: constants are its further inputs, None one that is left out."""
    return (kind, shape, constants, version, attributes)


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
def test_an_operator_gives_what_the_reference_gives(reference, exact, read_onnx, case, make_model):
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
