"""Modules as ``torch.export`` archives, in memory.

The archive is the only path from PyTorch to a graph: a module is exported to memory and then read
like a file.
"""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, SpecError
from xbar.model.pytorch import LOAD_ERRORS
from xbar.usercode import current_directory, summary


def export_module(
    module: torch.nn.Module,
    input_shape: tuple[int, ...],
    bind: Mapping[str, NDArray[Any]] | None = None,
    input_dtype: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """Export a module in evaluation mode, with a dynamic batch size if it allows that.

    Args:
        module: module that takes one tensor; its mode is restored.
        input_shape: shape of one input, without the batch axis.
        bind: examples of further inputs by name.
        input_dtype: type of its input. None: float32, or int64 if only that can be exported, as
            where an embedding comes first.
        extra: texts that the archive keeps beside, by name.

    Raises:
        ModelError: PyTorch can't export it.
    """
    dtypes = ("float32", "int64") if input_dtype is None else (input_dtype,)
    # beside an input that is given for one, a batch of two may not fit
    counts = (2, 1) if bind else (2,)
    first: ModelError | None = None
    for dtype in dtypes:
        for count in counts:
            try:
                return _export(module, (count, *input_shape), bind or {}, dtype, extra or {})
            except ModelError as error:
                first = first or error
    assert first is not None
    raise first


def _export(
    module: torch.nn.Module,
    shape: tuple[int, ...],
    bind: Mapping[str, NDArray[Any]],
    dtype: str,
    extra: Mapping[str, str],
) -> bytes:
    name = type(module).__name__
    modes = {part: part.training for part in module.modules()}
    example = torch.zeros(shape, dtype=getattr(torch, dtype))
    args, kwargs, shapes = _call_with(module, example, bind)
    buffer = io.BytesIO()
    try:
        module.eval()
        with quiet():
            program = torch.export.export(module, args, kwargs, dynamic_shapes=shapes, strict=False)
            for node in program.graph.nodes:  # where the source lies on this machine
                node.meta.pop("stack_trace", None)
            torch.export.save(program, buffer, extra_files=dict(extra))
    except KeyboardInterrupt:
        raise
    # PyTorch runs the module's own code, which may raise anything, SystemExit too
    except BaseException as error:
        raise ModelError(
            f"{name}: PyTorch can't export the module for inputs (N, "
            f"{', '.join(map(str, shape[1:]))}) of {dtype}: {summary(error)}"
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
    given = {k: v.float() if v.dtype == torch.float64 else v for k, v in given.items()}
    return (), {first: example, **given}, {first: batch, **dict.fromkeys(given)}


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress PyTorch's warnings about its own internals during an export."""
    with warnings.catch_warnings():
        # an LSTM assigns its list of weights, a hook the weight that it computes
        warnings.filterwarnings("ignore", message=".*(was|were) assigned during export")
        # a weight that is a view of a larger tensor is written with all of it, and read back right
        warnings.filterwarnings("ignore", message="No complete tensor found in the group")
        # raised by PyTorch about PyTorch: pytree registration, treespec and node renames
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\..*")
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module=r"(torch|copyreg)\b.*"
        )
        yield


def unpickle(file: IO[bytes], where: str) -> Any:
    """Unpickle a ``torch.save`` file. This executes any code in it.

    Raises:
        FileError: it can't be loaded.
    """
    try:
        with quiet(), current_directory():
            return torch.load(file, map_location="cpu", weights_only=False)
    except (*LOAD_ERRORS, ImportError) as error:
        raise FileError(f"{where}: the pickled object can't be loaded: {summary(error)}") from None
