"""Removal of whole neurons by multidimensional random subset sum: outputs share a mask.

A. da Cunha, F. d'Amore, E. Natale, "Polynomially over-parameterized convolutional neural networks
contain structured strong winning lottery tickets", NeurIPS 2023; L. Becchetti and others, "On the
multidimensional random subset sum problem", 2022. Outputs form groups of d. A neuron of input c and
group g feeds v s(x_c) to the group's d outputs, so keeping it adds one d-dimensional vector u |v|:
the kept ones must sum to the column (w_1, .., w_d) of input c. Removing a neuron frees a bit line
of the first layer and a word line of the second; an unstructured mask frees cells only.
The price: n numbers give n/d bits, so d must be small; for d = 1 a neuron serves one weight.

Shapes as in `xbar.pruning.constructions.replacement`, T = 1; G groups of d outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools, Floats
from xbar.errors import SpecError
from xbar.hardware import draw
from xbar.pruning.constructions.replacement import (
    CHECK,
    FIRST,
    SECOND,
    Order,
    Prediction,
    Replacement,
    TargetLayer,
    power_of_two,
    signed,
    wanted,
)
from xbar.sizing.density import density
from xbar.statistics import share_estimate
from xbar.subset.variants.vector import solve_vector

MOST = 34
"""Largest bank that is searched exhaustively."""

_SAMPLED = 200  # sample size of the predicted failure rate


@dataclass(frozen=True, eq=False)
class NeuronReplacement(Replacement):
    """Two random layers whose mask is over neurons.

    `fixed` is (C, G H), the entries v, ordered by group; `packed` is unused.

    Attributes:
        neurons: (C, G, H) mask of kept neurons.
    """

    neurons: Bools

    @property
    def groups(self) -> int:
        """Number of groups G."""
        return int(self.neurons.shape[1])

    @property
    def instances(self) -> int:
        """Number of subset problems."""
        return self.target.channels * self.groups * self.target.halves

    @property
    def failures(self) -> int:
        """Number of instances in which a weight misses epsilon."""
        far = np.abs(self.error[:, :, 0]) > self.order.epsilon  # (O, C, halves)
        return sum(int(far[part].any(axis=0).sum()) for part in members(self.target, self.order))

    @property
    def candidates(self) -> int:
        """Number of neurons that the mask chooses from."""
        return self.neurons.size

    @property
    def kept(self) -> int:
        """Number of neurons kept."""
        return int(self.neurons.sum())

    @property
    def weights_of_module(self) -> int:
        """Number of weights of the second layer, including zeros between groups."""
        return int(self.target.weight.shape[0] * self.neurons.size)

    @property
    def dense(self) -> int:
        """Number of weights of the two fully connected random layers before pruning."""
        return int(self.neurons.size * (self.target.channels + self.target.weight.shape[0]))

    def gates(self, *, pruned: bool) -> Floats:
        """(C, G H) entries v, 0 for removed neurons."""
        mask = self.neurons.reshape(self.fixed.shape)
        return np.where(mask, self.fixed, 0.0) if pruned else self.fixed

    def weights(self, *, pruned: bool) -> NDArray[np.float32]:
        """(O, C, 1, G H) second layer, 0 between groups and for removed neurons."""
        outputs, channels, _ = self.target.weight.shape
        weights = np.zeros((outputs, channels, self.groups, self.numbers), np.float32)
        for g, part in enumerate(members(self.target, self.order)):
            random = second_numbers(self.target, self.order, part)
            weights[part, :, g] = random * self.neurons[:, g] if pruned else random
        return weights.reshape(outputs, channels, 1, -1)

    @property
    def numbers(self) -> int:
        """Number of neurons H per input and group."""
        return self.order.samples * self.target.halves


def construct(target: TargetLayer, order: Order) -> NeuronReplacement:
    """Construct a fully connected layer (or 1x1 convolution) by keeping or removing whole neurons.

    The predicted failure rate is counted on 200 resampled instances; the formula models the sums as
    a Poisson process in d dimensions.

    Args:
        target: the layer.
        order: specification: at most 34 samples, and `group` outputs per mask.

    Raises:
        SpecError: the layer's kernels have several taps or groups, there are too many samples for
            the search, or the objective is not the error.
    """
    _check(target, order)
    outputs, channels, _ = target.weight.shape
    groups = list(members(target, order))
    shape = (channels, len(groups), target.halves, order.samples)
    size = np.abs(signed(order.seed, FIRST, target.index, 0, shape))
    goal = wanted(target)[:, :, 0]  # (O, C, halves)
    scale = power_of_two(float(np.abs(goal).max()))
    mask = np.empty(shape, np.bool_)
    realised, mass = np.empty_like(goal), np.zeros((outputs, channels))
    for g, part in enumerate(groups):
        u = second_numbers(target, order, part).reshape(-1, channels, *shape[2:])
        bank = np.moveaxis(u * size[:, g], 0, -1)  # (C, halves, samples, d)
        solution = solve_vector(bank, np.moveaxis(goal[part], 0, -1), seed=order.seed)
        mask[:, g] = solution.mask
        realised[part] = np.moveaxis(np.asarray(solution.achieved), -1, 0)
        kept = np.abs(bank) * solution.mask[..., None]
        mass[part] = kept.sum(axis=(1, 2)).T
    sign = np.array([1.0, -1.0])[: target.halves, None]
    return NeuronReplacement(
        target=target,
        order=order,
        kind="neurons",
        scale=scale,
        fixed=(sign * size).reshape(channels, -1),
        packed=np.empty(0, np.uint8),
        realised=realised[:, :, None],
        mass=mass[..., None],
        predict=_predict,
        neurons=mask.reshape(channels, len(groups), -1),
    )


def members(target: TargetLayer, order: Order) -> Iterator[slice]:
    """Output range of each group."""
    outputs = target.weight.shape[0]
    for start in range(0, outputs, order.group):
        yield slice(start, min(start + order.group, outputs))


def second_numbers(target: TargetLayer, order: Order, part: slice) -> Floats:
    """(d, C, H) random numbers u from a group's neurons to its outputs."""
    shape = (target.channels, target.halves * order.samples)
    scale = power_of_two(float(np.abs(target.weight).max()))
    rows = range(part.start, part.stop)
    return np.stack([scale * signed(order.seed, SECOND, target.index, o, shape) for o in rows])


