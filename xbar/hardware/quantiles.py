"""Quantiles: a measured distribution as a table, and its numbers from uniform ones.

A table is rows (p, z): a share p of the devices is at most z, straight between the rows. z counts
in standard deviations from the mean, so that a table has mean 0 and standard deviation 1. Numbers
are drawn by correctly rounded operations only, and so the same on every machine.

Shapes: R rows of a table.
"""

from __future__ import annotations

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError

Rows = tuple[tuple[float, float], ...]

_EXACT = 1e-6
"""How far a table's mean may be from 0, and its standard deviation from 1."""
_BODY = 257
_MOST_ROWS = 4096
_DECADES = 12


def check_rows(rows: Rows) -> None:
    """Check a table of quantiles.

    Raises:
        SpecError: its shares do not rise from 0 to 1, its values fall, or its mean and standard
            deviation are not 0 and 1.
    """
    if not 2 <= len(rows) <= _MOST_ROWS:
        raise SpecError(f"quantiles must be 2 to {_MOST_ROWS} rows (share, value), not {len(rows)}")
    share, value = np.array(rows).T
    if share[0] != 0 or share[-1] != 1 or (np.diff(share) <= 0).any():
        raise SpecError("quantiles must have shares that rise from 0 to 1, each once")
    if (np.diff(value) < 0).any():
        raise SpecError("quantiles must have values that do not fall")
    mean, sigma = moments(share, value)
    if not (abs(mean) <= _EXACT and abs(sigma - 1.0) <= _EXACT):
        raise SpecError(
            "quantiles must count in standard deviations from the mean, so have mean 0 and "
            f"standard deviation 1, not {mean:.3g} and {sigma:.3g}"
        )


def moments(share: Floats, value: Floats) -> tuple[float, float]:
    """Mean and standard deviation of a table with shares and values (R,)."""
    weight, low, high = np.diff(share), value[:-1], value[1:]
    mean = float((weight * (low + high)).sum() / 2.0)
    low, high = low - mean, high - mean
    return mean, float(np.sqrt((weight * (low * low + low * high + high * high)).sum() / 3.0))


def standardised(share: Floats, value: Floats) -> Rows:
    """The table of a distribution with quantiles (R,) at shares (R,), in its own units.

    Raises:
        SpecError: all its values are the same.
    """
    mean, sigma = moments(share, value)
    if not sigma > 0:
        raise SpecError("a table of quantiles must have values that differ")
    value = (value - mean) / sigma
    for _ in range(2):  # what rounding leaves
        mean, sigma = moments(share, value)
        value = (value - mean) / sigma
    return tuple(zip(share.tolist(), value.tolist(), strict=True))


def shares(count: int) -> Floats:
    """Shares from 0 to 1 for a table: even ones, and closer ones towards both ends.

    Args:
        count: number of values that the table is of; its tails reach to 1 / count.
    """
    even = np.linspace(0.0, 1.0, min(count, _BODY))
    if count <= _BODY:
        return even
    reach = min(count, 10**_DECADES)
    tail = np.geomspace(1.0 / reach, even[1], 3 * _DECADES)[:-1]
    found: Floats = np.unique(np.concatenate([even, tail, 1.0 - tail]))
    return found


def table_of(values: Floats) -> Rows:
    """The table of measured values (N,), at most 4096 rows: linear between order statistics.

    >>> [(share, round(value, 6)) for share, value in table_of(np.array([1.0, 2.0, 3.0]))]
    [(0.0, -1.732051), (0.5, 0.0), (1.0, 1.732051)]
    """
    share = shares(len(values))
    return standardised(share, np.quantile(values, share))


def drawn(rows: Rows, u: Floats) -> Floats:
    """Numbers (...) of a table's distribution, of mean 0 and standard deviation 1, from U(0, 1)."""
    from xbar.hardware import quantile_kernel

    share, value = np.ascontiguousarray(np.array(rows).T)
    result = np.empty(u.size)
    quantile_kernel.look_up(np.ascontiguousarray(u).reshape(-1), share, value, result)
    return result.reshape(u.shape)
