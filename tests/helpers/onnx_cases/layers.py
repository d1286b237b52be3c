"""Random cases of operators that multiply, pool, normalise and resample."""

from __future__ import annotations

import numpy as np

from onnx_cases.draw import Case, floats, ints, maybe, same


def windows(rng, dims, size, version, dilated=True):
    kernel = [int(k) for k in rng.integers(1, 4, dims)]
    given = {"kernel_shape": kernel}
    given |= maybe(rng, strides=[int(s) for s in rng.integers(1, 4, dims)])
    if dilated:
        given |= maybe(rng, dilations=[int(s) for s in rng.integers(1, 3, dims)])
    choice = rng.random()
    if choice < 0.5:
        most = [(k - 1) for k in kernel]
        given["pads"] = [int(rng.integers(0, m + 1)) for m in most * 2]
    elif choice < 0.8:
        given["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    return given


def image(rng, channels=4):
    dims = int(rng.integers(1, 4))
    return (channels, *(int(n) for n in rng.integers(6, 9, dims)))


def pool(kind):
    def generate(rng, version):
        shape = image(rng)
        dilated = version >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[kind]
        given = windows(rng, len(shape) - 1, shape[1:], version, dilated)
        if version >= {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[kind]:
            given |= maybe(rng, ceil_mode=int(rng.integers(2)))
        if kind == "AveragePool":
            given |= maybe(rng, count_include_pad=int(rng.integers(2)))
        if kind == "MaxPool" and version >= 8:
            given |= maybe(rng, storage_order=0)
        if kind == "LpPool":
            given |= maybe(rng, p=int(rng.integers(1, 4)))
        return Case(shape, attributes=given)

    return generate


def conv(rng, version):
    group = int(rng.choice([1, 2, 4]))
    shape = image(rng)
    given = windows(rng, len(shape) - 1, shape[1:], version)
    kernel = given["kernel_shape"]
    if rng.random() < 0.5:
        del given["kernel_shape"]
    given |= {"group": group} if group > 1 else maybe(rng, group=1)
    constants = [floats(rng, 4 * group, 4 // group, *kernel), *maybe_bias(rng, 4 * group)]
    return Case(shape, constants, given, tolerance=1e-4)


def maybe_bias(rng, count):
    return [floats(rng, count)] if rng.random() < 0.5 else []


def conv_transpose(rng, version):
    case = conv(rng, version)
    group = case.attributes.get("group", 1)
    kernel = case.constants[0].shape[2:]
    case.constants = [floats(rng, 4, 3, *kernel), *maybe_bias(rng, 3 * group)]
    strides = case.attributes.get("strides", [1] * len(kernel))
    if "pads" in case.attributes:
        case.attributes["pads"] = [int(rng.integers(0, 2)) for _ in kernel * 2]
    if rng.random() < 0.5:
        case.attributes["output_padding"] = [int(rng.integers(0, s)) for s in strides]
    elif rng.random() < 0.4 and "auto_pad" not in case.attributes:
        case.attributes.pop("pads", None)
        case.attributes["output_shape"] = [
            (n - 1) * s + int(rng.integers(0, 2)) for n, s in
            zip(case.shape[1:], strides, strict=True)
        ]  # fmt: skip
    case.tolerance = 1e-4
    return case


def gemm(rng, version):
    turned = int(rng.integers(2))
    given = {"transB": 1} if turned else maybe(rng, transB=0)
    given |= maybe(rng, alpha=0.5, beta=1.5, transA=0)
    w = floats(rng, 5, 4) if turned else floats(rng, 4, 5)
    bias = [(5,), (1, 5), (1,), ()][rng.integers(4)]
    constants = [w] if version >= 11 and rng.random() < 0.3 else [w, floats(rng, *bias)]
    return Case((4,), constants, given)


def norm(kind):
    def generate(rng, version):
        shape = image(rng)
        channels = [np.abs(floats(rng, 4)) + 0.1 for _ in range(4)]
        given = maybe(rng, epsilon=float(np.float32(rng.uniform(1e-3, 0.1))))
        if kind == "BatchNormalization":
            given |= maybe(rng, momentum=0.7)
            if version < 9:
                given |= maybe(rng, spatial=1)
            if version >= 14:
                given |= maybe(rng, training_mode=0)
            return Case(shape, channels, given)
        if kind == "InstanceNormalization":
            return Case(shape, channels[:2], given)
        if kind == "GroupNormalization":
            given["num_groups"] = 2
            return Case(shape, [c[: 2 if version < 21 else 4] for c in channels[:2]], given)
        axis = int(rng.integers(1, len(shape) + 1))
        scale = floats(rng, *shape[axis - 1 :])
        given |= {"axis": axis if rng.random() < 0.5 else axis - len(shape) - 1}
        given |= maybe(rng, stash_type=1)
        bias = [floats(rng, *scale.shape)] if kind[0] == "L" and rng.random() < 0.5 else []
        if rng.random() < 0.2:
            scale, bias = scale[..., :1], []
        return Case(shape, [scale, *bias], given)

    return generate


def lrn(rng, _):
    given = {"size": int(rng.integers(1, 5))} | maybe(rng, alpha=0.3, beta=0.6, bias=1.5)
    return Case((5, 3, 4), attributes=given)


def resize(rng, version):
    shape = (3, int(rng.integers(4, 7)), 5)
    mode = str(rng.choice(["nearest", "linear"]))
    scales = np.array([1, 1, *rng.choice([0.5, 0.6, 1.7, 2.0], 2)], np.float32)
    if version < 11:
        scales[2:] = rng.choice([2, 3], 2)
        return Case(shape, [scales], maybe(rng, mode=mode))
    where = "half_pixel pytorch_half_pixel align_corners asymmetric".split()
    given = maybe(rng, mode=str(rng.choice([mode, "cubic"])), extrapolation_value=0.5)
    given |= maybe(rng, coordinate_transformation_mode=str(rng.choice(where)))
    if given.get("mode") == "cubic":
        given |= maybe(rng, cubic_coeff_a=-0.5, exclude_outside=int(rng.integers(2)))
    rounding = "round_prefer_floor round_prefer_ceil floor ceil".split()
    given |= maybe(rng, nearest_mode=str(rng.choice(rounding)))
    roi = np.zeros(0, np.float32)
    if version >= 18:
        given |= maybe(rng, antialias=0)
        if rng.random() < 0.3:
            return Case(shape, [None, scales[2:]], {**given, "axes": [2, 3]}, tolerance=1e-4)
        if rng.random() < 0.3:
            given |= maybe(rng, keep_aspect_ratio_policy="stretch")
            return Case(shape, [None, None, ints(2, 3, 7, 4)], given, tolerance=1e-4)
    return Case(shape, [roi, scales], given, tolerance=1e-4)


def upsample(rng, version):
    scales = [1.0, 1.0, *(float(s) for s in rng.choice([2, 3], 2))]
    given = maybe(rng, mode=str(rng.choice(["nearest", "linear"])))
    if version < 9:
        return Case((3, 4, 5), attributes={**given, "scales": scales})
    return Case((3, 4, 5), [np.array(scales, np.float32)], given)


def grid_sample(rng, version):
    new = version >= 20
    modes = ["linear", "nearest", "cubic"] if new else ["bilinear", "nearest", "bicubic"]
    given = maybe(rng, mode=str(rng.choice(modes)), align_corners=int(rng.integers(2)))
    given |= maybe(rng, padding_mode=str(rng.choice(["zeros", "border", "reflection"])))
    grid = rng.uniform(-1.2, 1.2, (2, 3, 4, 2)).astype(np.float32)
    return Case((3, 5, 6), [grid], given, tolerance=1e-4, fixed=True)


def einsum(rng, version):
    equations = {"nij,jk->nik": (4, 5), "nij,kj->nki": (3, 4), "n...j,ji->n...i": (4, 4)}
    equation = str(rng.choice([*equations, "aij,jk"]))
    shape = equations.get(equation, (4, 3))
    return Case((2, 4), [floats(rng, *shape)], {"equation": equation})


def global_pool(rng, _):
    return Case(image(rng))


def global_lp(rng, _):
    return Case(image(rng), attributes=maybe(rng, p=int(rng.integers(1, 4))))


def matrix(rng):
    return floats(rng, 4, 5)


LAYERS = {
    **{kind: pool(kind) for kind in "MaxPool AveragePool LpPool".split()},
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), global_pool),
    "GlobalLpPool": global_lp,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": same(matrix, shape=(3, 4)),
    **{
        f"{kind}Normalization": norm(f"{kind}Normalization")
        for kind in "Batch Instance Group Layer RMS".split()
    },
    "LRN": lrn,
    "GridSample": grid_sample,
    "Resize": resize,
    "Upsample": upsample,
    "Einsum": einsum,
}
"""Generators by operator: (random numbers, version of the set) -> case."""
