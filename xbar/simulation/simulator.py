"""Simulation of a program on data: accuracy, error budget and cost.

Trial 0 is the program's own chip. Further trials are other chips of the same design, each
programmed separately, so their spread predicts that of a wafer. A measured chip cannot be
resampled, and a ticket is valid for its own chip only: their trials differ in read noise only. Each
chip may be read several times with different noise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from statistics import mean, stdev, variance
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar import parallel
from xbar.arrays import Floats, one_integer, one_of
from xbar.compiler.compiler import reprogram
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.effect import changes
from xbar.effects.namespace import Precision
from xbar.effects.readout import Readout, check_readout
from xbar.errors import SpecError, shown
from xbar.hardware.chip import Chip
from xbar.simulation.budget import Accountant, sets_of_effects
from xbar.simulation.calibration import Calibration, Method, calibrate
from xbar.simulation.compensation import INPUTS, Compensated, Compensation, Known
from xbar.simulation.cost import ProgramCost
from xbar.simulation.cost import cost as program_cost
from xbar.simulation.data import Data, Outputs, Progress
from xbar.simulation.language import TokenMetric, find_metric
from xbar.simulation.life import Life, LifePoint, Quantities, When, check_conditions, conditions
from xbar.simulation.memory import memory_limit
from xbar.simulation.metric import Metric
from xbar.simulation.on_device import settled
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts, Real, product
from xbar.simulation.result import LayerResult, Result
from xbar.simulation.tokens import Windows
from xbar.statistics import mean_interval, wilson_interval

__all__ = ["LayerResult", "Result", "simulate"]


CALIBRATION = 256
"""Default number of calibration inputs."""
MOST_TRIALS = 1_000_000
"""Largest number of chips, and of reads of each."""


def simulate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | None = None,
    *,
    readout: Readout = "ideal",
    trials: int = 1,
    noise_trials: int = 1,
    calibrate: Method | Calibration | None = None,
    calibration: int | ArrayLike | Mapping[str, ArrayLike] = CALIBRATION,
    precision: Precision = "float64",
    budget: bool | Collection[str] = False,
    cost: bool = False,
    metric: Metric | str | None = None,
    window: int | None = None,
    stride: int | None = None,
    tokens: int | None = None,
    seed: int = 0,
    progress: parallel.Progress | None = None,
    device: str = "cpu",
    memory: int | str | None = None,
    time: Quantities | None = None,
    temperature: Quantities | None = None,
    compensate: Compensation = "none",
) -> Result:
    """Run data through a programmed chip and report the accuracy after analog execution.

    Args:
        program: program from ``xbar.compile``.
        inputs: network inputs (N, ...), also with channels last or flat, recognised by their
            shape and told in the result's notes; {layer: (N, inputs)} for bare matrices.
        labels: class numbers (N,), also as a column or one-hot (N, C); 0 or 1 for a network with
            one output, which is class 1 above 0.5 if it ends in a sigmoid, else above 0. None to
            compare products only. (N, ...) for a metric.
        readout: "ideal" wires; "nodal" for the exact solution of each tile with its wires;
            "nonlinear" for cells that follow ``bank.nonlinearity``, by Newton's method for each
            input, which is slow.
        trials: number of chips; the first is the program's own.
        noise_trials: number of reads of each chip, with different noise.
        calibrate: calibration method of the converters' ranges, for each chip: "max", "percentile"
            or "least-squares". By default each input vector is scaled by its own largest value, and
            an ADC's range is derived from its cells.
        calibration: calibration data: a number of the first inputs, or separate inputs.
        precision: precision of the analog products; "float32" is faster, and its error is measured.
        budget: whether to report the error budget; or names of the effects to include, see
            ``xbar.simulation.budget``.
        cost: whether to report devices, area, energy and time per input, see
            ``xbar.simulation.cost``.
        metric: metric instead of accuracy. "perplexity", "top-5" (any number), "agreement" with the
            digital network or "kl" from it, by token or by input, see
            ``xbar.simulation.language``: without labels a token's label is the next one; labels
            (N, T) are those of the same places, negative where none is scored. Or a function
            (outputs, labels) -> number, or its name as "module:callable", which is imported: the
            user's own code runs.
        window: tokens of a window, where the inputs are one stream of tokens (one axis of whole
            numbers); the network's own number or 256 by default, see ``xbar.simulation.tokens``.
        stride: tokens from one window to the next; a whole window by default.
        tokens: number of tokens of the stream that are used, from the first; all by default.
        seed: seed of the other chips and of all read noise.
        progress: called with the batches done and their total.
        device: "cpu", "cuda" or "auto": where the conductances of each chip's tiles are made, as in
            ``Program.reader``. Calibration and budget are computed on the CPU.
        memory: limit of the layers' matrices in memory, as in ``Program.reader``.
        time: times since programming, such as "1 y" or ["1 h", "1 d"]: the chips are then those
            of later (``Chip.at``), with the same switches and the ranges calibrated when they were
            programmed. The result is a ``Life``, with one result for each time and temperature.
        temperature: temperatures likewise, such as "85 C" or ["-40 C", "85 C"].
        compensate: digital corrections of each layer's outputs from known inputs, the first ones
            of the calibration data: "gain", one factor a layer; "columns", factor and offset an
            output; "none".

    Raises:
        SpecError: the data do not fit the network, or an argument is out of range.
        FileError: the matrices can't be kept on disk, as on one that is full.
        ToolError: "cuda" without a card.
    """
    check_readout(program.hardware, readout)
    device = settled(program, Chain.of(program.hardware, readout), device)
    for name, value in (("trials", trials), ("noise_trials", noise_trials)):
        one_integer(value, name, 1, MOST_TRIALS)
    one_of(precision, "precision", get_args(Precision))
    measured, what = find_metric(metric)
    data = Data.of(program, inputs, labels, measured, Windows(window, stride, tokens))
    method = None if calibrate is None else _calibration(calibrate)
    limit = memory_limit(memory)
    run = _Run(program, data, readout, precision, seed, device, limit)
    if method is not None:
        run.calibration = method
        run.calibration_data = _calibration_data(program, data, calibration)
    run.names = _names(budget)
    whens = conditions(time, temperature)
    check_conditions(program.chip, whens if whens != [(None, None)] else [])
    run.when = whens[0]
    passes = trials * noise_trials
    passes += len(sets_of_effects(run.now(program), readout, run.names)) if budget else 0
    scored = labels is not None or metric is not None
    if one_of(compensate, "compensate", get_args(Compensation)) != "none":
        run.compensate = compensate
        run.known = Known.of(program, _known_data(program, data, calibration))
    run.progress = Progress(progress, len(data.batches) * (passes * len(whens) + scored))

    def found() -> Result:
        return run.result(trials, noise_trials, what, budget=bool(budget), scored=scored)

    if time is None and temperature is None:
        result = found()
    else:
        result = Life.of(run.points(whens, found), compensate)
    if program.graph is not None:
        result = replace(result, digital_work=data.digital_work(program.graph))
    return replace(result, cost=run.cost()) if cost else result


@dataclass(eq=False)
class _Tally:
    """Powers of signal and error of each layer, summed while the network runs."""

    weights: Mapping[str, Floats]
    signal: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    clipped: dict[str, list[float]] = field(default_factory=dict)
    dac_clipped: dict[str, list[float]] = field(default_factory=dict)

    def around(self, products: AnalogProducts | Compensated) -> _Tallied:
        """The same products, with their powers recorded."""
        return _Tallied(self, products)

    def clips(self, products: AnalogProducts) -> None:
        """Add the clipped shares of one pass."""
        for name in self.weights:
            self.clipped.setdefault(name, []).append(products.clips[name].share)
            self.dac_clipped.setdefault(name, []).append(products.dac_clips[name].share)

    def layer(self, program: Program, name: str) -> LayerResult:
        """Result of one layer."""
        signal, error = self.signal[name], self.error[name]
        snr = 10 * float(np.log10(signal / error)) if signal > 0 and error > 0 else float("inf")
        return LayerResult(
            name,
            len(program.tiles_of(name)),
            int(program.weights[name].size),
            snr,
            (snr - 1.76) / 6.02,
            float(np.mean(self.clipped[name])),
            float(np.mean(self.dac_clipped[name])),
        )


@dataclass(frozen=True, eq=False)
class _Tallied:
    """Products with their powers recorded: the ``multiply`` of ``Graph.run``."""

    tally: _Tally
    products: AnalogProducts | Compensated

    @property
    def dtype(self) -> np.dtype[Any]:
        """The products' own type."""
        return self.products.dtype

    @property
    def by_layer(self) -> bool:
        """Whether all inputs should pass a layer before the next one."""
        return self.products.by_layer

    @property
    def memory(self) -> int | None:
        """Bytes that the products' layers may take."""
        return self.products.memory

    def __call__(self, layer: str, x: NDArray[Real]) -> NDArray[Real]:
        y, tally = self.products(layer, x), self.tally
        exact = product(x, tally.weights[layer].astype(x.dtype, copy=False))
        tally.signal[layer] = tally.signal.get(layer, 0.0) + _power(exact)
        exact -= y
        tally.error[layer] = tally.error.get(layer, 0.0) + _power(exact)
        return y


