"""Weights of 8 bits with the scale that belongs to them.

    fc.weight, fc.weight_scale          w = weight * scale: one scale, or one of each row
    fc.weight, fc.weight_scale_inv      the same, or one scale of each block of 128 x 128

Whole numbers count only where the file has no zero point of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.checkpoint import Entry
from xbar.model.tensors import FLOAT8
from xbar.tables import few

Array: TypeAlias = NDArray[Any]

_BLOCK = 128
_STEPS = frozenset([*FLOAT8, "int8"])
_SCALES = ("_scale", "_scale_inv")


def scaled(names: Iterable[str], unused: Iterable[str]) -> list[str]:
    """Those of some tensors for which unused ones are scales, by their names.

    >>> scaled(["fc.weight", "fc.bias"], ["fc.weight_scale_inv", "position_scale"])
    ['fc.weight']
    """
    known = {each.removesuffix(end) for each in unused for end in _SCALES if each.endswith(end)}
    return sorted(known & {*names})


def merge_scales(
    entries: Sequence[Entry], own: Iterable[str] = ()
) -> tuple[list[Entry], tuple[str, ...]]:
    """The entries with each weight of 8 bits multiplied by its scale, and what was assumed.

    Args:
        entries: tensors of a checkpoint.
        own: names of the module's tensors; nothing is multiplied for one that has scales itself.

    >>> steps = Entry((), "weight", "int8", lambda: np.int8([[2], [4]]))
    >>> scale = Entry((), "weight_scale", "float32", lambda: np.float32([0.5, 2]))
    >>> [(entry.key, entry.load().tolist()) for entry in merge_scales([steps, scale])[0]]
    [('weight', [[1.0], [8.0]])]
    """
    if any(name.endswith(_SCALES) for name in own):
        return [*entries], ()
    places = {(entry.container, entry.key): entry for entry in entries}
    made: dict[int, Entry] = {}
    gone: set[int] = set()
    for (container, key), entry in places.items():
        scale = next((s for end in _SCALES if (s := places.get((container, key + end)))), None)
        if scale is None or entry.dtype not in _STEPS or (container, f"{key}_zero_point") in places:
            continue
        made[id(entry)] = replace(entry, dtype="float32", load=_loader(entry, scale))
        gone.add(id(scale))
    rest = [made.get(id(each), each) for each in entries if id(each) not in gone]
    names = [each.path for each in made.values()]
    notes = (f"weights of 8 bits times the scales in the file: {few(names)}",) if names else ()
    return rest, notes


def _loader(steps: Entry, scale: Entry) -> Callable[[], Array]:
    def load() -> Array:
        values, factors = (each.load().astype(np.float32) for each in (steps, scale))
        blocks = tuple(-(-size // _BLOCK) for size in values.shape)
        if factors.ndim == 2 and factors.shape == blocks and scale.key.endswith("_inv"):
            factors = factors.repeat(_BLOCK, 0).repeat(_BLOCK, 1)
            factors = factors[: values.shape[0], : values.shape[1]]
        elif factors.size in (1, *values.shape[:1]):
            factors = factors.reshape(-1, *[1] * (values.ndim - 1))
        else:
            raise ModelError(
                f"{steps.path} {values.shape} has scales of shape {factors.shape}: not one, one of "
                f"each row, or one of each block of {_BLOCK} x {_BLOCK}"
            )
        product: Array = values * factors
        return product

    return load
