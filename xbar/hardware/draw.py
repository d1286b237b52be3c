"""Random numbers that are the same on every machine, in every order.

The bits come from Philox-4x64 (Salmon et al., SC 2011), a counter-based generator: the numbers of
tile t are a function of (seed, stream, t) alone. They are turned into normal and lognormal numbers
with additions, multiplications, divisions and square roots only, which IEEE 754 rounds alike
everywhere; a library's ``exp`` or ``log`` differs in the last bit from one machine to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN2_HIGH = 6.93147180369123816490e-01  # its low 32 bits are zero, so k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10

# Wichura, Algorithm AS 241 (Applied Statistics 37, 1988), PPND16: relative error about 1e-16.
CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
MIDDLE = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def uniform(seed: int, stream: int, tile: int, shape: tuple[int, ...]) -> Floats:
    """Numbers of U(0, 1), never 0 nor 1, of the given shape: a function of the arguments alone."""
    key = np.array([seed, stream], dtype=np.uint64)
    bits = np.random.Philox(key=key, counter=np.array([0, tile, 0, 0], dtype=np.uint64))
    return from_bits(bits.random_raw(int(np.prod(shape)))).reshape(shape)


def from_bits(raw: NDArray[np.uint64]) -> Floats:
    """Numbers of U(0, 1) from 64 random bits each: the middles of 2^52 equal parts."""
    from xbar.hardware import draw_kernel

    number = np.empty(len(raw))
    draw_kernel.uniform(raw, number)
    return number


def normal(u: Floats) -> Floats:
    """The standard normal quantile of u in (0, 1), elementwise (Wichura's AS 241).

    >>> normal(np.array([0.5, 0.975])).round(6)
    array([0.      , 1.959964])
    """
    q = u - 0.5
    result = np.empty_like(q)
    centre = np.abs(q) <= 0.425
    near = q[centre]
    result[centre] = near * _ratio(CENTRE, 0.180625 - near * near)
    far = q[~centre]
    tail = np.where(far < 0, u[~centre], 0.5 - far)
    r = np.sqrt(-log(tail))
    magnitude = np.where(r <= 5.0, _ratio(MIDDLE, r - 1.6), _ratio(TAIL, r - 5.0))
    result[~centre] = np.where(far < 0, -magnitude, magnitude)
    return result


def log(x: Floats) -> Floats:
    """The natural logarithm of positive numbers, within 2 ulp."""
    fraction, exponent = np.frexp(x)
    low = fraction < np.sqrt(0.5)
    fraction = np.where(low, 2.0 * fraction, fraction)
    k = exponent - low.astype(np.float64)
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for odd in range(25, 0, -2):  # atanh(s) / s
        series = series * square + 1.0 / odd
    result: Floats = k * LN2_HIGH + (2.0 * s * series + k * LN2_LOW)
    return result


def exp(x: Floats) -> Floats:
    """The exponential, within 2 ulp, for |x| < 700."""
    k = np.rint(x * (1.0 / (LN2_HIGH + LN2_LOW)))
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = np.ones_like(r)
    for n in range(15, 0, -1):
        series = series * r / n + 1.0
    return np.ldexp(series, k.astype(np.int64))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    top = np.zeros_like(x)
    bottom = np.zeros_like(x)
    for a, b in zip(*coefficients, strict=True):
        top = top * x + a
        bottom = bottom * x + b
    return top / bottom
