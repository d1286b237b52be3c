"""A SIMD vector of doubles for kernels.

A `Lanes` value is LANES doubles that live in vector registers: every operation works on all lanes
at once, so that LANES problems of the same shape are solved in parallel. LLVM maps it onto the
processor's registers (one of AVX-512, two of AVX2, four of NEON). It exists only in kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from xbar.jit import Floats as Floats
from xbar.jit import Ints as Ints
from xbar.jit import jit as jit

Lanes: TypeAlias = Any

LANES = 8

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Lanes")


class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call] # numba has no types


register_model(_LanesType)(_LanesModel)
_LANES = _LanesType()


def _emit(kinds: Callable[..., Any], build: Callable[..., Any], arguments: int) -> Any:
    """A kernel function with this number of arguments, whose instructions ``build`` emits."""

    def emitted(typing: Any, given: tuple[Any, ...]) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return build(context, builder, signature, values)

        return kinds(*given), generate

    if arguments == 1:
        return intrinsic(lambda typing, a: emitted(typing, (a,)))
    if arguments == 2:
        return intrinsic(lambda typing, a, b: emitted(typing, (a, b)))
    return intrinsic(lambda typing, a, b, c: emitted(typing, (a, b, c)))


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), _VECTOR.as_pointer())


def _load(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return builder.load(_address(context, builder, signature, values), align=8)


def _store(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    builder.store(values[2], _address(context, builder, signature, values), align=8)
    return context.get_dummy_value()


def _splat(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    vector = ir.Constant(_VECTOR, ir.Undefined)
    for lane in range(LANES):
        vector = builder.insert_element(vector, values[0], ir.Constant(ir.IntType(32), lane))
    return vector


def _multiply_add(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    product = builder.fmul(values[0], values[1], flags=("contract",))
    return builder.fadd(product, values[2], flags=("contract",))


def _root(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64"), values
    )


#: load(array, index): the LANES doubles of a 1-D array from an index on
load = _emit(lambda a, i: _LANES(a, types.intp), _load, 2)
#: store(array, index, lanes)
store = _emit(lambda a, i, v: types.none(a, types.intp, _LANES), _store, 3)
#: splat(x): x in every lane
splat = _emit(lambda x: _LANES(types.float64), _splat, 1)


def _mix(first: int) -> Callable[..., Any]:
    order = [lane // 2 + first + (lane % 2) * LANES for lane in range(LANES)]
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
    return lambda c, b, s, v: b.shuffle_vector(v[0], v[1], mask)


#: of lanes: square_root(a), add(a, b), subtract(a, b), multiply(a, b), divide(a, b), and
#: multiply_add(a, b, c) = a b + c
square_root = _emit(lambda a: _LANES(_LANES), _root, 1)
add = _emit(lambda a, b: _LANES(_LANES, _LANES), lambda c, b, s, v: b.fadd(*v), 2)
subtract = _emit(lambda a, b: _LANES(_LANES, _LANES), lambda c, b, s, v: b.fsub(*v), 2)
multiply = _emit(lambda a, b: _LANES(_LANES, _LANES), lambda c, b, s, v: b.fmul(*v), 2)
divide = _emit(lambda a, b: _LANES(_LANES, _LANES), lambda c, b, s, v: b.fdiv(*v), 2)
multiply_add = _emit(lambda a, b, c: _LANES(_LANES, _LANES, _LANES), _multiply_add, 3)
#: the first halves, the second halves of a and b: a0 b0 a1 b1 ...
mix_low = _emit(lambda a, b: _LANES(_LANES, _LANES), _mix(0), 2)
mix_high = _emit(lambda a, b: _LANES(_LANES, _LANES), _mix(LANES // 2), 2)


@jit
def turn(source: Floats, at: int, step: int, goal: Floats, to: int, stride: int) -> None:
    """Transpose LANES x LANES doubles: rows ``step`` apart into rows ``stride`` apart."""
    a0, a1 = load(source, at), load(source, at + step)
    a2, a3 = load(source, at + 2 * step), load(source, at + 3 * step)
    a4, a5 = load(source, at + 4 * step), load(source, at + 5 * step)
    a6, a7 = load(source, at + 6 * step), load(source, at + 7 * step)
    for _ in range(3):  # three perfect shuffles
        b0, b1, b2, b3 = mix_low(a0, a4), mix_high(a0, a4), mix_low(a1, a5), mix_high(a1, a5)
        b4, b5, b6, b7 = mix_low(a2, a6), mix_high(a2, a6), mix_low(a3, a7), mix_high(a3, a7)
        a0, a1, a2, a3, a4, a5, a6, a7 = b0, b1, b2, b3, b4, b5, b6, b7
    store(goal, to, a0)
    store(goal, to + stride, a1)
    store(goal, to + 2 * stride, a2)
    store(goal, to + 3 * stride, a3)
    store(goal, to + 4 * stride, a4)
    store(goal, to + 5 * stride, a5)
    store(goal, to + 6 * stride, a6)
    store(goal, to + 7 * stride, a7)


def aligned(size: int) -> Floats:
    """Scratch of so many doubles, not set, in which every LANES of them are one line of cache."""
    whole = np.empty(size + LANES)
    start = -whole.ctypes.data % (8 * LANES) // 8
    return whole[start : start + size]
