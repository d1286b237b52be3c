"""The picture of ``xbar fit``: data and law; matplotlib is imported on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.cli.size_plot import picture_bytes
from xbar.units import ZERO_CELSIUS

if TYPE_CHECKING:
    from xbar.hardware.fit.law import Fit

_MICRO = 1e6
_LINES = 60
"""Devices whose lines over time are drawn."""


def draw_fit(fit: Fit, form: str) -> bytes:
    """Quantiles or error by target, lines over time, and resistance over temperature.

    Args:
        fit: the law and its data.
        form: "png", "svg" or "pdf".

    Returns:
        Contents of the image file, reproducible to the byte.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = [_error if fit.law.error is not None else _quantiles]
    if fit.lines is not None:
        panels.append(_times)
    if fit.law.temperature is not None:
        panels.append(_heat)
    with rc_context({"svg.hashsalt": "xbar"}):
        picture = Figure(figsize=(4.6 * len(panels), 4.0), layout="constrained")
        axes = picture.subplots(1, len(panels), squeeze=False)[0]
        for axis, draw in zip(axes, panels, strict=True):
            draw(axis, fit)
        return picture_bytes(picture, form)


def _quantiles(panel: Any, fit: Fit) -> None:
    """Measured conductances against the quantiles of the law."""
    from scipy.special import ndtri

    g = np.sort(fit.g)
    if len(g) == 0:
        return
    share = (np.arange(len(g)) + 0.5) / len(g)
    panel.plot(ndtri(share), g * _MICRO, ".", ms=4, label=f"{len(g)} devices")
    law = fit.law
    if law.spread is not None and law.nominal is not None and law.spread.sigma is not None:
        from xbar.hardware.fabricate import conductance

        u = np.linspace(0.001, 0.999, 400)
        drawn = conductance(law.bank(1), u[:, None])[:, 0]
        label = f"{law.spread.kind}, {100 * law.spread.sigma:.3g} %"
        panel.plot(ndtri(u), drawn * _MICRO, "k-", lw=1, label=label)
    panel.set(xlabel="quantile of a normal law", ylabel="conductance, µS", title="spread")
    panel.legend(fontsize=8)


def _error(panel: Any, fit: Fit) -> None:
    """Deviations from targets, and twice the law's standard deviation."""
    law, target = fit.law, fit.target
    assert law.error is not None  # else another panel is drawn
    panel.plot(
        target * _MICRO, (fit.g - target) * _MICRO, ".", ms=3, label=f"{len(target)} devices"
    )
    x = np.linspace(target.min(), target.max(), 200)
    two = 2.0 * np.broadcast_to(law.error.of(x), x.shape)
    for sign, label in ((1.0, "law, two standard deviations"), (-1.0, None)):
        panel.plot(x * _MICRO, sign * two * _MICRO, "k-", lw=1, label=label)
    panel.set(xlabel="target, µS", ylabel="deviation, µS", title="error of programming")
    panel.legend(fontsize=8)


def _times(panel: Any, fit: Fit) -> None:
    """Conductance over its first, of some devices and of the law."""
    cells, lines = fit.cells, fit.lines
    assert lines is not None  # else there is no such panel
    every = max(1, len(lines.event) // _LINES)
    for event, start in zip(lines.event[::every], lines.start[::every], strict=True):
        own = cells.where((cells.event == event) & (cells.time > 0))
        order = np.argsort(own.time)
        panel.plot(own.time[order], own.g[order] / start, "-", color="0.75", lw=0.7)
    times = np.geomspace(lines.first, float(np.nanmax(cells.time)), 100)
    _law_over_time(panel, fit, times)
    panel.set(xscale="log", xlabel="time since programming, s", ylabel="conductance over first",
              title="time")  # fmt: skip
    panel.legend(fontsize=8)


def _law_over_time(panel: Any, fit: Fit, times: Any) -> None:
    law, middle = fit.law, np.array([float(np.median(fit.g))])
    if law.drift is not None:
        span = np.log(times / law.drift.first)
        mean, sigma = (float(np.ravel(c.of(middle))[0]) for c in (law.drift.mean, law.drift.sigma))
        panel.plot(times, np.exp(-mean * span), "k-", lw=1.2, label="law, mean exponent")
        for sign, label in ((2.0, "two standard deviations"), (-2.0, None)):
            panel.plot(times, np.exp(-abs(mean + sign * sigma) * span), "k--", lw=0.8, label=label)
    elif law.retention is not None:
        table = law.retention
        at = np.array(table.times)
        shift = np.array([float(np.ravel(curve.of(middle))[0]) for curve in table.shift])
        error = np.array([float(np.ravel(curve.of(middle))[0]) for curve in table.error])
        grown = np.sqrt(np.maximum(error**2 - error[0] ** 2, 0.0))
        late = at > 0
        for sign, style, label in ((0, "ko-", "law, mean"), (2, "k--", "two standard deviations"),
                                   (-2, "k--", None)):  # fmt: skip
            value = 1.0 + (shift + sign * grown) / middle
            panel.plot(at[late], value[late], style, ms=3, lw=1, label=label)


def _heat(panel: Any, fit: Fit) -> None:
    """Resistance over temperature, of devices and of the law."""
    cells, heat = fit.all_cells, fit.law.temperature
    assert heat is not None  # else there is no such panel
    cells = cells.where(np.isfinite(cells.kelvin))
    events = np.unique(cells.event)
    for event in events[:: max(1, len(events) // _LINES)]:
        own = cells.where(cells.event == event)
        near = np.argmin(np.abs(own.kelvin - heat.reference))
        order = np.argsort(own.kelvin)
        panel.plot(
            own.kelvin[order] - ZERO_CELSIUS, own.g[near] / own.g[order], "-", color="0.75", lw=0.7
        )
    kelvin = np.linspace(heat.least, heat.most, 100)
    d = kelvin - heat.reference
    for sign, style, label in ((0, "k-", "law, mean"), (2, "k--", "two standard deviations"),
                               (-2, "k--", None)):  # fmt: skip
        slope = heat.resistors + sign * heat.resistors_sigma
        panel.plot(
            kelvin - ZERO_CELSIUS, 1.0 + slope * d + heat.bend * d * d, style, lw=1, label=label
        )
    panel.set(xlabel="temperature, °C", ylabel="resistance over that at the reference",
              title="temperature")  # fmt: skip
    panel.legend(fontsize=8)
