"""How names and numbers are written in netlists."""

from __future__ import annotations

import re


def sanitise(name: str) -> str:
    r"""A name that can't be anything but a name: letters, digits and underscores.

    >>> sanitise("fc 1\n.control")
    'fc_1__control'
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"


def number(value: float) -> str:
    """A number with the 17 significant digits that give the same float again.

    >>> number(0.1)
    '1.0000000000000001e-01'
    """
    return f"{value:.16e}"
