"""One random path for each weight.

E. Malach, G. Yehudai, S. Shalev-Shwartz, O. Shamir, "Proving the lottery ticket hypothesis:
pruning is all you need", ICML 2020: a weight w is a path x_c ─v─► neuron ─u─► output with u v
close to w, found among enough random ones: n grows like 1/eps, where subsets need log 1/eps.

Shapes as in `xbar.pruning.constructions.replacement`; S instances sampled for the prediction.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.pruning.constructions.choosing import single
from xbar.pruning.constructions.replacement import (
    Order,
    Prediction,
    Replacement,
    TargetLayer,
    build_gates,
    draw_instances,
    wanted,
)
from xbar.statistics import Estimate

_Z = 1.959963984540054  # normal quantile of a 95 % interval


def construct(target: TargetLayer, order: Order) -> Replacement:
    """Construct a layer with at most one path per weight (two where its inputs are signed).

    A weight within epsilon of 0 needs none. The predicted failure probability is exact for each
    instance, given the first layer's entries, and averaged over 20,000 instances.

    Args:
        target: the layer.
        order: specification; any number of samples.
    """
    return build_gates(target, order, single, _predict)


def _predict(replacement: Replacement) -> Prediction:
    chance = failure_chance(replacement)
    mean = float(chance.mean())
    half = _Z * float(chance.std()) / len(chance) ** 0.5
    return Prediction(Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0)), mean)


def failure_chance(replacement: Replacement) -> Floats:
    """(S,) probability over random u that none of an instance's paths is within epsilon.

    Path i is within epsilon if u lies between (w - eps)/|v_i| and (w + eps)/|v_i|; for u of
    U(-scale, scale) this has a probability p_i. So the instance fails with the product of the
    1 - p_i, or never if |w| <= eps.
    """
    target, order = replacement.target, replacement.order
    goal = wanted(target)
    which = draw_instances(target, order)
    o, j, _, half = np.unravel_index(which, goal.shape)
    goal = goal.reshape(-1)[which]
    by_half = np.abs(replacement.fixed).reshape(target.channels, target.halves, order.samples)
    chance = np.empty(len(which))
    for part in np.array_split(np.arange(len(which)), 1 + len(which) * order.samples // (1 << 22)):
        v = by_half[target.channel[o[part], j[part]], half[part]] * replacement.scale
        low, high = ((goal[part, None] + d) / v for d in (-order.epsilon, order.epsilon))
        hit = np.clip(high, -1.0, 1.0) - np.clip(low, -1.0, 1.0)
        chance[part] = np.prod(1.0 - hit / 2.0, axis=1)
    return np.where(np.abs(goal) <= order.epsilon, 0.0, chance)
