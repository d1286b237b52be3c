"""Random cases of quantised and recurrent operators."""

from __future__ import annotations

import numpy as np

from onnx_cases.draw import Case, floats, maybe, same
from onnx_cases.layers import conv, windows


def quantised(rng, version):
    several = version >= 13 and rng.random() < 0.5
    kind = rng.choice([np.uint8, np.int8])
    scale = np.abs(floats(rng, *([4] if several else []))) * 0.02 + 0.01
    zero = rng.integers(0, 20, scale.shape).astype(kind)
    given = {"axis": -1} if several else {}
    if version >= 19:
        given |= maybe(rng, saturate=1)
    if version >= 21:
        given |= maybe(rng, block_size=0, output_dtype=0)
    if version >= 23:
        given |= maybe(rng, precision=0)
    return Case((3, 4), [scale.astype(np.float32), zero], given)


def dequantised(rng, version):
    case = quantised(rng, version)
    case.attributes = {k: v for k, v in case.attributes.items() if k in ("axis", "block_size")}
    if version >= 23:
        case.attributes |= maybe(rng, output_dtype=0)
    case.kind, case.low, case.high = case.constants[1].dtype.type, 0, 100
    return case


def integer_matmul(rng, version):
    b = rng.integers(0, 255, (4, 3)).astype(np.uint8)
    more = [np.uint8(7), np.uint8(130)] if rng.random() < 0.6 else []
    return Case((3, 4), [b, *more], kind=np.uint8, low=0, high=255)


def integer_conv(rng, version):
    case = conv(rng, version)
    case.shape = (4, 6, 7)
    given = windows(rng, 2, (6, 7), version)
    kernel = given["kernel_shape"]
    group = case.attributes.get("group", 1)
    w = rng.integers(0, 255, (4 * group, 4 // group, *kernel)).astype(np.uint8)
    more = [np.uint8(7), np.uint8(130)] if rng.random() < 0.6 else []
    given |= {"group": group} if group > 1 else maybe(rng, group=1)
    return Case((4, 6, 7), [w, *more], given, kind=np.uint8, low=0, high=255)


STEPS = (np.float32(0.03), np.uint8(120))

OUT = (np.float32(2.5), np.uint8(110))


def q_matmul(rng, version):
    b = rng.integers(0, 255, (4, 3)).astype(np.uint8)
    constants = [*STEPS, b, np.float32(0.4), np.uint8(130), *OUT]
    return Case((3, 4), constants, kind=np.uint8, low=0, high=255, tolerance=1e-4)


def q_conv(rng, version):
    case = integer_conv(rng, version)
    w = case.constants[0]
    several = rng.random() < 0.5
    scale = rng.uniform(0.1, 0.4, len(w) if several else ()).astype(np.float32)
    zero = np.full(scale.shape, 128, np.uint8)
    bias = [rng.integers(-900, 900, len(w)).astype(np.int32)] if rng.random() < 0.5 else []
    case.constants = [*STEPS, w, scale, zero, *OUT, *bias]
    case.tolerance = 1e-4
    return case


ACTIVATIONS = (
    "Relu Tanh Sigmoid Affine LeakyRelu ThresholdedRelu ScaledTanh HardSigmoid Elu Softsign "
    "Softplus"
).split()

PARAMETERS = {
    "Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2, "HardSigmoid": 2, "Elu": 1,
}  # fmt: skip


def recurrent(kind):
    gates, count = {"LSTM": (4, 3), "GRU": (3, 2), "RNN": (1, 1)}[kind]

    def generate(rng, version):
        direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
        ways = 1 + (direction == "bidirectional")
        given = {"hidden_size": 3, **maybe(rng, direction=direction)}
        ways = ways if "direction" in given else 1
        if rng.random() < 0.4:
            names = [str(rng.choice(ACTIVATIONS)) for _ in range(count * ways)]
            given["activations"] = names
            alphas = [0.6 for name in names if PARAMETERS.get(name, 0) > 0]
            betas = [0.4 for name in names if PARAMETERS.get(name, 0) > 1]
            given |= {"activation_alpha": alphas} if alphas else {}
            given |= {"activation_beta": betas} if betas else {}
        given |= {"clip": 0.8} if rng.random() < 0.2 else {}
        if kind == "GRU":
            given |= maybe(rng, linear_before_reset=int(rng.integers(2)))
        if kind == "LSTM":
            given |= maybe(rng, input_forget=int(rng.integers(2)))
        if version >= 14:
            given |= maybe(rng, layout=0)
        w, r = floats(rng, ways, gates * 3, 4) / 3, floats(rng, ways, gates * 3, 3) / 3
        b = floats(rng, ways, 2 * gates * 3) if rng.random() < 0.7 else None
        constants = [w, r, b]
        if kind == "LSTM" and rng.random() < 0.3:
            constants += [None, None, None, floats(rng, ways, 9)]
        return Case((5, 4), constants, given, outputs=3 if kind == "LSTM" else 2,
                    take=int(rng.integers(2)), batch=5, tolerance=1e-4)  # fmt: skip

    return generate


PRODUCTS = {
    "QuantizeLinear": quantised,
    "DequantizeLinear": dequantised,
    "DynamicQuantizeLinear": same(shape=(5,), outputs=3),
    "MatMulInteger": integer_matmul,
    "ConvInteger": integer_conv,
    "QLinearMatMul": q_matmul,
    "QLinearConv": q_conv,
    **{kind: recurrent(kind) for kind in "LSTM GRU RNN".split()},
}
"""Generators by operator: (random numbers, version of the set) -> case."""
