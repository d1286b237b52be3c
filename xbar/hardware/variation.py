"""Read-to-read variation of a chip."""

from __future__ import annotations

from pydantic import Field

from xbar.hardware.base import Fraction, Spec


class Variation(Spec):
    """Read-to-read variation; device-to-device spread belongs to the bank.

    Attributes:
        read_noise: relative standard deviation of each resistor's conductance in one read, a
            fraction up to 1; independent between resistors and between reads.
    """

    read_noise: Fraction = Field(default=0.0, ge=0)
