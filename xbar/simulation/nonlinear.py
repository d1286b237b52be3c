"""Currents of tiles whose cells do not obey Ohm's law: Newton's method for each input vector.

Slow: some ten linear solutions of a tile a vector, where the other read-outs need one a tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.nonlinear import CellLaw, PolynomialCell, SinhCell, solve_nonlinear
from xbar.compiler.tile import ProgrammedTile
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.simulation.effects import Effect
from xbar.simulation.stage import Stage

Reals = NDArray[np.floating[Any]]


def cell_law(nonlinearity: Nonlinearity, conductance: Floats) -> CellLaw:
    """The law of cells of these conductances (W, B) at 0 V."""
    if nonlinearity.sinh is not None:
        return SinhCell(conductance, nonlinearity.sinh)
    relative = [1.0]
    for coefficient in nonlinearity.odd:
        relative += [0.0, coefficient]
    return PolynomialCell(np.array([c * conductance for c in relative]))


def nonlinear_currents(stage: Stage, volts: Reals, effects: frozenset[Effect]) -> Reals:
    """(N, C) differential amperes of a stage's columns for volts (N, R) on its inputs.

    Without selection's error the linear difference that the subsets miss is taken off.
    """
    result = np.empty((len(volts), stage.conductance.shape[1]))
    exact = volts.astype(np.float64, copy=False)
    for part in stage.parts:
        tile = part.tile
        lines = line_currents(tile, tile.voltage(exact, part.number), wires="wires" in effects)
        found = tile.mapping.currents(tile.columns(lines), part.block)
        if "selection" not in effects:
            missed = tile.difference("nodal" if "wires" in effects else "ideal")[part.number]
            found = found + exact @ (stage.conductance[:, part.columns] - missed)
        result[:, part.columns] = found
    return result.astype(volts.dtype, copy=False)


def line_currents(tile: ProgrammedTile, voltage: Floats, *, wires: bool) -> Floats:
    """(N, B') amperes of the bit lines for volts (N, W') on the word lines."""
    crossbar = tile.crossbar() if wires else Crossbar(tile.crossbar().conductance)
    nonlinearity = tile.chip.hardware.bank.nonlinearity
    assert nonlinearity is not None
    law = cell_law(nonlinearity, crossbar.conductance)
    if not crossbar.ideal:
        return solve_nonlinear(crossbar, law, voltage).current
    shape = crossbar.conductance.shape
    return np.array(
        [law.current(np.broadcast_to(v[:, None], shape))[0].sum(axis=0) for v in voltage]
    )
