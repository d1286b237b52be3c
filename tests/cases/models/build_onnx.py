"""The ONNX cases; the references come from onnxruntime with all fusions off."""

import numpy as np
import onnx
from building import OUT, N, exported, exported_case, f32, onnx_case, reference
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import nn

# --- ONNX operators
onnx_case(
    "depth_to_space_9", [N("DepthToSpace", ["x"], ["y"], blocksize=2)], {}, f32(2, 8, 2, 3), 9
)
onnx_case(
    "depth_to_space_dcr",
    [N("Conv", ["x", "w"], ["c"]), N("DepthToSpace", ["c"], ["y"], blocksize=2, mode="DCR")],
    {"w": f32(12, 3, 1, 1)},
    f32(2, 3, 4, 4),
)
onnx_case(
    "depth_to_space_crd",
    [N("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")],
    {},
    f32(2, 8, 2, 3),
)
onnx_case(
    "mod_fmod",
    [N("Mod", ["x", "b"], ["y"], fmod=1)],
    {"b": np.array([3], "f")},
    np.array([[-4, -1, 1, 4], [-7, 5, -3, 2]], "f"),
)
onnx_case(
    "pad_from_transpose",
    [
        N("Transpose", ["a"], ["b"], perm=[1, 0]),
        N("Reshape", ["b", "s"], ["p"]),
        N("Pad", ["x", "p"], ["y"]),
    ],
    {
        "a": np.array([[0, 0], [0, 0], [1, 2], [1, 0]]).reshape(2, 4).T.reshape(4, 2),
        "s": np.array([-1]),
    },
    f32(2, 1, 3, 3),
)
exported_case("pad_reflect", nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), f32(2, 1, 6, 6))
for op, more in (("MaxPool", {}), ("AveragePool", {"count_include_pad": 1})):
    onnx_case(
        f"{op.lower()}_ceil_uneven",
        [
            N(
                op,
                ["x"],
                ["y"],
                kernel_shape=[2, 2],
                strides=[2, 2],
                pads=[0, 0, 1, 1],
                ceil_mode=1,
                **more,
            )
        ],
        {},
        f32(2, 1, 6, 7),
    )