def _check(target: TargetLayer, order: Order) -> None:
    if target.weight.shape[1:] != (target.channels, 1):
        raise SpecError(
            f"{target.name}: whole neurons are removed only from fully connected layers and 1x1 "
            "convolutions without groups; other kernels would share one mask among all their taps"
        )
    if order.samples > MOST:
        raise SpecError(
            f"samples of neurons must be at most {MOST}, the limit of the exhaustive search, "
            f"not {order.samples}"
        )
    if order.minimise != "error":
        raise SpecError("neurons are chosen for the least error; leave out minimise='size'")


def _predict(replacement: NeuronReplacement) -> Prediction:
    target, order = replacement.target, replacement.order
    groups = list(members(target, order))
    size = np.abs(replacement.fixed).reshape(
        target.channels, len(groups), target.halves, order.samples
    )
    goal = wanted(target)[:, :, 0]
    u = draw.uniform(order.seed, CHECK, target.index << 32, (3, _SAMPLED))
    limits = np.array([[len(groups)], [target.channels], [target.halves]])
    which = (u * limits).astype(np.int64)
    shape = (_SAMPLED, order.group, order.samples)
    fresh = replacement.scale * signed(order.seed, CHECK, target.index, 1, shape)
    fails, chance = 0, 0.0
    for s, (g, c, half) in enumerate(which.T):
        wants = goal[groups[g], c, half]
        bank = fresh[s, : len(wants)] * size[c, g, half]  # (d, samples)
        residual = cast("Floats", solve_vector(bank.T, wants, seed=order.seed).residual)
        fails += bool((np.abs(residual) > order.epsilon).any())
        alone = density(bank, wants) * 2.0**-order.samples  # of each dimension
        cells = 2.0**order.samples * (2.0 * order.epsilon) ** len(wants)
        chance += float(np.exp(-cells * np.prod(alone)))
    return Prediction(share_estimate(fails, _SAMPLED), chance / _SAMPLED)
