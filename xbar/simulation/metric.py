"""What a simulation measures: the share of right answers, or the user's own figure."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import SpecError

Metric: TypeAlias = Callable[[NDArray[Any], NDArray[Any] | None], float]
"""(outputs (N, ...), labels (N, ...) or None) -> a finite number, the more the better or not."""


def load_metric(name: str) -> Metric:
    """The function that "module:callable" names; the module is imported, so its code runs.

    Raises:
        SpecError: there is no such function.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise SpecError(f"metric must be module:callable, such as mytask:score, not {name!r}")
    try:
        with _current_directory():
            target: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                target = getattr(target, part)
    # the user's own module is imported, and may raise anything
    except Exception as error:
        raise SpecError(f"metric {name}: it can't be imported: {_summary(error)}") from error
    if not callable(target):
        raise SpecError(f"metric {name}: it must be a function, not a {type(target).__name__}")
    metric: Metric = target
    return metric


def metric_name(metric: Metric) -> str:
    """What a report calls it."""
    return str(getattr(metric, "__name__", type(metric).__name__))


def measure(metric: Metric, outputs: NDArray[Any], labels: NDArray[Any] | None) -> float:
    """What a metric says of outputs (N, ...).

    Raises:
        SpecError: it fails, or gives no finite number.
    """
    name = metric_name(metric)
    try:
        value = float(metric(outputs, labels))
    # the user's own function is called, and may raise anything
    except Exception as error:
        raise SpecError(
            f"metric {name}: it failed for outputs {outputs.shape}: {_summary(error)}"
        ) from error
    if not math.isfinite(value):
        raise SpecError(f"metric {name}: it must give a finite number, not {value}")
    return value


@contextmanager
def _current_directory() -> Iterator[None]:
    """Let modules of the current directory be imported."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _summary(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
