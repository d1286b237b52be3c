"""Modules and state dicts as ``torch.export`` archives, in memory.

The archive is the only path from PyTorch to a graph: a module is exported to memory and then read
like a file.
"""

from __future__ import annotations

import inspect
import io
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, SpecError
from xbar.model.pytorch import LOAD_ERRORS
from xbar.usercode import current_directory, import_named, summary

# torch.export documents no errors; these are what its tracer, guards and fake tensors raise
_EXPORT_ERRORS = (
    RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError,
    NotImplementedError, NameError, ArithmeticError, torch._dynamo.exc.TorchDynamoException,
)  # fmt: skip


def export_module(
    module: torch.nn.Module,
    input_shape: tuple[int, ...],
    bind: Mapping[str, NDArray[Any]] | None = None,
) -> bytes:
    """Export a module in evaluation mode, with a dynamic batch size if it allows that.

    Args:
        module: module that takes one tensor; its mode is restored.
        input_shape: shape of one input, without the batch axis.
        bind: examples of further inputs by name.

    Raises:
        ModelError: PyTorch can't export it.
    """
    name = type(module).__name__
    modes = {part: part.training for part in module.modules()}
    example = torch.zeros((2, *input_shape))
    args, kwargs, shapes = _call_with(module, example, bind or {})
    buffer = io.BytesIO()
    try:
        module.eval()
        with _quiet():
            program = torch.export.export(module, args, kwargs, dynamic_shapes=shapes, strict=False)
            torch.export.save(program, buffer)
    except _EXPORT_ERRORS as error:
        raise ModelError(
            f"{name}: PyTorch can't export the module for inputs (N, "
            f"{', '.join(map(str, input_shape))}): {summary(error)}"
        ) from None
    finally:
        for part, mode in modes.items():
            part.training = mode
    return buffer.getvalue()


def _call_with(
    module: torch.nn.Module, example: torch.Tensor, bind: Mapping[str, NDArray[Any]]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor], Any]:
    """Positional and named arguments of an export, and which of their sizes are open."""
    batch = {0: torch.export.Dim.AUTO}
    if not bind:
        return (example,), {}, (batch,)
    names = list(inspect.signature(module.forward).parameters)
    first = next((name for name in names if name not in bind), None)
    unknown = next((name for name in bind if name not in names), None)
    if unknown is not None or first is None:
        raise SpecError(
            f"{type(module).__name__}: forward takes {', '.join(names)[:200]}; all but one can be "
            f"bound, by these names, not {', '.join(bind)[:200]}"
        )
    given = {name: torch.from_numpy(np.array(value)) for name, value in bind.items()}
    return (), {first: example, **given}, {first: batch, **dict.fromkeys(given)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress PyTorch's warnings about its own internals during an export."""
    with warnings.catch_warnings():
        # export reassigns LSTM's list of weights and warns about it
        warnings.filterwarnings("ignore", message=".*were assigned during export", module=".*")
        # raised by PyTorch about PyTorch: pytree registration, treespec and node renames
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\..*")
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module=r"(torch|copyreg)\b.*"
        )
        yield


def load_state(file: IO[bytes], where: str) -> dict[str, torch.Tensor] | None:
    """A saved state dict, loaded without running code; None if it is a pickled object.

    Raises:
        FileError: it is damaged.
        ModelError: it contains plain data other than a state dict.
    """
    try:
        with warnings.catch_warnings():
            # about obsolete formats: an unreadable file is an error anyway
            warnings.simplefilter("ignore")
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "nsupported" in str(error) or "global" in str(error).lower():
            return None
        raise FileError(f"{where}: the file is damaged or cut short") from None
    except LOAD_ERRORS as error:
        raise FileError(f"{where}: the file is damaged or cut short ({summary(error)})") from None
    tensors = isinstance(loaded, Mapping) and all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    )
    if not tensors or not loaded:
        keys = f"with keys {list(loaded)[:5]}" if isinstance(loaded, Mapping) else "as such"
        raise ModelError(
            f"{where}: the file holds a {type(loaded).__name__} {keys}, not a state dict (tensors "
            "by name); save model.state_dict() alone"
        )
    return dict(loaded)


def unpickle_module(file: IO[bytes], where: str) -> torch.nn.Module:
    """Unpickle a module. This executes any code in the file.

    Raises:
        FileError: it can't be loaded.
        ModelError: it is not a module.
    """
    try:
        with _quiet(), current_directory():
            loaded = torch.load(file, map_location="cpu", weights_only=False)
    except (*LOAD_ERRORS, ImportError) as error:
        raise FileError(f"{where}: the pickled object can't be loaded: {summary(error)}") from None
    if not isinstance(loaded, torch.nn.Module):
        raise ModelError(f"{where}: the pickle must hold a module, not a {type(loaded).__name__}")
    return loaded


def build_module(arch: str, path: Path | None, seed: int) -> torch.nn.Module:
    """Build a module with ``arch``, with the weights of a file or its initial ones.

    Args:
        arch: "module:callable"; imported and called, so the user's own code runs.
        path: state dict written by ``torch.save``; None to keep the initial weights.
        seed: PyTorch seed while the module is built.

    Raises:
        SpecError: ``arch`` can't be imported or gives no module.
        FileError: the file can't be read or is not a state dict.
        ModelError: the state dict does not match the module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if path is None:
            return _call(arch)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FileError(f"{path}: it can't be read ({error.strerror})") from error
        state = load_state(io.BytesIO(data), path.name)
        if state is None:
            raise FileError(
                f"{path.name}: it must be a state dict, not a pickled object; save "
                "model.state_dict() alone"
            )
        return build(arch, state, path.name)


def build(arch: str, state: dict[str, torch.Tensor], where: str) -> torch.nn.Module:
    """Build a module with ``arch`` and load a state dict.

    Args:
        arch: "module:callable"; imported and called, so the user's own code runs.
        state: all parameters and buffers of the module.
        where: file name for messages.

    Raises:
        SpecError: ``arch`` can't be imported or gives no module.
        ModelError: the state dict does not match the module.
    """
    module = _call(arch)
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"{where}: the state dict does not fit {arch}: {' '.join(str(error).split())[:300]}"
        ) from None
    return module.eval()


def _call(arch: str) -> torch.nn.Module:
    """Import and call ``arch``."""
    target = import_named(arch, "--arch", "mynet:LeNet")
    try:
        with current_directory():
            module = target()
    # the user's own code is called, and may raise anything
    except Exception as error:
        raise SpecError(f"--arch {arch}: it can't be built: {summary(error)}") from error
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"--arch {arch}: it must give a torch module, not {type(module).__name__}")
    return module
