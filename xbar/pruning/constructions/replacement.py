"""Two random layers in place of one: common parts of the constructions.

    x ──► U ──► ReLU ──► V ──►  is  W x, once U and V are pruned

"gates" (Malach, Pensia): U is pruned to one entry per neuron, so that a neuron of input c carries
v s(x_c) with v > 0, or |v| s(-x_c) with v < 0, as x = s(x) - s(-x); V is pruned so that the kept
u |v| sum to w, and to -w for the neurons with v < 0. "kernels" (the convolutional theorem): V is
pruned to one entry per neuron and U loses its negative entries, so that s(U x) = U x.

All random numbers are drawn from U(-1, 1) and rounded to float32, so that their products are exact
in float64; the second layer's are multiplied by `scale`, a power of two. They are a function of
(seed, layer, output), regenerated on demand and never all in memory.

Shapes: O outputs, C inputs, J inputs connected to each output (C, fewer if grouped), T taps of a
kernel (1 if fully connected), H numbers per weight: samples, twice that where inputs are signed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools, Floats
from xbar.hardware import draw
from xbar.pruning.constructions.choosing import Choose, Minimise, sums
from xbar.statistics import Estimate

# streams of the generator, distinct from those of chips and of sizing
FIRST, SECOND, CHECK = 40, 41, 42
CELLS = 1 << 21  # random numbers per batch
SAMPLED = 20_000  # sample size of the predicted failure rate


@dataclass(frozen=True, eq=False)
class TargetLayer:
    """A layer to be approximated.

    Attributes:
        name: name of the layer.
        index: position among the layers, which selects its random numbers.
        weight: (O, J, T) weights.
        channel: (O, J) input index of each weight.
        channels: number of inputs C.
        nonnegative: whether its inputs are never negative, so that s(-x) is not needed.
    """

    name: str
    index: int
    weight: Floats
    channel: NDArray[np.int64]
    channels: int
    nonnegative: bool = True

    @property
    def halves(self) -> int:
        """1, or 2 if s(-x) is needed as well."""
        return 1 if self.nonnegative else 2


@dataclass(frozen=True)
class Order:
    """Specification of a construction.

    Attributes:
        epsilon: largest allowed error of a weight, in units of the weights.
        samples: random numbers per weight, and as many for s(-x).
        minimise: "error" for the closest subsets, "size" for the smallest within epsilon.
        seed: seed of all random numbers.
        group: number of outputs that share a mask where whole neurons are removed.
    """

    epsilon: float
    samples: int
    minimise: Minimise = "error"
    seed: int = 0
    group: int = 1


@dataclass(frozen=True)
class Prediction:
    """Predicted fraction of failing instances.

    Attributes:
        counted: simulated, with resampled second-layer (for kernels, first-layer) numbers.
        formula: by the design formula, or in closed form.
    """

    counted: Estimate
    formula: float


@dataclass(frozen=True, eq=False)
class Replacement:
    """The two random layers that replace a layer.

    Attributes:
        target: the approximated layer.
        order: specification.
        kind: "gates" or "kernels".
        scale: power of two; second-layer numbers are drawn from U(-scale, scale).
        fixed: for "gates" (C, H), the kept entries v of U, positive ones first; for "kernels"
            (O, H), the kept entries of V, scale included.
        packed: (O, J, T, ceil(H / 8)) mask of the other layer as bits along H.
        realised: (O, J, T, halves) realised weights of s(x_c) and, second, s(-x_c).
        mass: (O, J, T) sum of the magnitudes of the terms of `realised`.
        predict: the construction's prediction of failures.
    """

    target: TargetLayer
    order: Order
    kind: Literal["gates", "kernels", "neurons"]
    scale: float
    fixed: Floats
    packed: NDArray[np.uint8]
    realised: Floats
    mass: Floats
    predict: Callable[[Any], Prediction]

    @property
    def numbers(self) -> int:
        """Random numbers per weight H."""
        return self.order.samples * (self.target.halves if self.kind == "gates" else 1)

    @property
    def error(self) -> Floats:
        """(O, J, T, halves) realised - target."""
        return self.realised - wanted(self.target)

    @property
    def failures(self) -> int:
        """Number of instances whose chosen subset misses epsilon."""
        return int((np.abs(self.error) > self.order.epsilon).sum())

    @property
    def instances(self) -> int:
        """Number of subset problems."""
        return self.realised.size

    @cached_property
    def prediction(self) -> Prediction:
        """Predicted fraction of failing instances; computed on first use."""
        return self.predict(self)

    @property
    def candidates(self) -> int:
        """Number of random numbers that the mask chooses from."""
        return self.target.weight.size * self.numbers

    @property
    def kept(self) -> int:
        """Number of those that are kept."""
        return int(np.bitwise_count(self.packed).sum())

    @property
    def weights_of_module(self) -> int:
        """Number of weights that the masked layer has in memory."""
        return self.candidates

    @property
    def dense(self) -> int:
        """Number of weights of the two fully connected (ungrouped) random layers before pruning."""
        outputs, inputs, taps = self.target.weight.shape
        neurons = outputs * self.numbers
        total: int = neurons * (inputs * taps + outputs)
        if self.kind == "gates":
            neurons = self.target.channels * self.numbers
            total = neurons * (
                self.target.channels + outputs * inputs * taps // self.target.channels
            )
        return total

    def mask(self, rows: slice = slice(None)) -> Bools:
        """(O, J, T, H) mask of kept random numbers, for some outputs or all."""
        return np.unpackbits(self.packed[rows], axis=-1, count=self.numbers).astype(np.bool_)

    def random(self, rows: range) -> Floats:
        """(R, J, T, H) candidate random numbers of R outputs."""
        shape = (*self.target.weight.shape[1:], self.numbers)
        own = self.scale if self.kind == "gates" else 1.0
        seed, layer = self.order.seed, self.target.index
        return np.stack([own * signed(seed, SECOND, layer, o, shape) for o in rows])

    def weights(self, *, pruned: bool) -> NDArray[np.float32]:
        """(O, J, T, H) candidate random numbers, 0 where pruned."""
        full = (*self.target.weight.shape, self.numbers)
        weights = np.empty(full, np.float32)
        for rows in blocks(full[0], math.prod(full[1:])):
            part = slice(rows.start, rows.stop)
            random = self.random(rows)
            weights[part] = np.where(self.mask(part), random, 0.0) if pruned else random
        return weights


def wanted(target: TargetLayer) -> Floats:
    """(O, J, T, halves) targets of a layer's instances: w, and -w for s(-x)."""
    weight = target.weight[..., None]
    return weight if target.nonnegative else np.concatenate([weight, -weight], axis=-1)


