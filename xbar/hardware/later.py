"""A design at another time and temperature: the values that hold then.

Units: seconds, kelvin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xbar.arrays import one_number
from xbar.errors import SpecError, warn
from xbar.hardware.base import Each
from xbar.hardware.curve import exp, log
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.draw import check_seed
from xbar.hardware.law_over_time import Flicker
from xbar.hardware.spec import Hardware, Later, Moment
from xbar.hardware.temperature import Temperature, factor_at
from xbar.units import format_temperature, format_time, parse_temperature, parse_time

BOLTZMANN = 8.617333262e-5
"""Electronvolts per kelvin (CODATA 2018)."""

_SEEDS = 2**48
_FASTEST = 100.0
"""Largest logarithm of how much faster heat makes what happens with time."""
_REACH = 5.0
"""Standard deviations up to which a resistor's ohms must stay positive."""
_LEAST = 0.01
"""Least ohms of a resistor or wire at a temperature, over those at the reference."""
_MOST = 1e6
"""The largest, likewise."""


def design_at(
    hardware: Hardware,
    time: str | float | None = None,
    temperature: str | float | None = None,
    seed: int = 0,
    stuck: tuple[float, float] = (0.0, 0.0),
) -> Hardware:
    """The design of a chip at a time and temperature; see ``Chip.at``.

    ``stuck`` are the fractions of devices stuck open and closed since.

    Raises:
        SpecError: as ``Chip.at``.
    """
    fresh = hardware if hardware.later is None else hardware.later.design
    if check_seed(seed) >= _SEEDS:
        raise SpecError(f"seed of what happens to a chip must be below 2^48, not {seed}")
    died = _check_stuck(*stuck)
    if time is None and temperature is None and not any(died):
        raise SpecError("at needs a time, a temperature or both, such as time='30 d'")
    heat = fresh.temperature or Temperature()
    kelvin = None
    if temperature is not None:
        kelvin = _kelvin(temperature, fresh, heat, ages=time is not None)
        _warm(fresh, heat, kelvin)
    seconds = None if time is None else parse_time(time)
    moment = Moment(
        time=seconds, temperature=kelvin, seed=seed, stuck_open=died[0], stuck_closed=died[1]
    )
    if seconds is not None:
        _check_time(fresh.device, Later(**dict(moment), design=fresh))
    return design_then(fresh, moment)


def design_then(fresh: Hardware, moment: Moment | None) -> Hardware:
    """The design at a moment that was checked; itself for None."""
    if moment is None:
        return fresh
    later = Later(**dict(moment), design=fresh)
    parts: dict[str, Any] = {}
    if later.temperature is not None:
        parts |= _warm(fresh, fresh.temperature or Temperature(), later.temperature)
    if later.time is not None:
        parts |= _noise(fresh, later)
    return fresh.model_copy(update={**parts, "later": later})


def _check_stuck(stuck_open: float, stuck_closed: float) -> tuple[float, float]:
    """Fractions of devices that died.

    Raises:
        SpecError: they are no fractions, or more than 1 together.
    """
    shares = one_number(stuck_open, "stuck_open", 0), one_number(stuck_closed, "stuck_closed", 0)
    if sum(shares) > 1:
        raise SpecError(f"stuck_open + stuck_closed must be at most 1, not {sum(shares):g}")
    return shares


def at_temperature(hardware: Hardware, kelvin: float | None) -> Hardware:
    """The design of chips that aged as these did and have another temperature now.

    Args:
        hardware: design at a time and temperature.
        kelvin: temperature; None for the design's reference.
    """
    later = hardware.later
    if later is None or later.temperature == kelvin:
        return hardware
    now = later.moment.model_copy(update={"temperature": kelvin})
    if later.time is not None:
        law = later.design.device
        seconds = own_time(later)
        if kelvin is not None and law is not None and law.activation:
            hot = later.model_copy(update={"temperature": kelvin, "time": 1.0})
            seconds /= _speed(hot, law.activation)
        now = now.model_copy(update={"time": seconds})
    return design_then(later.design, now)


def _kelvin(
    temperature: str | float, hardware: Hardware, heat: Temperature, *, ages: bool
) -> float:
    kelvin = parse_temperature(temperature)
    if not heat.least <= kelvin <= heat.most:
        raise SpecError(
            f"temperature must be from {format_temperature(heat.least)} to "
            f"{format_temperature(heat.most)}, not {format_temperature(kelvin)}; set "
            "temperature.least and temperature.most if the design's data reach further"
        )
    law = hardware.device
    given = heat.moves_resistors or heat.wires or heat.switches or heat.leakage
    if not given and law is not None and law.activation is not None and not ages:
        raise SpecError(
            "temperature needs a time, too: of this design it changes only how fast devices age "
            "(device.activation); give a time, or set temperature.resistors and others"
        )
    if not given and (law is None or law.activation is None):
        raise SpecError(
            "temperature needs a [temperature] section in the design, or device.activation: "
            "nothing depends on it; set temperature.resistors, temperature.wires or others"
        )
    warmer = kelvin - heat.reference
    mean = 1.0 + warmer * (heat.resistors + warmer * heat.bend)
    reach = _REACH * heat.resistors_sigma * abs(warmer)
    low, high = mean - reach, mean + reach
    if not low >= _LEAST or not high <= _MOST:
        raise SpecError(
            f"temperature.resistors must leave a resistor {_LEAST:g} to {_MOST:g} of its ohms at "
            f"{format_temperature(kelvin)}, not {low if not low >= _LEAST else high:.3g}; lower "
            "it, its sigma or the temperature"
        )
    return kelvin


