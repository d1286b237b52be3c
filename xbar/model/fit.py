"""A module of the user's own code with the weights of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.arrays import one_integer
from xbar.errors import ModelError, SpecError
from xbar.files import read_file
from xbar.model.checkpoint import Chosen, Entry, choose_for, type_notes
from xbar.model.merge import merge_parts
from xbar.model.scales import merge_scales
from xbar.tables import few
from xbar.usercode import current_directory, import_named, told_as

Array: TypeAlias = NDArray[Any]


def build_module(arch: str, path: Path | None, seed: int) -> torch.nn.Module:
    """Build a module with ``arch``, with the weights of a file or its initial ones.

    Args:
        arch: "module:callable"; imported and called, so the user's own code runs.
        path: state dict or checkpoint, or safetensors; None for the initial weights.
        seed: PyTorch seed while the module is built.

    Raises:
        SpecError: ``arch`` can't be imported or gives no module.
        FileError: the file can't be read or holds no state dict.
        ModelError: the state dict does not match the module.
    """
    from xbar.model.state import file_entries

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(one_integer(seed, "seed", 0, 2**63 - 1))
        if path is None:
            return _call(arch)
        return build(arch, file_entries(read_file(path), path.name), path.name)[0]


def build(
    arch: str, entries: Sequence[Entry], where: str
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Build a module with ``arch`` and give it the weights of a file.

    Args:
        arch: "module:callable"; imported and called, so the user's own code runs.
        entries: tensors of the file.
        where: file name for messages.

    Returns:
        the module in evaluation mode, and what was assumed of the file.

    Raises:
        SpecError: ``arch`` can't be imported or gives no module.
        ModelError: the weights do not match the module.
    """
    module = _call(arch)
    own = {k: v for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)}
    tied = [*_tied(own)]
    needed = [each for each in tied if not all(n.endswith("num_batches_tracked") for n in each)]
    try:
        entries, scaled = merge_scales(entries, own)
        entries, merged = merge_parts(entries, own)
        chosen = choose_for(needed, entries, where)
        values = {name: entry.load() for name, entry in chosen.entries.items()}
        values |= {e.name: e.load() for e in chosen.unused if not _is_kept_elsewhere(e, module)}
        _check_types(values, own, {name for name, _ in module.named_parameters()})
        _check_ties(values, tied)
        _load(module, values, complete=not chosen.missing)
    except (RuntimeError, ModelError) as error:
        text = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{where}: the state dict does not fit {arch}: {text}{_hint(where)}"
        ) from None
    types = type_notes(chosen.entries.values())
    return module.eval(), (*chosen.notes, *scaled, *merged, *_tie_notes(chosen, tied), *types)


def _load(module: torch.nn.Module, values: Mapping[str, Array], complete: bool) -> None:
    state = {name: torch.from_numpy(np.array(array)) for name, array in values.items()}
    known = module.state_dict().keys()
    # a module's own hooks may accept other names, so that what does not fit is theirs to refuse
    module.load_state_dict(state, strict=not complete or not state.keys() <= known)


def _tied(own: Mapping[str, torch.Tensor]) -> Iterator[frozenset[str]]:
    """The names of each tensor, several for one that the module holds in several places."""
    same: dict[Any, list[str]] = {}
    for name, value in own.items():
        place = (value.data_ptr(), value.shape, value.stride(), value.dtype)
        same.setdefault(place if value.data_ptr() else name, []).append(name)
    yield from map(frozenset, same.values())


def _check_ties(values: Mapping[str, Array], tied: Sequence[frozenset[str]]) -> None:
    for names in tied:
        given = [name for name in sorted(names) if name in values]
        for name in given[1:]:
            if not np.array_equal(values[name], values[given[0]], equal_nan=True):
                raise ModelError(
                    f"{given[0]} and {name} are one tensor in the module, but differ in the file"
                )


def _check_types(
    values: Mapping[str, Array], own: Mapping[str, torch.Tensor], parameters: set[str]
) -> None:
    """Refuse numbers that the module's own type would change."""
    for name, array in values.items():
        if name not in own:
            continue
        mine = own[name].dtype
        kind = "c" if mine.is_complex else "f" if mine.is_floating_point else "i"
        whole = array.dtype.kind in "iub"
        changes = (
            (array.dtype.kind == "c" and kind != "c")
            or (whole and kind != "i" and name in parameters)
            or (array.dtype.kind == "f" and kind == "i" and bool(np.any(array != np.trunc(array))))
        )
        if changes:
            raise ModelError(
                f"{name} is {array.dtype} in the file and {str(mine).removeprefix('torch.')} in "
                "the module; a quantised weight must be dequantised first"
            )


def _is_kept_elsewhere(entry: Entry, module: torch.nn.Module) -> bool:
    """Whether an entry is a buffer that the module computes itself, with equal numbers."""
    for name, buffer in module.named_buffers():
        if entry.name == name or entry.name.endswith(f".{name}"):
            return np.array_equal(entry.load(), buffer.numpy(force=True), equal_nan=True)
    return False


def _tie_notes(chosen: Chosen, tied: Sequence[frozenset[str]]) -> Iterator[str]:
    lacking = [
        f"{name} is {given[0]}"
        for names in tied
        if (given := sorted(names & chosen.entries.keys()))
        for name in sorted(names - chosen.entries.keys())
    ]
    if lacking:
        yield f"tensors that the module holds twice are in the file once: {few(lacking)}"


def _hint(where: str) -> str:
    if "-of-" not in where:
        return ""
    return "; the file is one of several parts, which are read by their .index.json"


def _call(arch: str) -> torch.nn.Module:
    """Import and call ``arch``."""
    target = import_named(arch, "--arch", "mynet:LeNet")
    with told_as(f"--arch {arch}: it can't be built"), current_directory():
        module = target()
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"--arch {arch}: it must give a torch module, not {type(module).__name__}")
    return module
