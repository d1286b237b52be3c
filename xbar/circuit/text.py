"""Formatting of names and numbers in netlists."""

from __future__ import annotations

import re


def sanitise(name: str) -> str:
    r"""Reduce a name to letters, digits and underscores.

    >>> sanitise("fc 1\n.control")
    'fc_1__control'
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"


def number(value: float) -> str:
    """Format a number with 17 significant digits, enough to restore the float.

    >>> number(0.1)
    '1.0000000000000001e-01'
    """
    return f"{value:.16e}"
