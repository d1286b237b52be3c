"""The convolutional theorem: V * s(U * X) with the negative entries of U pruned.

A. da Cunha, E. Natale, L. Viennot, "Proving the lottery ticket hypothesis for convolutional neural
networks", ICLR 2022. For a kernel K with |K|_1 <= 1 and inputs in [0, 1], U consists of n random
kernels of K's shape and V of one random number for each. Without negative entries s(U * X) =
U * X, so both layers convolve with sum over t of V_t U_t, each entry of which is a random subset
sum: a mask on U keeps the subset that sums to K. Each output has its own n random kernels.

Shapes as in `xbar.pruning.constructions.replacement`; H = n samples.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.pruning.constructions.choosing import subset, sums
from xbar.pruning.constructions.pensia import check_samples
from xbar.pruning.constructions.replacement import (
    CHECK,
    FIRST,
    SAMPLED,
    Order,
    Prediction,
    Replacement,
    TargetLayer,
    blocks,
    draw_instances,
    power_of_two,
    signed,
)
from xbar.sizing.density import density
from xbar.statistics import share_estimate


def construct(target: TargetLayer, order: Order) -> Replacement:
    """Construct a convolution (or a fully connected layer, with one-tap kernels).

    Kernels of l1 norm above 1 are scaled below it by a power of two per layer, which the second
    layer undoes. The prediction resamples U for 20,000 weights.

    Args:
        target: the layer; its inputs must not be negative.
        order: specification; at most 32 samples.

    Raises:
        SpecError: inputs may be negative, or there are too many samples for the search.
    """
    check_samples("cnn", order.samples)
    if not target.nonnegative:
        raise SpecError(
            f"{target.name}: the convolutional theorem needs inputs of at least 0, and these may "
            "be negative; put a ReLU before the layer, or take method='pensia'"
        )
    outputs, inputs, taps = target.weight.shape
    norm = np.abs(target.weight).sum(axis=(1, 2)).max(initial=0.0)
    scale = power_of_two(float(norm))
    second = scale * signed(order.seed, FIRST, target.index, 0, (outputs, order.samples))
    replacement = Replacement(
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
        bank = products(replacement.random(rows), second[part, None, None])
        goal = target.weight[part].reshape(-1)
        flat = bank.reshape(-1, order.samples)
        mask = subset(flat, goal, order.epsilon, order.minimise).reshape(bank.shape)
        replacement.realised[part, ..., 0] = sums(bank, mask)
        replacement.mass[part] = sums(np.abs(bank), mask)
        replacement.packed[part] = np.packbits(mask, axis=-1)
    return replacement


def products(first: Floats, second: Floats) -> Floats:
    """V_t U_t where U_t is positive, else 0: the theorem's candidates."""
    return np.where(first > 0.0, first, 0.0) * second


def _predict(replacement: Replacement) -> Prediction:
    target, order = replacement.target, replacement.order
    which = draw_instances(target, order)
    o = np.unravel_index(which, target.weight.shape)[0]
    fresh = signed(order.seed, CHECK, target.index, 1, (SAMPLED, order.samples))
    bank = products(fresh, replacement.fixed[o])
    wants = target.weight.reshape(-1)[which]
    mask = subset(bank, wants, order.epsilon, "error")
    residual = np.abs(sums(bank, mask) - wants)
    predicted = share_estimate(int((residual > order.epsilon).sum()), SAMPLED)
    formula = float(_poisson(bank, wants, order.epsilon).mean())
    return Prediction(predicted, formula)


def _poisson(bank: Floats, target: Floats, epsilon: float) -> Floats:
    """(M,) probabilities that no sum is within epsilon; zeros add no sums."""
    rho = density(bank, target) * 2.0 ** -(bank == 0.0).sum(axis=1)
    miss = np.exp(-2.0 * rho * epsilon)
    return np.where(bank.any(axis=1), miss, np.abs(target) > epsilon)
