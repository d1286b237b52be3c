"""Update of a transfer matrix after a few cells have changed, by Woodbury's formula.

A cell whose conductance increases by dG carries an additional current x = dG v. In terms of the
previous crossbar, that is a current source in parallel to the cell. With

    C (E, W) volts across each changed cell per volt at each driver,
    U (B, E) amperes into each amplifier per ampere of a source parallel to a changed cell,
    R (E, E) minus the volts across each changed cell per ampere of each such source,

x = (1 + dG R)^-1 dG C V and the transfer matrix becomes T + U (1 + dG R)^-1 dG C. By reciprocity
the drivers' currents for a source are C. So one solution by conjugate gradients per changed cell
gives all three. M. A. Woodbury, "Inverting modified matrices", Princeton University (1950).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.circuit.solvers.choice import steps_worth
from xbar.circuit.solvers.line_gradients import LineGradientsSolver, LineSolution
from xbar.errors import SolverError

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_STEPS = 4  # least number of conjugate-gradient steps per changed cell
_TOLERANCE = 1e-13  # tolerance of those solutions
_ROUNDING = 1e-15  # least error assumed
_ENOUGH = 1e-10  # relative error above which a transfer matrix is recomputed from scratch


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of a crossbar to a source of 1 A in parallel to each of E cells.

    Attributes:
        cells: (E,) row-major indices of the cells.
        output: (B, E) amperes into the amplifiers.
        across: (E, W) volts across the cell per volt at each driver.
        resistance: (E, E) ohms across the cells, mutual resistances off the diagonal.
        error: bound on their error, relative to 1 A and to the cells' own resistances.
    """

    cells: Ints
    output: Floats
    across: Floats
    resistance: Floats
    error: float


@dataclass(eq=False)
class Revision:
    """A crossbar as a base crossbar of known transfer matrix with some changed cells.

    Attributes:
        base: base crossbar.
        responses: responses of cells of the base, as far as known.
    """

    base: Crossbar
    responses: Responses = field(init=False)

    def __post_init__(self) -> None:
        lines, columns = self.base.conductance.shape
        none = np.zeros(0, np.int64)
        self.responses = Responses(
            none, np.zeros((columns, 0)), np.zeros((0, lines)), np.zeros((0, 0)), _ROUNDING
        )

    def transfer(self, conductance: Floats) -> tuple[Floats, float] | None:
        """The transfer matrix (B, W) with these cells (W, B); None if recomputing is better.

        Also returns a bound on its error relative to its largest entry: the responses' error times
        the condition number of the formula, which grows with the number of changed cells and with
        the fraction of the current that they carry.
        """
        rise = (conductance - self.base.conductance).ravel()
        cells = np.flatnonzero(rise)
        if not len(cells):
            return self.base.transfer, 0.0
        if 2 * len(cells) > min(conductance.shape) + 1 or not self._learn(
            np.setdiff1d(cells, self.responses.cells)
        ):
            return None
        known = self.responses
        place = np.searchsorted(known.cells, cells)
        output, across = known.output[:, place], known.across[place]
        grown = rise[cells, None] * known.resistance[np.ix_(place, place)]
        inverse = np.linalg.inv(np.eye(len(cells)) + grown)
        carried = inverse * rise[cells]
        change = output @ carried @ across
        transfer = np.asarray(self.base.transfer + change)
        # what is lost: the responses are good to a bound on their unit currents and volts, and the
        # inverse to that times its condition
        spread = np.abs(carried)
        lost = (np.abs(output) @ spread).sum(axis=1).max() + (spread @ np.abs(across)).sum(0).max()
        worse = np.linalg.norm(inverse) * (1 + np.linalg.norm(grown))
        largest = np.abs(transfer).max()
        lost += worse * np.abs(change).max() + largest
        error = known.error * float(lost / largest) if largest > 0 else np.inf
        return (transfer, error) if error <= _ENOUGH else None

    def _learn(self, cells: Ints) -> bool:
        """Compute the responses of more cells, unless that takes longer than a transfer matrix."""
        shape = self.base.conductance.shape
        left = steps_worth(shape)
        if _STEPS * len(cells) > left:
            return False
        every = np.concatenate([self.responses.cells, cells])
        output, across, volts, error = [], [], [], self.responses.error
        solver = LineGradientsSolver(self.base, _TOLERANCE)
        for cell in cells:
            source = np.zeros((1, *shape))
            source[0].flat[cell] = 1.0
            solver.most = left
            try:
                found = solver.solve(np.zeros((1, shape[0])), source)
            except SolverError:
                return False
            left -= int(found.steps[0])
            drop = found.word[0] - found.bit[0]
            output.append(found.current[0])
            across.append((self.base.conductance * drop + source[0]).sum(axis=1))
            volts.append(-drop.ravel()[every])
            error = max(error, 2 * float(found.error[0]), _lost_digits(found, int(cell)))
        if len(cells):
            new = cells, np.array(output), np.array(across), np.array(volts)
            self.responses = self._extended(new, error)
        return True

    def _extended(self, new: tuple[Ints, Floats, Floats, Floats], error: float) -> Responses:
        old, (cells, output, across, seen) = self.responses, new
        split = len(old.cells)
        resistance = np.block([[old.resistance, seen[:, :split].T], [seen]])
        every = np.concatenate([old.cells, cells])
        order = np.argsort(every)
        return Responses(
            every[order],
            np.hstack([old.output, output.T])[:, order],
            np.vstack([old.across, across])[order],
            resistance[np.ix_(order, order)],
            error,
        )


def _lost_digits(found: LineSolution, cell: int) -> float:
    """Rounding of the voltage across a cell, relative to it, if that of its nodes is larger."""
    word, bit = abs(float(found.word[0].flat[cell])), abs(float(found.bit[0].flat[cell]))
    drop = abs(float(found.word[0].flat[cell] - found.bit[0].flat[cell]))
    return _ROUNDING * (word + bit) / drop if drop else np.inf
