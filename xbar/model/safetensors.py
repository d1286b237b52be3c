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
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, printable
from xbar.files import check_regular
from xbar.model.stored import Stored
from xbar.model.tensors import item_type, widened

Array: TypeAlias = NDArray[Any]

MOST_HEADER = 100_000_000
"""Maximum size of a header in bytes, as in the format's reference library."""
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
        "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
        "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
        "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
        "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    }
)  # fmt: skip
"""Name of each of the format's types."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a safetensors file holds.

    Attributes:
        tensors: tensors by name.
        dtypes: name of each tensor's type in the file.
        metadata: the writer's remarks; ``safetensors.torch.save_model`` puts a tensor that is
            another one there, both by name.
    """

    tensors: Mapping[str, Array]
    dtypes: Mapping[str, str]
    metadata: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Located:
    """Where the tensors of a safetensors file are.

    Attributes:
        tensors: place of each tensor by name.
        metadata: as of ``Contents``.
    """

    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]


def is_safetensors(data: bytes) -> bool:
    """Whether a file looks like safetensors: an eight-byte length followed by a JSON object."""
    return data[8:9] == b"{"


def read_safetensors(data: bytes, where: str) -> Contents:
    """Read a safetensors file; types that numpy lacks become float32.

    Raises:
        FileError: the file is damaged, or its header does not match it.
        ModelError: a tensor has a type without numpy equivalent.

    >>> header = b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> data = len(header).to_bytes(8, "little") + header + np.array([1, 2], "<f4").tobytes()
    >>> read_safetensors(data, "model.safetensors").tensors
    {'w': array([1., 2.], dtype=float32)}
    """
    length = _length(data[:8], len(data), where)
    entries, metadata = _header(data[8 : 8 + length], where)
    body = memoryview(data)[8 + length :]
    spans = _spans(entries, len(body), where)
    tensors = {
        name: _tensor(body[slice(*spans[name])], entry, f"{where}: {printable(name[:80])}")
        for name, entry in entries.items()
    }
    dtypes = {name: DTYPES[entry["dtype"]] for name, entry in entries.items()}
    return Contents(tensors, dtypes, metadata)


def locate_safetensors(path: Path) -> Located:
    """Find the tensors of a safetensors file; only its header is read.

    Raises:
        FileError: the file can't be read, is damaged, or its header does not match it.
        ModelError: a tensor has a type without numpy equivalent.
    """
    where = path.name
    check_regular(path)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            length = _length(file.read(8), found.st_size, where)
            text = file.read(length)
    except OSError as error:
        raise FileError(f"{where}: can't be read ({error.strerror})") from error
    entries, metadata = _header(text, where)
    spans = _spans(entries, found.st_size - 8 - length, where)
    tensors = {}
    for name, entry in entries.items():
        held = DTYPES[entry["dtype"]]
        dtype = str(widened(np.empty(0, item_type(held)), held).dtype)
        begin, shape = 8 + length + spans[name][0], tuple(entry["shape"])
        stamp = (found.st_size, found.st_mtime_ns)
        tensors[name] = Stored(path.absolute(), begin, shape, held, dtype, stamp)
    return Located(tensors, metadata)


def _length(start: bytes, size: int, where: str) -> int:
    """Length of the header from the file's first bytes."""
    length = int.from_bytes(start, "little")
    if size < 8 or length > min(size - 8, MOST_HEADER):
        raise FileError(
            f"{where}: the header claims {length} bytes, but the file has {size}; "
            "it is damaged or cut short"
        )
    return length


def _spans(entries: Mapping[str, Any], size: int, where: str) -> dict[str, tuple[int, int]]:
    """Byte range of each tensor after the header, where they fill ``size`` bytes exactly."""
    spans = {name: _span(name, entry, where) for name, entry in entries.items()}
    end = 0
    for name, (begin, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if begin != end or stop > size:
            raise FileError(
                f"{where}: {printable(name[:80])} is at bytes {begin} to {stop}, which overlaps "
                "another tensor, leaves a gap, or is outside the file"
            )
        end = stop
    if end != size:
        raise FileError(f"{where}: {size - end} bytes belong to no tensor")
    return spans


def _header(text: bytes, where: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        entries = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: the header is damaged ({str(error)[:100]})") from None
    if not isinstance(entries, dict):
        raise FileError(f"{where}: the header must be a JSON object")
    metadata = entries.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileError(f"{where}: the header's metadata must be text by name")
    return entries, metadata


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
    if dtype not in DTYPES:
        raise ModelError(
            f"{where}: {printable(name[:80])} is of type {dtype[:20]}, which can't be read"
        )
    begin, stop = offsets
    need = math.prod(shape) * item_type(DTYPES[dtype]).itemsize
    if stop - begin != need:
        raise FileError(
            f"{where}: {printable(name[:80])} needs {need} bytes, the header gives {stop - begin}"
        )
    return begin, stop


def _whole(values: Any) -> list[int] | None:
    """A short list of non-negative integers, or None."""
    if not isinstance(values, list) or len(values) > 64:
        return None
    good = all(type(value) is int and 0 <= value < 1 << 63 for value in values)
    return values if good else None


def _tensor(raw: memoryview, entry: Mapping[str, Any], where: str) -> Array:
    dtype = DTYPES[entry["dtype"]]
    flat = widened(np.frombuffer(raw, item_type(dtype)), dtype)
    try:
        return flat.reshape(entry["shape"])
    except (
        ValueError
    ) as error:  # numpy allows fewer axes than the format, and restricts empty shapes
        raise ModelError(f"{where}: numpy can't hold its shape: {error}") from None
