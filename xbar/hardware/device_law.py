"""The law of a device: how far it lands from its target, and where it goes with time and heat.

Everything is a function of the conductance g that a device has when it is programmed (or made, if
it is not programmed), of the time t since then, and of a standard normal number z of its own that
does not change with time: a device moves along one path, and asking for it at other times, or in
another order, does not change it.

    drift        g (t / first)^-|nu|            nu = mean(g) + sigma(g) z
    retention    g + shift(g, t) + z sqrt(error(h, t)² - error(g, first)²)      by tables, with the
                 mean of then, h = g + shift(g, t), or h = g if the tables' ``error_by`` says so
    relaxation   g + shift ln(t / 1 s) + z (error[0] + error[1] ln(t / 1 s))

The error at a retention table's first time is part of the programming error, hence the difference
of squares: the whole deviation at each time has the published standard deviation.

Units: seconds, siemens, kelvin, electronvolts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.base import ElectronVolts, Fraction, Ohms, Siemens, Spec
from xbar.hardware.curve import Curve
from xbar.hardware.law_over_time import Drift, Flicker, Relaxation, Retention
from xbar.hardware.law_parts import Fitted, Spread, relative
from xbar.hardware.temperature import Temperature
from xbar.units import format_quantity

_SLACK = 1e-9
"""Relative difference from the ends of a law's data that rounding may make."""