def _power(values: NDArray[Any]) -> float:
    flat = values.ravel()
    return float(flat @ flat)


@dataclass(eq=False)
class _Run:
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
        tally = _Tally(self.program.weights)
        exact = self._exact() if scored else None
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
            notes=self.data.notes if exact is None else self.data.assumed(exact.values),
        )

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
        self, instance: Program, ranges: Ranges | None, trial: int, noise: int, tally: _Tally
    ) -> Outputs:
        seed = _noise_seed(self.seed, trial, noise)
        products = self._products(instance, ranges, seed, self.precision)
        corrected: AnalogProducts | Compensated = products
        if self.known is not None:
            corrected = Compensated(products, self.known, self.compensate)
        outputs = self.data.run(instance, tally.around(corrected), self.progress)
        tally.clips(products)
        return outputs

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
        acting = Chain.of(self.program.chip.hardware, self.readout).acting
        # draws of noise are not comparable
        quiet = {effect.name for effect in acting if not changes(effect, "variance")}
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
        )


def _names(budget: bool | Collection[str]) -> Collection[str] | None:
    if isinstance(budget, bool):
        return None
    if not isinstance(budget, (str, list, tuple, set, frozenset)):
        raise SpecError(f"budget must be True, False or names of effects, not {shown(budget)}")
    return (budget,) if isinstance(budget, str) else budget


def _calibration(method: object) -> Calibration:
    return method if isinstance(method, Calibration) else Calibration(cast("Method", method))


def _calibration_data(program: Program, data: Data, given: Any) -> Data:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        if given < 1:
            raise SpecError(f"calibration must be at least 1 input, not {given}")
        return data.first(program, int(given))
    return Data.of(program, given, None)


def _known_data(program: Program, data: Data, given: Any) -> Data:
    """Data whose layers' inputs are known: some of the calibration data."""
    if isinstance(given, (int, np.integer)):
        return _calibration_data(program, data, min(int(given), INPUTS))
    return _calibration_data(program, data, given).first(program, INPUTS)


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
