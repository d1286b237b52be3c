"""Random cases of operators that rearrange, pick and write elements."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from onnx_cases.draw import Case, floats, ints, maybe, same, some_shape


def slices(rng, version):
    shape = tuple(int(n) for n in rng.integers(4, 8, 2))
    axes = [int(a) for a in 1 + rng.permutation(2)[: rng.integers(1, 3)]]
    starts = [int(rng.integers(-shape[a - 1] - 2, shape[a - 1])) for a in axes]
    ends = [int(rng.choice([-1, 2, 2**31 - 1, -(2**31), 4])) for _ in axes]
    steps = [int(rng.choice([1, 2, -1, -2])) for _ in axes]
    if version < 10:
        return Case(shape, attributes={"starts": [0 for _ in starts], "ends": [3] * len(ends),
                                       "axes": axes})  # fmt: skip
    axes = [a - 3 if version >= 11 and rng.random() < 0.4 else a for a in axes]
    for i, (start, end, step) in enumerate(zip(starts, ends, steps, strict=True)):
        size = shape[axes[i] - 1 if axes[i] > 0 else axes[i] + 2]
        if not range(size)[start:end:step]:
            starts[i], ends[i], steps[i] = -1, -(2**31), -1
    return Case(shape, [ints(*starts), ints(*ends), ints(*axes), ints(*steps)])


def split(rng, version):
    shape, axis = (6, 4), int(rng.integers(1, 3))
    given = {"axis": axis if version < 11 or rng.random() < 0.5 else axis - 3}
    whole = shape[axis - 1]
    case = Case(shape, attributes=given, outputs=2, take=int(rng.integers(2)))
    choice = rng.random()
    if choice < 0.5:
        sizes = [1, whole - 1]
        if version < 13:
            given["split"] = sizes
        else:
            case.constants = [ints(*sizes)]
    elif version >= 18:
        given["num_outputs"] = 2
    return case


def pad(rng, version):
    shape = (3, int(rng.integers(4, 7)), 5)
    mode = str(rng.choice(["constant", "reflect", "edge", *(["wrap"] if version >= 19 else [])]))
    pads = [
        0,
        *(int(n) for n in rng.integers(0, 3, 3)),
        0,
        *(int(n) for n in rng.integers(0, 3, 3)),
    ]
    if mode == "constant" and rng.random() < 0.3:
        pads[3] = -1
    given = {"mode": mode} if mode != "constant" else maybe(rng, mode=mode)
    if version < 11:
        return Case(shape, attributes={**given, "pads": pads, **maybe(rng, value=1.5)})
    value = [np.float32(1.5)] if rng.random() < 0.5 else []
    case = Case(shape, [ints(*pads), *value], given)
    if version >= 18 and rng.random() < 0.4:
        axes = [2, -1]
        pads = [pads[2], pads[3], pads[6], pads[7]]
        case.constants = [ints(*pads), value[0] if value else None, ints(*axes)]
    return case


def blocks(kind):
    def generate(rng, version):
        given = {"blocksize": 2}
        if kind == "DepthToSpace" and version >= 11:
            given |= maybe(rng, mode=str(rng.choice(["DCR", "CRD"])))
        return Case((8, 2, 4), attributes=given)

    return generate


def top_k(rng, version):
    shape = (4, 5)
    given = maybe(rng, axis=int(rng.choice([1, 2, -1] if version >= 11 else [1, 2])))
    if version >= 11:
        given |= maybe(rng, largest=int(rng.integers(2)), sorted=1)
    case = Case(shape, attributes=given, outputs=2, take=int(rng.integers(2)), ties=True)
    k = int(rng.integers(1, 5))
    if version < 10:
        given["k"] = k
    else:
        case.constants = [ints(k)]
    return case


def gather(rng, version):
    shape = (4, 5, 3)
    axis = int(rng.integers(1, 4))
    low = -shape[axis - 1] if version >= 11 else 0
    size = some_shape(rng, 0, 3)
    index = rng.integers(low, shape[axis - 1], size)
    given = {"axis": axis - 4 if version >= 11 and rng.random() < 0.4 else axis}
    return Case(shape, [np.array(index)], given)


def gather_elements(rng, version):
    axis = int(rng.integers(1, 3))
    index = rng.integers(-4, 4, (2, 3, 4))
    return Case((4, 4), [index], {"axis": axis} if axis == 1 else {"axis": -1}, fixed=True)


def gather_nd(rng, version):
    lead = int(rng.integers(2)) if version >= 12 else 0
    given = {"batch_dims": 1} if lead else (maybe(rng, batch_dims=0) if version >= 12 else {})
    low = -1 if lead else 0
    index = rng.integers(low, 2, (2, 3, int(rng.integers(1, 3))))
    return Case((4, 5), [index], given, fixed=True)


def scatter_elements(rng, version):
    axis = int(rng.integers(1, 3))
    row = np.stack([rng.permutation(4)[:3] for _ in range(8)]).reshape(2, 4, 3)
    index = row if axis == 2 else row.transpose(0, 2, 1)
    how = [] if version < 16 else ["none", "add", "mul", *(["max", "min"] if version >= 18 else [])]
    given = {"axis": axis} | (maybe(rng, reduction=str(rng.choice(how))) if how else {})
    return Case((4, 4), [index.copy(), floats(rng, *index.shape)], given, fixed=True)


def scatter_nd(rng, version):
    index = np.stack([np.zeros(3, int), rng.permutation(4)[:3]], -1)
    given = {} if version < 16 else maybe(rng, reduction=str(rng.choice(["none", "add"])))
    return Case((4, 5), [index, floats(rng, 3, 5)], given, fixed=True)


def one_hot(rng, version):
    shape, depth = (3,), int(rng.integers(3, 6))
    given = maybe(rng, axis=int(rng.choice([1, 2, -1])))
    values = floats(rng, 2)
    return Case(shape, [np.array([depth]), values], given, kind=np.int64, low=-4, high=5)


def shaped(rng, version):
    given = maybe(rng, allowzero=0) if version >= 14 else {}
    return Case((3, 4), [ints(*[(0, -1), (-1, 2, 6), (0, 4, 3)][rng.integers(3)])], given)


def flat(rng, version):
    shape = some_shape(rng, 1, 4)
    axis = int(rng.integers(1, len(shape) + 1))
    axis = axis - len(shape) - 1 if version >= 11 and rng.random() < 0.4 else axis
    return Case(shape, attributes=maybe(rng, axis=axis), fixed=True, rows=True)


def turned(rng, version):
    order = [0, *(int(a) for a in 1 + rng.permutation(3))]
    return Case((2, 3, 4), attributes={"perm": order})


def squeezed(rng, version):
    given = [int(a) for a in rng.choice([1, 3], int(rng.integers(1, 3)), replace=False)]
    given = [a - 4 if version >= 11 and rng.random() < 0.3 else a for a in given]
    if version < 13:
        return Case((1, 4, 1), attributes={"axes": given})
    return Case((1, 4, 1), [ints(*given)])


def unsqueezed(rng, version):
    given = [[1], [1, 3], [2]][rng.integers(3)]
    return Case((3,), [ints(*given)]) if version >= 13 else Case((3,), attributes={"axes": given})


def triangle(rng, version):
    k = [np.array(int(rng.integers(-2, 3)))] if rng.random() < 0.6 else []
    return Case((4, 5), k, maybe(rng, upper=int(rng.integers(2))))


def constant(rng, version):
    forms = [{"value": numpy_helper.from_array(floats(rng, 1, 3))}]
    if version >= 12:
        forms += [{"value_float": 0.3}, {"value_floats": [0.3, 2.0]}]
        forms += [{"value_int": 3}, {"value_ints": [3, 2]}]
    form = forms[rng.integers(len(forms))]
    return Case((3,), attributes=form, static=True, fixed=True)


def filled(rng, version):
    value = numpy_helper.from_array(floats(rng, 1))
    given = maybe(rng, value=value)
    return Case((2,), [ints(2, 3)], given, static=True, fixed=True)


def dropped(rng, version):
    given = maybe(rng, seed=3) if version >= 12 else maybe(rng, ratio=0.3)
    return Case(some_shape(rng), attributes=given)


def swapped(rng, version):
    return Case((4, 3), [ints(4, 4)], {"time_axis": 1, "batch_axis": 0}, fixed=True)


def sized(rng, version):
    given = maybe(rng, start=int(rng.integers(-2, 2)), end=int(rng.integers(2, 5)))
    return Case((3, 4, 5), attributes=given if version >= 15 else {}, fixed=True, rows=True)


def range_of(rng, version):
    numbers = [np.float32(1), np.float32(rng.uniform(2, 9)), np.float32(rng.choice([0.5, 2.0]))]
    return Case((3,), numbers, fixed=True, static=True)


def concat(rng, version):
    more = [floats(rng, 2, 3, int(rng.integers(1, 4))) for _ in range(rng.integers(1, 3))]
    axis = 2 if version < 11 or rng.random() < 0.5 else -1
    return Case((3, 4), more, {"axis": axis}, fixed=True)


def expand(rng, version):
    return Case((1, 4), [ints(*[(1, 3, 1), (3, 4), (1,)][rng.integers(3)])])


def tile(rng, version):
    return Case((3, 4), [ints(1, *(int(n) for n in rng.integers(1, 4, 2)))])


def holes(rng):
    return np.floor(rng.uniform(0, 2, (3, 4))).astype(np.float32)


SHAPES = {
    "Slice": slices,
    "Split": split,
    "Pad": pad,
    **{kind: blocks(kind) for kind in ("DepthToSpace", "SpaceToDepth")},
    "TopK": top_k,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    **dict.fromkeys(("ScatterElements", "Scatter"), scatter_elements),
    "ScatterND": scatter_nd,
    "OneHot": one_hot,
    "ReverseSequence": swapped,
    "Reshape": shaped,
    "Flatten": flat,
    "Transpose": turned,
    "Squeeze": squeezed,
    "Unsqueeze": unsqueezed,
    "Trilu": triangle,
    "Expand": expand,
    "Tile": tile,
    "Dropout": dropped,
    "Concat": concat,
    "Constant": constant,
    "ConstantOfShape": filled,
    "Shape": sized,
    "Size": same(shape=(3, 4), fixed=True, rows=True),
    "NonZero": same(holes, fixed=True, static=True),
    "Range": range_of,
}
"""Generators by operator: (random numbers, version of the set) -> case."""