onnx_case(
    "averagepool_ceil_uneven_mean",
    [
        N(
            "AveragePool",
            ["x"],
            ["a"],
            kernel_shape=[2, 2],
            strides=[2, 2],
            pads=[0, 0, 1, 1],
            ceil_mode=1,
            count_include_pad=1,
        ),
        N("GlobalAveragePool", ["a"], ["y"]),
    ],
    {},
    np.abs(f32(2, 1, 6, 7)),
)
onnx_case(
    "averagepool_same_upper",
    [N("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
    {},
    f32(2, 1, 6, 7),
)
onnx_case("softmax_11", [N("Softmax", ["x"], ["y"], axis=1)], {}, f32(2, 4, 1, 1), 11)
onnx_case(
    "groupnorm_18",
    [N("GroupNormalization", ["x", "a", "b"], ["y"], num_groups=2)],
    {"a": np.ones(2, "f"), "b": np.zeros(2, "f")},
    f32(2, 4, 3, 3),
    18,
)


def recurrent(name, op, gates, **more):
    onnx_case(
        name,
        [
            N("Transpose", ["x"], ["s"], perm=[1, 0, 2]),
            N(op, ["s", "W", "R"], ["", "h"], hidden_size=4, **more),
            N("Squeeze", ["h", "z"], ["y"]),
        ],
        {"W": f32(1, gates * 4, 3), "R": f32(1, gates * 4, 4), "z": np.array([0])},
        f32(2, 5, 3),
    )


recurrent("gru_reset_before", "GRU", 3)
recurrent("lstm_reverse", "LSTM", 4, direction="reverse")
recurrent("rnn_relu", "RNN", 1, activations=["Relu"])
recurrent("gru_reverse_reset_after", "GRU", 3, direction="reverse", linear_before_reset=1)
onnx_case(
    "slice_backwards",
    [N("Slice", ["x", "s", "e", "a", "t"], ["y"])],
    {"s": np.array([-1]), "e": np.array([-99]), "a": np.array([1]), "t": np.array([-1])},
    f32(2, 4, 2),
)
onnx_case(
    "scatter_elements",
    [N("ScatterElements", ["x", "i", "u"], ["y"], axis=1)],
    {"i": np.array([[1], [3]]), "u": np.zeros((2, 1), "f")},
    f32(2, 4),
    batch=2,
)
onnx_case(
    "gather_elements",
    [N("GatherElements", ["x", "i"], ["y"], axis=1)],
    {"i": np.array([[3, 0, 0], [1, 1, 2]])},
    f32(2, 4),
    batch=2,
)
onnx_case(
    "space_to_depth",
    [N("SpaceToDepth", ["x"], ["s"], blocksize=2), N("DepthToSpace", ["s"], ["y"], blocksize=2)],
    {},
    f32(2, 3, 4, 6),
    12,
)
onnx_case(
    "pad_from_concat",
    [
        N("Concat", ["a", "b"], ["c"], axis=0),
        N("Cast", ["c"], ["p"], to=7),
        N("Pad", ["x", "p", "v"], ["y"]),
    ],
    {"a": np.array([0, 0, 1], "i4"), "b": np.array([0, 0, 2], "i4"), "v": np.float32(-1.5)},
    f32(2, 3, 4),
)
onnx_case(
    "averagepool_1d_ceil_uneven",
    [
        N(
            "AveragePool",
            ["x"],
            ["y"],
            kernel_shape=[3],
            strides=[3],
            pads=[0, 2],
            ceil_mode=1,
            count_include_pad=1,
        )
    ],
    {},
    f32(2, 2, 8),
)
onnx_case("softmax_9_default_axis", [N("Softmax", ["x"], ["y"])], {}, f32(2, 3, 1, 4), 9)
onnx_case(
    "gather_elements_last",
    [N("GatherElements", ["x", "i"], ["y"], axis=-1)],
    {"i": np.array([[[0, 2], [1, 1], [2, 0]]])},
    f32(1, 3, 3),
    batch=1,
)
onnx_case(
    "two_outputs",
    [N("MatMul", ["x", "w"], ["a"]), N("Sigmoid", ["a"], ["y"])],
    {"w": f32(8, 4)},
    f32(3, 8),
    outputs=("a", "y"),
    take=1,
)
onnx_case(
    "two_inputs",
    [N("MatMul", ["x", "w"], ["a"]), N("Add", ["a", "h"], ["y"])],
    {"w": f32(8, 4)},
    f32(3, 8),
    inputs={"h": f32(1, 4)},
)

# --- weights that a file computes from constants: they are constants
W = f32(20, 30)
for name, nodes, constants in (
    ("weights_cast_from_half", [N("Cast", ["W"], ["w"], to=1)], {"W": W.astype("f2")}),
    (
        "weights_reshaped",
        [N("Reshape", ["W", "s"], ["w"])],
        {"W": W.ravel(), "s": np.array([20, 30])},
    ),
    ("weights_masked", [N("Mul", ["W", "m"], ["w"])], {"W": W, "m": (W > 0).astype("f")}),
    ("weights_product", [N("MatMul", ["A", "B"], ["w"])], {"A": f32(20, 3), "B": f32(3, 30)}),
    (
        "weights_chosen",
        [N("Where", ["m", "W", "o"], ["w"])],
        {"m": W > 0.3, "W": W, "o": np.float32(0)},
    ),
    (
        "weights_quantised_clipped",
        [
            N("QuantizeLinear", ["W", "s", "z"], ["q"]),
            N("Clip", ["q", "lo", "hi"], ["c"]),
            N("DequantizeLinear", ["c", "s", "z"], ["w"]),
        ],
        {"W": W, "s": np.float32(0.1), "z": np.int8(0), "lo": np.int8(-7), "hi": np.int8(7)},
    ),
):
    onnx_case(name, [*nodes, N("MatMul", ["x", "w"], ["y"])], constants, f32(3, 20))
onnx_case(
    "kernel_divided",
    [N("Div", ["W", "n"], ["w"]), N("Conv", ["x", "w"], ["y"])],
    {"W": f32(5, 2, 3, 3), "n": np.abs(f32(5, 1, 1, 1)) + 1},
    f32(2, 2, 6, 6),
)

# --- quantised by onnxruntime's own tools


class Reader(CalibrationDataReader):
    def __init__(self, x):
        self.rows = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self):
        return next(self.rows, None)


X = f32(16, 16)
exported(OUT / "float.onnx", nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)), X, 17)
for name, more in (
    ("static_default", {}),
    ("static_per_channel", {"per_channel": True}),
    ("static_operators", {"quant_format": QuantFormat.QOperator}),
):
    quantize_static(str(OUT / "float.onnx"), str(OUT / f"{name}.onnx"), Reader(X), **more)
    reference(name, X)
quantize_dynamic(str(OUT / "float.onnx"), str(OUT / "dynamic.onnx"))
reference("dynamic", X)

onnx.save(
    convert_float_to_float16(onnx.load(str(OUT / "float.onnx")), keep_io_types=True),
    str(OUT / "half_float_ends.onnx"),
)
reference("half_float_ends", X)
onnx_case(
    "dequantised_bias",
    [N("DequantizeLinear", ["b", "s", "z"], ["bb"]), N("Add", ["x", "bb"], ["y"])],
    {"b": np.array([1, 2], "i4"), "s": np.array([0.5], "f"), "z": np.array(0, "i4")},
    f32(2, 2),
)
