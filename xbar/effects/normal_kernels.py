"""Kernels of normal numbers, with operations that IEEE 754 defines: the same bits everywhere.

Each loop runs over the counters of a block, so that the compiler makes it vectors. No operation is
reordered or fused.

Shapes: L numbers.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.jit import jit

Words: TypeAlias = NDArray[np.uint32]
Singles: TypeAlias = NDArray[np.float32]

_BLOCK = 256  # counters
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW, _UPPER = np.uint64(0xFFFFFFFF), np.uint64(32)

_f: Any = np.float32
_ROOT_HALF = np.int32(0x3F3504F3)  # the bits of sqrt(1/2) in float32
_FRACTION = np.int32(0x7FFFFF)
_HALF, _ONE, _TWO = _f(0.5), _f(1.0), _f(2.0)
_LN2 = _f(np.log(2.0))
_UNIT = _f(2.0**-32)
_ANGLE = _f(np.pi / 2 * 2.0**-30)
_LOG = tuple(_f(1 / odd) for odd in (3, 5, 7))
_SINE = tuple(_f(1 / each) for each in (-6, 120, -5040, 362880))
_COSINE = tuple(_f(1 / each) for each in (-2, 24, -720, 40320))


@jit
def normals(key: NDArray[np.uint64], first: np.uint64, out: Singles) -> int:
    """Write standard normal numbers (L,); returns the counters used.

    Args:
        key: the two words of the key, and the upper two of all counters.
        first: lower two words of the first counter.
        out: (L,) result. 256 counters give 1,024 numbers, first the first of each, then the second.
    """
    words = np.empty((4, _BLOCK), np.uint32)
    found, scratch = np.empty((4, _BLOCK), np.float32), np.empty(_BLOCK, np.float32)
    keys = np.empty((10, 2), np.uint64)
    for turn in range(10):
        keys[turn, 0] = (key[0] + np.uint64(turn) * _WEYL[0]) & _LOW
        keys[turn, 1] = (key[1] + np.uint64(turn) * _WEYL[1]) & _LOW
    used, at = 0, 0
    while at < len(out):
        n = min(_BLOCK, (len(out) - at + 3) // 4)
        counter = first + np.uint64(used)
        four = words[0, :n], words[1, :n], words[2, :n], words[3, :n]
        _philox(keys, key[2:], counter, four)
        for pair in range(0, 4, 2):
            _box_muller(
                words[pair, :n], words[pair + 1, :n], found[pair, :n], found[pair + 1, :n],
                scratch[:n],
            )  # fmt: skip
        for word in range(4):
            left = min(n, len(out) - at)
            out[at : at + left] = found[word, :left]
            at += left
        used += n
    return used


@jit
def _philox(
    keys: NDArray[np.uint64],
    upper: NDArray[np.uint64],
    first: np.uint64,
    out: tuple[Words, Words, Words, Words],
) -> None:
    """Words (n,) of n counters in a row, four of each, for keys (10, 2) of the rounds."""
    w0, w1, w2, w3 = out
    upper_0, upper_1 = upper[0], upper[1]
    for i in range(len(w0)):
        counter = first + np.uint64(i)
        c0, c1, c2, c3 = counter & _LOW, counter >> _UPPER, upper_0, upper_1
        for turn in range(10):
            even, odd = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
            c0, c1 = (odd >> _UPPER) ^ c1 ^ keys[turn, 0], odd & _LOW
            c2, c3 = (even >> _UPPER) ^ c3 ^ keys[turn, 1], even & _LOW
        w0[i], w1[i], w2[i], w3[i] = np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@jit
def _box_muller(radius: Words, turn: Words, first: Singles, second: Singles, x: Singles) -> None:
    """Two normal numbers from each pair of words (n,); ``x`` (n,) is scratch.

    sqrt(-2 ln u) times cosine and sine of an angle in the first quadrant, with two random signs.
    The angle is pi/4 + t: cosine (cos t - sin t) / sqrt 2, sine (cos t + sin t) / sqrt 2.
    """
    n, bits = len(x), x.view(np.int32)
    for i in range(n):
        x[i] = (_f(radius[i]) + _HALF) * _UNIT
    for i in range(n):  # x = m 2^k with m from sqrt(1/2) to sqrt 2
        above = bits[i] - _ROOT_HALF
        first[i] = _f(above >> np.int32(23))
        bits[i] = (above & _FRACTION) + _ROOT_HALF
    for i in range(n):
        s = (x[i] - _ONE) / (x[i] + _ONE)
        q = s * s
        log = _TWO * s * (_ONE + q * (_LOG[0] + q * (_LOG[1] + q * _LOG[2])))
        r = np.sqrt(max(-(first[i] * _LN2 + log), _f(0.0)))
        t = _f(np.int32(turn[i]) >> np.int32(2)) * _ANGLE
        q = t * t
        sine = _SINE[0] + q * (_SINE[1] + q * (_SINE[2] + q * _SINE[3]))
        cosine = _COSINE[0] + q * (_COSINE[1] + q * (_COSINE[2] + q * _COSINE[3]))
        sine, cosine = t + t * q * sine, _ONE + q * cosine
        first[i] = _f(np.int32(turn[i] & np.uint32(1)) * 2 - 1) * (r * (cosine - sine))
        second[i] = _f(np.int32(turn[i] & np.uint32(2)) - 1) * (r * (cosine + sine))
