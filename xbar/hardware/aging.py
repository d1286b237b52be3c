"""The conductances of a chip's resistors at another time and temperature.

Each device has a number for where it goes with time and one for its temperature coefficient, from
streams of their own; what they give is in ``device_law.py`` and ``temperature.py``.

Shapes: W x B cells of a tile, K resistors per cell. Units: siemens, seconds, kelvin.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from xbar.arrays import LARGEST, Floats
from xbar.errors import SpecError
from xbar.hardware.base import spread_out
from xbar.hardware.curve import Curve, constant, log
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.later import noise_of, own_time
from xbar.hardware.law_over_time import Drift, Retention
from xbar.hardware.spec import Later
from xbar.hardware.temperature import factor_at
from xbar.units import format_time

# streams of the generator, beside those of ``chip.py`` and ``tuned.py``; never renumber
_TIME, _TEMPERATURE = 16, 17

FLOOR = 1e-6
"""Least conductance of a device later, over that when it was programmed."""

_NOTHING = Curve(polynomial=(0.0,))

_REST = 0.1
"""Least part of a measured branch that is its resistor."""


def aged(later: Later, seed: int, tile: int, conductance: Floats) -> Floats:
    """Conductances (W, B, K) later of devices programmed to (W, B, K) siemens; 0 stays 0."""
    result, law = conductance, later.design.device
    if later.time is not None and law is not None and law.first is not None:
        z = _normal(later, seed, _TIME, tile, conductance)
        result = _checked(_in_time(law, later, conductance, z), later.time)
    heat = later.design.temperature
    if later.temperature is None or heat is None or not heat.moves_resistors:
        return result
    slope: Floats | float = heat.resistors
    if heat.resistors_sigma:
        slope = slope + heat.resistors_sigma * _normal(later, seed, _TEMPERATURE, tile, result)
    warmer = later.temperature - heat.reference
    factor = 1.0 + warmer * (slope + warmer * heat.bend)
    return result / np.maximum(factor, FLOOR)


def _checked(result: Floats, seconds: float) -> Floats:
    """Conductances (...) as a law gives them.

    Raises:
        SpecError: they are no numbers, or too large to compute with.
    """
    largest = result.max(initial=0.0)
    if not largest <= LARGEST:
        raise SpecError(
            f"the device law must give conductances of at most {LARGEST:g} S, not {largest:g} "
            f"after {format_time(seconds)}; look at device.drift, device.retention or "
            "device.relaxation"
        )
    return result


def measured(later: Later, tile: int, on: Floats) -> Floats:
    """Conductances (W, B, K) later of the branches of a measured chip that were (W, B, K).

    A branch is known as a whole. Its resistor is what is left without its contacts and its switch
    as they are by design, and at least a tenth of it.
    """
    bank = later.design.bank
    contacts, switch = spread_out(bank.series, bank.resistors), np.zeros(bank.resistors)
    if bank.switch is not None:
        switch = bank.switch.ohms(switch, bank.resistors)
    known = contacts + switch
    if not known.any():
        return aged(later, 0, tile, on)
    alive = on > 0
    whole = 1.0 / np.where(alive, on, 1.0)
    resistor = np.maximum(whole - known, _REST * whole)
    warm = 1.0
    if later.temperature is not None and later.design.temperature is not None:
        warm = factor_at(later.design.temperature.switches, later.temperature)
    scale = (contacts + switch * warm) / np.where(known > 0, known, 1.0)
    now = 1.0 / aged(later, 0, tile, 1.0 / resistor)
    return np.where(alive, 1.0 / (now + (whole - resistor) * scale), 0.0)


def leakage(later: Later, off: Floats, before: Floats, now: Floats) -> Floats:
    """Conductances (W, B, K) later of the open branches of a measured chip.

    They follow the closed ones, (W, B, K) siemens before and now, and the design's leakage.
    """
    ratio = np.divide(now, before, out=np.ones_like(now), where=before > 0)
    result: Floats = off * ratio * open_factor(later)
    return result


def open_factor(later: Later | None) -> float:
    """Conductance of open branches at a temperature over that at the reference."""
    heat = None if later is None else later.design.temperature
    if later is None or later.temperature is None or heat is None:
        return 1.0
    return factor_at(heat.leakage, later.temperature)


def relative_noise(
    later: Later | None, now: Floats, programmed: Callable[[], Floats], read_noise: float
) -> Floats | None:
    """(...) read noise of devices over that of the design; None if all have the design's.

    Args:
        later: time and temperature of the chip; None as designed.
        now: (...) siemens of the devices.
        programmed: gives their (...) siemens when they were programmed.
        read_noise: the design's, relative.
    """
    law = None if later is None else later.design.device
    if later is None or later.time is None or law is None or law.noise is None or not read_noise:
        return None
    if law.noise.relative is not None:  # a device keeps it while it drifts
        before = programmed()
        sigma, over = noise_of(law, law.noise, before, later), before
    else:
        sigma, over = noise_of(law, law.noise, now, later), now
    relative = np.divide(sigma, over, out=np.zeros_like(over), where=over > 0)
    result: Floats = relative / read_noise
    return result


def _normal(later: Later, seed: int, stream: int, tile: int, like: Floats) -> Floats:
    """Standard normal numbers (W, B, K) of a tile's devices, two from each number of a stream."""
    from xbar.hardware import aging_kernel

    if later.path is not None:
        return np.full(like.shape, later.path[stream - _TIME])
    result = np.empty(like.shape)
    key = np.uint64(seed), np.uint64(stream + (later.seed << 8))
    aging_kernel.normals(key, np.uint64(tile), result.reshape(-1))
    return result


