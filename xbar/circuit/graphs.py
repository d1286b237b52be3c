"""Resistors from the edges of a networkx graph.

Units: SI.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from xbar.arrays import LARGEST, SMALLEST
from xbar.errors import SpecError

if TYPE_CHECKING:
    import networkx as nx


class _Given(Enum):
    """Marks an argument that was left out, where None has a meaning."""

    NOTHING = "not given"


NOTHING: Final = _Given.NOTHING
Attribute: TypeAlias = Hashable | _Given | None

_SAY = (
    "say conductance=NAME for edges in siemens, resistance=NAME for edges in ohms, or weight=None "
    "for 1 S each"
)


def edge_resistors(
    graph: nx.Graph, weight: Attribute, conductance: Attribute, resistance: Attribute
) -> tuple[list[Hashable], list[Hashable], list[float]]:
    """Both ends of each edge, and its siemens: 0 for an open, infinite for a short.

    Args:
        graph: undirected graph.
        weight: "conductance" or None, as ``conductance``; no other name.
        conductance: edge attribute in siemens; None for 1 S each.
        resistance: edge attribute in ohms; None for 1 ohm each.

    Raises:
        SpecError: more than one is given, or an edge lacks the attribute or it is no number.
    """
    given = [name for name in (weight, conductance, resistance) if name is not NOTHING]
    if len(given) > 1:
        raise SpecError(f"edges must have one meaning, not {len(given)}: {_SAY}")
    if weight is not NOTHING and weight not in (None, "conductance"):
        raise SpecError(f"weight={weight!r} may be in siemens or in ohms: {_SAY}")
    name: Hashable | None = "conductance"
    if given and not isinstance(given[0], _Given):
        name = given[0]
    tails, heads, values = [], [], []
    for tail, head, data in graph.edges(data=True):
        value = 1.0
        if name is not None:
            if name not in data:
                raise SpecError(_lacking(graph, name, tail, head, bool(given)))
            value = _siemens(data[name], name, (tail, head), resistance is not NOTHING)
        tails.append(tail)
        heads.append(head)
        values.append(value)
    return tails, heads, values


def _lacking(graph: nx.Graph, name: Hashable, tail: Hashable, head: Hashable, said: bool) -> str:
    have = sorted({str(key) for _, _, data in graph.edges(data=True) for key in data})
    found = f" (edges have {', '.join(map(repr, have[:4]))})" if have else ""
    return (
        f"every edge must have the attribute {name!r}, and that between {tail!r} and {head!r} has "
        f"not{found}" + ("" if said and have else f"; {_SAY}")
    )


def _siemens(value: Any, name: Hashable, edge: tuple[Hashable, Hashable], in_ohms: bool) -> float:
    unit, where = "ohm" if in_ohms else "S", f"between {edge[0]!r} and {edge[1]!r}"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        raise SpecError(f"{name!r} must be a number in {unit}, not {value!r} {where}")
    try:
        number = float(value)
    except (OverflowError, ValueError):  # a signalling NaN, or too large
        number = np.nan
    if number in (0, np.inf):
        return float(number if not in_ohms else np.inf if number == 0 else 0.0)
    if not SMALLEST <= number <= LARGEST:
        raise SpecError(
            f"{name!r} must be 0, infinite, or from {SMALLEST:g} to {LARGEST:g} {unit}, "
            f"not {value!r} {where}"
        )
    return 1 / number if in_ohms else number
