"""Crossbars as silicon: processes, branches of a resistor and a switch, their models in SPICE.

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.silicon.layout.geometry import BankGeometry as BankGeometry
    from xbar.silicon.layout.layout import Layout as Layout
    from xbar.silicon.process import Process as Process
    from xbar.silicon.process import ResistorDevice as ResistorDevice
    from xbar.silicon.process import SwitchDevice as SwitchDevice

_HOME = {
    "BankGeometry": "xbar.silicon.layout.geometry",
    "Layout": "xbar.silicon.layout.layout",
    "Process": "xbar.silicon.process",
    "ResistorDevice": "xbar.silicon.process",
    "SwitchDevice": "xbar.silicon.process",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.silicon", _HOME)
