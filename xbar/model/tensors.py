"""Tensors from raw storage with strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError

Array: TypeAlias = NDArray[Any]


def strided(
    raw: bytes, dtype: str, shape: Sequence[int], strides: Sequence[int], offset: int, where: str
) -> Array:
    """A tensor from its raw storage, bounds checked; bfloat16 becomes float32.

    Args:
        raw: the whole storage, little-endian.
        dtype: numpy name of the type, or "bfloat16".
        shape: shape of the tensor.
        strides: stride of each axis, in elements.
        offset: position of the first element, in elements.
        where: tensor's name for messages.

    Raises:
        FileError: the tensor exceeds its storage, or aliases it.

    >>> strided(bytes([1, 2, 3, 4]), "uint8", (2, 2), (1, 2), 0, "weight")
    array([[1, 3],
           [2, 4]], dtype=uint8)
    """
    half = dtype == "bfloat16"
    kind = np.dtype("<u2") if half else np.dtype(dtype).newbyteorder("<")
    if len(raw) % kind.itemsize or len(shape) != len(strides):
        raise FileError(f"{where}: {len(raw)} bytes are not a whole number of {dtype}")
    flat: Array = np.frombuffer(raw, dtype=kind)
    if half:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    empty = 0 in shape
    if min((*shape, *strides, offset), default=0) < 0 or (not empty and last >= flat.size):
        raise FileError(f"{where}: the tensor needs {last + 1} numbers, the file has {flat.size}")
    if empty:
        return np.empty(shape, flat.dtype)
    steps = tuple(stride * flat.itemsize for stride in strides)
    view = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)
    if view.size > flat.size:
        raise FileError(f"{where}: the tensor has {view.size} numbers, the file {flat.size}")
    return np.ascontiguousarray(view).reshape(shape)
