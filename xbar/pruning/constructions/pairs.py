"""Two random layers in place of one: what the constructions share.

    x ──► U ──► ReLU ──► V ──►  is  W x, once U and V are pruned

"gates" (Malach, Pensia): U is pruned to one entry a neuron, so that a neuron of input c carries
v s(x_c) with v > 0, or |v| s(-x_c) with v < 0, as x = s(x) - s(-x); V is pruned so that what is
kept of u |v| sums to w, and to -w for the neurons with v < 0. "kernels" (the convolutional
theorem): V is pruned to one entry a neuron, U of its negative entries, so that s(U x) = U x.

All random numbers are those of U(-1, 1), rounded to float32, so that their products are exact in
float64; the second layer's are times `scale`, a power of two. They are a function of (seed, layer,
output), regenerated when needed and never all in memory.

Shapes: O outputs, C inputs, J inputs that each output sees (C, less if grouped), T taps of a
kernel (1 if fully connected), H numbers a weight: samples, twice that where inputs are signed.
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

# streams of the generator, apart from those of chips and of sizing
FIRST, SECOND, CHECK = 40, 41, 42
CELLS = 1 << 21  # random numbers of a block
SAMPLED = 20_000  # instances that a predicted failure rate is taken from


@dataclass(frozen=True, eq=False)
class Target:
    """A layer to be built.

    Attributes:
        name: of the layer.
        index: its place among the layers, which sets it apart from others of the same seed.
        weight: (O, J, T).
        channel: (O, J) which input each weight multiplies.
        channels: C.
        nonnegative: whether its inputs are never below 0, so that s(-x) is not needed.
    """

    name: str
    index: int
    weight: Floats
    channel: NDArray[np.int64]
    channels: int
    nonnegative: bool = True

    @property
    def halves(self) -> int:
        """1, or 2 where s(-x) is built as well."""
        return 1 if self.nonnegative else 2


@dataclass(frozen=True)
class Order:
    """What is asked of a construction.

    Attributes:
        epsilon: the error that a weight may have, in its own unit.
        samples: random numbers for each weight, and again for s(-x).
        minimise: "error" for the closest subsets, "size" for the smallest within epsilon.
        seed: of all random numbers.
        group: outputs that share a mask where whole neurons are removed.
    """

    epsilon: float
    samples: int
    minimise: Minimise = "error"
    seed: int = 0
    group: int = 1


@dataclass(frozen=True)
class Prediction:
    """The share of instances that should fail.

    Attributes:
        counted: from second-layer (for kernels, first-layer) numbers drawn anew.
        formula: by the design formula, or in closed form.
    """

    counted: Estimate
    formula: float


@dataclass(frozen=True, eq=False)
class Pair:
    """What a construction made of a layer.

    Attributes:
        target: the layer.
        order: what was asked.
        kind: "gates" or "kernels".
        scale: a power of two; second-layer numbers are of U(-scale, scale).
        fixed: "gates": (C, H) the kept entries v of U, positive ones first. "kernels": (O, H)
            the kept entries of V, scale included.
        packed: (O, J, T, ceil(H / 8)) the mask of the other layer, packed along H.
        realised: (O, J, T, halves) what x_c and, second, -x_c are multiplied by, where positive.
        mass: (O, J, T) sum of the magnitudes that make up `realised`.
        predict: the construction's own prediction of failures.
    """

    target: Target
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
        """H."""
        return self.order.samples * (self.target.halves if self.kind == "gates" else 1)

    @property
    def error(self) -> Floats:
        """(O, J, T, halves) what is built less what is wanted."""
        return self.realised - wanted(self.target)

    @property
    def failures(self) -> int:
        """Instances of which not even the subset chosen is within epsilon."""
        return int((np.abs(self.error) > self.order.epsilon).sum())

    @property
    def instances(self) -> int:
        """Subset problems that were solved."""
        return self.realised.size

    @cached_property
    def prediction(self) -> Prediction:
        """What share of its instances should have failed; computed when first asked for."""
        return self.predict(self)

    @property
    def candidates(self) -> int:
        """Random numbers that the mask chooses from."""
        return self.target.weight.size * self.numbers

    @property
    def kept(self) -> int:
        """How many of them are kept."""
        return int(np.bitwise_count(self.packed).sum())

    @property
    def weights_of_module(self) -> int:
        """Numbers that the masked layer holds in memory."""
        return self.candidates

    @property
    def dense(self) -> int:
        """Weights of the two fully connected (or ungrouped) random layers before any pruning."""
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
        """(O, J, T, H) which random numbers are kept, of some outputs or all."""
        return np.unpackbits(self.packed[rows], axis=-1, count=self.numbers).astype(np.bool_)

    def random(self, rows: range) -> Floats:
        """(R, J, T, H) the random numbers that the mask is for, of some outputs."""
        shape = (*self.target.weight.shape[1:], self.numbers)
        own = self.scale if self.kind == "gates" else 1.0
        seed, layer = self.order.seed, self.target.index
        return np.stack([own * signed(seed, SECOND, layer, o, shape) for o in rows])

    def weights(self, *, pruned: bool) -> NDArray[np.float32]:
        """(O, J, T, H) all those random numbers, 0 where they are pruned."""
        full = (*self.target.weight.shape, self.numbers)
        weights = np.empty(full, np.float32)
        for rows in blocks(full[0], math.prod(full[1:])):
            part = slice(rows.start, rows.stop)
            random = self.random(rows)
            weights[part] = np.where(self.mask(part), random, 0.0) if pruned else random
        return weights


def wanted(target: Target) -> Floats:
    """(O, J, T, halves) the targets of a layer's instances: w, and -w for s(-x)."""
    weight = target.weight[..., None]
    return weight if target.nonnegative else np.concatenate([weight, -weight], axis=-1)


