"""``xbar.subset.theory``, the public name of ``xbar.sizing.theory``.

Sizing stands on the subset solvers, so it can't be imported here: each name is looked up when it
is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("xbar.sizing.theory"), name)


def __dir__() -> list[str]:
    return dir(import_module("xbar.sizing.theory"))
