"""The sense amplifier of a column: it holds both bit lines at 0 V and reads their difference."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Amperes, Fraction, Ohms, Quantity, Spec, Volts


class Amplifier(Spec):
    """A differential transimpedance amplifier between a column of weights and its ADC.

    Attributes:
        feedback: ohms from output to input: 1 A gives so many volts. Needed by ``open_loop`` and
            ``swing``.
        open_loop: voltage gain without feedback; with it the input is no virtual ground but
            ``resistance`` ohms, beside ``tile.load``. None for infinite.
        offset: standard deviation, between amplifiers, of the input's voltage in volts: the lines
            are held there instead of at 0 V, which adds a current by their conductance.
        gain_error: standard deviation, between amplifiers, of the gain, a fraction.
        noise: rms noise of a read, amperes at the input.
        swing: largest output voltage in volts, beyond which the output is limited.

    >>> Amplifier(feedback="20k", open_loop=1e3, swing="0.5 V").full_current
    2.5e-05
    """

    feedback: Ohms | None = Field(default=None, gt=0)
    open_loop: Quantity | None = Field(default=None, gt=0)
    offset: Volts = Field(default=0.0, ge=0)
    gain_error: Fraction = Field(default=0.0, ge=0)
    noise: Amperes = Field(default=0.0, ge=0)
    swing: Volts | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _feedback_is_known(self) -> Self:
        for key in ("open_loop", "swing"):
            if getattr(self, key) is not None and self.feedback is None:
                raise SpecError(f"{key} needs feedback, the ohms from output to input; set it")
        return self

    @property
    def resistance(self) -> float:
        """Ohms of the input: feedback / (1 + open_loop)."""
        if self.feedback is None or self.open_loop is None:
            return 0.0
        return self.feedback / (1.0 + self.open_loop)

    @property
    def full_current(self) -> float | None:
        """Amperes at which the output is at its largest; None without ``swing``."""
        if self.swing is None or self.feedback is None:
            return None
        return self.swing / self.feedback
