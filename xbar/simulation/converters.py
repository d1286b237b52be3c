"""DAC and ADC as what they do to a number: 2^bits - 1 levels from -range to +range, clipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.hardware.converter import Converter

Reals = NDArray[np.floating[Any]]

_ROUNDING = 4e-6
"""How far beyond the outermost level, in its own units, float32's rounding may carry a value."""


@dataclass
class ClipCount:
    """Share of conversions that left a converter's range."""

    clipped: int = 0
    conversions: int = 0

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.clipped / self.conversions if self.conversions else 0.0


def quantise(value: Floats, full_scale: Floats | float, bits: int) -> Floats:
    """The nearest level; beyond ``full_scale``, broadcast against value, the outermost one.

    >>> quantise(np.array([0.1, 0.3, -7.0]), 1.0, bits=3)
    array([ 0.        ,  0.33333333, -1.        ])
    """
    top = float(2 ** (bits - 1) - 1)
    code = np.clip(np.rint(value * (top / full_scale)), -top, top)
    result: Floats = code * (full_scale / top)
    return result


def quantise_in_place(
    value: Reals, full_scale: float, top: int, step: float, count: ClipCount
) -> None:
    """Replace values, C-contiguous, by the numbers -top to top of their nearest levels, x step."""
    from xbar.simulation import kernels

    limits = float(top), top * (1 + _ROUNDING)
    count.conversions += value.size
    count.clipped += kernels.quantise_in_place(value.reshape(-1), top / full_scale, limits, step)


def add_codes(
    value: Reals, full_scale: Floats, bits: int, factor: Floats, total: Reals, count: ClipCount
) -> None:
    """Add what an ADC makes of values (N, C) to a total (N, C).

    Args:
        value: what is converted.
        full_scale: (C,) of each column's converter.
        bits: resolution.
        factor: (C,) what a unit of the value counts in the total.
        total: changed in place.
        count: of conversions.
    """
    from xbar.simulation import kernels

    top = float(2 ** (bits - 1) - 1)
    limits = top, top * (1 + _ROUNDING)
    step = factor * (full_scale / top)
    count.conversions += value.size
    count.clipped += kernels.convert(value, top / full_scale, limits, step, total)


def serial_steps(code: Reals, dac: Converter) -> Iterator[tuple[float, Floats]]:
    """What a bit-serial DAC does with codes of -top to top, step by step.

    Yields:
        What a step's full-scale voltage stands for, in codes, and the voltages' share of full
        scale, of the codes' shape. The sum of their products is the code.

    >>> dac = Converter(bits=4, bit_serial=2)
    >>> [(weight, part.tolist()) for weight, part in serial_steps(np.array([-6.0]), dac)]
    [(3.0, [-0.6666666666666666]), (12.0, [-0.3333333333333333])]
    """
    assert dac.bit_serial is not None
    digit, most = dac.bit_serial, 2**dac.bit_serial - 1
    whole = code.astype(np.int64)
    if dac.code == "twos-complement":
        sign, left = None, whole & (2 ** (dac.bits - 1) - 1)
    else:
        sign, left = np.sign(code), np.abs(whole)
    for step in range(-(-(dac.bits - 1) // digit)):
        share = (left & most) / most
        yield float(most * 2 ** (digit * step)), share if sign is None else share * sign
        left = left >> digit
    if dac.code == "twos-complement":
        yield -float(2 ** (dac.bits - 1)), (whole < 0).astype(np.float64)
