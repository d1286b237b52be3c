"""Electrical truth: resistive circuits, their exact solution, netlists and SPICE engines.

The names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.circuit.access import Access as Access
    from xbar.circuit.access import ReadMargins as ReadMargins
    from xbar.circuit.access import access as access
    from xbar.circuit.access import read_margins as read_margins
    from xbar.circuit.cells import CellCircuit as CellCircuit
    from xbar.circuit.cells import LadderCell as LadderCell
    from xbar.circuit.cells import ParallelCell as ParallelCell
    from xbar.circuit.cells import SeriesCell as SeriesCell
    from xbar.circuit.crossbar import Crossbar as Crossbar
    from xbar.circuit.crossbar import Solution as Solution
    from xbar.circuit.deck.circuit import Circuit as Circuit
    from xbar.circuit.deck.flat import Control as Control
    from xbar.circuit.deck.flat import FlatElement as FlatElement
    from xbar.circuit.deck.point import OperatingPoint as OperatingPoint
    from xbar.circuit.deck.read import read_spice as read_spice
    from xbar.circuit.netlist import Netlist as Netlist
    from xbar.circuit.netlist import crossbar_netlist as crossbar_netlist
    from xbar.circuit.network import ResistorNetwork as ResistorNetwork
    from xbar.circuit.nonlinear import CellLaw as CellLaw
    from xbar.circuit.nonlinear import NonlinearSolution as NonlinearSolution
    from xbar.circuit.nonlinear import PolynomialCell as PolynomialCell
    from xbar.circuit.nonlinear import SinhCell as SinhCell
    from xbar.circuit.nonlinear import solve_nonlinear as solve_nonlinear
    from xbar.circuit.prepared import PreparedArray as PreparedArray
    from xbar.circuit.selectors import TableCell as TableCell
    from xbar.circuit.seriesparallel import reduce_series_parallel as reduce_series_parallel
    from xbar.circuit.seriesparallel import series_parallel_values as series_parallel_values
    from xbar.circuit.source_lines import SourceLines as SourceLines
    from xbar.circuit.switches import SwitchedBank as SwitchedBank
    from xbar.circuit.transfers import transfers as transfers

_HOME = {
    "Access": "xbar.circuit.access",
    "CellCircuit": "xbar.circuit.cells",
    "CellLaw": "xbar.circuit.nonlinear",
    "Circuit": "xbar.circuit.deck.circuit",
    "Control": "xbar.circuit.deck.flat",
    "Crossbar": "xbar.circuit.crossbar",
    "FlatElement": "xbar.circuit.deck.flat",
    "LadderCell": "xbar.circuit.cells",
    "Netlist": "xbar.circuit.netlist",
    "NonlinearSolution": "xbar.circuit.nonlinear",
    "OperatingPoint": "xbar.circuit.deck.point",
    "ParallelCell": "xbar.circuit.cells",
    "PolynomialCell": "xbar.circuit.nonlinear",
    "PreparedArray": "xbar.circuit.prepared",
    "ReadMargins": "xbar.circuit.access",
    "ResistorNetwork": "xbar.circuit.network",
    "SeriesCell": "xbar.circuit.cells",
    "SinhCell": "xbar.circuit.nonlinear",
    "Solution": "xbar.circuit.crossbar",
    "SourceLines": "xbar.circuit.source_lines",
    "SwitchedBank": "xbar.circuit.switches",
    "TableCell": "xbar.circuit.selectors",
    "access": "xbar.circuit.access",
    "crossbar_netlist": "xbar.circuit.netlist",
    "read_margins": "xbar.circuit.access",
    "read_spice": "xbar.circuit.deck.read",
    "reduce_series_parallel": "xbar.circuit.seriesparallel",
    "series_parallel_values": "xbar.circuit.seriesparallel",
    "solve_nonlinear": "xbar.circuit.nonlinear",
    "transfers": "xbar.circuit.transfers",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.circuit", _HOME)
