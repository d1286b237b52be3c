"""Crossbars as silicon: processes, branches of a resistor and a switch, their models in SPICE.

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.silicon.branch import Branches as Branches
    from xbar.silicon.cell import Cell as Cell
    from xbar.silicon.characterise import Plan as Plan
    from xbar.silicon.layout.geometry import BankGeometry as BankGeometry
    from xbar.silicon.layout.layout import Layout as Layout
    from xbar.silicon.mismatch import Sample as Sample
    from xbar.silicon.model import BranchModel as BranchModel
    from xbar.silicon.process import Process as Process
    from xbar.silicon.process import ResistorDevice as ResistorDevice
    from xbar.silicon.process import SwitchDevice as SwitchDevice

_HOME = {
    "BankGeometry": "xbar.silicon.layout.geometry",
    "BranchModel": "xbar.silicon.model",
    "Branches": "xbar.silicon.branch",
    "Cell": "xbar.silicon.cell",
    "Layout": "xbar.silicon.layout.layout",
    "Plan": "xbar.silicon.characterise",
    "Process": "xbar.silicon.process",
    "ResistorDevice": "xbar.silicon.process",
    "Sample": "xbar.silicon.mismatch",
    "SwitchDevice": "xbar.silicon.process",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.silicon", _HOME)
