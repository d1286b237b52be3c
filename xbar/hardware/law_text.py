"""A device law as text: its parts, and of a fitted one its intervals, tests and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.hardware.law_parts import Fitted, Parameter
from xbar.tables import Facts, card, count, table
from xbar.units import format_quantity, format_temperature, format_time

if TYPE_CHECKING:
    from xbar.hardware.device_law import DeviceLaw


def law_text(law: DeviceLaw) -> str:
    """The text that ``print`` shows."""
    text = card("DeviceLaw", _facts(law))
    return text if law.fitted is None else f"{text}\n\n{_fitted(law.fitted)}"


def _facts(law: DeviceLaw) -> Facts:
    found = [
        ("law", law.law),
        ("source", ", ".join(part for part in (law.source, law.date) if part)),
    ]
    if law.fitted is not None:
        text = f"{count(law.fitted.devices, 'device')}, {count(law.fitted.readings, 'reading')}"
        found.append(("data", text))
    if law.within is not None:
        ends = " to ".join(format_quantity(end, "S") for end in law.within)
        found.append(("conductances", ends))
    if law.nominal is not None:
        found.append(("nominal", format_quantity(law.nominal, "S")))
    if law.spread is not None:
        sigma = "" if law.spread.sigma is None else f", {100 * law.spread.sigma:.3g} %"
        found.append(("spread", law.spread.kind + sigma))
    if law.error is not None:
        found.append(("error", "standard deviation of programming, by target"))
    if law.stuck_open or law.stuck_closed:
        shares = f"{100 * law.stuck_open:.3g} % open, {100 * law.stuck_closed:.3g} % closed"
        found.append(("stuck", shares))
    return [*found, *_later(law)]


def _later(law: DeviceLaw) -> Facts:
    found = []
    if law.drift is not None:
        found.append(("drift", f"power law from {format_time(law.drift.first)} on"))
    if law.retention is not None:
        times = ", ".join(format_time(time) for time in law.retention.times)
        found.append(("retention", f"tables at {times}"))
    if law.relaxation is not None:
        found.append(("relaxation", f"logarithmic from {format_time(law.relaxation.first)} on"))
    if law.noise is not None:
        kind = "relative" if law.noise.relative is not None else "absolute"
        grows = "" if law.noise.reading is None else ", grows as 1/f noise does"
        found.append(("read noise", kind + grows))
    if law.temperature is not None:
        heat = law.temperature
        ends = f"{format_temperature(heat.least)} to {format_temperature(heat.most)}"
        found.append(("temperature", f"{1e6 * heat.resistors:.4g} ppm/K, {ends}"))
    return found


def _fitted(fitted: Fitted) -> str:
    head = ["parameter", "estimate", "95 % from", "to", "unit"]
    parts = [
        table("Parameters", head, [_row(one) for one in fitted.parameters]),
    ]
    if fitted.goodness:
        rows = [
            [one.of, one.test, f"{one.statistic:.3g}", f"{one.p:.2g}"] for one in fitted.goodness
        ]
        parts.append(table("Goodness of fit", ["law", "test", "statistic", "p"], rows))
    for title, lines in (("Assumed", fitted.notes), ("Not in the data", fitted.unknown)):
        if lines:
            parts.append("\n".join([title, "", *(f"  - {line}" for line in lines)]) + "\n")
    return "\n".join(parts).rstrip("\n")


def _row(one: Parameter) -> list[str]:
    unit, scale = one.unit, 1.0
    size = max(abs(each) for each in (one.value, one.low or 0.0, one.high or 0.0))
    if unit in ("S", "s") and size > 0:
        text = format_quantity(size, unit)
        unit = text.split(" ", 1)[1]
        scale = float(f"1e{_POWER[unit[: -len(one.unit)]]}")
    if unit.startswith("1/K"):
        unit, scale = unit.replace("1/", "ppm/"), 1e-6
    values = [
        "-" if each is None else f"{each / scale:.4g}" for each in (one.value, one.low, one.high)
    ]
    return [one.name, *values, unit]


_POWER = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
