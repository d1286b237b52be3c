"""Metrics of a simulation defined by the user, instead of accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import SpecError
from xbar.usercode import import_named, told_as

Metric: TypeAlias = Callable[[NDArray[Any], NDArray[Any] | None], float]
"""(outputs (N, ...), labels (N, ...) or None) -> a finite number."""


def load_metric(name: str) -> Metric:
    """The function named by "module:callable"; the module is imported, so its code runs.

    Raises:
        SpecError: there is no such function.
    """
    target = import_named(name, "metric", "mytask:score")
    if not callable(target):
        raise SpecError(f"metric {name}: it must be a function, not a {type(target).__name__}")
    metric: Metric = target
    return metric


def metric_name(metric: Metric) -> str:
    """Name of the metric in reports."""
    return str(getattr(metric, "__name__", type(metric).__name__))


def measure(metric: Metric, outputs: NDArray[Any], labels: NDArray[Any] | None) -> float:
    """Value of a metric for outputs (N, ...).

    Raises:
        SpecError: it fails, or does not return a finite number.
    """
    name = metric_name(metric)
    with told_as(f"metric {name}: it failed for outputs {outputs.shape}"):
        value = float(metric(outputs, labels))
    if not math.isfinite(value):
        raise SpecError(f"metric {name}: it must give a finite number, not {value}")
    return value
