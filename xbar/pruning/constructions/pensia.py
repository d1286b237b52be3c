"""A subset of random products for each weight.

A. Pensia, S. Rajput, A. Nagle, H. Vishwakarma, D. Papailiopoulos, "Optimal lottery tickets via
subset sum", NeurIPS 2020, and L. Orseau, M. Hutter, O. Rivasplata, "Logarithmic pruning is all you
need", NeurIPS 2020: w x = sum over S of u_i s(v_i x) - ..., so O(log(1/eps)) random neurons of
each sign per input suffice for all its weights, and 2l random layers contain a network of l.

Shapes as in `xbar.pruning.constructions.replacement`.
"""

from __future__ import annotations

import numpy as np

from xbar.errors import SpecError
from xbar.pruning.constructions.choosing import MOST, subset
from xbar.pruning.constructions.replacement import (
    CHECK,
    SAMPLED,
    Order,
    Prediction,
    Replacement,
    TargetLayer,
    build_gates,
    draw_instances,
    signed,
    wanted,
)
from xbar.sizing.density import density
from xbar.statistics import share_estimate
from xbar.subset.solver import solve_subset


def construct(target: TargetLayer, order: Order) -> Replacement:
    """Construct a layer from subsets of random products.

    The predicted failure rate is counted on 20,000 instances of the layer with resampled
    second-layer numbers.

    Args:
        target: the layer.
        order: specification; at most 32 samples.

    Raises:
        SpecError: there are too many samples for an exhaustive search.
    """
    check_samples("pensia", order.samples)
    return build_gates(target, order, subset, _predict)


def check_samples(method: str, samples: int) -> None:
    """Check the number of samples against the limit of the batched meet-in-the-middle.

    Raises:
        SpecError: there are too many.
    """
    if samples > MOST:
        raise SpecError(
            f"samples of {method} must be at most {MOST}, the limit of the exhaustive search, "
            f"not {samples}; fewer suffice: 21 leave errors near 1e-6"
        )


def _predict(replacement: Replacement) -> Prediction:
    target, order = replacement.target, replacement.order
    goal = wanted(target)
    which = draw_instances(target, order)
    o, j, _, half = np.unravel_index(which, goal.shape)
    by_half = np.abs(replacement.fixed).reshape(target.channels, target.halves, order.samples)
    fresh = signed(order.seed, CHECK, target.index, 1, (SAMPLED, order.samples))
    bank = replacement.scale * fresh * by_half[target.channel[o, j], half]
    wants = goal.reshape(-1)[which]
    residual = np.abs(np.asarray(solve_subset(bank, wants, tolerance=order.epsilon).residual))
    predicted = share_estimate(int((residual > order.epsilon).sum()), SAMPLED)
    formula = float(np.exp(-2.0 * density(bank, wants) * order.epsilon).mean())
    return Prediction(predicted, formula)
