"""Reader of weights in the safetensors format.

    8 bytes   length of the header, little-endian
    header    JSON: {"fc.weight": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}, ...}
    the rest  the tensors, contiguous, without gaps

Every size is checked before use: a header can't claim more bytes than the file has, and tensors
must neither overlap nor leave bytes unaccounted for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError

Array: TypeAlias = NDArray[Any]

MOST_HEADER = 100_000_000
"""Maximum size of a header in bytes, as in the format's reference library."""
_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
        "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
        "BOOL": "?",
    }
)  # fmt: skip


def is_safetensors(data: bytes) -> bool:
    """Whether a file looks like safetensors: an eight-byte length followed by a JSON object."""
    return data[8:9] == b"{"


def read_safetensors(data: bytes, where: str) -> dict[str, Array]:
    """The tensors of a safetensors file by name; bfloat16 becomes float32.

    Raises:
        FileError: the file is damaged, or its header does not match it.
        ModelError: a tensor has a type without numpy equivalent.

    >>> header = b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> data = len(header).to_bytes(8, "little") + header + np.array([1, 2], "<f4").tobytes()
    >>> read_safetensors(data, "model.safetensors")
    {'w': array([1., 2.], dtype=float32)}
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, MOST_HEADER):
        raise FileError(
            f"{where}: the header claims {length} bytes, but the file has {len(data)}; "
            "it is damaged or cut short"
        )
    entries = _header(data[8 : 8 + length], where)
    body = memoryview(data)[8 + length :]
    spans = {name: _span(name, entry, where) for name, entry in entries.items()}
    end = 0
    for name, (begin, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if begin != end or stop > len(body):
            raise FileError(
                f"{where}: {name[:80]} is at bytes {begin} to {stop}, which overlaps another "
                "tensor, leaves a gap, or is outside the file"
            )
        end = stop
    if end != len(body):
        raise FileError(f"{where}: {len(body) - end} bytes belong to no tensor")
    return {
        name: _tensor(body[slice(*spans[name])], entry, f"{where}: {name}")
        for name, entry in entries.items()
    }


def _header(text: bytes, where: str) -> dict[str, Any]:
    try:
        entries = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: the header is damaged ({str(error)[:100]})") from None
    if not isinstance(entries, dict):
        raise FileError(f"{where}: the header must be a JSON object")
    entries.pop("__metadata__", None)
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _span(name: str, entry: Any, where: str) -> tuple[int, int]:
    """Byte range of a tensor, checked against its shape."""
    parts = entry if isinstance(entry, dict) else {}
    shape, offsets = _whole(parts.get("shape")), _whole(parts.get("data_offsets"))
    dtype = parts.get("dtype")
    if shape is None or offsets is None or len(offsets) != 2 or not isinstance(dtype, str):
        raise FileError(f"{where}: the header's entry {name[:80]!r} is damaged")
    if dtype not in _DTYPES:
        raise ModelError(f"{where}: {name[:80]} is of type {dtype[:20]}, which can't be read")
    begin, stop = offsets
    need = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if stop - begin != need:
        raise FileError(f"{where}: {name[:80]} needs {need} bytes, the header gives {stop - begin}")
    return begin, stop


def _whole(values: Any) -> list[int] | None:
    """A short list of non-negative integers, or None."""
    if not isinstance(values, list) or len(values) > 64:
        return None
    good = all(type(value) is int and 0 <= value < 1 << 63 for value in values)
    return values if good else None


def _tensor(raw: memoryview, entry: Mapping[str, Any], where: str) -> Array:
    flat: Array = np.frombuffer(raw, _DTYPES[entry["dtype"]])
    if entry["dtype"] == "BF16":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    try:
        return flat.reshape(entry["shape"])
    except (
        ValueError
    ) as error:  # numpy allows fewer axes than the format, and restricts empty shapes
        raise ModelError(f"{where}: numpy can't hold its shape: {error}") from None
