"""Limits of memory, as people write them."""

from __future__ import annotations

import numpy as np

from xbar.errors import SpecError, shown

_PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def memory_limit(given: object) -> int | None:
    """Bytes of a limit: a whole number, or text such as "4G" or "500 MB"; None for none.

    Raises:
        SpecError: it is neither, or not positive.

    >>> memory_limit("1.5 GB")
    1500000000
    """
    if given is None:
        return None
    found: float | None = None
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        found = int(given)
    elif isinstance(given, str):
        found = _bytes(given.strip())
    if found is None or not 0 < found < 2**63:
        raise SpecError(
            "memory must be a positive number of bytes, or a text such as '4G' or '500 MB', not "
            f"{shown(given)}"
        )
    return int(found)


def _bytes(text: str) -> float | None:
    number = text.removesuffix("B").rstrip()
    prefix = number[-1:] if number[-1:] in _PREFIXES else ""
    try:
        return float(number.removesuffix(prefix)) * _PREFIXES[prefix]
    except ValueError:
        return None
