"""What a construction proves about its network, and what was measured on it.

The theorem's argument, with the errors that were reached in place of epsilon: a layer whose weights
err by e_oj gives outputs that err by at most

    sum over j of |e_oj| max|x_j|  +  sum over j of |w_oj + e_oj| d_j,

where d_j is what its inputs err by already and max|x_j| follows from the range of the network's
inputs, layer by layer; activations, pooling and flattening never add to it. The rounding of float64
is added, so that the bound holds for what a computer adds up.

Shapes as in `xbar.pruning.constructions.pairs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.pruning.constructions.chain import Chain, Flat, Gain, Pool, Rising, Step, Weights
from xbar.pruning.constructions.pairs import Pair, Prediction
from xbar.statistics import finite_or_none
from xbar.tables import Card, Facts, Outline

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class LayerCertificate(Outline):
    """One layer.

    Attributes:
        name: of the layer.
        weights: how many it has.
        instances: subset problems solved: one a weight, two where inputs may be negative.
        failures: instances that no choice brought within epsilon.
        scale: the power of two that weights above the theorem's norm were divided by; else 1.
        candidates: random weights that the mask chose from.
        kept: how many of them it keeps.
        fixed: entries of the other layer, one a neuron.
        dense: weights of both random layers before any pruning.
        weight_error: (O, J, T) the largest |realised - wanted| of each weight.
        bound: the most that an output may err by when the layer's inputs are exact.
        promised: the same if each weight errs by epsilon; it holds if nothing failed.
        measured: the largest error of an output seen with exact inputs.
        pair: what the layer was built as.
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
    pair: Pair

    @property
    def prediction(self) -> Prediction:
        """The share of instances that should have failed, counted and by formula."""
        return self.pair.prediction

    def to_json(self) -> dict[str, Any]:
        """Its numbers; of the errors of the weights the largest and the median."""
        rest = {k: v for k, v in vars(self).items() if k not in ("weight_error", "pair")}
        return {
            **rest,
            "predicted": self.prediction.counted.to_json(),
            "formula": self.prediction.formula,
            "largest_weight_error": float(self.weight_error.max(initial=0.0)),
            "median_weight_error": float(np.median(self.weight_error)),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Card):
    """A construction's account of its network.

    Attributes:
        method: "malach", "pensia", "cnn" or "neurons".
        epsilon: error that a weight may have.
        samples: random numbers for each weight.
        minimise: "error" or "size".
        seed: of the random numbers.
        layers: one each.
        bound: the most that an output of the network may err by, for any inputs in the range.
        promised: the same if each weight errs by epsilon; it holds if nothing failed.
        measured: the largest error of an output seen, both networks in float64.
        inputs: how many inputs that was measured on.
        input_range: what the bounds take inputs to lie between.
        notes: what was rescaled, replaced or left out.
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
        """Of the network that was approximated."""
        return sum(layer.weights for layer in self.layers)

    @property
    def candidates(self) -> int:
        """Random weights that masks chose from."""
        return sum(layer.candidates for layer in self.layers)

    @property
    def over_parameterisation(self) -> float:
        """Random weights to choose from for each weight of the network."""
        return self.candidates / self.weights

    @property
    def dense_factor(self) -> float:
        """Weights of the random network before any pruning for each weight of the network."""
        return sum(layer.dense for layer in self.layers) / self.weights

    @property
    def kept_share(self) -> float:
        """Of the random weights to choose from."""
        return sum(layer.kept for layer in self.layers) / self.candidates

    @property
    def dense_kept_share(self) -> float:
        """Of all weights of the random network."""
        kept = sum(layer.kept + layer.fixed for layer in self.layers)
        return kept / sum(layer.dense for layer in self.layers)

    @property
    def failures(self) -> int:
        """Instances that no choice brought within epsilon."""
        return sum(layer.failures for layer in self.layers)

    @property
    def predicted_failures(self) -> float:
        """How many should have failed."""
        return sum(layer.prediction.counted.value * layer.instances for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """All of it but the errors of single weights."""
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
    """By channel: what exact values lie between, and what the built network's err by.

    Attributes:
        low, high: (C,) of the exact network.
        error: (C,) with the errors that were reached.
        promised: (C,) with epsilon for each weight.
    """

    low: Floats
    high: Floats
    error: Floats
    promised: Floats

    @property
    def magnitude(self) -> Floats:
        """(C,) largest |value|."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def propagate(chain: Chain, pairs: list[Pair]) -> tuple[Bounds, list[tuple[float, float]]]:
    """Bounds for the network's outputs, and for each layer's own: reached and promised.

    Args:
        chain: the exact network.
        pairs: what its layers were built as, in order.
    """
    channels = chain.input_shape[0]
    zero = np.zeros(channels)
    bounds = Bounds(zero + chain.low, zero + chain.high, zero, zero)
    own = []
    rest = iter(pairs)
    for step in chain.steps:
        if isinstance(step, Weights):
            pair = next(rest)
            own.append(_own(step, pair, bounds))
            bounds = _through(step, pair, bounds)
        else:
            bounds = _after(step, bounds)
    return bounds, own


def _own(step: Weights, pair: Pair, before: Bounds) -> tuple[float, float]:
    exact = Bounds(before.low, before.high, 0 * before.error, 0 * before.error)
    after = _through(step, pair, exact)
    return float(after.error.max()), float(after.promised.max())


def _through(step: Weights, pair: Pair, before: Bounds) -> Bounds:
    target, epsilon = step.target, pair.order.epsilon
    low, high = before.low, before.high
    if step.padded:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)

    def total(weight: Floats, value: Floats) -> Floats:
        """(O,) sum over inputs and taps of weight times value of the input's channel."""
        return np.asarray((weight.sum(axis=2) * value[target.channel]).sum(axis=1))

    plus, minus = np.maximum(target.weight, 0.0), np.minimum(target.weight, 0.0)
    size = np.abs(target.weight)
    error = np.abs(pair.error).max(axis=3)
    built = np.abs(pair.realised).max(axis=3)
    everything = np.full_like(size, epsilon)
    terms = size[0].size * pair.numbers + 8
    rounding = np.abs(step.bias) + total(pair.mass + size, before.magnitude + before.error)
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
    """Bounds after a step that is not built."""
    low, high, error, promised = before.low, before.high, before.error, before.promised
    if isinstance(step, Rising):
        # a function that is itself rounded may add the last bit of its value
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
