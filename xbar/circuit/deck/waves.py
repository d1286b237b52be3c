"""Functions of time of a source, at time 0.

    PULSE(v1 v2 delay rise fall width period)          SIN(offset amplitude f delay damping phase)
    EXP(v1 v2 delay1 tau1 delay2 tau2)                 PWL(t1 v1 t2 v2 ...)
    SFFM(offset amplitude fc index fs)                 AM(amplitude offset fm fc delay)

As in the manuals of ngspice and HSPICE, section Transient sources. Before its delay a function has
its first value; with a negative delay it has begun.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from xbar.circuit.deck.lines import Statement

FUNCTIONS = frozenset(
    {
        "pulse",
        "pu",
        "sin",
        "sine",
        "pwl",
        "exp",
        "sffm",
        "am",
        "pat",
        "trnoise",
        "trrandom",
        "external",
    }
)


def check(function: str, count: int, statement: Statement) -> None:
    """Refuse a function whose value at time 0 is not known, or that has too few arguments.

    Raises:
        FileError: it is refused.
    """
    if function in ("pat", "trrandom", "external"):
        raise statement.error(
            f"{function} has no definite value at time 0; give the source a DC value"
        )
    if count < 2:
        raise statement.error(f"{function} must have at least two values; for a constant write DC")


def at_zero(function: str, values: Sequence[float], delay: float) -> float:
    """Value of a function at time 0.

    Args:
        function: its name.
        values: two or more arguments.
        delay: delay of a PWL that is given beside them.

    Raises:
        ValueError: arguments that its value depends on are missing.
    """
    if function in ("am", "trnoise"):
        return 0.0
    if function == "pwl":
        return _interpolated(values, -delay)
    if function == "sffm":
        if any(values[5:]):
            raise ValueError("sffm with phases is not understood; give the source a DC value")
        return values[0]
    if function in ("sin", "sine"):
        return _sine(values)
    if len(values) < 3 or values[2] >= 0:
        return values[0]
    if len(values) < (6 if function == "exp" else 7):
        raise ValueError(f"{function} with a negative delay must have all its values")
    return _exponential(values) if function == "exp" else _pulsed(values)


def _sine(values: Sequence[float]) -> float:
    offset, amplitude, frequency, delay, damping, phase = [*values[:6], *[0.0] * (6 - len(values))]
    angle = math.radians(phase)
    if delay >= 0:
        return offset + amplitude * math.sin(angle)
    swing = math.sin(2 * math.pi * frequency * -delay + angle)
    return offset + amplitude * swing * math.exp(damping * delay)


def _exponential(values: Sequence[float]) -> float:
    start, end, rise, rising, fall, falling = values[:6]
    found = start
    for delay, slope, step in ((rise, rising, end - start), (fall, falling, start - end)):
        if delay < 0:
            found += step * (1 - math.exp(delay / slope))
    return found


def _pulsed(values: Sequence[float]) -> float:
    low, high, delay, rise, fall, width, period = values[:7]
    time = math.fmod(-delay, period) if period > 0 else -delay
    if time < rise:
        return low + (high - low) * time / rise
    if time < rise + width:
        return high
    if time < rise + width + fall:
        return high + (low - high) * (time - rise - width) / fall
    return low


def _interpolated(values: Sequence[float], time: float) -> float:
    """Value at a time of the points (time, value)."""
    if len(values) % 2:
        raise ValueError("pwl must have pairs of a time and a value")
    points = list(zip(values[::2], values[1::2], strict=True))
    if time < points[0][0]:
        return points[0][1]
    for (start, low), (end, high) in pairwise(points):
        if time < end:
            return low + (high - low) * (time - start) / (end - start)
    return points[-1][1]
