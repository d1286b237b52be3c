"""The optional PyTorch dependency, and its loader that runs no code."""

from __future__ import annotations

import pickle
import struct
import zipfile
from importlib.util import find_spec
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, ToolError

# raised by torch.load for damaged files: undocumented, found by truncating files
LOAD_ERRORS = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    AssertionError, NotImplementedError, OverflowError, MemoryError, pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


def require_torch(purpose: str) -> None:
    """Check that PyTorch is installed.

    Args:
        purpose: what PyTorch is needed for, for the message.

    Raises:
        ToolError: it is not installed.
    """
    if find_spec("torch") is None:
        raise ToolError(f"{purpose} needs PyTorch; install it with: pip install 'xbar[torch]'")


def load_tensors(file: IO[bytes], where: str) -> dict[str, NDArray[Any]]:
    """Load a saved dictionary of tensors as arrays.

    Raises:
        FileError: it is damaged or contains something else.
        ModelError: a tensor has a type without numpy equivalent.
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
    """Copy a tensor to an array; bfloat16 becomes float32.

    Raises:
        ModelError: it is sparse, quantised, or of a type without numpy equivalent.
    """
    try:
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        return np.array(tensor.numpy(force=True))
    except (TypeError, RuntimeError) as error:
        raise ModelError(
            f"{where}: only dense tensors of plain numbers can be read: {error}"
        ) from None
