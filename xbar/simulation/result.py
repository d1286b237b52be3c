"""Results of a simulation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.errors import SpecError
from xbar.simulation.cost import ProgramCost
from xbar.simulation.tables import (
    accuracy_text,
    assumed_text,
    budget_table,
    budget_text,
    layer_table,
    precision_text,
    result_text,
    score,
    trim_text,
)
from xbar.tables import Card, Facts, count, html_table, html_text


@dataclass(frozen=True)
class LayerResult:
    """Precision of one layer's product, over all trials and the data's own inputs.

    Attributes:
        name: name of the layer.
        tiles: number of its tiles.
        weights: number of its weights.
        snr_db: power of the exact product over the power of the error, in decibels; inf if exact.
        bits: effective bits, (snr_db - 1.76) / 6.02, as for a converter with a full-scale sine.
        clipped: fraction of ADC conversions out of range.
        dac_clipped: fraction of DAC conversions out of range.
        swing_clipped: fraction of reads beyond the swing of the sense amplifiers.
    """

    name: str
    tiles: int
    weights: int
    snr_db: float
    bits: float
    clipped: float
    dac_clipped: float = 0.0
    swing_clipped: float = 0.0


@dataclass(frozen=True)
class BudgetPart:
    """Cost of one effect.

    Attributes:
        part: name of the effect, see ``xbar.effects``.
        accuracy_without: accuracy with only this effect switched off; None without labels.
        accuracy_alone: accuracy with all other effects switched off.
        error_without: root mean square difference of the outputs from the digital ones, relative to
            theirs, with only this effect switched off.
        error_alone: the same error with all other effects switched off.
    """

    part: str
    accuracy_without: float | None
    accuracy_alone: float | None
    error_without: float
    error_alone: float


@dataclass(frozen=True, repr=False)
class Budget(Card):
    """Error budget, on the program's own chip and with one draw of noise.

    Attributes:
        accuracy: accuracy with all effects on; None without labels.
        error: error of the outputs with all effects on, see ``BudgetPart``.
        accuracy_without_all: accuracy with all effects off: the digital network's.
        error_without_all: error with all effects off: rounding of the arithmetic.
        parts: cost of each effect.
    """

    accuracy: float | None
    error: float
    accuracy_without_all: float | None
    error_without_all: float
    parts: tuple[BudgetPart, ...]

    def __str__(self) -> str:
        return budget_text(self)

    def _facts(self) -> Facts:
        alone = [(part.part, f"{part.error_alone:.3g} alone") for part in self.parts]
        return [("error", f"{self.error:.3g} of the outputs"), *alone]

    def _repr_html_(self) -> str:
        return html_table(*budget_table(self))


@dataclass(frozen=True, repr=False)
class Result:
    """Result of a simulation.

    Attributes:
        readout: "ideal", "nodal" or "nonlinear".
        trials: number of chips.
        seed: seed of chips and noise.
        inputs: number of inputs.
        accuracy: mean accuracy or metric; None without labels.
        interval: its 95 % interval: over chips (Student) with several trials, over the finite
            data (Wilson) with one; None for one trial of a metric.
        digital_accuracy: accuracy of the network with exact products.
        accuracies: accuracy of each trial, the mean of its noise trials.
        layers: result of each layer.
        metric: "accuracy", or the name of the metric used instead.
        noise_trials: number of reads of each chip, with different noise.
        digital_interval: 95 % interval of the digital accuracy over the finite data (Wilson).
        chip_deviation: standard deviation of ``accuracies``; None with one trial.
        noise_deviation: standard deviation of one chip's accuracy between draws of noise, root
            mean square over chips; None with one noise trial.
        calibration: calibration method of the converters' ranges; None for automatic ranges.
        precision: precision of the analog products.
        precision_error: largest difference of an output from float64's over the largest output,
            measured on the first inputs; None for float64.
        budget: error budget, if requested.
        cost: devices, area, energy and time per input, if requested.
        notes: what was assumed of the data, one sentence each.
        digital_work: share of the multiply-adds of one input that are products which stay digital;
            None where they can't be counted.
        compensate: digital corrections of each layer's outputs; "none" without.
        trim: rms "offset" (over the range) and "gain" error (a fraction) of converters and
            amplifiers, and what calibration left of both, "offset_left" and "gain_left"; None
            where nothing was trimmed.
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
    notes: tuple[str, ...] = ()
    digital_work: float | None = None
    compensate: str = "none"
    trim: dict[str, float] | None = None

    @property
    def score(self) -> float:
        """``accuracy``, never None.

        Raises:
            SpecError: only products were compared, without labels or metric.
        """
        return self._scored(self.accuracy)

    @property
    def digital_score(self) -> float:
        """``digital_accuracy``, never None.

        Raises:
            SpecError: only products were compared, without labels or metric.
        """
        return self._scored(self.digital_accuracy)

    def _scored(self, value: float | None) -> float:
        if value is None:
            raise SpecError("a score needs labels, or a metric: give xbar.simulate one of them")
        return value

    def __repr__(self) -> str:
        what = [f"{self.readout} read-out", count(self.trials, "chip")]
        what.append(count(self.inputs, "input"))
        if self.accuracy is not None:
            what.append(f"{self.metric} {score(self.accuracy, self.metric)}")
            what.append(f"digital {score(self.digital_accuracy, self.metric)}")
        return f"Result({', '.join(what)})"

    def __str__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:
        tables = [html_table(*layer_table(self))]
        if self.budget is not None:
            tables.append(html_table(*budget_table(self.budget, self.metric)))
        if self.cost is not None:
            tables.append(self.cost._repr_html_())
        told = (trim_text(self), precision_text(self), accuracy_text(self))
        words = (*(text.strip() for text in told), assumed_text(self))
        return "\n".join([*tables, *(f"<p>{html_text(text)}</p>" for text in words if text)])

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write; an exact layer's decibels are None."""
        content = asdict(self)
        content["cost"] = None if self.cost is None else self.cost.to_json()
        for layer in content["layers"]:
            for key in ("snr_db", "bits"):
                layer[key] = layer[key] if np.isfinite(layer[key]) else None
        return content
