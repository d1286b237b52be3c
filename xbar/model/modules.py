"""Modules as people keep them: inside dictionaries, wrapped, in 16 bits."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch

from xbar.errors import ModelError
from xbar.model.checkpoint import is_averaged
from xbar.tables import few

_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "module",
    "AveragedModel": "module",
    "OptimizedModule": "_orig_mod",
}
"""Classes that run another module unchanged, and their name of it."""


def find_module(loaded: Any, where: str) -> tuple[torch.nn.Module | None, tuple[str, ...]]:
    """The module that an unpickled object is or holds under a name, and what was assumed.

    Raises:
        ModelError: it holds several.

    >>> linear = torch.nn.Linear(2, 2)
    >>> find_module({"epoch": 3, "model": linear}, "model.pt")[0] is linear
    True
    """
    if isinstance(loaded, torch.nn.Module):
        return loaded, ()
    if not isinstance(loaded, Mapping):
        return None, ()
    held = {str(k): v for k, v in loaded.items() if isinstance(v, torch.nn.Module)}
    plain = {k: v for k, v in held.items() if not is_averaged(k)} if len(held) > 1 else held
    if held and len(plain) != 1:
        raise ModelError(
            f"{where}: it holds several modules, {few([*held])}; save the one that you want alone"
        )
    others = [name for name in held if name not in plain]
    notes = [f"the module is {name!r} in the file" for name in plain]
    notes += [f"the modules under {few(others)} are not used"] if others else []
    return next(iter(plain.values()), None), tuple(notes)


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module inside those of parallel training, averaging and compilation.

    >>> linear = torch.nn.Linear(2, 2)
    >>> unwrapped(torch.nn.DataParallel(linear)) is linear
    True
    """
    inner = getattr(module, _WRAPPERS.get(type(module).__name__, ""), None)
    return unwrapped(inner) if isinstance(inner, torch.nn.Module) else module


def with_floats(module: torch.nn.Module) -> torch.nn.Module | None:
    """A copy whose 16-bit numbers are float32; None if it has none."""
    halves = (torch.float16, torch.bfloat16)
    if not any(each.dtype in halves for each in chain(module.parameters(), module.buffers())):
        return None
    return copy.deepcopy(module).float()
