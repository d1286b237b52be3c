"""Reports on programs and simulations, as numbers, text and HTML.

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.report.html import html_report as html_report
    from xbar.report.metrics import LayerMetrics as LayerMetrics
    from xbar.report.metrics import layer_metrics as layer_metrics
    from xbar.report.survey import Survey as Survey
    from xbar.report.text import program_text as program_text
    from xbar.report.text import survey_text as survey_text

_HOME = {
    "LayerMetrics": "xbar.report.metrics",
    "Survey": "xbar.report.survey",
    "html_report": "xbar.report.html",
    "layer_metrics": "xbar.report.metrics",
    "program_text": "xbar.report.text",
    "survey_text": "xbar.report.text",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.report", _HOME)
