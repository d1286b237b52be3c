"""Rounding of what is computed by way of a linear solver, so that a program has the same bytes.

BLAS libraries add in orders of their own: a solution differs in its last bits between processors,
by about 1e-15 of the largest current, and what is left of a difference of two by up to 1e-12 of
itself. A scale may be any number near the best one, at which the error is flat, and residuals are
reported with a few digits. Rounded to 1e-7 of themselves, all of them are the same everywhere but
for one value in some hundred thousand: those within 1e-12 of a rounding boundary.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats

BITS = 23
"""Bits of a rounded number: a relative step of at most 2.4e-7."""


def rounded(values: Floats | float) -> Floats:
    """Values (...) rounded to ``BITS`` significant bits, ties to even; exact in every step.

    >>> rounded([1.0, 1.0 + 2.0**-30, 0.0, -3.0])
    array([ 1.,  1.,  0., -3.])
    """
    fraction, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    return np.asarray(np.ldexp(np.rint(np.ldexp(fraction, BITS)), exponent - BITS))
