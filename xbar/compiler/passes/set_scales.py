"""Set each column's scale: how many siemens stand for a weight of one.

A bank's subset sums lie like a normal distribution around their mean m, half the sum of its
elements, with standard deviation s = sqrt(Σ e²) / 2 (the design formula of docs/theory.md): dense
near m, thin at the ends. A column is scaled so that no target leaves m ± REACH s of its own
measured bank, nor what the bank reaches at all.
"""

from __future__ import annotations

import numpy as np

from xbar.compiler.mapping import Floats, SignedBank

REACH = 2.0
"""Standard deviations of the subset sums within which targets lie."""

WEAK = 0.25
"""A bank with less than this share of its column's median reach does not shrink the column."""


def set_scales(bank: SignedBank, weight: Floats) -> Floats:
    """Siemens per unit weight of each column, (C,), for weights (W, C)."""
    mean = bank.offset + bank.element.sum(axis=-1) / 2
    deviation = np.sqrt((bank.element**2).sum(axis=-1)) / 2
    top = bank.offset + np.maximum(bank.element, 0.0).sum(axis=-1)
    bottom = bank.offset + np.minimum(bank.element, 0.0).sum(axis=-1)
    upward = np.minimum(mean + REACH * deviation, top)
    downward = -np.maximum(mean - REACH * deviation, bottom)
    limit = np.where(weight >= 0, upward, downward)
    limit = np.maximum(limit, WEAK * np.median(limit, axis=0))
    magnitude = np.abs(weight)
    largest = magnitude.max(axis=0)
    magnitude[:, largest == 0] = 1.0  # a column of zeros keeps any scale that is finite
    with np.errstate(divide="ignore"):
        scale: Floats = (limit / magnitude).min(axis=0)
    return np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
