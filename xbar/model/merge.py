"""Weights that a state dict holds in parts: with a mask, as norm and direction, or normed.

    fc.weight_orig, fc.weight_mask                 pruned: their product
    fc.weight_g, fc.weight_v                       weight norm: g v / |v|
    fc.weight_orig, fc.weight_u, fc.weight_v       spectral norm: W / (u W v)
    fc.parametrizations.weight.original0, ...      the same, as PyTorch writes them now

The module that was saved computes its weight from the parts at each call. For another module, or
for none, they are computed here, and it is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.checkpoint import Entry
from xbar.tables import few

Array: TypeAlias = NDArray[Any]
Rule: TypeAlias = Callable[[Mapping[str, Array]], Array | None]
"""Parts by name -> the weight; None if their shapes don't fit."""

_NEW = re.compile(r"(.*?)parametrizations\.(\w+)\.(original\d*|0\._[uv])")
_OLD = re.compile(r"(.*(?:weight|bias)\w*?)_(orig|mask|[guv])")
_LOW_RANK = re.compile(r"(^|\.)lora_[AB](\.|$)")


def merge_parts(
    entries: Sequence[Entry], own: Iterable[str] = ()
) -> tuple[list[Entry], tuple[str, ...]]:
    """The entries with each weight in parts as one, and what was assumed.

    Args:
        entries: tensors of a checkpoint.
        own: names of the module's tensors; parts that it has itself are left as they are.

    Raises:
        ModelError: a weight is parametrised in a way that the file does not tell.
    """
    kept = set(own)
    groups: dict[tuple[tuple[str, ...], str], dict[str, Entry]] = {}
    for entry in entries:
        found = _NEW.fullmatch(entry.key) or _OLD.fullmatch(entry.key)
        if found is not None and not _is_own(entry.name, kept):
            whole = "".join(found.groups()[:-1])
            part = found[found.re.groups].removeprefix("0._")
            groups.setdefault((entry.container, whole), {})[part] = entry
    merged: dict[int, Entry] = {}
    gone: set[int] = set()
    made: dict[str, list[str]] = {}
    taken = {(entry.container, entry.key) for entry in entries}
    for (container, whole), parts in groups.items():
        rule = _RULES.get(frozenset(parts))
        if rule is None or (container, whole) in taken:
            _refuse_unknown(parts, whole)
            continue
        first = next(iter(parts.values()))
        load = _loader(rule, parts, whole)
        merged[id(first)] = replace(first, key=whole, load=load, equal=False)
        gone |= {id(each) for each in parts.values()}
        made.setdefault(_TOLD[rule], []).append(whole)
    result = [merged.get(id(e), e) for e in entries if id(e) in merged or id(e) not in gone]
    notes = (
        f"weights made of their parts in the file, {how}: {few(names)}"
        for how, names in made.items()
    )
    return result, tuple(notes)


def refuse_low_rank(names: Iterable[str]) -> None:
    """Refuse weights whose part of low rank has a scale that is not in the file.

    Raises:
        ModelError: there is one.
    """
    for name in names:
        if _LOW_RANK.search(name):
            raise ModelError(
                f"{name} is a part of low rank (LoRA), whose scale is not in the file; merge it "
                "into its weight before saving"
            )


def _is_own(name: str, own: set[str]) -> bool:
    return any(f".{name}".endswith(f".{each}") or each.endswith(f".{name}") for each in own)


def _refuse_unknown(parts: Mapping[str, Entry], whole: str) -> None:
    if any(part.startswith("orig") for part in parts):
        raise ModelError(
            f"{whole} is computed from {', '.join(sorted(parts))}, and the file does not tell how; "
            "give the code that builds the network, or save the module without parametrizations"
        )


def _loader(rule: Rule, parts: Mapping[str, Entry], whole: str) -> Callable[[], Array]:
    def load() -> Array:
        arrays = {part: entry.load() for part, entry in parts.items()}
        value = rule(arrays)
        if value is None:
            names = " and ".join(entry.path for entry in parts.values())
            raise ModelError(f"{whole}: the shapes of its parts {names} do not fit")
        return value

    return load


def _masked(parts: Mapping[str, Array]) -> Array | None:
    """Its values times a mask."""
    values, mask = parts["orig"], parts["mask"]
    return None if values.shape != mask.shape else values * mask.astype(values.dtype)


def _normed(parts: Mapping[str, Array]) -> Array | None:
    """Its norms and directions (weight norm)."""
    names = ("g", "v") if "g" in parts else ("original0", "original1")
    norms, directions = (parts[name] for name in names)
    if norms.ndim not in (0, directions.ndim):
        return None
    axes = tuple(i for i in range(directions.ndim) if norms.ndim == 0 or norms.shape[i] == 1)
    kept = [1 if i in axes else size for i, size in enumerate(directions.shape)]
    if norms.ndim and norms.shape != tuple(kept):
        return None
    square = (directions.astype(np.float64) ** 2).sum(axis=axes, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # non-finite weights are rejected later
        whole: Array = norms.astype(np.float64) * directions / np.sqrt(square)
    return whole.astype(directions.dtype)


def _spectral(parts: Mapping[str, Array]) -> Array | None:
    """Its values divided by their largest singular value (spectral norm)."""
    values = parts["orig"] if "orig" in parts else parts["original"]
    left, right = (parts[name].astype(np.float64).ravel() for name in "uv")
    for axis in range(min(values.ndim, 2)):
        rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).astype(np.float64)
        if rows.shape == (len(left), len(right)):
            with np.errstate(invalid="ignore", divide="ignore"):
                return (values / (left @ rows @ right)).astype(values.dtype)
    return None


_RULES: Mapping[frozenset[str], Rule] = MappingProxyType(
    {
        frozenset(["orig", "mask"]): _masked,
        frozenset(["g", "v"]): _normed,
        frozenset(["original0", "original1"]): _normed,
        frozenset(["orig", "u", "v"]): _spectral,
        frozenset(["original", "u", "v"]): _spectral,
    }
)
"""How a weight is computed, by the names of its parts."""
_TOLD: Mapping[Rule, str] = MappingProxyType(
    {
        _masked: "values times a mask",
        _normed: "directions with norms (weight norm)",
        _spectral: "values over their largest singular value (spectral norm)",
    }
)
"""The same in words, for notes."""
