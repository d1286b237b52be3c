"""The passes of a simulation: chips, reads of each, and the digital network beside them.

Trial 0 is the program's own chip. Further trials are other chips of the same design, each
programmed separately, so their spread predicts that of a wafer. A measured chip cannot be
resampled, and a ticket is valid for its own chip only: their trials differ in read noise only. Each
chip may be read several times with different noise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from statistics import mean, stdev, variance

import numpy as np

from xbar.compiler.compiler import reprogram
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.namespace import Precision
from xbar.effects.readout import Readout
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.simulation.budget import Accountant
from xbar.simulation.calibration import Calibration, calibrate
from xbar.simulation.compensation import Compensated, Compensation, Known
from xbar.simulation.cost import ProgramCost
from xbar.simulation.cost import cost as program_cost
from xbar.simulation.data import Data, Outputs, Progress
from xbar.simulation.language import TokenMetric
from xbar.simulation.life import LifePoint, When
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.simulation.result import Result
from xbar.simulation.tally import Tally
from xbar.statistics import mean_interval, wilson_interval


@dataclass(eq=False)
class Run:
    """One simulation.

    Attributes:
        own: ranges of the program's own chip, once calibrated.
        names: names of the effects in the error budget; None for all.
        compensate: digital corrections of layers, from their ``known`` inputs.
        known: these inputs; None without corrections.
        when: time and temperature of the chips; of None for those of the program.
        digital: the digital network's pass, once it is made.
        bases: programs of each chip as programmed, kept for the next time.
    """

    program: Program
    data: Data
    readout: Readout
    precision: Precision
    seed: int
    device: str = "cpu"
    memory: int | None = None
    calibration: Calibration | None = None
    calibration_data: Data | None = None
    progress: Progress = field(default_factory=lambda: Progress(None, 0))
    own: Ranges | None = None
    names: Collection[str] | None = None
    compensate: Compensation = "none"
    known: Known | None = None
    when: When = (None, None)
    digital: Outputs | None = None
    bases: dict[int, Program] = field(default_factory=dict)

    def points(self, whens: Sequence[When], found: Callable[[], Result]) -> list[LifePoint]:
        """The results at some times and temperatures."""
        points = []
        for when in whens:
            self.when = when
            points.append(LifePoint(*when, found()))
        return points

    def now(self, base: Program) -> Program:
        """A program at the time and temperature of this run."""
        return base if self.when == (None, None) else base.on(base.chip.at(*self.when))

    def cost(self) -> ProgramCost:
        """Cost per input on the program's own chip, with its ranges."""
        return program_cost(self.program, self.data.inputs, ranges=self.own)

    def result(
        self, trials: int, noise_trials: int, metric: str, *, budget: bool, scored: bool
    ) -> Result:
        """The result of some chips, each read several times, at the time and temperature set."""
        tally = Tally(self.program.weights)
        exact = self._exact() if scored else None
        scores, interval = self._scores(trials, noise_trials, tally)
        accuracies = tuple(mean(each) for each in scores) if scored else ()
        return Result(
            readout=self.readout,
            trials=trials,
            seed=self.seed,
            inputs=self.data.size,
            accuracy=mean(accuracies) if accuracies else None,
            interval=self._interval(accuracies, interval),
            digital_accuracy=None if exact is None else exact.score,
            accuracies=accuracies,
            layers=tuple(
                tally.layer(self.program, name)
                for name in self.program.weights
                if name in tally.signal
            ),
            metric=metric,
            noise_trials=noise_trials,
            digital_interval=self._interval(
                () if exact is None else (exact.score or 0.0,),
                None if exact is None else exact.interval,
            ),
            chip_deviation=stdev(accuracies) if len(accuracies) > 1 else None,
            noise_deviation=_noise_deviation(scores, noise_trials) if scored else None,
            calibration=None if self.calibration is None else self.calibration.method,
            precision=self.precision,
            precision_error=self._precision_error(self.own),
            budget=self._accountant(self.own, exact).budget() if budget else None,
            compensate=self.compensate,
            trim=tally.trim(),
            notes=self._notes(exact),
        )

    def _notes(self, exact: Outputs | None) -> tuple[str, ...]:
        notes = self.data.notes if exact is None else self.data.assumed(exact.values)
        found = self.program.corrections
        return notes if found is None else (*notes, f"digital corrections: {found}")

    def _scores(
        self, trials: int, noise_trials: int, tally: Tally
    ) -> tuple[list[list[float]], tuple[float, float] | None]:
        """Scores by chip and read, without those of data without labels; interval of the last."""
        scores: list[list[float]] = []
        interval = None
        for trial in range(trials):
            base = self.bases.get(trial) or _instance(self.program, trial, self.seed)
            if self.when != (None, None):
                self.bases[trial] = base  # for the next time
            ranges, instance = self._ranges(base), self.now(base)
            self.own = ranges if trial == 0 else self.own
            found = [self._read(instance, ranges, trial, n, tally) for n in range(noise_trials)]
            scores.append([each.score for each in found if each.score is not None])
            interval = found[0].interval
        return scores, interval

    def _products(
        self, program: Program, ranges: Ranges | None, seed: int, precision: Precision
    ) -> AnalogProducts:
        return AnalogProducts(
            program,
            self.readout,
            seed,
            ranges=ranges,
            precision=precision,
            device=self.device,
            memory=self.memory,
        )

    def _read(
        self, instance: Program, ranges: Ranges | None, trial: int, noise: int, tally: Tally
    ) -> Outputs:
        seed = _noise_seed(self.seed, trial, noise)
        products = self._products(instance, ranges, seed, self.precision)
        around = tally.around(self._corrected(products))
        outputs = self.data.run(instance, around, self.progress)
        tally.clips(products)
        return outputs

    def _corrected(self, products: AnalogProducts) -> AnalogProducts | Compensated:
        if self.known is None:
            return products
        return Compensated(products, self.known, self.compensate)

    def _ranges(self, instance: Program) -> Ranges | None:
        if self.calibration is None or self.calibration_data is None:
            return None
        data = self.calibration_data
        return calibrate(
            instance,
            lambda products: data.run(instance, replace(products, memory=self.memory)),
            self.calibration,
            self.readout,
        )

    def _exact(self) -> Outputs:
        """The digital network's pass; a metric that compares with it knows its value."""
        if self.digital is None:
            self.digital = self._digital_pass()
        return self.digital

    def _digital_pass(self) -> Outputs:
        metric = self.data.metric
        if isinstance(metric, TokenMetric) and metric.digital:
            for _ in self.data.batches:
                self.progress.step()
            return Outputs(np.empty(0), metric.perfect)
        return self.data.run(self.program, None, self.progress)

    def _interval(
        self, accuracies: tuple[float, ...], of_inputs: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        if not accuracies:
            return None
        metric = self.data.metric
        share = metric is None or (isinstance(metric, TokenMetric) and metric.share)
        if len(accuracies) > 1:
            return mean_interval(accuracies, share=share)
        if metric is not None:
            return of_inputs
        return wilson_interval(accuracies[0] * self.data.size, self.data.size) if share else None

    def _precision_error(self, ranges: Ranges | None) -> float | None:
        if self.precision == "float64":
            return None
        some = self.data.first(self.program, self.data.step)
        precisions: tuple[Precision, ...] = ("float64", self.precision)
        chain = Chain.of(self.program.chip.hardware, self.readout)
        quiet = chain.names - chain.random  # draws of noise are not comparable
        double, single = (
            some.run(
                self.program,
                AnalogProducts(
                    self.program,
                    self.readout,
                    0,
                    quiet,
                    ranges,
                    precision,
                    memory=self.memory,
                ),
            ).values
            for precision in precisions
        )
        largest = float(np.abs(double).max())
        return float(np.abs(single - double).max()) / (largest or 1.0)

    def _accountant(self, ranges: Ranges | None, exact: Outputs | None) -> Accountant:
        return Accountant(
            self.now(self.program),
            self.data,
            exact if exact and len(exact.values) else self.data.run(self.program, None),
            self.readout,
            _noise_seed(self.seed, 0, 0),
            ranges,
            self.precision,
            self.progress,
            self.names,
            self.memory,
            self._corrected,
        )


def _noise_deviation(scores: list[list[float]], noise_trials: int) -> float | None:
    if noise_trials == 1:
        return None
    return sqrt(mean([variance(each) for each in scores]))


def _instance(program: Program, trial: int, seed: int) -> Program:
    chip = program.chip
    if trial == 0 or chip.seed is None or program.decided:
        return program
    return reprogram(program, Chip.sample(chip.hardware, _trial_seed(seed, 0, trial)))


def _noise_seed(seed: int, trial: int, noise: int) -> int:
    return _trial_seed(seed, 1, trial) if noise == 0 else _trial_seed(seed, 2, trial, noise)


def _trial_seed(seed: int, *stream: int) -> int:
    try:
        sequence = np.random.SeedSequence([seed, *stream])
    except (TypeError, ValueError) as error:
        raise SpecError(f"seed must be a non-negative integer, not {seed!r}") from error
    return int(sequence.generate_state(1, np.uint64)[0])
