"""Crossbars as silicon: processes, branches of a resistor and a switch, their models in SPICE.

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.silicon.array import Array as Array
    from xbar.silicon.branch import Branches as Branches
    from xbar.silicon.cell import Cell as Cell
    from xbar.silicon.characterise import Plan as Plan
    from xbar.silicon.checks.compare import Comparison as Comparison
    from xbar.silicon.checks.deck import DeckComparison as DeckComparison
    from xbar.silicon.checks.deck import DeckReport as DeckReport
    from xbar.silicon.checks.rules import RuleReport as RuleReport
    from xbar.silicon.checks.wires import Wires as Wires
    from xbar.silicon.designer import Design as Design
    from xbar.silicon.designer import design as design
    from xbar.silicon.layout.geometry import BankGeometry as BankGeometry
    from xbar.silicon.layout.layout import Layout as Layout
    from xbar.silicon.lengths import LengthLaw as LengthLaw
    from xbar.silicon.mismatch import Sample as Sample
    from xbar.silicon.model import BranchModel as BranchModel
    from xbar.silicon.process import Process as Process
    from xbar.silicon.process import ResistorDevice as ResistorDevice
    from xbar.silicon.process import SwitchDevice as SwitchDevice
    from xbar.silicon.search import Limits as Limits
    from xbar.silicon.tester import Measured as Measured
    from xbar.silicon.tester import measure as measure
    from xbar.silicon.tester import measure_design as measure_design
    from xbar.silicon.verification import Verification as Verification
    from xbar.silicon.verification import VerificationSweep as VerificationSweep
    from xbar.silicon.verification import sweep as sweep
    from xbar.silicon.verification import verify as verify

_HOME = {
    "Array": "xbar.silicon.array",
    "BankGeometry": "xbar.silicon.layout.geometry",
    "BranchModel": "xbar.silicon.model",
    "Branches": "xbar.silicon.branch",
    "Cell": "xbar.silicon.cell",
    "Comparison": "xbar.silicon.checks.compare",
    "DeckComparison": "xbar.silicon.checks.deck",
    "DeckReport": "xbar.silicon.checks.deck",
    "Design": "xbar.silicon.designer",
    "Layout": "xbar.silicon.layout.layout",
    "LengthLaw": "xbar.silicon.lengths",
    "Limits": "xbar.silicon.search",
    "Measured": "xbar.silicon.tester",
    "Plan": "xbar.silicon.characterise",
    "Process": "xbar.silicon.process",
    "ResistorDevice": "xbar.silicon.process",
    "RuleReport": "xbar.silicon.checks.rules",
    "Sample": "xbar.silicon.mismatch",
    "SwitchDevice": "xbar.silicon.process",
    "Verification": "xbar.silicon.verification",
    "VerificationSweep": "xbar.silicon.verification",
    "Wires": "xbar.silicon.checks.wires",
    "design": "xbar.silicon.designer",
    "measure": "xbar.silicon.tester",
    "measure_design": "xbar.silicon.tester",
    "sweep": "xbar.silicon.verification",
    "verify": "xbar.silicon.verification",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.silicon", _HOME)