def _in_time(law: DeviceLaw, later: Later, g: Floats, z: Floats) -> Floats:
    """Conductances (...) of devices of some numbers (...), which are overwritten."""
    from xbar.hardware import aging_kernel

    flat, within = np.ascontiguousarray(g).reshape(-1), law.within or (-np.inf, np.inf)
    seconds, result = own_time(later), z.reshape(-1)  # in place: each block is read before
    if law.drift is not None:
        exponents = _exponents(law.drift, np.clip(g, *within), z).reshape(-1)
        span = _log(seconds / law.drift.first)
        aging_kernel.decay(flat, exponents, span, _log(FLOOR), result)
        return result.reshape(g.shape)
    curves = _curves(law, seconds)
    if curves is not None:
        aging_kernel.retain(flat, result, curves, (*within, FLOOR), result)
        return result.reshape(g.shape)
    assert law.retention is not None  # else there is no first time
    deviations = _retained(law.retention, seconds, np.clip(g, *within))
    sigma, first, shift = (np.broadcast_to(each, g.shape).reshape(-1) for each in deviations)
    aging_kernel.move(flat, result, sigma, first, shift, FLOOR, result)
    return result.reshape(g.shape)


def _exponents(drift: Drift, state: Floats, z: Floats) -> Floats:
    """Exponents (...) of devices of some numbers (...), which are overwritten.

    Raises:
        SpecError: they are no numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        z *= drift.sigma.of(state)
        z += drift.mean.of(state)
    if not np.isfinite([z.min(initial=0.0), z.max(initial=0.0)]).all():
        raise SpecError(
            "device.drift must give every device an exponent that is a number, also where its "
            "conductance is not the nominal one; give its curves limits, low and high"
        )
    return z


def _curves(law: DeviceLaw, seconds: float) -> tuple[Floats, Floats, Floats] | None:
    """Numbers of a law's standard deviation at a time and at first, and mean change; None if other.

    Other is a law with a curve that kernels do not know, or with errors by another conductance.
    """
    table = law.retention
    if table is None:
        assert law.relaxation is not None  # else there is no first time
        span, (least, growth) = _log(seconds), law.relaxation.error
        sigma, shift = max(least + growth * span, 0.0), law.relaxation.shift * span
        return constant(sigma), constant(0.0), constant(shift)
    if table.error_by == "programmed":
        return None
    place = _place(table, seconds)
    found = _mixed(table.error, *place), table.error[0], _mixed(table.shift, *place)
    now, first, change = (None if each is None else each.numbers for each in found)
    return None if now is None or first is None or change is None else (now, first, change)


def _mixed(curves: tuple[Curve, ...], left: int, share: float) -> Curve | None:
    """The curve of a table between two times, 0 of an empty one; None if they are not alike."""
    if not curves:
        return _NOTHING
    return curves[left].toward(curves[left + 1], share) if share else curves[left]


def _retained(table: Retention, seconds: float, state: Floats) -> tuple[Floats, Floats, Floats]:
    """Standard deviation now and at first, and mean change, of devices (...), in siemens."""
    left, share = _place(table, seconds)
    shift = np.zeros(1)
    now = state
    if table.shift:
        shift = _between(table.shift, left, share, state)
        if table.error_by == "now":
            now = np.maximum(state + shift, 0.0)
    return _between(table.error, left, share, now), table.error[0].of(state), shift


def _between(curves: tuple[Curve, ...], left: int, share: float, state: Floats) -> Floats:
    """Values (...) of a table's curves between two times: of coefficients in between, if alike."""
    mixed = _mixed(curves, left, share)
    if mixed is not None:
        return mixed.of(state)
    return curves[left].of(state) * (1.0 - share) + curves[left + 1].of(state) * share


def _place(table: Retention, seconds: float) -> tuple[int, float]:
    """The table before a time, and how far it is to the next one, from 0 to below 1."""
    times = np.array(table.times)
    left = int(np.searchsorted(times, seconds, side="right")) - 1
    if left >= len(times) - 1:
        return len(times) - 1, 0.0
    before, after = times[left], times[left + 1]
    if table.first == 0:
        return left, float((seconds - before) / (after - before))
    return left, _log(seconds / before) / _log(after / before)


@lru_cache(maxsize=64)
def _log(number: float) -> float:
    return float(log(np.array([number]))[0])
