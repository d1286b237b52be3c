"""One random path for each weight.

E. Malach, G. Yehudai, S. Shalev-Shwartz, O. Shamir, "Proving the lottery ticket hypothesis:
pruning is all you need", ICML 2020: a weight w is a path x_c ─v─► neuron ─u─► output with u v
close to w, found among enough random ones: n grows like 1/eps, where subsets need log 1/eps.

Shapes as in `xbar.pruning.constructions.pairs`; S instances that the prediction looks at.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.pruning.constructions.choosing import single
from xbar.pruning.constructions.pairs import (
    Order,
    Pair,
    Prediction,
    Target,
    build_gates,
    draw_instances,
    wanted,
)
from xbar.statistics import Estimate

_Z = 1.959963984540054  # of a 95 % interval


def construct(target: Target, order: Order) -> Pair:
    """Builds a layer with at most one path a weight (two where its inputs are signed).

    A weight within epsilon of 0 may do without. The predicted failure rate is exact for each
    instance, given the first layer's entries; it is averaged over 20,000 instances.

    Args:
        target: the layer.
        order: what is asked; `samples` may be any number.
    """
    return build_gates(target, order, single, _predict)


def _predict(pair: Pair) -> Prediction:
    chance = failure_chance(pair)
    mean = float(chance.mean())
    half = _Z * float(chance.std()) / len(chance) ** 0.5
    return Prediction(Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0)), mean)


def failure_chance(pair: Pair) -> Floats:
    """(S,) the chance that none of an instance's paths is within epsilon, over random u.

    Path i is within epsilon if u lies between (w - eps)/|v_i| and (w + eps)/|v_i|, of which the
    part within (-scale, scale) is over 2 scale long with the chance p_i; so the instance fails
    with the product of 1 - p_i, or never if |w| <= eps.
    """
    target, order = pair.target, pair.order
    goal = wanted(target)
    which = draw_instances(target, order)
    o, j, _, half = np.unravel_index(which, goal.shape)
    goal = goal.reshape(-1)[which]
    by_half = np.abs(pair.fixed).reshape(target.channels, target.halves, order.samples)
    chance = np.empty(len(which))
    for part in np.array_split(np.arange(len(which)), 1 + len(which) * order.samples // (1 << 22)):
        v = by_half[target.channel[o[part], j[part]], half[part]] * pair.scale
        low, high = ((goal[part, None] + d) / v for d in (-order.epsilon, order.epsilon))
        hit = np.clip(high, -1.0, 1.0) - np.clip(low, -1.0, 1.0)
        chance[part] = np.prod(1.0 - hit / 2.0, axis=1)
    return np.where(np.abs(goal) <= order.epsilon, 0.0, chance)
