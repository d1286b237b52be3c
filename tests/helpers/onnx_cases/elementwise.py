"""Random cases of element-wise operators and reductions."""

from __future__ import annotations

import numpy as np

from onnx_cases.draw import Case, floats, ints, maybe, same, some_axis, some_shape, uniform

POSITIVE = {"low": 0.1, "high": 4.0}
INSIDE = {"low": -0.95, "high": 0.95}


def unary(low=-3.0, high=3.0, **attributes):
    def generate(rng, _):
        given = {k: round(float(v(rng)), 3) for k, v in maybe(rng, **attributes).items()}
        return Case(some_shape(rng), attributes=given, low=low, high=high)

    return generate


def binary(kind=np.float32, test=False, positive=False):
    """Two operands that broadcast; whole numbers where they are compared."""

    def generate(rng, _):
        shape = some_shape(rng)
        other = tuple(1 if rng.random() < 0.3 else n for n in shape)[rng.integers(len(shape)) :]
        b = rng.uniform(0.2, 3, other)
        b = np.maximum(np.round(b), 1) if test or kind is not np.float32 else b
        low = 0.1 if positive else -3.0
        return Case(shape, [b.astype(kind)], low=low, kind=kind, ties=test)

    return generate


def mod(rng, version):
    case = binary(np.float32 if rng.random() < 0.5 else np.int64)(rng, version)
    fmod = case.kind == np.float32 or rng.random() < 0.5
    case.attributes = {"fmod": int(fmod)} if fmod else maybe(rng, fmod=0)
    case.low, case.high = -9, 9
    return case


def along(rng, version, **more):
    shape = some_shape(rng)
    return Case(shape, attributes={**maybe(rng, axis=some_axis(rng, shape, version)), **more})


def reduce(kind):
    by_input = 13 if kind == "ReduceSum" else 18

    def generate(rng, version):
        shape = some_shape(rng, 2, 4)
        rank = len(shape) + 1
        axes = [int(a) for a in 1 + rng.permutation(rank - 1)[: rng.integers(1, rank)]]
        axes = [a - rank if version >= 11 and rng.random() < 0.3 else a for a in axes]
        attributes = maybe(rng, keepdims=int(rng.integers(2)))
        low = 0.5 if "Log" in kind or kind == "ReduceProd" else -3.0
        case = Case(shape, attributes=attributes, low=low, high=2.0)
        if version >= by_input:
            case.constants = [ints(*axes)]
            if rng.random() < 0.3:
                case.constants, attributes["noop_with_empty_axes"] = [], 1
            else:
                attributes |= maybe(rng, noop_with_empty_axes=int(rng.integers(2)))
        else:
            attributes["axes"] = axes
        return case

    return generate


def arg(rng, version):
    case = along(rng, version)
    case.attributes |= maybe(rng, keepdims=int(rng.integers(2)))
    case.attributes.setdefault("axis", 1)
    if version >= 12:
        case.attributes |= maybe(rng, select_last_index=int(rng.integers(2)))
        case.ties = True
    return case


def lp_norm(rng, version):
    return along(rng, version, **maybe(rng, p=int(rng.integers(1, 3))))


def clip(rng, version):
    bounds = [np.float32(-0.7), np.float32(0.4)]
    kept = [each if rng.random() < 0.6 else None for each in bounds]
    if version < 11:
        given = {k: float(v) for k, v in zip(("min", "max"), kept, strict=True) if v is not None}
        return Case((3, 4), attributes=given)
    return Case((3, 4), kept)


def cast(rng, version):
    to = int(rng.choice([1, 6, 7, 9, 10, 11]))
    more = maybe(rng, saturate=1) if version >= 19 else {}
    return Case(some_shape(rng), attributes={"to": to, **more})


def cast_like(rng, version):
    like = np.zeros(2, rng.choice(["float16", "int32", "float64", "bool"]))
    more = maybe(rng, saturate=1) if version >= 19 else {}
    return Case(some_shape(rng), [like], more)


def cum_sum(rng, version):
    shape = some_shape(rng)
    given = maybe(rng, exclusive=int(rng.integers(2)), reverse=int(rng.integers(2)))
    return Case(shape, [np.array(some_axis(rng, shape))], given)


def where(rng, version):
    return Case((3, 4), [floats(rng, 3, 4), floats(rng, 4)], kind=bool)


def infinite(rng, version):
    """Numbers that become infinite on the way."""
    given = maybe(rng, detect_negative=int(rng.integers(2)), detect_positive=int(rng.integers(2)))
    return Case((6,), attributes=given, times=1e38, low=-9, high=9)


def gelu(rng, _):
    return Case((5,), attributes=maybe(rng, approximate=str(rng.choice(["none", "tanh"]))))


def truths(rng):
    return rng.random(3) < 0.5


def whole(rng):
    return rng.integers(-9, 9, 3)


ELEMENTWISE = {
    **dict.fromkeys(
        "Relu Sigmoid Tanh Softplus Erf Exp Abs Neg Floor Ceil Round Sign Sin Cos HardSwish Mish "
        "Tan Atan Sinh Cosh Asinh IsNaN Softsign Identity".split(),
        unary(),
    ),
    **dict.fromkeys("Log Sqrt Reciprocal".split(), unary(**POSITIVE)),
    **dict.fromkeys("Asin Acos Atanh".split(), unary(**INSIDE)),
    "Acosh": unary(1.1, 4.0),
    "LeakyRelu": unary(alpha=uniform(0.05, 0.5)),
    "Elu": unary(alpha=uniform(0.05, 2)),
    "Celu": unary(alpha=uniform(0.1, 2)),
    "Selu": unary(alpha=uniform(1, 2), gamma=uniform(0.5, 2)),
    "Swish": unary(alpha=uniform(0.5, 2)),
    "ThresholdedRelu": unary(alpha=uniform(0.1, 2)),
    "HardSigmoid": unary(alpha=uniform(0.1, 0.5), beta=uniform(0.1, 0.9)),
    "Shrink": unary(bias=uniform(0, 1), lambd=uniform(0.1, 2)),
    "Gelu": gelu,
    **dict.fromkeys("Add Sub Mul Div Max Min Sum Mean PRelu".split(), binary()),
    "Pow": binary(positive=True),
    **dict.fromkeys("Equal Less LessOrEqual Greater GreaterOrEqual".split(), binary(test=True)),
    **dict.fromkeys("And Or Xor".split(), same(truths, shape=(4, 3), kind=bool)),
    "Not": same(shape=(4,), kind=bool),
    **dict.fromkeys(
        "BitwiseAnd BitwiseOr BitwiseXor".split(),
        same(whole, shape=(4, 3), kind=np.int64, low=-9, high=9),
    ),
    "BitwiseNot": same(shape=(4,), kind=np.int64, low=-9, high=9),
    "Mod": mod,
    **dict.fromkeys("Softmax LogSoftmax Hardmax".split(), along),
    **{
        f"Reduce{kind}": reduce(f"Reduce{kind}")
        for kind in "Mean Sum Max Min L1 L2 SumSquare LogSum LogSumExp Prod".split()
    },
    **dict.fromkeys(("ArgMax", "ArgMin"), arg),
    "LpNormalization": lp_norm,
    "Clip": clip,
    "Cast": cast,
    "CastLike": cast_like,
    "CumSum": cum_sum,
    "IsInf": infinite,
    "Where": where,
}
"""Generators by operator: (random numbers, version of the set) -> case."""
