"""The error budget: each part of the error switched off in turn, and each left on alone.

All runs share the chip, the converters' ranges and the draw of noise, so that what differs is the
part. Where a program was made for its wires, "wires off" means the same chip without wires and
with its subsets chosen for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from xbar.compiler.compiler import reprogram
from xbar.compiler.program import Program
from xbar.simulation.data import Data, Outputs, Progress
from xbar.simulation.effects import EFFECTS, Effect, Physics, Precision, effects_of
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.simulation.result import Budget, BudgetPart

Effects = frozenset[Effect]


def sets_of_parts(program: Program, physics: Physics) -> set[Effects]:
    """Which parts are on in the runs that a budget needs."""
    every = effects_of(program, physics)
    alone = {frozenset([part]) for part in every}
    return {every, frozenset(), *(every - part for part in alone), *alone}


@dataclass(eq=False)
class Accountant:
    """Runs the data with some parts of the error.

    Attributes:
        program: on its chip.
        data: what is run.
        exact: the digital network's outputs.
        physics: how currents are found.
        seed: of the noise.
        ranges: of converters, if found from data.
        precision: of the products.
        progress: told of each batch.
    """

    program: Program
    data: Data
    exact: Outputs
    physics: Physics
    seed: int
    ranges: Ranges | None
    precision: Precision
    progress: Progress
    _known: dict[Effects, tuple[float | None, float]] = field(default_factory=dict)
    _flat: Program | None = None

    def budget(self) -> Budget:
        """What each part costs."""
        every = effects_of(self.program, self.physics)
        score, error = self._with(every)
        bare, rest = self._with(frozenset())
        return Budget(score, error, bare, rest, tuple(self._parts(every)))

    def _parts(self, every: Effects) -> Iterable[BudgetPart]:
        for part in EFFECTS:
            if part in every:
                without, error_without = self._with(every - {part})
                alone, error_alone = self._with(frozenset([part]))
                yield BudgetPart(part, without, alone, error_without, error_alone)

    def _with(self, effects: Effects) -> tuple[float | None, float]:
        if effects not in self._known:
            products = AnalogProducts(
                self._program(effects),
                self.physics,
                self.seed,
                effects,
                self.ranges,
                self.precision,
            )
            outputs = self.data.run(self.program, products, self.progress)
            self._known[effects] = outputs.score, outputs.error(self.exact)
        return self._known[effects]

    def _program(self, effects: Effects) -> Program:
        if "wires" in effects or not self.program.wire_aware:
            return self.program
        if self._flat is None:
            options = self.program.options.model_copy(update={"wire_aware": False})
            self._flat = reprogram(self.program, self.program.chip, options)
        return self._flat
