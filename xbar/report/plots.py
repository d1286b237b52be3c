"""Plots of a report, as SVG for embedding in an HTML page.

The same numbers give the same bytes. Plots contain no text from a model: names appear in the page,
where they are escaped. The palette is safe for colour-blind readers.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from xbar.errors import ToolError
from xbar.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xbar.report.survey import LayerSurvey, WireLoss

_BAR, _LINE, _IDLE = "#0072b2", "#d55e00", "0.85"  # Okabe and Ito's blue and vermilion
_NONE = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def check_matplotlib() -> None:
    """Check that plots can be drawn.

    Raises:
        ToolError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 - only to check that it is installed
    except ImportError as error:
        raise ToolError("the HTML report needs matplotlib: pip install 'xbar[plot]'") from error


def residual_picture(layer: LayerSurvey, key: str) -> str:
    """Histogram of a layer's residuals.

    Args:
        layer: the layer's survey.
        key: prefix of the SVG's identifiers, letters and digits, unique on the page.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(3.2, 1.9), layout="constrained")
    panel = figure.subplots()
    factor, unit = _prefix(float(layer.edges[-1]))
    total = max(int(layer.counts.sum()), 1)
    floor = 50 / total  # half a weight, so that a bin of one is visible
    share = np.maximum(100 * layer.counts / total, floor)
    panel.stairs(share, layer.edges * factor, baseline=floor, fill=True, color=_BAR)
    panel.axvline(0.0, color=_LINE, lw=0.8)
    panel.set_yscale("log")
    panel.set_ylim(floor, 150)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.set_xlabel(f"achieved - target, {unit}")
    panel.set_ylabel("% of weights")
    panel.spines[["top", "right"]].set_visible(False)
    return _svg(figure, key)


def gain_picture(wires: WireLoss, key: str) -> str:
    """Map of a tile's gain; cells that don't conduct are grey.

    The colour scale ends at 1 and at the 1st percentile: a cell with every switch open may have
    several times its own leakage as effective conductance, which would stretch the scale.

    Args:
        wires: the tile's wire loss.
        key: prefix of the SVG's identifiers, letters and digits, unique on the page.
    """
    from matplotlib.figure import Figure

    gain = np.ma.masked_equal(wires.gain, 0.0)
    low = float(np.quantile(gain.compressed(), 0.01)) if gain.count() else 0.0
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")
    panel = figure.subplots()
    panel.set_facecolor(_IDLE)
    lines, columns = gain.shape
    picture = panel.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(lines + 1) - 0.5,
        gain,
        cmap="cividis",
        vmin=min(low, 0.999),
        vmax=1.0,
        rasterized=True,
    )
    panel.invert_yaxis()
    panel.set(xlabel="bit line", ylabel="word line")
    figure.colorbar(picture, ax=panel, extend="both", label="effective over own conductance")
    return _svg(figure, key)


def _prefix(value: float) -> tuple[float, str]:
    """Factor to multiply siemens by, and the matching unit."""
    unit = format_quantity(value, "S").split()[1]
    prefixes = {"fS": 1e15, "pS": 1e12, "nS": 1e9, "µS": 1e6, "mS": 1e3, "S": 1.0}
    return prefixes[unit], unit


def _svg(figure: Figure, key: str) -> str:
    """A figure as an <svg> element whose identifiers begin with the key."""
    from matplotlib import rc_context

    file = BytesIO()
    with rc_context({"svg.hashsalt": "xbar", "svg.fonttype": "none", "font.size": 8}):
        figure.savefig(file, format="svg", dpi=150, metadata=_NONE)
    text = file.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r'(href="|url\()#', rf"\g<1>#{key}-", text)
    return text.replace("<svg ", '<svg role="img" ', 1).strip()
