"""PyTorch, or the way to install it; and its loader that runs no code."""

from __future__ import annotations

import pickle
import struct
import zipfile
from importlib.util import find_spec
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, ToolError

# what torch.load raises for damaged files: it documents none, these were met by cutting files
LOAD_ERRORS = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    AssertionError, NotImplementedError, OverflowError, MemoryError, pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


def require_torch(purpose: str) -> None:
    """Check that PyTorch is installed.

    Args:
        purpose: what needs it, for the message.

    Raises:
        ToolError: it is not.
    """
    if find_spec("torch") is None:
        raise ToolError(f"{purpose} needs PyTorch; install it with: pip install 'xbar[torch]'")


def load_tensors(file: IO[bytes], where: str) -> dict[str, NDArray[Any]]:
    """A saved dictionary of tensors, as arrays.

    Raises:
        FileError: it is damaged or holds something else.
        ModelError: a tensor is of a type that numpy lacks.
    """
    import torch

    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise FileError(f"{where} is damaged ({type(error).__name__})") from None
    if not isinstance(loaded, dict) or not all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    ):
        raise FileError(f"{where} must hold tensors by name")
    return {str(name): as_array(value, f"{where}: {name}") for name, value in loaded.items()}


def as_array(tensor: Any, where: str) -> NDArray[Any]:
    """A tensor as an array of its own; bfloat16 becomes float32.

    Raises:
        ModelError: it is sparse, quantised, or of a type that numpy lacks.
    """
    try:
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        return np.array(tensor.numpy(force=True))
    except (TypeError, RuntimeError) as error:
        raise ModelError(
            f"{where}: only dense tensors of plain numbers can be read: {error}"
        ) from None
