"""Curve: a number as a function of a device's conductance, in one of the forms that papers print.

    x = conductance / per        value = scale * clip(f(x), low, high)

Evaluated with correctly rounded operations only, so that a device's number is the same on every
machine.
"""

from __future__ import annotations

import math
from itertools import pairwise, zip_longest
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.base import Quantity, Siemens, Spec
from xbar.parallel import writeable

_SMALLEST = 1e-7
"""Least x of a logarithm or a power, and most of a power its inverse."""

_CLEARLY = 1e-9
"""How far beyond its limit a value must be for none to be computed exactly."""

_STEEPEST = 40
"""Largest exponent of a power."""

POLYNOMIAL, SATURATING = 0.0, 1.0
"""Forms of ``Curve.numbers``."""

_FORMS = ("polynomial", "saturating", "logarithm", "power", "table")


class Curve(Spec):
    """One of five forms of a function f of x.

    Attributes:
        polynomial: coefficients c0, c1, ... of c0 + c1 x + c2 x² + ...
        saturating: a and b of a (1 - exp(-x / b)).
        logarithm: a and b of a ln x + b.
        power: a and p of a x^p.
        table: points (x, value), x rising; straight between them, and beyond as at the ends.
        per: conductance at which x is 1, siemens.
        low: least value of f; None for no limit.
        high: largest value of f; None for no limit.
        scale: what a value of 1 stands for, in SI units.

    >>> Curve(polynomial=(1.0, 2.0), per="10 uS", scale=1e-6).of(np.array([20e-6])).round(12)
    array([5.e-06])
    """

    polynomial: tuple[Quantity, ...] = ()
    saturating: tuple[Quantity, Quantity] | None = None
    logarithm: tuple[Quantity, Quantity] | None = None
    power: tuple[Quantity, Quantity] | None = None
    table: tuple[tuple[Quantity, Quantity], ...] = ()
    per: Siemens = Field(default=1.0, gt=0)
    low: Quantity | None = None
    high: Quantity | None = None
    scale: Quantity = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        given = [name for name in _FORMS if getattr(self, name)]
        if len(given) != 1:
            raise SpecError(f"must have one of {', '.join(_FORMS)}, not {len(given)} of them")
        if self.saturating is not None and not self.saturating[1] > 0:
            raise SpecError(f"saturating must have b above 0, not {self.saturating[1]:g}")
        if self.power is not None and not abs(self.power[1]) <= _STEEPEST:
            raise SpecError(
                f"power must have p from -{_STEEPEST} to {_STEEPEST}, not {self.power[1]:g}"
            )
        at = [x for x, _ in self.table]
        if any(b <= a for a, b in pairwise(at)):
            raise SpecError("table must be points (x, value) with x rising, each x once")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SpecError(f"low must be at most high, {self.high:g}, not {self.low:g}")
        return self

    def of(self, conductance: Floats) -> Floats:
        """Values (...) at conductances (...) in siemens."""
        constant = self._constant(conductance)
        if constant is not None:
            return np.full((1,) * conductance.ndim, constant)
        numbers = self.numbers
        if numbers is None:
            return self._clipped(self._form(conductance / self.per))
        from xbar.hardware import aging_kernel

        flat, result = np.ascontiguousarray(conductance).reshape(-1), np.empty(conductance.size)
        aging_kernel.curve(writeable(flat), numbers, result)
        return result.reshape(conductance.shape)

    @property
    def numbers(self) -> Floats | None:
        """Form, per, scale, low, high and coefficients for the kernels; None for other forms."""
        if not self.polynomial and self.saturating is None:
            return None
        form = POLYNOMIAL if self.polynomial else SATURATING
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return np.array(
            [form, self.per, self.scale, low, high, *(self.polynomial or self.saturating or ())]
        )

    def toward(self, other: Curve, share: float) -> Curve | None:
        """The curve whose coefficients are a share of the way to another's; None if forms differ.

        For polynomials and saturating curves of the same unit, without limits.
        """
        if (self.per, self.scale) != (other.per, other.scale):
            return None
        if any(limit is not None for each in (self, other) for limit in (each.low, each.high)):
            return None
        if self.polynomial and other.polynomial:
            pairs = zip_longest(self.polynomial, other.polynomial, fillvalue=0.0)
            mixed = tuple(a * (1.0 - share) + b * share for a, b in pairs)
            return self.model_copy(update={"polynomial": mixed})
        if self.saturating is not None and other.saturating is not None:
            (a, b), (c, d) = self.saturating, other.saturating
            between = a * (1.0 - share) + c * share, b * (1.0 - share) + d * share
            return self.model_copy(update={"saturating": between})
        return None

    def _constant(self, conductance: Floats) -> float | None:
        """The one value at all these conductances, where that is plain; None if it is not.

        So it is where a rising or falling form is beyond its limit, clearly, at both ends.
        """
        if len(self.polynomial) == 1:
            return float(self._clipped(np.array(self.polynomial))[0])
        form, limits = self.logarithm or self.power, (self.low, self.high)
        if form is None or limits == (None, None) or not conductance.size:
            return None
        ends = float(conductance.min()), float(conductance.max())
        x = [min(max(end / self.per, _SMALLEST), 1.0 / _SMALLEST) for end in ends]
        slope, other = form
        values = [
            slope * math.log(each) + other if self.logarithm else slope * each**other for each in x
        ]
        for limit, sign in zip(limits, (-1.0, 1.0), strict=True):
            if limit is not None and min(sign * (value - limit) for value in values) > _CLEARLY:
                return limit * self.scale
        return None

    def _clipped(self, value: Floats) -> Floats:
        if self.low is not None or self.high is not None:
            low = -np.inf if self.low is None else self.low
            value = np.clip(value, low, np.inf if self.high is None else self.high)
        return value if self.scale == 1.0 else value * self.scale

    def _form(self, x: Floats) -> Floats:
        if self.logarithm is not None:
            a, b = self.logarithm
            return a * log(np.maximum(x, _SMALLEST)) + b
        if self.power is not None:
            a, p = self.power
            return a * exp(log(np.clip(x, _SMALLEST, 1.0 / _SMALLEST)), p)
        at, value = np.array(self.table).T
        return _between(x, at, value)


def constant(value: float) -> Floats:
    """``Curve.numbers`` of a curve that is one value, whatever that is."""
    return np.array([POLYNOMIAL, 1.0, 1.0, -np.inf, np.inf, value])


def _between(x: Floats, at: Floats, value: Floats) -> Floats:
    """Straight lines between points, in operations that are rounded alike everywhere."""
    if len(at) == 1:
        return np.full_like(x, value[0])
    x = np.clip(x, at[0], at[-1])
    left = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
    share = (x - at[left]) / (at[left + 1] - at[left])
    result: Floats = value[left] * (1.0 - share) + value[left + 1] * share
    return result


def exp(x: Floats, factor: float = 1.0) -> Floats:
    """The exponential of factor times numbers (...), of size below 700."""
    from xbar.hardware import draw_kernel

    flat, result = np.ascontiguousarray(x).reshape(-1), np.empty(x.size)
    draw_kernel.exp_scaled(flat, factor, result)
    return result.reshape(x.shape)


def log(x: Floats) -> Floats:
    """The natural logarithm of positive numbers (...)."""
    from xbar.hardware import draw_kernel

    flat, result = np.ascontiguousarray(x).reshape(-1), np.empty(x.size)
    draw_kernel.log(flat, result)
    return result.reshape(x.shape)
