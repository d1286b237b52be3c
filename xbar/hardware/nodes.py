"""Scaling of digital parts from one process to another, by published tables.

    area, energy   A. Stillmaker and B. Baas, "Scaling equations for the accurate prediction of CMOS
                   device performance from 180 nm to 7 nm", Integration 58, 2017: its area factors,
                   and its energy polynomials at 0.8 V, as in hwcomponents (scaling/techscaling.py)
    leakage        DNN+NeuroSim 1.4, transistors of low standby power at 300 K: what its functions
                   give for an SRAM cell, and for a two-input NAND over its area; 7, 10 and 14 nm
                   are its FinFETs

Between two nodes of a table the logarithm is linear in that of the node. Times do not scale here:
a design states its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xbar.errors import SpecError
from xbar.units import format_quantity

REFERENCE = 32e-9
"""Metres: the process of the default constants."""

_NANOMETRES = (130, 90, 65, 45, 32, 20, 16, 14, 10, 7)
_AREA = (14, 6.1, 3.3, 2.2, 1, 0.46, 0.41, 0.38, 0.22, 0.13)
_ENERGY = (
    (7.171, -6.709, 2.904),
    (4.762, -4.781, 2.092),
    (3.755, -4.398, 1.975),
    (1.103, -0.362, 0.2767),
    (0.9559, -0.7823, 0.471),
    (0.373, -0.1582, 0.04104),
    (0.2958, -0.1241, 0.03024),
    (0.2363, -0.09675, 0.02239),
    (0.2068, -0.09311, 0.02375),
    (0.1776, -0.09097, 0.02447),
)
_VOLTS = 0.8
_LEAKAGE_NANOMETRES = (130, 90, 65, 45, 32, 22, 14, 10, 7)
_PICOWATTS_A_BIT = (33.87, 21.63, 14.33, 9.009, 5.766, 3.740, 14.89, 16.73, 18.57)
_WATTS_A_SQUARE_METRE = (12.03, 13.91, 17.09, 22.33, 25.41, 30.66, 53.65, 112.0, 176.9)


def check_node(node: float) -> float:
    """The node unchanged.

    Raises:
        SpecError: the tables have no such process.
    """
    low, high = _NANOMETRES[-1], _NANOMETRES[0]
    if not low <= round(node * 1e9, 6) <= high:
        raise SpecError(
            f"must be from {low} nm to {high} nm, the processes of the scaling tables, not "
            f"{format_quantity(node, 'm')}: leave it out and state the constants of your own"
        )
    return node


def area_factor(node: float) -> float:
    """Area of digital parts at a node over that at 32 nm.

    >>> round(area_factor(130e-9), 2), round(area_factor(28e-9), 2)
    (14.0, 0.8)
    """
    return _between(node, _NANOMETRES, _AREA)


def energy_factor(node: float) -> float:
    """Energy of digital parts at a node over that at 32 nm, both at 0.8 V.

    >>> round(energy_factor(14e-9), 2)
    0.21
    """
    energies = [float(np.polyval(each, _VOLTS)) for each in _ENERGY]
    return _between(node, _NANOMETRES, energies) / energies[_NANOMETRES.index(32)]


def bit_leakage(node: float) -> float:
    """Watts that an SRAM cell leaks.

    >>> round(bit_leakage(32e-9) * 1e12, 3)
    5.766
    """
    return _between(node, _LEAKAGE_NANOMETRES, _PICOWATTS_A_BIT) * 1e-12


def logic_leakage(node: float) -> float:
    """Watts that a square metre of logic leaks.

    >>> round(logic_leakage(7e-9), 1)
    176.9
    """
    return _between(node, _LEAKAGE_NANOMETRES, _WATTS_A_SQUARE_METRE)


def _between(node: float, nanometres: Sequence[float], values: Sequence[float]) -> float:
    at = [math.log(each) for each in nanometres[::-1]]
    logs = [math.log(each) for each in values[::-1]]
    return math.exp(float(np.interp(math.log(node * 1e9), at, logs)))
