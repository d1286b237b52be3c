"""Compiled, bit-exact versions of ``draw.py``'s formulas, for chips of millions of resistors.

Each runs in chunks that fit in the L1 cache, a few operations over the whole chunk at a time so
that the compiler vectorises. No operation is reordered or fused: results equal those of numpy.

Shapes: L numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from xbar.hardware.as241 import CENTRE, LN2_HIGH, LN2_LOW, MIDDLE, TAIL
from xbar.hardware.switch import SWITCH_FLOOR
from xbar.jit import Floats, inlined, jit

_BLOCK = 1024
_CENTRE_TOP, _CENTRE_BOTTOM = (np.array(row) for row in CENTRE)
_MIDDLE_TOP, _MIDDLE_BOTTOM = (np.array(row) for row in MIDDLE)
_TAIL_TOP, _TAIL_BOTTOM = (np.array(row) for row in TAIL)
_INVERSE_LN2 = 1.0 / (LN2_HIGH + LN2_LOW)
_SQRT_HALF = float(np.sqrt(0.5))
_MULTIPLIERS = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
_WEYL = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
_FRACTION = (1 << 52) - 1  # the bits of a double's fraction
_HALF = 1022 << 52  # the exponent of a double in [1/2, 1)


def _multiply(typing: Any, a: Any, b: Any) -> Any:
    """The upper and the lower 64 bits of a product of unsigned integers, as LLVM's instructions."""
    del typing, a, b

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(each, wide) for each in arguments))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), narrow)
        both = upper, builder.trunc(product, narrow)
        return context.make_tuple(builder, signature.return_type, both)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), emit


_product: Any = intrinsic(_multiply)


@jit
def philox(key: tuple[np.uint64, np.uint64], tile: np.uint64, first: int, out: Floats) -> None:
    """Numbers (L,) from U(0, 1): Philox-4x64-10 under the key (seed, stream).

    Block b of four numbers is that of the counter (b + 1, tile, 0, 0); ``first`` is that of the
    first block. J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    left = len(out)
    for block in range((left + 3) // 4):
        c0, c1, c2, c3 = np.uint64(first + block + 1), tile, np.uint64(0), np.uint64(0)
        k0, k1 = key
        for _ in range(10):
            high_0, low_0 = _product(_MULTIPLIERS[0], c0)
            high_1, low_1 = _product(_MULTIPLIERS[1], c2)
            c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
            k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
        at = 4 * block
        if at + 3 < left:
            out[at], out[at + 1] = _uniform(c0), _uniform(c1)
            out[at + 2], out[at + 3] = _uniform(c2), _uniform(c3)
        else:
            out[at] = _uniform(c0)
            if at + 1 < left:
                out[at + 1] = _uniform(c1)
            if at + 2 < left:
                out[at + 2] = _uniform(c2)


@jit
def _uniform(raw: np.uint64) -> float:
    """The midpoint of one of 2^52 equal intervals of (0, 1)."""
    return (np.float64(np.int64(raw >> np.uint64(12))) + 0.5) * 2.0**-52


@jit
def uniform(raw: NDArray[np.uint64], out: Floats) -> None:
    """Numbers (L,) from U(0, 1) from 64 random bits each (L,)."""
    for i in range(len(raw)):
        out[i] = _uniform(raw[i])


@jit
def normal(u: Floats, out: Floats) -> None:
    """Standard normal quantiles (L,) of u (L,) in (0, 1)."""
    far, scratch, which = np.empty(_BLOCK), np.empty((2, _BLOCK)), np.empty(_BLOCK, np.int64)
    for start in range(0, len(u), _BLOCK):
        n = min(_BLOCK, len(u) - start)
        part, result = u[start : start + n], out[start : start + n]
        count = 0
        for i in range(n):  # first, as ``out`` may be ``u``
            which[count] = i
            count += abs(part[i] - 0.5) > 0.425
        for j in range(count):
            p = part[which[j]]
            far[j] = p if p < 0.5 else 0.5 - (p - 0.5)
            which[j] = which[j] if p < 0.5 else -1 - which[j]
        for i in range(n):
            q = part[i] - 0.5
            result[i] = q * _ratio(_CENTRE_TOP, _CENTRE_BOTTOM, 0.180625 - q * q)
        _far(far[:count], scratch[0, :count], scratch[1, :count])
        for j in range(count):
            i = which[j]
            if i >= 0:
                result[i] = -far[j]
            else:
                result[-1 - i] = far[j]


@inlined
def _ratio(above: Floats, below: Floats, x: float) -> np.float64:
    """The ratio of two polynomials of seventh degree at x."""
    top, bottom = above[0], below[0]
    for c in range(1, 8):
        top = top * x + above[c]
        bottom = bottom * x + below[c]
    ratio: np.float64 = top / bottom
    return ratio


@jit
def _far(tail: Floats, r: Floats, scratch: Floats) -> None:
    """Replace tail probabilities below 0.075 by the quantiles' absolute values."""
    _log(tail, r, scratch)
    beyond = 0
    for i in range(len(tail)):
        r[i] = np.sqrt(-tail[i])
        beyond += r[i] > 5.0
        tail[i] = _ratio(_MIDDLE_TOP, _MIDDLE_BOTTOM, r[i] - 1.6)
    for i in range(len(tail) if beyond else 0):
        if r[i] > 5.0:
            tail[i] = _ratio(_TAIL_TOP, _TAIL_BOTTOM, r[i] - 5.0)


