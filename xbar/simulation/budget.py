"""The error budget: each effect switched off in turn, and each left on alone.

All runs share the chip, the converters' ranges and the noise seed, so that only the effect differs.
For a wire-aware program, "wires off" means the same chip without wires, with its subsets chosen for
that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from xbar.compiler.compiler import reprogram
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.namespace import Precision
from xbar.effects.readout import Readout
from xbar.effects.wires import Wires
from xbar.simulation.data import Data, Outputs, Progress
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.simulation.result import Budget, BudgetPart
from xbar.simulation.run import Multiply

Names = frozenset[str]


def sets_of_effects(
    program: Program, readout: Readout, names: Collection[str] | None = None
) -> set[Names]:
    """Sets of active effects in the runs of a budget of some effects; by default all.

    Raises:
        SpecError: a name is no effect, or one that is inactive in this read-out of the design.
    """
    hardware = program.chip.hardware
    every = Chain.of(hardware, readout).names
    alone = {frozenset([name]) for name in Chain.of(hardware, readout, names).names}
    return {every, frozenset(), *(every - name for name in alone), *alone}


@dataclass(eq=False)
class Accountant:
    """Runs the data with some of the effects.

    Attributes:
        program: program on its chip.
        data: inputs and labels.
        exact: outputs of the digital network.
        readout: "ideal", "nodal" or "nonlinear".
        seed: seed of the noise.
        ranges: calibrated ranges of converters, if any.
        precision: precision of the products.
        progress: counter of batches.
        names: names of the effects in the budget; None for all.
        memory: limit of the layers' matrices in memory, in bytes; None for none.
        corrected: makes products with digital corrections; None for products as they are.
    """

    program: Program
    data: Data
    exact: Outputs
    readout: Readout
    seed: int
    ranges: Ranges | None
    precision: Precision
    progress: Progress
    names: Collection[str] | None = None
    memory: int | None = None
    corrected: Callable[[AnalogProducts], Multiply] | None = None
    _known: dict[Names, tuple[float | None, float]] = field(default_factory=dict)
    _flat: Program | None = None

    def budget(self) -> Budget:
        """The cost of each effect."""
        chain = Chain.of(self.program.chip.hardware, self.readout)
        score, error = self._with(chain.names)
        bare, rest = self._with(frozenset())
        return Budget(score, error, bare, rest, tuple(self._effects(chain)))

    def _effects(self, chain: Chain) -> Iterable[BudgetPart]:
        for effect in Chain.of(chain.hardware, self.readout, self.names).acting:
            without, error_without = self._with(chain.names - {effect.name})
            alone, error_alone = self._with(frozenset([effect.name]))
            yield BudgetPart(effect.name, without, alone, error_without, error_alone)

    def _with(self, effects: Names) -> tuple[float | None, float]:
        if effects not in self._known:
            products = AnalogProducts(
                self._program(effects),
                self.readout,
                self.seed,
                effects,
                self.ranges,
                self.precision,
                memory=self.memory,
            )
            multiply = products if self.corrected is None else self.corrected(products)
            outputs = self.data.run(self.program, multiply, self.progress)
            self._known[effects] = outputs.score, outputs.error(self.exact)
        return self._known[effects]

    def _program(self, effects: Names) -> Program:
        if Wires.name in effects or not self.program.wire_aware:
            return self.program
        if self._flat is None:
            options = self.program.options.model_copy(update={"wire_aware": False})
            self._flat = reprogram(self.program, self.program.chip, options)
        return self._flat
