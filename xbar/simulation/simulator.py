"""Simulate a program on data: the accuracy that is left, and where it goes.

Trial 0 is the program's own chip. Further trials are other chips of the same design, each
programmed anew, so their spread is what a designer may expect from the next wafer. A measured
chip has no siblings: its trials differ by read noise alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.compiler.compiler import reprogram
from xbar.compiler.program import Program, check_readout
from xbar.compiler.tile import Readout
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.simulation.accuracy import check_labels, correct, mean_interval, wilson_interval
from xbar.simulation.readout import AnalogProducts, product
from xbar.simulation.run import Multiply, run_matrices

Floats = NDArray[np.float64]

BATCH = 256
"""Inputs that go through the network together; memory is bounded by it."""


@dataclass(frozen=True)
class LayerResult:
    """How well one layer's product is realised, over all trials and the data's own inputs.

    Attributes:
        name: the layer.
        tiles: that it lies on.
        weights: that it has.
        snr_db: power of the exact product over the power of the error, in decibels; inf if exact.
        bits: effective bits, (snr_db - 1.76) / 6.02, as for a converter with a full-scale sine.
        clipped: share of ADC conversions out of range.
    """

    name: str
    tiles: int
    weights: int
    snr_db: float
    bits: float
    clipped: float


@dataclass(frozen=True)
class Result:
    """What a simulation found.

    Attributes:
        readout: "ideal" or "nodal".
        trials: how many chips.
        seed: of chips and noise.
        inputs: how many.
        accuracy: mean share of right answers; None without labels.
        interval: its 95 % interval: over chips (Student) with several trials, over the finite
            data (Wilson) with one.
        digital_accuracy: the same network's with exact products.
        accuracies: by trial.
        layers: by layer.
    """

    readout: str
    trials: int
    seed: int
    inputs: int
    accuracy: float | None
    interval: tuple[float, float] | None
    digital_accuracy: float | None
    accuracies: tuple[float, ...]
    layers: tuple[LayerResult, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; an exact layer's decibels are None."""
        content = asdict(self)
        for layer in content["layers"]:
            for key in ("snr_db", "bits"):
                layer[key] = layer[key] if np.isfinite(layer[key]) else None
        return content


@dataclass
class _Tally:
    """Powers of signal and error of each layer, summed while the network runs."""

    products: Multiply
    weights: Mapping[str, Floats]
    signal: dict[str, float]
    error: dict[str, float]

    def __call__(self, layer: str, x: Floats) -> Floats:
        y = self.products(layer, x)
        exact = product(x, self.weights[layer])
        self.signal[layer] = self.signal.get(layer, 0.0) + float((exact**2).sum())
        self.error[layer] = self.error.get(layer, 0.0) + float(((y - exact) ** 2).sum())
        return y


def simulate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | None = None,
    *,
    readout: Readout = "ideal",
    trials: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run data through a programmed chip and tell what is left of the accuracy.

    Args:
        program: from ``xbar.compile``.
        inputs: (N, ...) the network's inputs; {layer: (N, inputs)} for bare matrices.
        labels: (N,) class numbers; None to compare products only.
        readout: "ideal" wires, or "nodal" for the exact solution of each tile with its wires.
        trials: chips to simulate; the first is the program's own.
        seed: of the other chips and of all read noise.
        progress: called with inputs done and inputs in all.

    Raises:
        SpecError: the data do not fit the network, or an argument is out of range.
    """
    check_readout(readout)
    if trials < 1:
        raise SpecError(f"trials must be at least 1, not {trials}")
    data = _Data.of(program, inputs, labels)
    steps = len(data.batches) * (trials + (data.labels is not None))
    count = _Progress(progress, steps)
    digital = data.run(program, None, count) if data.labels is not None else None
    signal: dict[str, float] = {}
    error: dict[str, float] = {}
    clips: dict[str, list[float]] = {name: [] for name in program.weights}
    right = []
    for trial in range(trials):
        instance = _instance(program, trial, seed)
        products = AnalogProducts(instance, readout, _trial_seed(seed, trial, stream=1))
        right.append(data.run(instance, _Tally(products, program.weights, signal, error), count))
        for name in clips:
            clips[name].append(products.clips[name].share)
    accuracies = tuple(r / data.size for r in right) if data.labels is not None else ()
    interval = None
    if accuracies:
        interval = mean_interval(accuracies) if trials > 1 else wilson_interval(right[0], data.size)
    return Result(
        readout=readout,
        trials=trials,
        seed=seed,
        inputs=data.size,
        accuracy=float(np.mean(accuracies)) if accuracies else None,
        interval=interval,
        digital_accuracy=None if digital is None else digital / data.size,
        accuracies=accuracies,
        layers=tuple(
            _layer_result(program, name, signal[name], error[name], float(np.mean(clips[name])))
            for name in program.weights
            if name in signal
        ),
    )


@dataclass(frozen=True, eq=False)
class _Data:
    inputs: Any
    labels: NDArray[np.int64] | None
    size: int
    batches: tuple[slice, ...]

    @classmethod
    def of(cls, program: Program, inputs: Any, labels: ArrayLike | None) -> _Data:
        if program.graph is None or isinstance(inputs, Mapping):
            if labels is not None:
                raise SpecError("labels need a network; bare matrices have no classes")
            return cls(inputs, None, 1, (slice(0, 1),))
        array = np.asarray(inputs)
        if array.ndim < 1 or len(array) == 0:
            raise SpecError("inputs must hold at least one input")
        batches = tuple(slice(i, i + BATCH) for i in range(0, len(array), BATCH))
        numbers = None if labels is None else check_labels(labels, len(array))
        return cls(array, numbers, len(array), batches)

    def run(self, program: Program, multiply: Multiply | None, count: _Progress) -> int:
        """How many answers are right (0 without labels), all batches run."""
        right = 0
        for batch in self.batches:
            if program.graph is None:
                assert multiply is not None
                run_matrices(program, self.inputs, multiply)
            else:
                outputs = np.asarray(program.graph.run(self.inputs[batch], multiply))
                if self.labels is not None:
                    right += correct(outputs, self.labels[batch])
            count.step()
        return right


@dataclass
class _Progress:
    report: Callable[[int, int], None] | None
    total: int
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.report is not None:
            self.report(self.done, self.total)


def _instance(program: Program, trial: int, seed: int) -> Program:
    chip = program.chip
    if trial == 0 or chip.seed is None:
        return program
    return reprogram(program, Chip.sample(chip.hardware, _trial_seed(seed, trial, stream=0)))


def _trial_seed(seed: int, trial: int, stream: int) -> int:
    try:
        sequence = np.random.SeedSequence([seed, stream, trial])
    except (TypeError, ValueError) as error:
        raise SpecError(f"seed must be a non-negative integer, not {seed!r}") from error
    return int(sequence.generate_state(1, np.uint64)[0])


def _layer_result(
    program: Program, name: str, signal: float, error: float, clipped: float
) -> LayerResult:
    snr = 10 * float(np.log10(signal / error)) if signal > 0 and error > 0 else float("inf")
    return LayerResult(
        name,
        len(program.tiles_of(name)),
        int(program.weights[name].size),
        snr,
        (snr - 1.76) / 6.02,
        clipped,
    )