def _warm(hardware: Hardware, heat: Temperature, kelvin: float) -> dict[str, Any]:
    """Wires, switches and leakage at a temperature."""
    wires = 1.0 + heat.wires * (kelvin - heat.reference)
    if not _LEAST <= wires <= _MOST:
        raise SpecError(
            f"temperature.wires must leave wires {_LEAST:g} to {_MOST:g} of their ohms at "
            f"{format_temperature(kelvin)}, not {wires:.3g}"
        )
    tile, bank = hardware.tile, hardware.bank
    lines = {key: getattr(tile, key) * wires for key in ("word_wire", "bit_wire", "source_wire")}
    parts: dict[str, Any] = {"tile": tile.model_copy(update=lines)}
    changed: dict[str, Any] = {}
    if bank.switch is not None and heat.switches:
        ohms = _times(bank.switch.resistance, factor_at(heat.switches, kelvin))
        changed["switch"] = bank.switch.model_copy(update={"resistance": ohms})
    if heat.leakage:
        changed["on_off_ratio"] = _times(bank.on_off_ratio, 1.0 / factor_at(heat.leakage, kelvin))
    if changed:
        parts["bank"] = bank.model_copy(update=changed)
    return parts


def _times(each: Each, factor: float) -> Each:
    return tuple(one * factor for one in each) if isinstance(each, tuple) else each * factor


def _check_time(law: DeviceLaw | None, later: Later) -> None:
    first = None if law is None else law.first
    if law is None or (first is None and law.noise is None):
        raise SpecError(
            "time needs a device law in the design that depends on it; set device.law, such as "
            "'pcm', or device.drift, device.retention or device.relaxation"
        )
    assert later.time is not None  # else nobody asks
    earliest = 0.0 if first is None else first
    if later.time < earliest:
        raise SpecError(
            f"time must be at least {format_time(earliest)} after programming, the first of the "
            f"device law, not {format_time(later.time)}"
        )
    heat = later.design.temperature or Temperature()
    heated = later.temperature is not None and later.temperature != heat.reference
    if heated and law.activation is None and first is not None:
        warn(
            f"what devices do in time is taken as at {format_temperature(heat.reference)}: the "
            "design has no device.activation, the activation energy that heat speeds it up by"
        )
    if own_time(later) > law.last * (1 + 1e-12):
        hot = "" if own_time(later) == later.time else (
            f", which are {format_time(own_time(later))} at {format_temperature(heat.reference)}"
        )  # fmt: skip
        raise SpecError(
            f"time must be at most {format_time(law.last)}, the last of the device law's tables, "
            f"not {format_time(later.time)}{hot}"
        )


def own_time(later: Later) -> float:
    """Seconds at the reference temperature after which a device is as far; at least the first."""
    law = later.design.device
    assert later.time is not None
    assert law is not None  # a time needs one
    seconds = later.time
    if later.temperature is not None and law.activation:
        seconds *= _speed(later, law.activation)
    return max(seconds, law.first or 0.0)


def _speed(later: Later, activation: float) -> float:
    """How many times as fast as at the reference devices age at their temperature."""
    heat = later.design.temperature or Temperature()
    assert later.temperature is not None  # else nobody asks
    power = activation / BOLTZMANN * (1.0 / heat.reference - 1.0 / later.temperature)
    if power > _FASTEST:
        raise SpecError(
            f"device.activation must speed ageing up by less than exp({_FASTEST:g}), not "
            f"exp({power:.4g}) as at {format_temperature(later.temperature)}"
        )
    return float(exp(np.array([max(power, -_FASTEST)]))[0])


def _noise(hardware: Hardware, later: Later) -> dict[str, Any]:
    """Read noise at a time: that of the bank's resistors, root mean square."""
    law = hardware.device
    if law is None or law.noise is None:
        return {}
    conductance = 1.0 / hardware.bank.ohms
    sigma = noise_of(law, law.noise, conductance, later)
    relative = float(np.sqrt((sigma**2).sum() / (conductance**2).sum()))
    return {"variation": hardware.variation.model_copy(update={"read_noise": min(relative, 1.0)})}


def noise_of(law: DeviceLaw, noise: Flicker, conductance: Any, later: Later) -> Any:
    """Standard deviation of a read in siemens, of devices (...) of some conductance."""
    g = np.asarray(conductance, dtype=np.float64)
    state = g if law.within is None else np.clip(g, *law.within)
    if noise.relative is not None:
        sigma = noise.relative.of(state) * g
    else:
        assert noise.absolute is not None  # one of the two
        sigma = np.where(g > 0, noise.absolute.of(state), 0.0)
    if noise.reading is None or later.time is None:
        return sigma
    # no fluctuation before half a read: the logarithm is 0 there
    ratio = max((later.time + noise.reading) / (2.0 * noise.reading), 1.0)
    return sigma * np.sqrt(log(np.array([ratio]))[0])
