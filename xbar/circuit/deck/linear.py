"""Values that are linear in voltages and currents of the circuit.

A formula of a controlled source is computed with these in place of numbers; an operation that is
not linear has no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

By: TypeAlias = tuple[str, ...]
Value: TypeAlias = Union[float, "Linear"]


class DrawError(ValueError):
    """A random draw has no definite value."""


NOT_LINEAR = "it is not linear in voltages and currents; only linear sources are understood"


@dataclass(frozen=True, eq=False)
class Linear:
    """A constant plus gains times quantities.

    Attributes:
        constant: part that depends on nothing.
        gains: gain by quantity: two nodes for a voltage, one element for a current.
    """

    constant: float
    gains: Mapping[By, float]

    def __add__(self, other: Value) -> Value:
        if not isinstance(other, Linear):
            return Linear(self.constant + other, self.gains)
        gains = dict(self.gains)
        for by, gain in other.gains.items():
            gains[by] = gains.get(by, 0.0) + gain
        return _plain(Linear(self.constant + other.constant, gains))

    __radd__ = __add__

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Value) -> Value:
        return self + (-other)

    def __rsub__(self, other: Value) -> Value:
        return (-self) + other

    def __mul__(self, other: Value) -> Value:
        if isinstance(other, Linear):
            raise ValueError(NOT_LINEAR)
        return _plain(
            Linear(self.constant * other, {by: gain * other for by, gain in self.gains.items()})
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Value) -> Value:
        if isinstance(other, Linear):
            raise ValueError(NOT_LINEAR)
        return _plain(
            Linear(self.constant / other, {by: gain / other for by, gain in self.gains.items()})
        )

    def __rtruediv__(self, other: Value) -> Value:
        raise ValueError(NOT_LINEAR)


def number(value: Value) -> float:
    """A value that must be a number.

    Raises:
        ValueError: it depends on the circuit.
    """
    if isinstance(value, Linear):
        raise ValueError(NOT_LINEAR)
    return value


def _plain(value: Linear) -> Value:
    gains = {by: gain for by, gain in value.gains.items() if gain != 0}
    return Linear(value.constant, gains) if gains else value.constant