@jit
def log(x: Floats, out: Floats) -> None:
    """Natural logarithms (L,) of positive normal numbers (L,)."""
    exponent, scratch = np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(x), _BLOCK):
        n = min(_BLOCK, len(x) - start)
        result = out[start : start + n]
        for i in range(n):
            result[i] = x[start + i]
        _log(result, exponent[:n], scratch[:n])


@jit
def _log(x: Floats, exponent: Floats, s: Floats) -> None:
    """Replace positive normal numbers x (n,) by their logarithms; the others are scratch."""
    bits = x.view(np.int64)
    for i in range(len(x)):
        exponent[i] = np.float64((bits[i] >> 52) - 1022)
        bits[i] = (bits[i] & _FRACTION) | _HALF
    for i in range(len(x)):
        low = x[i] < _SQRT_HALF
        exponent[i] = exponent[i] - 1.0 if low else exponent[i]
        fraction = 2.0 * x[i] if low else x[i]
        ratio = (fraction - 1.0) / (fraction + 1.0)
        series, square = 0.0, ratio * ratio
        for odd in range(25, 9, -2):  # atanh(s) / s, in two parts
            series = series * square + 1.0 / odd
        s[i], x[i] = ratio, series
    for i in range(len(x)):
        series, square = x[i], s[i] * s[i]
        for odd in range(9, 0, -2):
            series = series * square + 1.0 / odd
        x[i] = exponent[i] * LN2_HIGH + (2.0 * s[i] * series + exponent[i] * LN2_LOW)


@jit
def exp_scaled(z: Floats, sigma: float, out: Floats) -> None:
    """exp(sigma z) of numbers z (L,), for |sigma z| < 700."""
    rest, series, power = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    bits = power.view(np.int64)
    for start in range(0, len(z), _BLOCK):
        n = min(_BLOCK, len(z) - start)
        part, result = z[start : start + n], out[start : start + n]
        for i in range(n):
            x = sigma * part[i]
            k = np.rint(x * _INVERSE_LN2)
            rest[i] = (x - k * LN2_HIGH) - k * LN2_LOW
            bits[i] = (np.int64(k) + 1023) << 52
            series[i] = 1.0
        for c in range(15, 0, -1):
            for i in range(n):
                series[i] = series[i] * rest[i] / c + 1.0
        for i in range(n):
            result[i] = series[i] * power[i]


@jit
def lognormal(u: Floats, nominal: Floats, sigma: Floats, out: Floats) -> None:
    """Conductances (L,) of resistors with a lognormal spread, siemens; ``out`` may be ``u``.

    Args:
        u: (L,) numbers in (0, 1), for K resistors in turn.
        nominal: (K,) siemens.
        sigma: (K,) standard deviations of the logarithm.
        out: (L,) result.
    """
    k = len(nominal)
    turns = max(_BLOCK // k, 1)
    most = turns * k
    scale, spread, z = np.empty(most), np.empty(most), np.empty(most)
    for i in range(most):
        scale[i], spread[i] = nominal[i % k], sigma[i % k]
    for start in range(0, len(u), most):
        n = min(most, len(u) - start)
        result = out[start : start + n]
        normal(u[start : start + n], z[:n])
        for i in range(n):
            z[i] = spread[i] * z[i]
        exp_scaled(z[:n], 1.0, result)
        for i in range(n):
            result[i] = scale[i] * result[i]


@jit
def branches(ohms: Floats, threshold: Floats, law: Floats, out: Floats) -> None:
    """Conductances (L, K) of branches, siemens: ``Bank.conductance`` in the same operations.

    Args:
        ohms: (L, K) resistances in ohms.
        threshold: (L, K) deviations of the switches' thresholds in volts.
        law: (7, K) ohms in series, ohms of the switch, its slope, bend, cubic and
            share_slope, and its share of the nominal branch.
        out: (L, K) result.
    """
    series, ron, slope, bend, cubic = law[0], law[1], law[2], law[3], law[4]
    change, share = law[5], law[6]
    for i in range(len(ohms)):
        for k in range(ohms.shape[1]):
            shift = threshold[i, k]
            factor = 1.0 + shift * (slope[k] + shift * (bend[k] + shift * cubic[k]))
            switch, rest = ron[k] / max(factor, SWITCH_FLOOR), ohms[i, k] + series[k]
            if change[k] != 0.0:
                switch *= 1.0 + change[k] * (switch / (rest + switch) / share[k] - 1.0)
            out[i, k] = 1.0 / (rest + switch)
