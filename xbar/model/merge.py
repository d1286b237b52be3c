"""Weights that a checkpoint holds in parts: pruned with a mask, or a direction and its size.

    fc.weight_orig, fc.weight_mask      fc.weight = weight_orig * weight_mask     (pruning)
    fc.weight_g, fc.weight_v            fc.weight = g v / ||v||                   (weight norm)
    fc.parametrizations.weight.original0, original1                               (the same, newer)

The norm is over the axes along which g has one element, as Salimans and Kingma (2016) define it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.checkpoint import Entry
from xbar.tables import few

Array: TypeAlias = NDArray[Any]


def _masked(weight: Array, mask: Array) -> Array:
    product: Array = weight * mask.astype(weight.dtype)
    return product


def _normalised(size: Array, direction: Array) -> Array:
    axes = tuple(i for i in range(direction.ndim) if size.ndim == 0 or size.shape[i] == 1)
    norm = np.sqrt(np.square(direction).sum(axes, keepdims=True))
    product: Array = direction * (size / norm)
    return product.astype(direction.dtype)


_FORMS: Mapping[str, tuple[str, str, Callable[[Array, Array], Array]]] = MappingProxyType(
    {
        "masked": (r"(.*)_orig", r"\1_mask", _masked),
        "normalised": (r"(.*)_g", r"\1_v", _normalised),
        "parametrised": (
            r"(.*)parametrizations\.(\w+)\.original0",
            r"\1parametrizations.\2.original1",
            _normalised,
        ),
    }
)
"""Name of the first part as a pattern, that of the second, and how they make the weight."""


def merge_parts(entries: Sequence[Entry]) -> tuple[list[Entry], tuple[str, ...]]:
    """Entries with weights in place of their parts, and what was made; the same if there are none.

    >>> parts = {"weight_orig": np.array([3.0, 4.0]), "weight_mask": np.array([0.0, 1.0])}
    >>> found, _ = merge_parts([Entry((), k, "float64", lambda v=v: v) for k, v in parts.items()])
    >>> {entry.key: entry.load() for entry in found}
    {'weight': array([0., 4.])}
    """
    known = {(entry.container, entry.key): entry for entry in entries}
    made: dict[tuple[tuple[str, ...], str], Entry] = {}
    gone: set[tuple[tuple[str, ...], str]] = set()
    for place, entry in known.items():
        for first, second, combine in _FORMS.values():
            match = re.fullmatch(first, entry.key)
            other = None if match is None else known.get((entry.container, match.expand(second)))
            if match is None or other is None:
                continue
            name = "".join(match.groups())
            made[place] = Entry(
                entry.container, name, entry.dtype, _combined(entry, other, combine, name)
            )
            gone |= {(other.container, other.key)}
    rest = [made.get(place, e) for place, e in known.items() if place not in gone]
    names = [each.path for each in made.values()]
    notes = (f"weights made of their parts in the file: {few(names)}",) if names else ()
    return rest, notes


def _combined(
    first: Entry, second: Entry, combine: Callable[[Array, Array], Array], name: str
) -> Callable[[], Array]:
    def load() -> Array:
        try:
            return combine(first.load(), second.load())
        except (ValueError, IndexError):
            raise ModelError(f"{name}: {first.path} and {second.path} do not fit") from None

    return load
