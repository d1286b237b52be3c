"""Certificates of constructions: proved error bounds and measured errors.

The theorem's argument, with the actual errors instead of epsilon: a layer with weight errors e_oj
has output errors of at most

    sum over j of |e_oj| max|x_j|  +  sum over j of |w_oj + e_oj| d_j,

where d_j is the error of its inputs and max|x_j| follows from the range of the network's inputs,
layer by layer; activations, pooling and flattening never increase it. float64 rounding errors are
included, so that the bound holds for computed values.

Shapes as in `xbar.pruning.constructions.replacement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.pruning.constructions.replacement import Prediction, Replacement
from xbar.pruning.constructions.sequence import (
    Flat,
    Gain,
    LayerSequence,
    Pool,
    Rising,
    Step,
    Weights,
)
from xbar.statistics import finite_or_none
from xbar.tables import Card, Facts, Outline

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class LayerCertificate(Outline):
    """Certificate of one layer.

    Attributes:
        name: name of the layer.
        weights: number of weights.
        instances: number of subset problems: one per weight, two where inputs may be negative.
        failures: number of instances without a subset within epsilon.
        scale: power of two by which weights above the theorem's norm were divided; else 1.
        candidates: number of random weights that the mask chooses from.
        kept: number of those that are kept.
        fixed: number of entries of the other layer, one per neuron.
        dense: number of weights of both random layers before pruning.
        weight_error: (O, J, T) largest |realised - target| of each weight.
        bound: bound on the error of an output for exact inputs of the layer.
        promised: the same bound with epsilon as error of every weight; holds without failures.
        measured: largest observed output error for exact inputs.
        replacement: the two random layers that replace the layer.
    """

    name: str
    weights: int
    instances: int
    failures: int
    scale: float
    candidates: int
    kept: int
    fixed: int
    dense: int
    weight_error: Floats
    bound: float
    promised: float
    measured: float
    replacement: Replacement

    @property
    def prediction(self) -> Prediction:
        """Predicted fraction of failing instances, counted and by formula."""
        return self.replacement.prediction

    def to_json(self) -> dict[str, Any]:
        """A dictionary for ``json``; weight errors are reduced to maximum and median."""
        rest = {k: v for k, v in vars(self).items() if k not in ("weight_error", "replacement")}
        return {
            **rest,
            "predicted": self.prediction.counted.to_json(),
            "formula": self.prediction.formula,
            "largest_weight_error": float(self.weight_error.max(initial=0.0)),
            "median_weight_error": float(np.median(self.weight_error)),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Card):
    """Certificate of a constructed network.

    Attributes:
        method: "malach", "pensia", "cnn" or "neurons".
        epsilon: largest allowed error of a weight.
        samples: random numbers per weight.
        minimise: "error" or "size".
        seed: seed of the random numbers.
        layers: certificate of each layer.
        bound: bound on the error of the network's outputs, for any inputs in the range.
        promised: the same bound with epsilon as error of every weight; holds without failures.
        measured: largest observed output error, both networks in float64.
        inputs: number of inputs in the measurement.
        input_range: lower and upper limit of the inputs, assumed by the bounds.
        notes: remarks on rescaled, replaced or omitted layers.
    """

    method: str
    epsilon: float
    samples: int
    minimise: str
    seed: int
    layers: tuple[LayerCertificate, ...]
    bound: float
    promised: float
    measured: float
    inputs: int
    input_range: tuple[float, float]
    notes: tuple[str, ...]

    def _facts(self) -> Facts:
        return [
            ("method", f"{self.method}, {self.samples} samples a weight, seed {self.seed}"),
            ("weights", f"{self.weights:,}, chosen from {self.candidates:,} random ones"),
            ("failures", f"{self.failures:,}, {self.predicted_failures:.3g} expected"),
            ("error", f"{self.measured:.3g} measured on {self.inputs} inputs"),
            ("bound", f"{self.bound:.3g}; {self.promised:.3g} if nothing fails"),
        ]

    @property
    def weights(self) -> int:
        """Number of weights of the approximated network."""
        return sum(layer.weights for layer in self.layers)

    @property
    def candidates(self) -> int:
        """Number of random weights that masks choose from."""
        return sum(layer.candidates for layer in self.layers)

    @property
    def over_parameterisation(self) -> float:
        """Candidate random weights per weight of the network."""
        return self.candidates / self.weights

    @property
    def dense_factor(self) -> float:
        """Weights of the unpruned random network per weight of the network."""
        return sum(layer.dense for layer in self.layers) / self.weights

    @property
    def kept_share(self) -> float:
        """Kept fraction of the candidate random weights."""
        return sum(layer.kept for layer in self.layers) / self.candidates

    @property
    def dense_kept_share(self) -> float:
        """Kept fraction of all weights of the random network."""
        kept = sum(layer.kept + layer.fixed for layer in self.layers)
        return kept / sum(layer.dense for layer in self.layers)

    @property
    def failures(self) -> int:
        """Number of instances without a subset within epsilon."""
        return sum(layer.failures for layer in self.layers)

    @property
    def predicted_failures(self) -> float:
        """Predicted number of failures."""
        return sum(layer.prediction.counted.value * layer.instances for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """A dictionary for ``json``, without the errors of single weights."""
        own = {k: v for k, v in vars(self).items() if k != "layers"}
        derived = (
            "weights", "candidates", "over_parameterisation", "dense_factor", "kept_share",
            "dense_kept_share", "failures", "predicted_failures",
        )  # fmt: skip
        return {
            **own,
            "bound": finite_or_none(self.bound),
            "promised": finite_or_none(self.promised),
            **{name: getattr(self, name) for name in derived},
            "layers": [layer.to_json() for layer in self.layers],
        }


@dataclass(frozen=True, eq=False)
class Bounds:
    """Range of exact values and error bounds of the constructed network, by channel.

    Attributes:
        low, high: (C,) range of the exact network's values.
        error: (C,) error bound from the actual weight errors.
        promised: (C,) error bound with epsilon as error of every weight.
    """

    low: Floats
    high: Floats
    error: Floats
    promised: Floats

    @property
    def magnitude(self) -> Floats:
        """(C,) largest |value|."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def propagate(
    sequence: LayerSequence, replacements: list[Replacement]
) -> tuple[Bounds, list[tuple[float, float]]]:
    """Bounds of the network's outputs, and (bound, promised) of each layer alone.

    Args:
        sequence: the exact network.
        replacements: the two random layers of each layer, in order.
    """
    channels = sequence.input_shape[0]
    zero = np.zeros(channels)
    bounds = Bounds(zero + sequence.low, zero + sequence.high, zero, zero)
    own = []
    rest = iter(replacements)
    for step in sequence.steps:
        if isinstance(step, Weights):
            replacement = next(rest)
            own.append(_own(step, replacement, bounds))
            bounds = _through(step, replacement, bounds)
        else:
            bounds = _after(step, bounds)
    return bounds, own


