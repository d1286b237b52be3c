"""xbar: analog crossbars whose weights are made from imprecise resistors.

The names below are the public API; each is imported on first use, so ``import xbar`` is fast and
needs no optional package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names
from xbar.version import __version__ as __version__

if TYPE_CHECKING:
    from xbar import circuit as circuit
    from xbar import effects as effects
    from xbar import hardware as hardware
    from xbar import model as model
    from xbar import pruning as pruning
    from xbar import report as report
    from xbar import silicon as silicon
    from xbar import simulation as simulation
    from xbar import sizing as sizing
    from xbar import subset as subset
    from xbar import training as training
    from xbar.circuit.crossbar import Crossbar as Crossbar
    from xbar.circuit.crossbar import Solution as Solution
    from xbar.circuit.deck.circuit import Circuit as Circuit
    from xbar.circuit.deck.flat import Control as Control
    from xbar.circuit.deck.flat import FlatElement as FlatElement
    from xbar.circuit.deck.point import OperatingPoint as OperatingPoint
    from xbar.circuit.deck.read import read_spice as read_spice
    from xbar.circuit.netlist import Netlist as Netlist
    from xbar.circuit.network import ResistorNetwork as ResistorNetwork
    from xbar.circuit.switches import SwitchedBank as SwitchedBank
    from xbar.compiler.block import Block as Block
    from xbar.compiler.compiler import compile as compile
    from xbar.compiler.emit import Configuration as Configuration
    from xbar.compiler.levers.record import Extent as Extent
    from xbar.compiler.levers.record import Fitted as Fitted
    from xbar.compiler.levers.record import LayerFit as LayerFit
    from xbar.compiler.levers.record import Lever as Lever
    from xbar.compiler.options import Options as Options
    from xbar.compiler.options import WholeLife as WholeLife
    from xbar.compiler.placed_blocks import PlacedBlocks as PlacedBlocks
    from xbar.compiler.placement import PlacementReport as PlacementReport
    from xbar.compiler.plan import Plan as Plan
    from xbar.compiler.program import Program as Program
    from xbar.compiler.provenance import Device as Device
    from xbar.compiler.provenance import Unreachable as Unreachable
    from xbar.compiler.tile import ProgrammedBlock as ProgrammedBlock
    from xbar.compiler.tile import ProgrammedTile as ProgrammedTile
    from xbar.compiler.tile import Reached as Reached
    from xbar.errors import CircuitError as CircuitError
    from xbar.errors import EngineError as EngineError
    from xbar.errors import FileError as FileError
    from xbar.errors import ModelError as ModelError
    from xbar.errors import NotFoundError as NotFoundError
    from xbar.errors import SolverError as SolverError
    from xbar.errors import SpecError as SpecError
    from xbar.errors import ToolError as ToolError
    from xbar.errors import UntrustedFileError as UntrustedFileError
    from xbar.errors import XbarError as XbarError
    from xbar.errors import XbarWarning as XbarWarning
    from xbar.hardware.amplifier import Amplifier as Amplifier
    from xbar.hardware.bank import Bank as Bank
    from xbar.hardware.chip import Chip as Chip
    from xbar.hardware.converter import Converter as Converter
    from xbar.hardware.cost import Cost as Cost
    from xbar.hardware.device_law import DeviceLaw as DeviceLaw
    from xbar.hardware.measurement import Measurement as Measurement
    from xbar.hardware.nonlinearity import Nonlinearity as Nonlinearity
    from xbar.hardware.selector import Selector as Selector
    from xbar.hardware.spec import Hardware as Hardware
    from xbar.hardware.switch import Switch as Switch
    from xbar.hardware.temperature import Temperature as Temperature
    from xbar.hardware.tile import Tile as Tile
    from xbar.hardware.variation import Variation as Variation
    from xbar.model.graph import Graph as Graph
    from xbar.model.graph import Layer as Layer
    from xbar.model.read import read_model as read_model
    from xbar.simulation.calibration import Calibration as Calibration
    from xbar.simulation.cost import LayerCost as LayerCost
    from xbar.simulation.cost import ProgramCost as ProgramCost
    from xbar.simulation.life import Life as Life
    from xbar.simulation.life import LifePoint as LifePoint
    from xbar.simulation.result import Budget as Budget
    from xbar.simulation.result import BudgetPart as BudgetPart
    from xbar.simulation.result import LayerResult as LayerResult
    from xbar.simulation.result import Result as Result
    from xbar.simulation.run import Reader as Reader
    from xbar.simulation.simulator import simulate as simulate
    from xbar.simulation.verify import TileCheck as TileCheck
    from xbar.simulation.verify import Verification as Verification
    from xbar.simulation.verify import verify as verify
    from xbar.subset.problem import SubsetSolution as SubsetSolution
    from xbar.subset.solver import solve_subset as solve_subset

_HOME = {
    "Bank": "xbar.hardware.bank",
    "Block": "xbar.compiler.block",
    "Budget": "xbar.simulation.result",
    "BudgetPart": "xbar.simulation.result",
    "Calibration": "xbar.simulation.calibration",
    "Chip": "xbar.hardware.chip",
    "Circuit": "xbar.circuit.deck.circuit",
    "CircuitError": "xbar.errors",
    "Configuration": "xbar.compiler.emit",
    "Control": "xbar.circuit.deck.flat",
    "Amplifier": "xbar.hardware.amplifier",
    "Converter": "xbar.hardware.converter",
    "Cost": "xbar.hardware.cost",
    "Crossbar": "xbar.circuit.crossbar",
    "Device": "xbar.compiler.provenance",
    "DeviceLaw": "xbar.hardware.device_law",
    "EngineError": "xbar.errors",
    "FileError": "xbar.errors",
    "FlatElement": "xbar.circuit.deck.flat",
    "Graph": "xbar.model.graph",
    "Hardware": "xbar.hardware.spec",
    "Layer": "xbar.model.graph",
    "LayerCost": "xbar.simulation.cost",
    "LayerResult": "xbar.simulation.result",
    "Life": "xbar.simulation.life",
    "LifePoint": "xbar.simulation.life",
    "Measurement": "xbar.hardware.measurement",
    "ModelError": "xbar.errors",
    "Netlist": "xbar.circuit.netlist",
    "Nonlinearity": "xbar.hardware.nonlinearity",
    "OperatingPoint": "xbar.circuit.deck.point",
    "Extent": "xbar.compiler.levers.record",
    "Fitted": "xbar.compiler.levers.record",
    "Lever": "xbar.compiler.levers.record",
    "LayerFit": "xbar.compiler.levers.record",
    "Options": "xbar.compiler.options",
    "WholeLife": "xbar.compiler.options",
    "Plan": "xbar.compiler.plan",
    "PlacedBlocks": "xbar.compiler.placed_blocks",
    "PlacementReport": "xbar.compiler.placement",
    "Program": "xbar.compiler.program",
    "ProgramCost": "xbar.simulation.cost",
    "ProgrammedBlock": "xbar.compiler.tile",
    "ProgrammedTile": "xbar.compiler.tile",
    "Reached": "xbar.compiler.tile",
    "Reader": "xbar.simulation.run",
    "ResistorNetwork": "xbar.circuit.network",
    "Result": "xbar.simulation.result",
    "Selector": "xbar.hardware.selector",
    "Solution": "xbar.circuit.crossbar",
    "NotFoundError": "xbar.errors",
    "SolverError": "xbar.errors",
    "SpecError": "xbar.errors",
    "SubsetSolution": "xbar.subset.problem",
    "Switch": "xbar.hardware.switch",
    "SwitchedBank": "xbar.circuit.switches",
    "Temperature": "xbar.hardware.temperature",
    "Tile": "xbar.hardware.tile",
    "TileCheck": "xbar.simulation.verify",
    "ToolError": "xbar.errors",
    "Unreachable": "xbar.compiler.provenance",
    "UntrustedFileError": "xbar.errors",
    "Variation": "xbar.hardware.variation",
    "Verification": "xbar.simulation.verify",
    "XbarError": "xbar.errors",
    "XbarWarning": "xbar.errors",
    "compile": "xbar.compiler.compiler",
    "read_model": "xbar.model.read",
    "read_spice": "xbar.circuit.deck.read",
    "simulate": "xbar.simulation.simulator",
    "solve_subset": "xbar.subset.solver",
    "verify": "xbar.simulation.verify",
}
_PACKAGES = (
    "circuit",
    "effects",
    "hardware",
    "model",
    "pruning",
    "report",
    "silicon",
    "simulation",
    "sizing",
    "subset",
    "training",
)

__all__ = sorted([*_HOME, *_PACKAGES])

__getattr__, __dir__ = public_names("xbar", _HOME, _PACKAGES, other=("__version__",))