def signed(seed: int, stream: int, layer: int, row: int, shape: tuple[int, ...]) -> Floats:
    """Numbers from U(-1, 1), rounded to float32: a function of the arguments only."""
    u = draw.uniform(seed, stream, (layer << 32) | row, shape)
    return (2.0 * u - 1.0).astype(np.float32).astype(np.float64)


def power_of_two(least: float) -> float:
    """The smallest power of two that is at least 1 and at least a number.

    >>> power_of_two(0.3), power_of_two(1.0), power_of_two(5.0)
    (1.0, 1.0, 8.0)
    """
    return 2.0 ** max(math.ceil(math.log2(least)), 0) if least > 1.0 else 1.0


def blocks(outputs: int, width: int) -> Iterator[range]:
    """Batches of consecutive outputs with at most `CELLS` numbers, `width` per output."""
    step = max(CELLS // max(width, 1), 1)
    for start in range(0, outputs, step):
        yield range(start, min(start + step, outputs))


def gate_entries(target: TargetLayer, order: Order) -> Floats:
    """(C, H) random entries v of U: `samples` positive ones, and if needed as many negative.

    They are the first of each sign in an infinite random layer; neurons of an unneeded sign are
    pruned.
    """
    shape = (target.channels, target.halves, order.samples)
    size = np.abs(signed(order.seed, FIRST, target.index, 0, shape))
    sign = np.array([1.0, -1.0])[: target.halves, None]
    return (sign * size).reshape(target.channels, -1)


def build_gates(
    target: TargetLayer, order: Order, choose: Choose, predict: Callable[[Replacement], Prediction]
) -> Replacement:
    """Prune V of two layers of kind "gates".

    Args:
        target: the layer.
        order: specification.
        choose: function that selects the numbers u |v| of a weight.
        predict: function that predicts failures.
    """
    outputs, inputs, taps = target.weight.shape
    halves, samples = target.halves, order.samples
    replacement = Replacement(
        target=target,
        order=order,
        kind="gates",
        scale=power_of_two(float(np.abs(target.weight).max(initial=0.0))),
        fixed=gate_entries(target, order),
        packed=np.empty((outputs, inputs, taps, -(-halves * samples // 8)), np.uint8),
        realised=np.empty((outputs, inputs, taps, halves)),
        mass=np.empty((outputs, inputs, taps)),
        predict=predict,
    )
    for rows in blocks(outputs, inputs * taps * halves * samples):
        part = slice(rows.start, rows.stop)
        gates = np.abs(replacement.fixed)[target.channel[part], None]  # (R, J, 1, H)
        bank = (replacement.random(rows) * gates).reshape(-1, samples)
        goal = wanted(target)[part].reshape(-1)
        _write(replacement, part, bank, choose(bank, goal, order.epsilon, order.minimise))
    return replacement


def _write(replacement: Replacement, part: slice, bank: Floats, mask: Bools) -> None:
    """Store the choice among numbers (M, samples) for outputs `part`."""
    shape = replacement.realised[part].shape
    replacement.realised[part] = sums(bank, mask).reshape(shape)
    replacement.mass[part] = sums(np.abs(bank), mask).reshape(shape).sum(axis=-1)
    replacement.packed[part] = np.packbits(mask.reshape(*shape[:3], -1), axis=-1)


def draw_instances(target: TargetLayer, order: Order) -> NDArray[np.int64]:
    """(S,) instances of a layer sampled for a prediction, one from each of S equal intervals."""
    total = target.weight.size * target.halves
    u = draw.uniform(order.seed, CHECK, target.index << 32, (SAMPLED,))
    return ((np.arange(SAMPLED) + u) / SAMPLED * total).astype(np.int64)
