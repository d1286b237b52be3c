"""SIMD instructions for numba kernels: LLVM code generators for rows of LANES numbers.

In a numba loop vectorisation is left to LLVM; sorting networks need vectors to stay in registers
over many steps, so their code is emitted directly. It runs on any processor: LLVM splits vectors
that are wider than the machine's.

    @emitted
    def add(x: Lanes, to: Value, other: Value) -> None:
        x.store(to, x.builder.add(x.load(to), x.load(other)))

makes ``add(array, 3, 4)`` callable from a compiled kernel, where array is int64 or float64 and
row i of it has elements i * LANES to (i + 1) * LANES - 1. If the array is int32 the same code is
emitted for rows of 2 * LANES numbers, which have the same size in bytes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from llvmlite import binding, ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

Value: TypeAlias = Any  # an SSA value of llvmlite, which has no type annotations


def _has_avx512() -> bool:
    """Whether numba's target processor has 512-bit integer minimum instructions."""
    asked: Any = config  # its attributes depend on the environment
    if asked.CPU_FEATURES is not None:
        return "+avx512f" in asked.CPU_FEATURES.split(",")
    return not asked.CPU_NAME and bool(binding.get_host_cpu_features().get("avx512f", False))


WIDE = _has_avx512()
LANES = 8 if WIDE else 4
LOG_ROWS = 4 if WIDE else 3  # a pass keeps 2**LOG_ROWS rows in registers

INTEGER = ir.IntType(64)
INTEGERS = ir.VectorType(INTEGER, LANES)
REALS = ir.VectorType(ir.DoubleType(), LANES)


def constant(value: int) -> Value:
    """A 64-bit integer."""
    return ir.Constant(INTEGER, value)


def splat(value: int) -> Value:
    """The same integer in every lane."""
    return ir.Constant(INTEGERS, [value] * LANES)


def splat_real(value: float) -> Value:
    """The same float64 in every lane."""
    return ir.Constant(REALS, [value] * LANES)


class Lanes:
    """An array in emitted code, accessed in rows of LANES numbers.

    Attributes:
        narrow: whether it contains 32-bit integers.
        zero: representation of a sum of 0: in 64 bits all keys stay positive and are normal
            numbers when read as float64.
        far: value greater than any distance.
        before: initial previous row, further from the first row than any sum.
    """

    narrow = False
    vector = INTEGERS
    zero = 3 << 60
    far = 3 << 60
    before = -(1 << 61)

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any) -> None:
        self.builder = builder
        self.data = context.make_array(kind)(context, builder, array).data

    def _row(self, row: Value, kind: Any) -> Value:
        place = self.builder.mul(row, constant(self.vector.count))
        pointer = self.builder.gep(self.data, [place])
        return self.builder.bitcast(pointer, kind.as_pointer())

    def load(self, row: Value) -> Value:
        """A row of integers."""
        return self.builder.load(self._row(row, self.vector), align=8)

    def store(self, row: Value, vector: Value) -> None:
        """Writes a row of numbers."""
        self.builder.store(vector, self._row(row, vector.type), align=8)

    def load_reals(self, row: Value) -> Value:
        """LANES float64 numbers."""
        return self.builder.load(self._row(row, REALS), align=8)

    def rows(self, first: Value, stride: Value, count: int) -> list[Value]:
        """Indices of `count` rows at a stride."""
        return [self.load(self.at(first, stride, q)) for q in range(count)]

    def store_rows(self, first: Value, stride: Value, vectors: list[Value]) -> None:
        """Writes rows at a stride."""
        for q, vector in enumerate(vectors):
            self.store(self.at(first, stride, q), vector)

    def at(self, first: Value, stride: Value, q: int) -> Value:
        """Index `first + q * stride`."""
        return self.builder.add(first, self.builder.mul(stride, constant(q)))

    def splat(self, value: int) -> Value:
        """The same integer in every lane."""
        return ir.Constant(self.vector, [value] * self.vector.count)

    def ordered(self, u: Value, v: Value) -> tuple[Value, Value]:
        """Minimum and maximum, lane by lane; in 64 bits for non-negative integers.

        Without AVX-512 there is no minimum instruction for 64-bit integers. Non-negative float64
        numbers are ordered like their bit patterns, so integers are compared as float64; no sum in
        this package is small or large enough to be the bit pattern of a denormal or NaN.
        """
        b = self.builder
        if WIDE or self.narrow:
            less = b.icmp_signed("<", u, v)
            return b.select(less, u, v), b.select(less, v, u)
        one, other = b.bitcast(u, REALS), b.bitcast(v, REALS)
        low = b.select(b.fcmp_ordered("<", one, other), one, other)
        high = b.select(b.fcmp_ordered(">", one, other), one, other)
        return b.bitcast(low, INTEGERS), b.bitcast(high, INTEGERS)

    def sort_bitonic(self, rows: list[Value]) -> list[Value]:
        """The last log2(rows) passes of a bitonic sort, all in registers."""
        rows = list(rows)
        step = len(rows) // 2
        while step:
            for i in range(len(rows)):
                if not i & step:
                    rows[i], rows[i + step] = self.ordered(rows[i], rows[i + step])
            step //= 2
        return rows

    def element(self, index: Value) -> Value:
        """A pointer to one element."""
        return self.builder.gep(self.data, [index])

    def gather(self, places: list[Value]) -> Value:
        """One element for each lane."""
        loads = [self.builder.load(self.element(place)) for place in places]
        vector = ir.Constant(ir.VectorType(loads[0].type, LANES), ir.Undefined)
        for lane, number in enumerate(loads):
            vector = self.builder.insert_element(vector, number, ir.Constant(ir.IntType(32), lane))
        return vector


