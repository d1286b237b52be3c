"""The ratio of a bank's nominal values with which the fewest resistors reach some bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xbar.errors import SpecError

if TYPE_CHECKING:
    from xbar.hardware.bank import Bank
    from xbar.sizing.precision import Sizing

COUNT = 7
"""Ratios that are tried."""


@dataclass(frozen=True)
class Tried:
    """One ratio and what it needs.

    Attributes:
        ratio: of successive nominal values.
        resistors: resistors that reach the bits; None if no number within the limits does.
        ohms: their nominal resistances' sum over the first one's: about the area, where resistors
            are of one width and sheet resistance.
    """

    ratio: float
    resistors: int | None
    ohms: float | None


def search_ratio(
    size: Callable[[Bank], Sizing], bank: Bank, low: float, high: float
) -> tuple[float, tuple[Tried, ...]]:
    """The best ratio from low to high, and all that were tried.

    The fewest resistors win; of as many, those of the least total resistance.

    Args:
        size: sizing of a bank, such as ``resistors_for_bits`` with its other arguments.
        bank: a bank whose nominal values are not listed.
        low: least ratio.
        high: largest ratio.

    Raises:
        SpecError: the bank lists its nominal values, or no ratio reaches the bits.
    """
    if isinstance(bank.nominal, tuple):
        raise SpecError("nominal must be one value where a ratio is searched, not a list")
    tried, last = [], ""
    for ratio in np.round(np.geomspace(low, high, COUNT), 4).tolist():
        one = bank.model_copy(update={"ratio": ratio})
        try:
            needed = size(one).resistors
        except SpecError as error:  # this ratio does not reach the bits
            last = str(error)
            tried.append(Tried(ratio, None, None))
            continue
        ohms = float(one.of_size(needed).ohms.sum() / one.ohms[0])
        tried.append(Tried(ratio, needed, ohms))
    ranked = sorted((t.resistors, t.ohms or 0.0, t.ratio) for t in tried if t.resistors is not None)
    if not ranked:
        raise SpecError(f"no ratio from {low:g} to {high:g} is enough: {last}")
    return ranked[0][2], tuple(tried)
