"""A subset of random products for each weight.

A. Pensia, S. Rajput, A. Nagle, H. Vishwakarma, D. Papailiopoulos, "Optimal lottery tickets via
subset sum", NeurIPS 2020, and L. Orseau, M. Hutter, O. Rivasplata, "Logarithmic pruning is all you
need", NeurIPS 2020: w x = sum over S of u_i s(v_i x) - ..., so O(log(1/eps)) random neurons of
each sign for each input do for all its weights, and a network of 2l random layers holds one of l.

Shapes as in `xbar.pruning.constructions.pairs`.
"""

from __future__ import annotations

import numpy as np

from xbar.errors import SpecError
from xbar.pruning.constructions.choosing import MOST, subset
from xbar.pruning.constructions.pairs import (
    CHECK,
    SAMPLED,
    Order,
    Pair,
    Prediction,
    Target,
    build_gates,
    draw_instances,
    signed,
    wanted,
)
from xbar.sizing.density import density
from xbar.statistics import share_estimate
from xbar.subset.solver import solve_subset


def construct(target: Target, order: Order) -> Pair:
    """Builds a layer from subsets of random products.

    The predicted failure rate is counted on 20,000 instances of the layer with second-layer
    numbers drawn anew.

    Args:
        target: the layer.
        order: what is asked; at most 32 samples.

    Raises:
        SpecError: there are more samples than can be searched completely.
    """
    check_samples("pensia", order.samples)
    return build_gates(target, order, subset, _predict)


def check_samples(method: str, samples: int) -> None:
    """There may be as many as the batched meet-in-the-middle takes.

    Raises:
        SpecError: there are more.
    """
    if samples > MOST:
        raise SpecError(
            f"samples of {method} must be at most {MOST}, which subsets are searched completely "
            f"for, not {samples}; fewer do: 21 leave errors near 1e-6"
        )


def _predict(pair: Pair) -> Prediction:
    target, order = pair.target, pair.order
    goal = wanted(target)
    which = draw_instances(target, order)
    o, j, _, half = np.unravel_index(which, goal.shape)
    by_half = np.abs(pair.fixed).reshape(target.channels, target.halves, order.samples)
    fresh = signed(order.seed, CHECK, target.index, 1, (SAMPLED, order.samples))
    bank = pair.scale * fresh * by_half[target.channel[o, j], half]
    wants = goal.reshape(-1)[which]
    residual = np.abs(np.asarray(solve_subset(bank, wants, tolerance=order.epsilon).residual))
    predicted = share_estimate(int((residual > order.epsilon).sum()), SAMPLED)
    formula = float(np.exp(-2.0 * density(bank, wants) * order.epsilon).mean())
    return Prediction(predicted, formula)
