"""The plot of ``xbar converter``; matplotlib is imported on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.cli.size_plot import picture_bytes
from xbar.simulation.linearity import Linearity

_FIRST, _ALL = "#0072b2", "#d55e00"  # Okabe and Ito's blue and vermilion


def draw_linearity(found: Sequence[Linearity], form: str) -> bytes:
    """Plot INL and DNL by code, one column of panels a converter: the first one, and all of them.

    Args:
        found: what is told of the ADC, the DAC or both.
        form: "png", "svg" or "pdf".

    Returns:
        Contents of the image file, reproducible to the byte.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "xbar"}):
        picture = Figure(figsize=(5.4 * len(found), 5.0), layout="constrained")
        panels = picture.subplots(2, len(found), squeeze=False)
        for column, each in enumerate(found):
            first = -(2 ** (each.bits - 1)) + 2 if each.what == "ADC" else 0
            for row, (name, values) in enumerate((("INL", each.inl), ("DNL", each.dnl))):
                _panel(panels[row, column], values, first, f"{each.what} {name}, levels")
            title = f"{each.what}: {each.kind}, {each.bits} bits"
            if each.what == "ADC":
                title += f", ENOB {each.enob.mean():.2f}"
            panels[0, column].set_title(title, fontsize=10)
            panels[1, column].set_xlabel("code" if each.what == "ADC" else "level")
        return picture_bytes(picture, form)


def _panel(panel: Any, values: Floats, first: int, label: str) -> None:
    code = first + np.arange(values.shape[1])
    panel.plot(code, values[0], color=_FIRST, lw=0.8, label="first converter")
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        panel.fill_between(code, low, high, color=_ALL, alpha=0.25, lw=0, label="all converters")
    panel.axhline(0.0, color="0.4", lw=0.6)
    panel.set_ylabel(label)
    panel.legend(fontsize=8)
