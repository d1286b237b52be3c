"""xbar: analog crossbars whose weights are made from imprecise resistors.

The names below are the public API; each is imported when it is first used, so ``import xbar``
is quick and needs no optional package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbar import pruning as pruning
    from xbar import subset as subset
    from xbar.circuit.crossbar import Crossbar as Crossbar
    from xbar.circuit.crossbar import Solution as Solution
    from xbar.circuit.deck.read import read_spice as read_spice
    from xbar.circuit.network import ResistorNetwork as ResistorNetwork
    from xbar.compiler.compiler import compile as compile
    from xbar.compiler.options import Options as Options
    from xbar.compiler.program import Program as Program
    from xbar.errors import CircuitError as CircuitError
    from xbar.errors import EngineError as EngineError
    from xbar.errors import FileError as FileError
    from xbar.errors import ModelError as ModelError
    from xbar.errors import SolverError as SolverError
    from xbar.errors import SpecError as SpecError
    from xbar.errors import ToolError as ToolError
    from xbar.errors import UntrustedFileError as UntrustedFileError
    from xbar.errors import XbarError as XbarError
    from xbar.hardware.bank import Bank as Bank
    from xbar.hardware.chip import Chip as Chip
    from xbar.hardware.converter import Converter as Converter
    from xbar.hardware.spec import Hardware as Hardware
    from xbar.hardware.tile import Tile as Tile
    from xbar.hardware.variation import Variation as Variation
    from xbar.model.read import read_model as read_model
    from xbar.simulation.simulator import simulate as simulate
    from xbar.simulation.verify import verify as verify
    from xbar.subset.problem import SubsetSolution as SubsetSolution
    from xbar.subset.solver import solve_subset as solve_subset

__version__ = "0.1.0"

_HOME = {
    "Bank": "xbar.hardware.bank",
    "Chip": "xbar.hardware.chip",
    "CircuitError": "xbar.errors",
    "Converter": "xbar.hardware.converter",
    "Crossbar": "xbar.circuit.crossbar",
    "EngineError": "xbar.errors",
    "FileError": "xbar.errors",
    "Hardware": "xbar.hardware.spec",
    "ModelError": "xbar.errors",
    "Options": "xbar.compiler.options",
    "Program": "xbar.compiler.program",
    "ResistorNetwork": "xbar.circuit.network",
    "Solution": "xbar.circuit.crossbar",
    "SolverError": "xbar.errors",
    "SpecError": "xbar.errors",
    "SubsetSolution": "xbar.subset.problem",
    "Tile": "xbar.hardware.tile",
    "ToolError": "xbar.errors",
    "UntrustedFileError": "xbar.errors",
    "Variation": "xbar.hardware.variation",
    "XbarError": "xbar.errors",
    "compile": "xbar.compiler.compiler",
    "read_model": "xbar.model.read",
    "read_spice": "xbar.circuit.deck.read",
    "simulate": "xbar.simulation.simulator",
    "solve_subset": "xbar.subset.solver",
    "verify": "xbar.simulation.verify",
}
_PACKAGES = {"pruning", "subset"}

__all__ = sorted([*_HOME, *_PACKAGES])


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"xbar.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'xbar' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
