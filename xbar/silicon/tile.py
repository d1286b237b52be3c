"""A programmed tile with its process: the array of transistors, and xbar's prediction for it.

Under the condition that a design is for, the law of its branches is the design's. Under another
one the process's typical branch is characterised there, and the chip keeps its deviations.

Shapes: W x B cells of K branches; w x b sampled cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from xbar.arrays import as_indices, one_number, one_of
from xbar.compiler.layout import wires_of
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.base import spread_out
from xbar.hardware.fabricate import Deviations
from xbar.silicon.array import MOST_BRANCHES, Array, branches_of
from xbar.silicon.branch import Branches, Conditions
from xbar.silicon.prediction import Prediction, conductance, deviations_of
from xbar.silicon.sample import SampledCells, sample_cells
from xbar.silicon.typical import typical_bank
from xbar.tables import Outline

MOST_SUPPLY = 1.2
"""The highest supply that is simulated, over a switch's own."""
_SIGMAS = 4.0
"""Deviations of the threshold up to which the law of a switch is fitted, over their sigma."""


@dataclass(frozen=True)
class Choice:
    """What a verification is made of, besides its cells.

    Attributes:
        seed: seed of a random choice of the cells; None for the first ones.
        mismatch: seed of the process's own mismatch, in place of the chip's deviations.
        pdk: folder of the process's models.
    """

    seed: int | None = None
    mismatch: int | None = None
    pdk: str | Path | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TransistorTile(Outline):
    """A tile whose sampled cells are transistors.

    Attributes:
        tile: the programmed tile.
        sample: the sampled cells.
        branches: the branches of a cell.
        mismatch: seed of the process's own mismatch, in place of the chip's deviations.
    """

    tile: ProgrammedTile
    sample: SampledCells
    branches: Branches
    mismatch: int | None = None

    def __post_init__(self) -> None:
        w, b = len(self.sample.word_lines), len(self.sample.bit_lines)
        resistors, whole = len(self.branches.length), self.tile.chip.hardware.cells
        if w * b * resistors > MOST_BRANCHES:
            raise SpecError(
                f"cells must have at most {MOST_BRANCHES:,} branches, which ngspice can hold, not "
                f"{w} x {b} cells of {resistors}; sample fewer"
            )
        if self.mismatch is not None and (w, b) != whole:
            raise SpecError(
                f"cells must be the whole tile, {whole[0]} x {whole[1]}, with the process's own "
                f"mismatch, which is drawn for one array, not {w} x {b}; leave mismatch out for "
                "the chip's own deviations"
            )

    @classmethod
    def of(
        cls, program: Program, tile: int, cells: Sequence[int], choice: Choice
    ) -> TransistorTile:
        """Sampled cells of a program's tile.

        Raises:
            SpecError: the design has no process, or the tile or the cells are not allowed.
            ToolError: the process's models are not installed.
        """
        chosen = program.tile(int(as_indices([tile], "tile", None, "a number")[0]))
        if chosen.tuned is not None:
            raise SpecError("tiles must have switched resistors to be transistors, not tuned cells")
        branches = branches_of(chosen.chip.hardware, choice.pdk)
        sample = sample_cells(chosen, cells, choice.seed)
        return cls(chosen, sample, branches, choice.mismatch)

    @cached_property
    def deviations(self) -> Deviations:
        """(W, B, K) deviations of the chip."""
        return deviations_of(self.tile)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, one sentence each."""
        measured = self.tile.chip.measurement
        if measured is None or measured.c2 is not None or self.mismatch is not None:
            return ()
        return ("a measured branch's deviation was given to its resistor, none to its switch",)

    def conditions(
        self, corner: str | None, temperature: float, supply: float | None
    ) -> Conditions:
        """A condition of the process, checked.

        Raises:
            SpecError: the corner is unknown, or a value is out of range.
        """
        process, switch = self.branches.process, self.branches.switch
        corner = process.typical if corner is None else corner
        one_of(corner, f"corner of {process.name}", sorted(process.corners))
        volts = switch.supply if supply is None else one_number(supply, "supply")
        low, high = self._supplies
        if not low <= volts <= high:
            raise SpecError(
                f"supply must be from {low:g} to {high:g} V, half to {MOST_SUPPLY:g} times that "
                f"of the switch {switch.name}, not {volts:g}"
            )
        return Conditions(corner, temperature, volts, self.mismatch)

    @property
    def _supplies(self) -> tuple[float, float]:
        """Least and highest supply that are simulated, volts."""
        usual = self.branches.switch.supply
        return round(0.5 * usual, 9), round(MOST_SUPPLY * usual, 9)

    @property
    def nominal(self) -> tuple[str, float, float]:
        """Corner, temperature and supply at which the figures of the design's bank hold."""
        process, drawn = self.branches.process, self.tile.chip.hardware.silicon
        assert drawn is not None  # else there were no branches
        celsius = process.temperature if drawn.temperature is None else drawn.temperature
        supply = self.branches.switch.supply if drawn.supply is None else drawn.supply
        return process.typical, celsius, supply

    def usual_conditions(self) -> Iterator[tuple[str, float, float]]:
        """(corner, temperature, supply): the design's, then others with one of them changed."""
        process, (at, celsius, volts) = self.branches.process, self.nominal
        yield at, celsius, volts
        yield from ((corner, celsius, volts) for corner in process.skewed)
        yield from ((at, other, volts) for other in (-40.0, 85.0))
        low, high = self._supplies
        supplies = (min(max(round(part * volts, 9), low), high) for part in (0.9, 1.1))
        yield from ((at, celsius, each) for each in supplies if each != volts)

    def is_nominal(self, conditions: Conditions) -> bool:
        """Whether a condition is that of the design."""
        return (conditions.corner, conditions.temperature, conditions.supply) == self.nominal

    def prediction(self, conditions: Conditions) -> Prediction:
        """What xbar says under a condition."""
        tile = self.tile
        bank, on = tile.chip.hardware.bank, tile.chip.on(tile.index)
        if not self.is_nominal(conditions):
            bank = self._typical(conditions)
            on = np.where(on > 0, conductance(bank, self.deviations), 0.0)
        place = np.ix_(self.sample.word_lines, self.sample.bit_lines)
        curve, bends = bank.nonlinearity, np.zeros(0)
        if curve is not None:
            bends = bank.bends(on[place], self.deviations.threshold[place])
        closed = tile.chip.closed(tile.index, tile.mask) & (on > 0)
        return Prediction(tile, self.sample, closed, on, curve, bends)

    def _typical(self, conditions: Conditions) -> Bank:
        hardware = self.tile.chip.hardware
        assert hardware.bank.switch is not None
        sigma = spread_out(hardware.bank.switch.sigma, hardware.bank.resistors)
        law, volts = hardware.bank.nonlinearity, hardware.read_voltage
        test = 0.0 if law is None or law.test is None else law.test
        return typical_bank(self.branches, conditions, _SIGMAS * sigma, volts, test)

    def array(self, conditions: Conditions, prediction: Prediction) -> Array:
        """The netlist of transistors, its wires, and the rest of the tile as predicted."""
        place = np.ix_(self.sample.word_lines, self.sample.bit_lines)
        own = Deviations(*(each[place] for each in self.deviations))
        return Array(
            self.branches,
            wires_of(self.tile.chip.hardware),
            self.sample.word_lines,
            self.sample.bit_lines,
            prediction.cells,
            own if self.mismatch is None else None,
            conditions,
        )
