"""The plot of ``xbar simulate --time``; matplotlib is imported on demand."""

from __future__ import annotations

from typing import Any

from xbar.cli.size_plot import picture_bytes
from xbar.errors import SpecError
from xbar.simulation.life import Life, LifePoint
from xbar.units import ZERO_CELSIUS, format_temperature, format_time


def draw_life(life: Life, form: str) -> bytes:
    """Plot accuracy or metric over time, one line a temperature; or over temperature.

    Args:
        life: results, with labels or a metric.
        form: "png", "svg" or "pdf".

    Returns:
        Contents of the image file, reproducible to the byte.

    Raises:
        SpecError: there is no accuracy to draw.
    """
    if life.accuracy is None:
        raise SpecError("a picture over time needs labels or a metric in the data")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "xbar"}):
        picture = Figure(figsize=(5.6, 4.2), layout="constrained")
        panel = picture.subplots()
        scale = 100.0 if life.metric == "accuracy" else 1.0
        _lines(panel, life, scale)
        if life.digital_accuracy is not None:
            panel.axhline(scale * life.digital_accuracy, color="0.4", lw=0.8, label="digital")
        panel.set_ylabel("accuracy, %" if life.metric == "accuracy" else life.metric)
        panel.legend(fontsize=8)
        return picture_bytes(picture, form)


def _lines(panel: Any, life: Life, scale: float) -> None:
    if life.points[0].time is None:
        points = sorted(life.points, key=lambda point: point.temperature or 0.0)
        places = [(point.temperature or 0.0) - ZERO_CELSIUS for point in points]
        _line(panel, places, points, scale, life.compensate)
        panel.set_xlabel("temperature, °C")
        return
    for kelvin in dict.fromkeys(point.temperature for point in life.points):
        some = [point for point in life.points if point.temperature == kelvin]
        some.sort(key=lambda point: point.time or 0.0)
        where = "" if kelvin is None else f"{format_temperature(kelvin)}, "
        _line(panel, [p.time or 0.0 for p in some], some, scale, where + life.compensate)
    times = sorted({point.time or 0.0 for point in life.points})
    if times[0] > 0:
        panel.set_xscale("log")
    panel.set_xticks(times, [format_time(time) for time in times])
    panel.minorticks_off()
    panel.set_xlabel("time since programming")


def _line(
    panel: Any, places: list[float], points: list[LifePoint], scale: float, label: str
) -> None:
    found = [scale * (point.result.accuracy or 0.0) for point in points]
    label = label.replace("none", "not compensated")
    (line,) = panel.plot(places, found, marker="o", ms=3.5, label=label)
    ends = [point.result.interval or (point.result.score, point.result.score) for point in points]
    low, high = ([scale * end[side] for end in ends] for side in (0, 1))
    panel.fill_between(places, low, high, color=line.get_color(), alpha=0.2, lw=0)
