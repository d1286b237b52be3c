"""Tensors from raw storage with strides, and numeric types that numpy lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError

Array: TypeAlias = NDArray[Any]

FLOAT8: Mapping[str, tuple[int, int, str]] = MappingProxyType(
    {
        "float8_e4m3fn": (4, 7, "fn"),
        "float8_e5m2": (5, 15, "ieee"),
        "float8_e4m3fnuz": (4, 8, "fnuz"),
        "float8_e5m2fnuz": (5, 16, "fnuz"),
        "float8_e8m0fnu": (8, 127, "scale"),
    }
)
"""Eight-bit floats: bits of the exponent, its bias, and which codes are no finite number."""
MOST_EXPANDED = 1 << 20
"""Maximum number of elements of a tensor that repeats its storage."""


def is_widened(dtype: str) -> bool:
    """Whether numpy lacks a type, whose numbers are therefore held as float32."""
    return dtype == "bfloat16" or dtype in FLOAT8


def item_type(dtype: str) -> np.dtype[Any]:
    """Type of the raw little-endian numbers of a named type.

    >>> item_type("bfloat16").itemsize, item_type("float8_e5m2").itemsize
    (2, 1)
    """
    name = "uint16" if dtype == "bfloat16" else "uint8" if dtype in FLOAT8 else dtype
    return np.dtype(name).newbyteorder("<")


def widened(raw: Array, dtype: str) -> Array:
    """Numbers of a named type from its raw codes; types that numpy lacks become float32."""
    if dtype == "bfloat16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw if dtype not in FLOAT8 else float8(dtype)[raw]


def float8(dtype: str) -> Array:
    """The numbers of the 256 codes of an eight-bit float.

    A code has a sign, an exponent e and a fraction f of the remaining bits m: its number is
    2**(e - bias) (1 + f / 2**m), and 2**(1 - bias) f / 2**m for e = 0 (IEEE 754). "ieee" keeps the
    highest exponent for infinities and NaN, "fn" has NaN where all bits but the sign are set,
    "fnuz" has NaN for negative zero, and "scale" is an exponent alone.

    >>> float(float8("float8_e4m3fn")[0x7E]), float(float8("float8_e5m2")[0x7B])
    (448.0, 57344.0)
    """
    exponent_bits, bias, kind = FLOAT8[dtype]
    codes = np.arange(256)
    if kind == "scale":
        return np.where(codes == 255, np.nan, np.exp2(codes - float(bias))).astype(np.float32)
    bits = 7 - exponent_bits
    e, f = (codes & 0x7F) >> bits, (codes & ((1 << bits) - 1)) / (1 << bits)
    size = np.where(e == 0, np.exp2(1.0 - bias) * f, np.exp2(e - float(bias)) * (1 + f))
    if kind == "ieee":
        top = e == (1 << exponent_bits) - 1
        size = np.where(top, np.where(f == 0, np.inf, np.nan), size)
    elif kind == "fn":
        size = np.where(codes & 0x7F == 0x7F, np.nan, size)
    else:
        size = np.where(codes == 0x80, np.nan, size)
    return np.where(codes & 0x80, -size, size).astype(np.float32)


def strided(
    raw: bytes, dtype: str, shape: Sequence[int], strides: Sequence[int], offset: int, where: str
) -> Array:
    """A tensor from its raw storage, bounds checked; types that numpy lacks become float32.

    Args:
        raw: the whole storage, little-endian.
        dtype: numpy name of the type, "bfloat16", or one of ``FLOAT8``.
        shape: shape of the tensor.
        strides: stride of each axis, in elements.
        offset: position of the first element, in elements.
        where: tensor's name for messages.

    Raises:
        FileError: the tensor exceeds its storage, or repeats it more than ``MOST_EXPANDED`` times.

    >>> strided(bytes([1, 2, 3, 4]), "uint8", (2, 2), (1, 2), 0, "weight")
    array([[1, 3],
           [2, 4]], dtype=uint8)
    """
    kind = item_type(dtype)
    if len(raw) % kind.itemsize or len(shape) != len(strides):
        raise FileError(f"{where}: {len(raw)} bytes are not a whole number of {dtype}")
    size = len(raw) // kind.itemsize
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    empty = 0 in shape
    if min((*shape, *strides, offset), default=0) < 0 or (not empty and last >= size):
        raise FileError(f"{where}: the tensor needs {last + 1} numbers, the file has {size}")
    if empty:
        return np.empty(shape, widened(np.empty(0, kind), dtype).dtype)
    flat = widened(np.frombuffer(raw, kind, last + 1 - offset, offset * kind.itemsize), dtype)
    steps = tuple(stride * flat.itemsize for stride in strides)
    view = np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False)
    if view.size > max(size, MOST_EXPANDED):
        raise FileError(f"{where}: the tensor has {view.size} numbers, the file {size}")
    return np.ascontiguousarray(view).reshape(shape)
