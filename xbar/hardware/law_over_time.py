"""What a device law says of time: drift, retention, relaxation, and read noise.

The formulas are in the head of ``device_law.py``.

Units: seconds, siemens.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Duration, Siemens, Spec
from xbar.hardware.curve import Curve


class Drift(Spec):
    """Power law of time.

    Attributes:
        first: time of the first reading, up to which a device stays.
        mean: mean exponent, by conductance.
        sigma: standard deviation of the exponent between devices.
    """

    first: Duration = Field(gt=0)
    mean: Curve
    sigma: Curve


def _curves(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Curves = Annotated[tuple[Curve, ...], BeforeValidator(_curves)]


class Retention(Spec):
    """Tables measured at some times.

    Between two times values follow the logarithm of time; time itself if the first is 0.

    Attributes:
        times: times of the tables, rising; the first is that of programming.
        error: standard deviation at each time by conductance, siemens.
        shift: mean change since programming at each time by conductance when programmed, siemens;
            none if empty.
        error_by: conductance that ``error`` goes by: "now", when programmed and ``shift`` since, as
            in published tables; or when "programmed", as in fitted ones.
    """

    times: tuple[Duration, ...] = Field(min_length=2)
    error: Curves
    shift: Curves = ()
    error_by: Literal["now", "programmed"] = "now"

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if self.times[0] < 0:
            raise SpecError(f"times must be at least 0 s, not {self.times[0]:g}")
        if any(b <= a for a, b in pairwise(self.times)):
            raise SpecError(f"times must rise, not be {list(self.times)}")
        for name, given in (("error", self.error), ("shift", self.shift)):
            if len(given) != len(self.times) and (given or name == "error"):
                raise SpecError(
                    f"{name} must have {len(self.times)} curves, one a time, not {len(given)}"
                )
        return self

    @property
    def first(self) -> float:
        """Seconds of the first table."""
        return self.times[0]

    @property
    def last(self) -> float:
        """Seconds of the last table."""
        return self.times[-1]


class Relaxation(Spec):
    """Mean and spread that grow with the logarithm of time, for devices of any conductance.

    Attributes:
        first: earliest time of the data.
        shift: mean change per factor e of time, siemens.
        error: standard deviation of the change at 1 s, and its growth per factor e, siemens.
    """

    first: Duration = Field(gt=0)
    shift: Siemens
    error: tuple[Siemens, Siemens]

    @model_validator(mode="after")
    def _has_deviations(self) -> Self:
        least = self.error[0] + self.error[1] * math.log(self.first)
        if not (self.error[1] >= 0 and least >= 0):
            raise SpecError(
                "error must be a standard deviation: at least 0 at first and growing by at least "
                f"0, not {least:.3g} and {self.error[1]:.3g}"
            )
        return self


class Flicker(Spec):
    """Read noise of a device: relative or absolute.

    Attributes:
        relative: standard deviation over the conductance of now, by that when programmed.
        absolute: standard deviation in siemens, by the conductance of now.
        reading: duration of a read t_r, for 1/f noise that grows with the time t since programming
            as sqrt(ln((t + t_r) / (2 t_r))); None for noise that does not grow.
    """

    relative: Curve | None = None
    absolute: Curve | None = None
    reading: Duration | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.relative is None) == (self.absolute is None):
            raise SpecError("must have either relative or absolute")
        return self
