"""Masks of banks and arrays, drawn in SKY130.

The names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.silicon.layout.geometry import BankGeometry as BankGeometry
    from xbar.silicon.layout.layout import Layout as Layout
    from xbar.silicon.layout.rules import Rules as Rules
    from xbar.silicon.layout.rules import drawing_rules as drawing_rules

_HOME = {
    "BankGeometry": "xbar.silicon.layout.geometry",
    "Layout": "xbar.silicon.layout.layout",
    "Rules": "xbar.silicon.layout.rules",
    "drawing_rules": "xbar.silicon.layout.rules",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.silicon.layout", _HOME)
