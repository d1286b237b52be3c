"""Cells as banks of resistors and switches, for netlists with both as elements.

    w ──[ r_0 ]──m0──[ switch 0 ]──┬── b
    w ──[ r_1 ]──m1──[ switch 1 ]──┤
    …                              │

Each branch has the chip's conductance in both switch states: a closed switch has ``switch_on``
ohms, one number or each its own, so the resistor is 1/on - switch_on; an open one has a leakage
resistance of 1/off - resistor.

Shapes: W word lines, B bit lines, K resistors per cell. Units: siemens and ohms.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import (
    SMALLEST,
    Bools,
    Floats,
    as_flags,
    as_floats,
    check_range,
    frozen,
)
from xbar.errors import SpecError
from xbar.tables import Outline

# Representation of 0 S for resistors and switches: negligible in double precision next to any other
# conductance, and a valid number for every simulator.
OPEN = 1e30

_SHARE = 1e-3  # default switch_on, relative to the smallest resistance in the tile
_AXES = ("word line", "bit line", "resistor")


def _on(on: ArrayLike) -> Floats:
    return frozen(as_floats(on, "on"))


def _off(off: ArrayLike) -> Floats:
    return frozen(as_floats(off, "off"))


def _closed(closed: ArrayLike) -> Bools:
    return frozen(as_flags(closed, "closed"))


@attrs.frozen(eq=False, slots=False, repr=False)
class SwitchedBank(Outline):
    """The K resistors of every cell, with their switch states.

    Attributes:
        on: (W, B, K) conductance of each branch with its switch closed, siemens.
        off: (W, B, K) conductance of each branch with its switch open; zero for no leakage.
        closed: (W, B, K) switch states, True for closed.
        switch_on: on-resistance of a switch in ohms, part of 1/on: of all, or (W, B, K). Default: a
            thousandth of the smallest 1/on, so that resistors are close to their nominal values.

    Raises:
        SpecError: the shapes differ, a value is not a conductance, or a branch conducts better
            than its switch alone or better open than closed.

    >>> bank = SwitchedBank([[[1e-3, 1e-3]]], [[[0.0, 0.0]]], [[[True, False]]], switch_on=10.0)
    >>> bank.resistor.tolist(), bank.branch.tolist()
    ([[[990.0, 990.0]]], [[[0.001, 0.0]]])
    """

    on: Floats = attrs.field(converter=_on)
    off: Floats = attrs.field(converter=_off)
    closed: Bools = attrs.field(converter=_closed)
    switch_on: float | ArrayLike | None = None

    def __attrs_post_init__(self) -> None:
        on, off, closed = self.on, self.off, self.closed
        if on.ndim != 3 or not on.shape == off.shape == closed.shape:
            raise SpecError(
                f"on, off and closed must have one shape (W, B, K), siemens, siemens and bool, "
                f"not {on.shape}, {off.shape} and {closed.shape} of {closed.dtype}"
            )
        check_range(on, "on", "S", _AXES, "0 is a resistor that is missing")
        check_range(off, "off", "S", _AXES, "0 is a switch that leaks nothing")
        smallest = 1 / float(on.max()) if on.any() else 1.0
        object.__setattr__(self, "switch_on", self._ohms_of_switches(smallest))
        self._check(self.resistor > 0, "switch_on must be below 1/on", "choose a smaller switch_on")
        lower = (self.leak > 0) & ((on > 0) | (off == 0))
        self._check(lower, "off must be below on", "an open switch conducts less than a closed one")

    def _check(self, holds: NDArray[np.bool_], must: str, advice: str) -> None:
        bad = np.argwhere(~holds)
        if len(bad):
            place = tuple(bad[0])
            where = ", ".join(f"{axis} {k}" for axis, k in zip(_AXES, place, strict=True))
            raise SpecError(
                f"{must}, and at {where} on is {self.on[place]} S, off {self.off[place]} S and "
                f"switch_on {np.broadcast_to(self.closed_ohms, self.on.shape)[place]} ohm; {advice}"
            )

    def _ohms_of_switches(self, smallest: float) -> float | Floats:
        if self.switch_on is None:
            return _SHARE * smallest
        each = as_floats(self.switch_on, "switch_on")
        if each.shape not in ((), self.on.shape):
            raise SpecError(
                f"switch_on must be one number of ohms or {self.on.shape}, not {each.shape}"
            )
        bad = each[~((each >= SMALLEST) & (each < OPEN))]
        if bad.size:
            raise SpecError(f"switch_on must be a positive number of ohms, not {float(bad[0])!r}")
        return frozen(each) if each.ndim else float(each)

    @property
    def resistor(self) -> Floats:
        """(W, B, K) resistance of each resistor without its switch, ohms."""
        return np.where(self.on > 0, _ohms(self.on) - self.closed_ohms, OPEN)

    @property
    def leak(self) -> Floats:
        """(W, B, K) off-resistance of each switch, ohms."""
        missing = _ohms(self.off) - np.where(self.on > 0, self.resistor, 0.0)
        return np.where(self.off > 0, missing, OPEN)

    @property
    def branch(self) -> Floats:
        """(W, B, K) conductance of each branch in its switch state, siemens."""
        return np.where(self.closed, self.on, self.off)

    @property
    def closed_ohms(self) -> float | Floats:
        """On-resistance of a switch in ohms, given or default: one number or (W, B, K)."""
        ohms = self.switch_on
        assert isinstance(ohms, (float, np.ndarray))  # set when the bank is made
        return ohms


def _ohms(siemens: Floats) -> Floats:
    return np.divide(1, siemens, out=np.full_like(siemens, OPEN), where=siemens > 0)