def _own(step: Weights, replacement: Replacement, before: Bounds) -> tuple[float, float]:
    exact = Bounds(before.low, before.high, 0 * before.error, 0 * before.error)
    after = _through(step, replacement, exact)
    return float(after.error.max()), float(after.promised.max())


def _through(step: Weights, replacement: Replacement, before: Bounds) -> Bounds:
    target, epsilon = step.target, replacement.order.epsilon
    low, high = before.low, before.high
    if step.padded:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)

    def total(weight: Floats, value: Floats) -> Floats:
        """(O,) sum over inputs and taps of weight times the value of the input's channel."""
        return np.asarray((weight.sum(axis=2) * value[target.channel]).sum(axis=1))

    plus, minus = np.maximum(target.weight, 0.0), np.minimum(target.weight, 0.0)
    size = np.abs(target.weight)
    error = np.abs(replacement.error).max(axis=3)
    built = np.abs(replacement.realised).max(axis=3)
    everything = np.full_like(size, epsilon)
    terms = size[0].size * replacement.numbers + 8
    rounding = np.abs(step.bias) + total(replacement.mass + size, before.magnitude + before.error)
    rounding = terms * _EPSILON * rounding
    return Bounds(
        low=total(plus, low) + total(minus, high) + step.bias,
        high=total(plus, high) + total(minus, low) + step.bias,
        error=total(error, before.magnitude) + total(built, before.error) + rounding,
        promised=total(everything, before.magnitude)
        + total(size + epsilon, before.promised)
        + rounding,
    )


def _after(step: Step, before: Bounds) -> Bounds:
    """Bounds after a step that is not replaced."""
    low, high, error, promised = before.low, before.high, before.error, before.promised
    if isinstance(step, Rising):
        # rounding inside the function may add one unit in the last place
        low, high = step.function(low), step.function(high)
        last = 8 * _EPSILON * np.maximum(np.abs(low), np.abs(high))
        return Bounds(low, high, error + last, promised + last)
    if isinstance(step, Gain):
        ends = np.sort([step.gain * low + step.shift, step.gain * high + step.shift], axis=0)
        size = np.abs(step.gain)
        last = 8 * _EPSILON * (size * before.magnitude + np.abs(step.shift))
        return Bounds(ends[0], ends[1], size * error + last, size * promised + last)
    if isinstance(step, Flat):
        return Bounds(*(np.repeat(x, step.places) for x in (low, high, error, promised)))
    if isinstance(step, Pool) and step.padded:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return Bounds(low, high, error, promised)