def signed(seed: int, stream: int, layer: int, row: int, shape: tuple[int, ...]) -> Floats:
    """Numbers of U(-1, 1), rounded to float32: a function of the arguments alone."""
    u = draw.uniform(seed, stream, (layer << 32) | row, shape)
    return (2.0 * u - 1.0).astype(np.float32).astype(np.float64)


def power_of_two(least: float) -> float:
    """The smallest power of two from 1 on that is not below a number.

    >>> power_of_two(0.3), power_of_two(1.0), power_of_two(5.0)
    (1.0, 1.0, 8.0)
    """
    return 2.0 ** max(math.ceil(math.log2(least)), 0) if least > 1.0 else 1.0


def blocks(outputs: int, width: int) -> Iterator[range]:
    """Consecutive outputs, as many at a time as keep `CELLS` numbers of `width` an output."""
    step = max(CELLS // max(width, 1), 1)
    for start in range(0, outputs, step):
        yield range(start, min(start + step, outputs))


def gate_entries(target: Target, order: Order) -> Floats:
    """(C, H) random entries v of U: `samples` positive ones, and where needed as many negative.

    They are the first of each sign in an endless random layer; neurons of a sign that is not
    needed are pruned whole.
    """
    shape = (target.channels, target.halves, order.samples)
    size = np.abs(signed(order.seed, FIRST, target.index, 0, shape))
    sign = np.array([1.0, -1.0])[: target.halves, None]
    return (sign * size).reshape(target.channels, -1)


def build_gates(
    target: Target, order: Order, choose: Choose, predict: Callable[[Pair], Prediction]
) -> Pair:
    """Prunes V of a pair of kind "gates".

    Args:
        target: the layer.
        order: what is asked.
        choose: which numbers u |v| of a weight are kept.
        predict: how many instances should fail.
    """
    outputs, inputs, taps = target.weight.shape
    halves, samples = target.halves, order.samples
    pair = Pair(
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
        gates = np.abs(pair.fixed)[target.channel[part], None]  # (R, J, 1, H)
        bank = (pair.random(rows) * gates).reshape(-1, samples)
        goal = wanted(target)[part].reshape(-1)
        _write(pair, part, bank, choose(bank, goal, order.epsilon, order.minimise))
    return pair


def _write(pair: Pair, part: slice, bank: Floats, mask: Bools) -> None:
    """Keeps what was chosen of numbers (M, samples) for outputs `part`."""
    shape = pair.realised[part].shape
    pair.realised[part] = sums(bank, mask).reshape(shape)
    pair.mass[part] = sums(np.abs(bank), mask).reshape(shape).sum(axis=-1)
    pair.packed[part] = np.packbits(mask.reshape(*shape[:3], -1), axis=-1)


def draw_instances(target: Target, order: Order) -> NDArray[np.int64]:
    """(S,) instances of a layer that a prediction looks at, one from each of S equal parts."""
    total = target.weight.size * target.halves
    u = draw.uniform(order.seed, CHECK, target.index << 32, (SAMPLED,))
    return ((np.arange(SAMPLED) + u) / SAMPLED * total).astype(np.int64)
