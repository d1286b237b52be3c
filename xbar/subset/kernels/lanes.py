"""Conversion to and from SIMD lanes: scaling, half sums, their subsets and the float64 sum."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from xbar.subset.kernels.vectors import (
    INTEGERS,
    LANES,
    REALS,
    Lanes,
    Value,
    Variable,
    constant,
    emitted,
    loop,
    splat,
    splat_real,
)

_BLOCK = 16
_VALUE_BITS = 59  # as in `xbar.subset.kernels.scale`
_DROPPED = 33  # bits of a key missing in its narrow form


@emitted
def load_problems(
    x: Lanes, bank: Lanes, row: Lanes, target: Lanes, elements: Value, start: Value, to: Value
) -> None:
    """Gather LANES problems: `elements` rows of the bank, then target, limits and flips.

    Rows after the elements: target, sum of the negative and of the positive elements, and the bit
    mask of the negative elements.
    """
    b = x.builder
    problems = [b.add(start, constant(lane)) for lane in range(LANES)]
    places = [b.mul(b.load(row.element(i)), elements) for i in problems]
    below, above = (Variable(b, splat_real(0.0)) for _ in range(2))
    flips, bit = Variable(b, splat(0)), Variable(b, splat(1))
    with loop(b, elements) as e:
        g = bank.gather([b.add(place, e) for place in places])
        x.store(b.add(to, e), g)
        negative = b.fcmp_ordered("<", g, splat_real(0.0))
        below.set(b.fadd(below.get(), b.select(negative, g, splat_real(0.0))))
        above.set(b.fadd(above.get(), b.select(negative, splat_real(0.0), g)))
        flips.set(b.or_(flips.get(), b.select(negative, bit.get(), splat(0))))
        bit.set(b.shl(bit.get(), splat(1)))
    after = b.add(to, elements)
    goal = target.gather(problems)
    x.store_rows(after, constant(1), [goal, below.get(), above.get(), flips.get()])


@emitted
def scale_problems(
    x: Lanes, elements: Value, split: Value, skip: Value, source: Value, keys: Value, goal: Value
) -> None:
    """Write four times the integers of `scale.to_integers` as keys, and the goal of the merge.

    From element `split` on, keys are written `skip` rows further on. Half sums that exceed the
    goal by e have a distance of |4 e - 1|: 1 for an exact match, 3 for one unit above, 5 for one
    below, and always odd.
    """
    b = x.builder
    after = b.add(source, elements)
    target, below, above = (x.load_reals(b.add(after, constant(i))) for i in range(3))
    factors = _scale(x, b.fsub(above, below))
    negative, total = Variable(b, splat(0)), Variable(b, splat(0))
    with loop(b, elements) as e:
        g = x.load_reals(b.add(source, e))
        value = _integer(x, b.call(_function(b, "llvm.fabs"), [g]), factors)
        is_negative = b.fcmp_ordered("<", g, splat_real(0.0))
        negative.set(b.add(negative.get(), b.select(is_negative, value, splat(0))))
        total.set(b.add(total.get(), value))
        place = b.add(e, b.select(b.icmp_signed("<", e, split), constant(0), skip))
        x.store(b.add(keys, place), b.shl(value, splat(2)))
    clipped = b.select(b.fcmp_ordered("<", target, below), below, target)
    clipped = b.select(b.fcmp_ordered(">", clipped, above), above, clipped)
    wanted = b.add(_integer(x, clipped, factors), negative.get())
    wanted = b.select(b.icmp_signed("<", wanted, splat(0)), splat(0), wanted)
    most = total.get()
    wanted = b.select(b.icmp_signed(">", wanted, most), most, wanted)
    x.store(goal, b.add(b.shl(wanted, splat(2)), splat(2 * Lanes.zero + 1 - (1 << 64))))


def _function(builder: ir.IRBuilder, name: str) -> Value:
    kind = ir.FunctionType(REALS, [REALS])
    return cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f64")


def _scale(x: Lanes, span: Value) -> tuple[Value, Value]:
    """Two powers of two whose product scales the span to between 2**58 and 2**59.

    Only denormal spans, whose elements are a few units of 2**-1074, end up lower.
    """
    b = x.builder
    exponent = b.lshr(b.bitcast(span, INTEGERS), splat(52))
    exponent = b.select(b.icmp_signed("<", exponent, splat(1)), splat(1), exponent)
    shift = b.sub(splat(_VALUE_BITS + 1022), exponent)
    first = b.ashr(shift, splat(1))
    halves = (first, b.sub(shift, first))
    bits = (b.shl(b.add(half, splat(1023)), splat(52)) for half in halves)
    one, other = (b.bitcast(half, REALS) for half in bits)
    return one, other


def _integer(x: Lanes, real: Value, factors: tuple[Value, Value]) -> Value:
    b = x.builder
    scaled = b.fmul(b.fmul(real, factors[0]), factors[1])
    return b.fptosi(b.call(_function(b, "llvm.rint"), [scaled]), INTEGERS)


@emitted
def half_sums(x: Lanes, state: Value, target: Value, to: Value) -> None:
    """The two half sums of the closest pair of keys, without the offset of zero."""
    b = x.builder
    distance, low = x.load(b.add(state, constant(1))), x.load(b.add(state, constant(2)))
    high = b.add(low, distance)
    odd = b.icmp_signed("!=", b.and_(low, x.splat(1)), x.splat(0))
    of_list, other = b.select(odd, high, low), b.select(odd, low, high)
    x.store(to, b.sub(of_list, x.splat(x.zero)))
    rest = b.sub(b.sub(x.load(target), other), x.splat(x.zero))
    x.store(b.add(to, constant(1)), rest)


@emitted
def find_sums(
    x: Lanes, low: Value, few: Value, rest: Value, many: Value, margin: Value, to: Value
) -> None:
    """Smallest index j << few | i with row low + i equal to row rest + j; at least 16 low rows.

    In narrow rows the match is within the margin, and row `to + 2` gets the number of matches.
    """
    b = x.builder
    found, near = Variable(b, x.splat(0)), Variable(b, x.splat(0))
    shift, most = _every_lane(x, margin), _every_lane(x, b.add(margin, margin))
    blocks = b.lshr(b.shl(constant(1), few), constant(4))
    rests = b.shl(constant(1), many)
    with loop(b, rests) as back:
        j = b.sub(b.sub(rests, constant(1)), back)
        wanted = b.sub(x.load(b.add(rest, j)), shift)
        with loop(b, blocks) as block_back:
            block = b.sub(b.sub(blocks, constant(1)), block_back)
            first = b.mul(block, constant(_BLOCK))
            index, count = x.splat(-1), x.splat(0)
            for i in reversed(range(_BLOCK)):
                row = x.load(b.add(b.add(low, first), constant(i)))
                if x.narrow:
                    hit = b.icmp_unsigned("<=", b.sub(row, wanted), most)
                    count = b.sub(count, b.sext(hit, x.vector))
                else:
                    hit = b.icmp_signed("==", row, wanted)
                index = b.select(hit, x.splat(i), index)
            code = b.add(_every_lane(x, b.add(b.shl(j, few), first)), index)
            hit = b.icmp_signed(">=", index, x.splat(0))
            found.set(b.select(hit, code, found.get()))
            near.set(b.add(near.get(), count))
    x.store(to, found.get())
    if x.narrow:
        x.store(b.add(to, constant(2)), near.get())


def _every_lane(x: Lanes, value: Value) -> Value:
    vector = ir.Constant(x.vector, ir.Undefined)
    if value.type != x.vector.element:
        value = x.builder.trunc(value, x.vector.element)
    for lane in range(x.vector.count):
        vector = x.builder.insert_element(vector, value, ir.Constant(ir.IntType(32), lane))
    return vector


@emitted
def rescore(x: Lanes, elements: Value, split: Value, source: Value, masks: Value) -> None:
    """Combine the two half masks and add up the chosen elements, in the order of the bank.

    Row `masks` gets the mask of the signed elements, row `masks + 1` the float64 sum.
    """
    b = x.builder
    other = b.add(masks, constant(1))
    joined = b.or_(x.load(masks), b.shl(x.load(other), _every_lane(x, split)))
    joined = b.xor(joined, x.load(b.add(b.add(source, elements), constant(3))))
    x.store(masks, joined)
    rest, total = Variable(b, joined), Variable(b, splat_real(0.0))
    with loop(b, elements) as e:
        chosen = b.icmp_signed("!=", b.and_(rest.get(), splat(1)), splat(0))
        g = x.load_reals(b.add(source, e))
        total.set(b.fadd(total.get(), b.select(chosen, g, splat_real(0.0))))
        rest.set(b.lshr(rest.get(), splat(1)))
    x.store(other, total.get())


@emitted
def store_bytes(chosen: Lanes, at: Value, bits: Value) -> None:
    """Write the lowest eight bits as eight flag bytes."""
    b = chosen.builder
    byte = b.mul(b.and_(bits, constant(0xFF)), constant(0x0101010101010101))
    spread = b.and_(byte, constant(0x8040201008040201 - (1 << 64)))
    flags = b.lshr(b.add(spread, constant(0x7F7F7F7F7F7F7F7F)), constant(7))
    pointer = b.bitcast(chosen.element(at), ir.IntType(64).as_pointer())
    b.store(b.and_(flags, constant(0x0101010101010101)), pointer, align=1)


@emitted
def narrow_keys(x: Lanes, one: Lanes, first: Value, second: Value, to: Value, count: Value) -> None:
    """Rows of 32-bit keys from two groups of LANES problems: twice the values in 28 bits."""
    b = x.builder
    with loop(b, count) as e:
        rows = (one.load(b.add(group, e)) for group in (first, second))
        x.store(b.add(to, e), b.shl(_join(b, [_rounded(b, row) for row in rows]), x.splat(1)))


@emitted
def narrow_goals(x: Lanes, one: Lanes, first: Value, second: Value, to: Value) -> None:
    """A row of goals, converted likewise and made odd."""
    b = x.builder
    offset = splat(2 * Lanes.zero + 1 - (1 << 64))
    rows = (b.sub(one.load(group), offset) for group in (first, second))
    twice = b.shl(_join(b, [_rounded(b, row) for row in rows]), x.splat(1))
    x.store(to, b.or_(twice, x.splat(1)))


def _rounded(b: ir.IRBuilder, keys: Value) -> Value:
    """Round keys (four times values of 59 bits) to 28 bits."""
    half = 1 << (_DROPPED - 1)
    shifted = b.ashr(b.add(keys, splat(half)), splat(_DROPPED))
    return b.trunc(shifted, ir.VectorType(ir.IntType(32), LANES))


def _join(b: ir.IRBuilder, halves: list[Value]) -> Value:
    places = [ir.Constant(ir.IntType(32), i) for i in range(2 * LANES)]
    kind = ir.VectorType(ir.IntType(32), 2 * LANES)
    return b.shuffle_vector(*halves, ir.Constant(kind, places))


@emitted
def widen(x: Lanes, one: Lanes, row: Value, first: Value, second: Value) -> None:
    """Split a row of masks into two rows of LANES."""
    b = x.builder
    numbers = x.load(row)
    for half, to in enumerate((first, second)):
        places = [ir.Constant(ir.IntType(32), half * LANES + i) for i in range(LANES)]
        kind = ir.VectorType(ir.IntType(32), LANES)
        part = b.shuffle_vector(numbers, numbers, ir.Constant(kind, places))
        one.store(to, b.zext(part, INTEGERS))


@emitted
def judge(
    x: Lanes, state: Value, counts: Value, first: Value, second: Value, margin: Value, to: Value
) -> None:
    """1 in the lanes whose result may be beaten in exact arithmetic, else 0.

    Row `state` is that of `network.scan`; rows `counts` and the next have the number of sums of
    each half that are nearly equal to the chosen one, where `first` and `second` count only itself.
    """
    b = x.builder
    best, runner_up = x.load(b.add(state, constant(1))), x.load(b.add(state, constant(3)))
    unsure = b.icmp_signed("<=", b.sub(runner_up, best), _every_lane(x, margin))
    for i, alone in enumerate((first, second)):
        near = x.load(b.add(counts, constant(i)))
        unsure = b.or_(unsure, b.icmp_signed("!=", near, _every_lane(x, alone)))
    x.store(to, b.zext(unsure, x.vector))
