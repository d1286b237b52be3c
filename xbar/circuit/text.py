"""Formatting of names and numbers in netlists."""

from __future__ import annotations

import re

_LONGEST, _KEPT = 64, 28
"""Characters of a name, and of each end of one that is cut."""


def sanitise(name: str) -> str:
    r"""Reduce a name to letters, digits and underscores, and cut a long one in its middle.

    ngspice crashes on titles of several hundred characters.

    >>> sanitise("fc 1\n.control")
    'fc_1__control'
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
    return plain if len(plain) <= _LONGEST else f"{plain[:_KEPT]}__{plain[-_KEPT:]}"


def number(value: float) -> str:
    """Format a number with 17 significant digits, enough to restore the float.

    >>> number(0.1)
    '1.0000000000000001e-01'
    """
    return f"{value:.16e}"
