"""The optional PyTorch dependency."""

from __future__ import annotations

import pickle
import struct
import zipfile
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, ToolError

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
