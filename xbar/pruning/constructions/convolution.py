"""The convolutional theorem: V * s(U * X) with the negative entries of U pruned.

A. da Cunha, E. Natale, L. Viennot, "Proving the lottery ticket hypothesis for convolutional neural
networks", ICLR 2022. For a kernel K with |K|_1 <= 1 and inputs in [0, 1], U holds n random
kernels of K's shape and V one random number for each. Without its negative entries s(U * X) =
U * X, so the pair convolves with sum over t of V_t U_t, of which each entry is a random subset
sum: a mask on U keeps what sums to K. Each output has n random kernels of its own.

Shapes as in `xbar.pruning.constructions.pairs`; H = n samples.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.pruning.constructions.choosing import subset, sums
from xbar.pruning.constructions.pairs import (
    CHECK,
    FIRST,
    SAMPLED,
    Order,
    Pair,
    Prediction,
    Target,
    blocks,
    draw_instances,
    power_of_two,
    signed,
)
from xbar.pruning.constructions.pensia import check_samples
from xbar.sizing.density import density
from xbar.statistics import share_estimate


def construct(target: Target, order: Order) -> Pair:
    """Builds a convolution (or a fully connected layer, whose kernels have one tap).

    Kernels of l1 norm above 1 are scaled below it by the layer's power of two, which the second
    layer takes back. The prediction draws U anew for 20,000 weights.

    Args:
        target: the layer; its inputs must not be negative.
        order: what is asked; at most 32 samples.

    Raises:
        SpecError: inputs may be negative, or there are more samples than can be searched.
    """
    check_samples("cnn", order.samples)
    if not target.nonnegative:
        raise SpecError(
            f"{target.name}: the convolutional theorem needs inputs from 0 up, and these may be "
            "negative; put a ReLU before the layer, or take method='pensia'"
        )
    outputs, inputs, taps = target.weight.shape
    norm = np.abs(target.weight).sum(axis=(1, 2)).max(initial=0.0)
    scale = power_of_two(float(norm))
    second = scale * signed(order.seed, FIRST, target.index, 0, (outputs, order.samples))
    pair = Pair(
        target=target,
        order=order,
        kind="kernels",
        scale=scale,
        fixed=second,
        packed=np.empty((outputs, inputs, taps, -(-order.samples // 8)), np.uint8),
        realised=np.empty((outputs, inputs, taps, 1)),
        mass=np.empty((outputs, inputs, taps)),
        predict=_predict,
    )
    for rows in blocks(outputs, inputs * taps * order.samples):
        part = slice(rows.start, rows.stop)
        bank = products(pair.random(rows), second[part, None, None])
        goal = target.weight[part].reshape(-1)
        flat = bank.reshape(-1, order.samples)
        mask = subset(flat, goal, order.epsilon, order.minimise).reshape(bank.shape)
        pair.realised[part, ..., 0] = sums(bank, mask)
        pair.mass[part] = sums(np.abs(bank), mask)
        pair.packed[part] = np.packbits(mask, axis=-1)
    return pair


def products(first: Floats, second: Floats) -> Floats:
    """V_t U_t where U_t is positive, else 0: what the theorem leaves to choose from."""
    return np.where(first > 0.0, first, 0.0) * second


def _predict(pair: Pair) -> Prediction:
    target, order = pair.target, pair.order
    which = draw_instances(target, order)
    o = np.unravel_index(which, target.weight.shape)[0]
    fresh = signed(order.seed, CHECK, target.index, 1, (SAMPLED, order.samples))
    bank = products(fresh, pair.fixed[o])
    wants = target.weight.reshape(-1)[which]
    mask = subset(bank, wants, order.epsilon, "error")
    residual = np.abs(sums(bank, mask) - wants)
    predicted = share_estimate(int((residual > order.epsilon).sum()), SAMPLED)
    formula = float(_poisson(bank, wants, order.epsilon).mean())
    return Prediction(predicted, formula)


def _poisson(bank: Floats, target: Floats, epsilon: float) -> Floats:
    """(M,) chances that no sum is within epsilon; numbers that are 0 make no sums."""
    rho = density(bank, target) * 2.0 ** -(bank == 0.0).sum(axis=1)
    miss = np.exp(-2.0 * rho * epsilon)
    return np.where(bank.any(axis=1), miss, np.abs(target) > epsilon)