class DeviceLaw(Spec):
    """How far devices land from their targets, and where they go.

    Attributes:
        law: name of a published law (``xbar.hardware.laws``), whose values are the default of all
            others; "" for a law of one's own.
        source: where the figures are from.
        date: year of the source.
        within: least and largest conductance of the data, siemens: beyond, a device follows the law
            of the nearest one in the data. None for no limit.
        error: standard deviation of programming by the target conductance, siemens; where the bank
            states neither ``spread`` nor ``sigma`` its devices have this error at their nominals.
        drift: power law of time.
        retention: tables over time.
        relaxation: logarithmic law of time.
        noise: read noise by conductance and time.
        activation: activation energy of what happens with time: at a temperature T it happens
            exp(activation / k (1 / T0 - 1 / T)) times as fast as at the reference temperature T0;
            None if it is not known.
        nominal: siemens of a device that is made, not programmed: where the bank states no
            ``nominal`` its resistors have it.
        spread: distribution around the nominal or target; None for a normal one of ``error``.
        stuck_open: fraction of devices stuck open, where the bank states none.
        stuck_closed: fraction of devices stuck closed, likewise.
        temperature: dependence of the devices on temperature, where the design states none.
        fitted: intervals and tests of a law that was fitted; None for another.

    >>> DeviceLaw(law="pcm").drift.first
    20.0
    """

    law: str = ""
    source: str = ""
    date: str = ""
    within: tuple[Siemens, Siemens] | None = None
    error: Curve | None = None
    drift: Drift | None = None
    retention: Retention | None = None
    relaxation: Relaxation | None = None
    noise: Flicker | None = None
    activation: ElectronVolts | None = Field(default=None, ge=0)
    nominal: Siemens | None = Field(default=None, gt=0)
    spread: Spread | None = None
    stuck_open: Fraction = Field(default=0.0, ge=0)
    stuck_closed: Fraction = Field(default=0.0, ge=0)
    temperature: Temperature | None = None
    fitted: Fitted | None = None

    @model_validator(mode="before")
    @classmethod
    def _published(cls, given: Any) -> Any:
        name = given.get("law") if isinstance(given, dict) else None
        if not isinstance(name, str) or not name:
            return given
        from xbar.hardware.laws import find_law

        return {**find_law(name), **given}

    @model_validator(mode="after")
    def _changes_one_way(self) -> Self:
        given = [n for n in ("drift", "retention", "relaxation") if getattr(self, n) is not None]
        if len(given) > 1:
            raise SpecError(f"must have one of {' and '.join(given)}; leave the others out")
        if self.spread is not None and self.spread.sigma is None and self.error is None:
            raise SpecError("spread.sigma must be given, or error, which gives it by conductance")
        if self.within is not None and not 0 <= self.within[0] < self.within[1]:
            raise SpecError(
                f"within must be two conductances, rising from 0, not {list(self.within)}"
            )
        return self

    def __str__(self) -> str:
        from xbar.hardware.law_text import law_text

        return law_text(self)

    @property
    def first(self) -> float | None:
        """Earliest time of what changes with time, seconds; None if nothing does."""
        changing = self.drift or self.retention or self.relaxation
        return None if changing is None else changing.first

    @property
    def last(self) -> float:
        """Latest time of the data, seconds; inf if there is no limit."""
        return float("inf") if self.retention is None else self.retention.last

    def own(self) -> dict[str, Any]:
        """Its name, and the values that its published law does not have."""
        published = dict(DeviceLaw(law=self.law)) if self.law else {}
        values = dict(self).items()
        return {key: each for key, each in values if key == "law" or each != published.get(key)}

    def errors(self, target: Floats) -> Floats:
        """(...) standard deviation of devices programmed to targets (...), both in siemens.

        Raises:
            SpecError: the law has none.
        """
        if self.error is None:
            raise SpecError("device.error must be given for the error of programming")
        found = self.error.of(target if self.within is None else target.clip(*self.within))
        return np.broadcast_to(found, target.shape)

    def programmed(self, bank: Bank) -> Bank:
        """A bank whose resistors have the spread of the law, or its error, at their nominals.

        Raises:
            SpecError: the law has none, or one that is too large for its distribution.
        """
        target = 1.0 / bank.ohms
        own = self.spread
        errors = target if own is not None and own.sigma is not None else self.errors(target)
        return (own or Spread(kind="normal")).of(bank, relative(own, errors, target))

    def bank(self, resistors: int = 8, nominal: Ohms | None = None) -> Bank:
        """The bank that these devices make.

        Args:
            resistors: number of resistors a cell, K.
            nominal: ohms of each device; None for the law's own.

        Raises:
            SpecError: the law has no nominal conductance of its own, no distribution, or no data
                at this one.

        >>> DeviceLaw(nominal="10 uS", spread={"kind": "lognormal", "sigma": 0.4}).bank(4).sigma
        0.4
        """
        if self.error is None and self.spread is None:
            raise SpecError(
                "bank needs the spread of the law's devices, which it lacks; set bank.sigma in a "
                "design with this law"
            )
        ohms = nominal
        if ohms is None and self.nominal is not None:
            ohms = 1.0 / self.nominal
        if ohms is None:
            raise SpecError(
                "bank needs nominal, in ohms: the law's devices are programmed to any conductance"
                + ("" if self.within is None else f" from {_range(self.within)}")
            )
        plain = Bank(
            resistors=resistors,
            nominal=ohms,
            stuck_open=self.stuck_open,
            stuck_closed=self.stuck_closed,
        )
        found = self.programmed(plain)
        self.check_data(1.0 / found.ohms)
        return found

    def filled(self, bank: Bank | Mapping[str, Any]) -> Bank:
        """A bank with the law's values where it states none: nominal, spread and stuck devices.

        Raises:
            SpecError: a value of the bank is out of range, or the law has none for its nominals.
        """
        stated = bank.model_fields_set if isinstance(bank, Bank) else set(bank)
        values = dict(bank)
        if self.nominal is not None and "nominal" not in stated:
            values["nominal"] = 1.0 / self.nominal
        for key in ("stuck_open", "stuck_closed"):
            if key not in stated:
                values[key] = getattr(self, key)
        known = self.error is not None or self.spread is not None
        found = Bank(**values)
        return found if not known or stated & {"sigma", "spread"} else self.programmed(found)

    @classmethod
    def fit(
        cls,
        table: str | Path | Mapping[str, Any],
        *,
        unit: str | None = None,
        voltage: str | float | None = None,
        stuck: tuple[float, float] | None = None,
        seed: int = 0,
    ) -> DeviceLaw:
        """The law of devices from a table of their readings, every part that the data can tell.

        ``print`` shows its parameters with 95 % intervals, tests of it, and what the data can't
        say; ``fitted`` holds them.

        Args:
            table: path of a .csv, .tsv, .txt or .npz file, or columns by name, such as a DataFrame:
                one line a reading with ``device``, ``target``, ``time``, ``temperature``,
                ``cycle``, ``read`` and ``conductance``, ``resistance`` or ``current``; or one line
                a device and one column a time, temperature, cycle or read ("1 h", "85 C").
            unit: unit of what was measured, where the table states none, such as "uS".
            voltage: volts at which currents were read, where no column states them.
            stuck: factors of the median of its target below and above which a device is stuck;
                None for a fiftieth and ten, or six standard deviations if they are further.
            seed: seed of the samples that test a mixture.

        Raises:
            FileError: the file can't be read.
            SpecError: a column, line or value is not as described.

        >>> rng = np.random.default_rng(0)
        >>> g = 1e-5 * np.exp(0.3 * rng.normal(size=500))
        >>> law = DeviceLaw.fit({"device": range(500), "conductance": g})
        >>> law.spread.kind, law.fitted["spread.sigma"].low < 0.3 < law.fitted["spread.sigma"].high
        ('lognormal', True)
        """
        from xbar.hardware.fit.law import fit_table

        return fit_table(table, unit=unit, voltage=voltage, stuck=stuck, seed=seed).law

    def save(self, path: str | Path, *, force: bool = False) -> str:
        """Write the law as JSON, atomically; returns the file's sha256.

        Args:
            path: path of the file, which a design names as ``device.table``.
            force: whether it may replace one.

        Raises:
            FileError: it exists and ``force`` is not set, or can't be written.
        """
        from xbar.hardware.law_file import write_law

        return write_law(Path(path), self, force=force)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The law in a file that ``save`` or ``xbar fit`` wrote.

        Raises:
            FileError: it can't be read or is no law.
            SpecError: a value is out of range.
        """
        from xbar.hardware.law_file import read_law

        try:
            return cls(**read_law(Path(path)))
        except SpecError as error:
            raise SpecError(f"{path}: {error}") from error

    def check_data(self, nominal: Floats) -> None:
        """Check that a bank's nominal conductances (K,) are in the data, and what the law gives.

        Raises:
            SpecError: one is not, or a curve gives no number or a negative deviation there.
        """
        if self.within is not None:
            low, high = self.within
            wrong = nominal[(nominal < low * (1 - _SLACK)) | (nominal > high * (1 + _SLACK))]
            if len(wrong):
                raise SpecError(
                    f"bank.nominal must be within the device law's data, {_range(self.within)}, "
                    f"not {format_quantity(wrong[0], 'S')}; take another nominal, or a law for it"
                )
            nominal = nominal.clip(low, high)
        for name, curve, may_be_negative in self._curves():
            with np.errstate(all="ignore"):
                value = curve.of(nominal)
            if not np.isfinite(value).all():
                raise SpecError(f"device.{name} must be a number at bank.nominal, not {value[0]}")
            if value.min() < 0 and not may_be_negative:
                raise SpecError(
                    f"device.{name} must be at least 0 at bank.nominal, not {value.min():.3g}"
                )

    def _curves(self) -> Iterator[tuple[str, Curve, bool]]:
        """Its curves, their keys, and whether they may be negative."""
        if self.error is not None:
            yield "error", self.error, False
        if self.drift is not None:
            yield "drift.mean", self.drift.mean, False
            yield "drift.sigma", self.drift.sigma, False
        if self.retention is not None:
            for number, curve in enumerate(self.retention.error):
                yield f"retention.error.{number}", curve, False
            for number, curve in enumerate(self.retention.shift):
                yield f"retention.shift.{number}", curve, True
        if self.noise is not None and self.noise.relative is not None:
            yield "noise.relative", self.noise.relative, False
        if self.noise is not None and self.noise.absolute is not None:
            yield "noise.absolute", self.noise.absolute, False


def _range(within: tuple[float, float]) -> str:
    return " to ".join(format_quantity(end, "S") for end in within)