class Narrow(Lanes):
    """Rows of 2 * LANES signed 32-bit integers."""

    narrow = True
    vector = ir.VectorType(ir.IntType(32), 2 * LANES)
    zero = 0
    far = (1 << 31) - 1
    before = -(1 << 30)


class Variable:
    """A mutable vector in a loop; LLVM keeps it in a register."""

    def __init__(self, builder: Any, value: Value) -> None:
        self._builder = builder
        self._place = cgutils.alloca_once_value(builder, value)

    def get(self) -> Value:
        """Current value."""
        return self._builder.load(self._place)

    def set(self, value: Value) -> None:
        """Assign a value."""
        self._builder.store(value, self._place)


@contextmanager
def loop(builder: Any, count: Value) -> Iterator[Value]:
    """Emit a loop; yields its index, from 0."""
    with cgutils.for_range(builder, count) as cycle:
        yield cycle.index


def emitted(emit: Callable[..., None]) -> Callable[..., None]:
    """Make a code generator callable from numba: (arrays..., integers...) -> None."""
    parameters = list(inspect.signature(emit).parameters.values())
    arrays = [parameter.annotation == "Lanes" for parameter in parameters]

    def typed(typing: Any, *given: Any) -> Any:
        pairs = zip(given, arrays, strict=True)
        kinds = [kind if is_array else types.int64 for kind, is_array in pairs]
        signature = types.void(*kinds)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pairs = zip(signature.args, values, arrays, strict=True)
            emit(
                *(
                    _rows_of(k)(context, builder, k, v) if is_array else v
                    for k, v, is_array in pairs
                )
            )
            return context.get_dummy_value()

        return signature, generate

    typed.__name__ = emit.__name__
    typed.__doc__ = emit.__doc__
    # numba inspects the argument names; a function's type declares no __signature__
    context = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    typed.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    made: Callable[..., None] = intrinsic(typed)
    return made


def _rows_of(kind: Any) -> type[Lanes]:
    """Row class for an array of a numba type."""
    return Narrow if kind.dtype == types.int32 else Lanes
