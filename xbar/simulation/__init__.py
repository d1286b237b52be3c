"""Simulation of a program: analog products with converters, wires and noise, and its accuracy.

The names below are imported on first use. ``xbar.verify`` is the function,
``xbar.simulation.verify`` the module that defines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.simulation.calibration import Calibration as Calibration
    from xbar.simulation.cost import LayerCost as LayerCost
    from xbar.simulation.cost import ProgramCost as ProgramCost
    from xbar.simulation.dataset import Dataset as Dataset
    from xbar.simulation.dataset import read_dataset as read_dataset
    from xbar.simulation.life import Life as Life
    from xbar.simulation.life import LifePoint as LifePoint
    from xbar.simulation.linearity import Linearity as Linearity
    from xbar.simulation.linearity import adc_linearity as adc_linearity
    from xbar.simulation.linearity import dac_linearity as dac_linearity
    from xbar.simulation.peak import Peak as Peak
    from xbar.simulation.peak import design_peak as design_peak
    from xbar.simulation.programming_cost import ProgrammingCost as ProgrammingCost
    from xbar.simulation.result import Budget as Budget
    from xbar.simulation.result import BudgetPart as BudgetPart
    from xbar.simulation.result import LayerResult as LayerResult
    from xbar.simulation.result import Result as Result
    from xbar.simulation.run import Reader as Reader
    from xbar.simulation.simulator import simulate as simulate
    from xbar.simulation.verify import TileCheck as TileCheck
    from xbar.simulation.verify import Verification as Verification

_HOME = {
    "Budget": "xbar.simulation.result",
    "BudgetPart": "xbar.simulation.result",
    "Calibration": "xbar.simulation.calibration",
    "Dataset": "xbar.simulation.dataset",
    "LayerCost": "xbar.simulation.cost",
    "LayerResult": "xbar.simulation.result",
    "Life": "xbar.simulation.life",
    "LifePoint": "xbar.simulation.life",
    "Linearity": "xbar.simulation.linearity",
    "Peak": "xbar.simulation.peak",
    "ProgramCost": "xbar.simulation.cost",
    "ProgrammingCost": "xbar.simulation.programming_cost",
    "Reader": "xbar.simulation.run",
    "Result": "xbar.simulation.result",
    "TileCheck": "xbar.simulation.verify",
    "Verification": "xbar.simulation.verify",
    "adc_linearity": "xbar.simulation.linearity",
    "dac_linearity": "xbar.simulation.linearity",
    "design_peak": "xbar.simulation.peak",
    "read_dataset": "xbar.simulation.dataset",
    "simulate": "xbar.simulation.simulator",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.simulation", _HOME)
