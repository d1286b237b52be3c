"""The law of devices from a table of their readings: every part that the data can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.blas import one_blas_thread
from xbar.errors import SpecError
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.fit.groups import Cells, Found, at_reference, cells_of, reference_of
from xbar.hardware.fit.heat import fit_heat
from xbar.hardware.fit.noise import fit_noise
from xbar.hardware.fit.programming import add_bias, fit_error, fit_spread, stuck_devices
from xbar.hardware.fit.readings import Readings, read_readings
from xbar.hardware.fit.time import Lines, fit_time
from xbar.hardware.law_parts import Fitted
from xbar.units import parse_quantity


@dataclass(frozen=True, eq=False)
class Fit:
    """A law and what it was fitted to, for a picture.

    Attributes:
        law: the law.
        cells: (C,) means of repeated reads at the reference temperature, stuck devices left out.
        all_cells: the same at all temperatures.
        target: (M,) targets of programmed devices; NaN for none.
        g: (M,) their siemens as programmed.
        lines: their lines over time; None without times.
    """

    law: DeviceLaw
    cells: Cells
    all_cells: Cells
    target: Floats
    g: Floats
    lines: Lines | None


@one_blas_thread()
def fit_table(
    table: str | Path | Mapping[str, Any],
    *,
    unit: str | None = None,
    voltage: str | float | None = None,
    stuck: tuple[float, float] | None = None,
    seed: int = 0,
) -> Fit:
    """Fit a law; arguments and errors are those of ``DeviceLaw.fit``."""
    if stuck is not None and not 0 <= stuck[0] < 1 < stuck[1]:
        raise SpecError(
            "stuck must be two factors of the median, below and above 1, such as (0.02, 10), not "
            f"{stuck}"
        )
    volts = None if voltage is None else parse_quantity(voltage, "V")
    given = read_readings(table, unit, volts)
    return _fit(given, stuck, seed, Path(table).name if isinstance(table, (str, Path)) else "")


def _fit(given: Readings, stuck: tuple[float, float] | None, seed: int, source: str) -> Fit:
    found = Found(notes=list(given.notes))
    cells = cells_of(given)
    if (given.time < 0).any():
        raise SpecError("times must be at least 0 s")
    reference = reference_of(cells)
    near = at_reference(cells, reference)
    event, first = near.programmed()
    device, g, target = near.device[event], near.g[first], near.target[event]
    state = stuck_devices(device, target, g, stuck, found)
    state = np.pad(state, (0, int(cells.device.max()) + 1 - len(state)))
    sound = state[cells.device[cells.event]] == 0
    good = state[device] == 0
    good &= g > 0
    if not good.any():
        raise SpecError(
            f"a table must have a device that conducts; all {len(np.unique(given.device))} are "
            "open, or stuck by the factors of stuck"
        )
    event, g, target = event[good], g[good], target[good]
    programmed = np.full(len(cells.device), np.nan)
    programmed[event] = g
    every = cells.where(sound & np.isfinite(programmed[cells.event]))
    near = at_reference(every, reference)
    noise = fit_noise(near, programmed, found)
    lines = fit_time(near, noise, found)
    _told(cells.where(sound), near, programmed, found)
    reads = near.count[near.programmed()[1]]
    variance = noise**2 / float(reads.mean()) if len(reads) else 0.0
    known = np.isfinite(target)
    levels = np.unique(target[known])
    if len(levels) and not known.all():
        found.notes.append(f"{int((~known).sum())} devices without a target not used for the error")
    if len(levels) >= 2:
        fit_error(target[known], g[known], variance, seed, found)
    else:
        some = known if len(levels) else ~known
        fit_spread(g[some], variance, seed, found)
        if len(levels):
            add_bias(target[known], g[known] - target[known], found, kept=True)
    fit_heat(every, reference, noise or (0.0 if lines is None else lines.rms), found)
    _retention(found)
    return Fit(_law(given, found, source), near, every, target, g, lines)


def _told(every: Cells, near: Cells, programmed: Floats, found: Found) -> None:
    """Tell of readings that say something no part of the law is fitted to."""
    died = np.unique(near.event[(near.g == 0) & np.isfinite(programmed[near.event])])
    if len(died):
        found.unknown.append(
            f"failure in time: {len(died)} devices conducted at first and nothing later, which the "
            "law leaves out"
        )
    far = np.isfinite(every.time) & ~np.isin(every.kelvin, np.append(near.kelvin, np.nan))
    if len(np.unique(every.time[far & np.isfinite(every.kelvin)])) > 1:
        found.unknown.append(
            "activation energy: readings over time at other temperatures than the reference are "
            "not used for drift"
        )


def _retention(found: Found) -> None:
    """Complete a table over time: its deviations include that of programming."""
    table = found.values.pop("_table", None)
    if table is None:
        return
    at = table["at"]
    first = np.zeros(len(at))
    if "error" in found.values:
        from xbar.hardware.curve import Curve

        first = np.broadcast_to(Curve(**found.values["error"]).of(at), at.shape)
    elif "spread" in found.values:
        first = found.values["spread"]["sigma"] * at

    def curve(values: Floats) -> dict[str, Any]:
        rows = zip((at * 1e6).tolist(), (values * 1e6).tolist(), strict=True)
        return {"table": tuple(rows), "per": 1e-6, "scale": 1e-6}

    found.values["retention"] = {
        "times": tuple(table["times"].tolist()),
        "error": tuple(curve(np.hypot(first, grown)) for grown in table["grown"]),
        "shift": tuple(curve(shift) for shift in table["shift"]),
        "error_by": "programmed",
    }


def _law(given: Readings, found: Found, source: str) -> DeviceLaw:
    values = dict(found.values)
    if "within" in values and not values["within"][0] < values["within"][1]:
        del values["within"]
    fitted = Fitted(
        devices=len(np.unique(given.device)),
        readings=len(given),
        parameters=tuple(found.parameters),
        goodness=tuple(found.goodness),
        notes=tuple(found.notes),
        unknown=tuple(found.unknown),
    )
    return DeviceLaw(source=source, fitted=fitted, **values)
