"""Public alias of ``xbar.sizing.theory``.

``xbar.sizing`` depends on the subset solvers, so it can't be imported here: names are looked up on
use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("xbar.sizing.theory"), name)


def __dir__() -> list[str]:
    return dir(import_module("xbar.sizing.theory"))
