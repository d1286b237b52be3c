"""What a simulation finds, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.simulation.cost import ProgramCost
from xbar.simulation.effects import Effect


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
        dac_clipped: share of DAC conversions out of range.
    """

    name: str
    tiles: int
    weights: int
    snr_db: float
    bits: float
    clipped: float
    dac_clipped: float = 0.0


@dataclass(frozen=True)
class BudgetPart:
    """What one part of the error costs.

    Attributes:
        part: which, see ``xbar.simulation.effects``.
        accuracy_without: with this part alone switched off; None without labels.
        accuracy_alone: with every other part switched off.
        error_without: root mean square of the outputs' difference from the digital ones, relative
            to theirs, with this part alone switched off.
        error_alone: the same with every other part switched off.
    """

    part: Effect
    accuracy_without: float | None
    accuracy_alone: float | None
    error_without: float
    error_alone: float


@dataclass(frozen=True)
class Budget:
    """Where the error comes from, on the program's own chip and with one draw of noise.

    Attributes:
        accuracy: with all parts on; None without labels.
        error: of the outputs with all parts on, see ``BudgetPart``.
        accuracy_without_all: with all parts off: the digital network's.
        error_without_all: what rounding of the arithmetic leaves.
        parts: those that act.
    """

    accuracy: float | None
    error: float
    accuracy_without_all: float | None
    error_without_all: float
    parts: tuple[BudgetPart, ...]


@dataclass(frozen=True)
class Result:
    """What a simulation found.

    Attributes:
        readout: "ideal", "nodal" or "nonlinear".
        trials: how many chips.
        seed: of chips and noise.
        inputs: how many.
        accuracy: mean share of right answers, or of the metric; None without labels.
        interval: its 95 % interval: over chips (Student) with several trials, over the finite
            data (Wilson) with one; None for one trial of a metric.
        digital_accuracy: the same network's with exact products.
        accuracies: by trial, the mean of its noise trials.
        layers: by layer.
        metric: "accuracy", or the name of what was measured in its place.
        noise_trials: how often each chip was read, each time with other noise.
        digital_interval: the digital accuracy's 95 % interval over the finite data (Wilson).
        chip_deviation: standard deviation of ``accuracies``; None with one trial.
        noise_deviation: of one chip's accuracy from one draw of noise to the next, root mean
            square over chips; None with one noise trial.
        calibration: the method that found the converters' ranges; None for automatic ones.
        precision: of the analog products.
        precision_error: largest difference of an output from float64's over the largest output,
            measured on the first inputs; None for float64.
        budget: where the error comes from, if it was asked for.
        cost: devices, area, energy and time of one input, if they were asked for.
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
    metric: str = "accuracy"
    noise_trials: int = 1
    digital_interval: tuple[float, float] | None = None
    chip_deviation: float | None = None
    noise_deviation: float | None = None
    calibration: str | None = None
    precision: str = "float64"
    precision_error: float | None = None
    budget: Budget | None = None
    cost: ProgramCost | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; an exact layer's decibels are None."""
        content = asdict(self)
        content["cost"] = None if self.cost is None else self.cost.to_json()
        for layer in content["layers"]:
            for key in ("snr_db", "bits"):
                layer[key] = layer[key] if np.isfinite(layer[key]) else None
        return content
