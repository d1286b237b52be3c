"""Variation: what makes one read differ from the next, on the same chip."""

from __future__ import annotations

from pydantic import Field

from xbar.hardware.base import Quantity, Spec


class Variation(Spec):
    """What changes from one read to the next.

    Attributes:
        read_noise: standard deviation of each resistor's conductance in one read, relative to
            that conductance; independent from resistor to resistor and from read to read.
    """

    read_noise: Quantity = Field(default=0.0, ge=0)
