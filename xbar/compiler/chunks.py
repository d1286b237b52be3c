"""The arrays of a program folder, read as data.

zarr writes the arrays; this module reads them, so that no name in a file selects code. An array is
a folder with ``zarr.json`` and one file per chunk, ``c/<i>/<j>/...``; a chunk of zeros has no file.
Only what zarr writes for xbar is read: format 3, little-endian numbers, one regular grid of chunks,
each compressed by Zstandard with the size of its content in the frame's header. The size of all
arrays is checked before memory is taken for one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.sealed import JSON_ERRORS, read_json
from xbar.errors import FileError, printable

Read = Callable[[str], bytes]
"""A file's content by name."""

DTYPES = str.split(
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 "
    "complex64 complex128"
)

FREE_BYTES, PER_BYTE = 64 * 2**20, 256
"""The arrays of a folder may take this many bytes of memory, and so many more per byte of file.

A folder of a megabyte can't take gigabytes; a program's arrays are hardly ever smaller than a
twentieth of their memory on disk, and its manifest grows with its tiles."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_AXES = 32
_SLACK = 1 << 16
"""Bytes of a description, and those that a chunk may have beyond its numbers."""
_GROUP = {"attributes": {}, "zarr_format": 3, "node_type": "group"}


@dataclass(frozen=True)
class Layout:
    """Layout of an array on disk.

    Attributes:
        shape: size of each axis.
        dtype: name of the type of its elements.
        chunk: shape of a chunk.
    """

    shape: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of memory of the array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of memory of one chunk; chunks at the end of an axis are filled up."""
        return math.prod(self.chunk) * np.dtype(self.dtype).itemsize

    def to_json(self) -> dict[str, Any]:
        """What zarr writes to ``zarr.json``."""
        kind = np.dtype(self.dtype).kind
        zero = {"b": False, "f": 0.0, "c": [0.0, 0.0]}.get(kind, 0)
        stored: dict[str, Any] = {"name": "bytes"}
        if np.dtype(self.dtype).itemsize > 1:
            stored["configuration"] = {"endian": "little"}
        compressed = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
        return {
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": _named("regular", chunk_shape=list(self.chunk)),
            "chunk_key_encoding": _named("default", separator="/"),
            "fill_value": zero,
            "codecs": [stored, compressed],
            "attributes": {},
            "zarr_format": 3,
            "node_type": "array",
            "storage_transformers": [],
        }


def _named(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def read_arrays(
    read: Read, files: Mapping[str, int], names: Iterable[str], spare: int = 0
) -> dict[str, NDArray[Any]]:
    """Read all arrays of a folder of groups of arrays.

    Args:
        read: gives the content of a file.
        files: size in bytes of every file, by name.
        names: the arrays that must be there, such as "tiles/mask"; no other file may be.
        spare: bytes of other files, which count as if they were arrays' files.

    Raises:
        FileError: a file is missing, is not one of an array, or has another form; or the arrays
            would take far more memory than the folder has bytes.
    """
    chunks: dict[str, list[str]] = {name: [] for name in names}
    for file in files:
        array, inner = _split(file)
        if inner.startswith("c/") or inner == "c":
            if array not in chunks:
                raise FileError(f"{printable(file)} belongs to no array of the program")
            chunks[array].append(file)
    groups = {"", *(name.split("/")[0] for name in chunks)}
    descriptions = {_below(group) for group in groups} | {_below(name) for name in chunks}
    for file in files.keys() ^ {
        *descriptions,
        *(each for some in chunks.values() for each in some),
    }:
        state = "belongs to no array of the program" if file in files else "is missing"
        raise FileError(f"{printable(file)} {state}")
    for file in descriptions:
        if files[file] > _SLACK:
            raise FileError(f"{file} must have at most {_SLACK:,} bytes, not {files[file]:,}")
    for group in sorted(groups):
        _check_group(read(_below(group)), _below(group))
    layouts = {name: read_layout(read(_below(name)), _below(name)) for name in chunks}
    check_memory(layouts.values(), sum(files.values()) + spare)
    return {
        name: _read(read, layouts[name], name, {file: files[file] for file in chunks[name]})
        for name in layouts
    }


def check_memory(layouts: Iterable[Layout], nbytes: int) -> None:
    """Check that arrays take memory in proportion to their folder's bytes.

    Raises:
        FileError: they take more.
    """
    total, most = sum(layout.nbytes for layout in layouts), FREE_BYTES + PER_BYTE * nbytes
    if total > most:
        raise FileError(
            f"its arrays must take at most {most:,} bytes of memory, as it has {nbytes:,} bytes of "
            f"files, not {total:,}"
        )


def _split(file: str) -> tuple[str, str]:
    """A file of an array, as the array's name, "group/array", and the rest."""
    group, _, rest = file.partition("/")
    array, _, inner = rest.partition("/")
    return f"{group}/{array}", inner


def _below(name: str) -> str:
    return f"{name}/zarr.json" if name else "zarr.json"


def _check_group(text: bytes, file: str) -> None:
    record = _parse(text, file)
    if isinstance(record, dict) and record.get("consolidated_metadata", 0) is None:
        del record["consolidated_metadata"]  # written by zarr 3.1.0
    if not _same(record, _GROUP):
        raise FileError(f"{file} must describe a zarr group of format 3 and nothing else")


def read_layout(text: bytes, file: str) -> Layout:
    """The layout of an array from its ``zarr.json``.

    Raises:
        FileError: it is anything that zarr does not write for xbar.
    """
    record = _parse(text, file)
    try:
        grid = record["chunk_grid"]["configuration"]
        shape, chunk = _sizes(record["shape"]), _sizes(grid["chunk_shape"])
        dtype = record["data_type"]
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{file} must describe a zarr array of format 3") from error
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FileError(f"{file}: data_type must be one of {', '.join(DTYPES)}")
    layout = Layout(shape, dtype, chunk)
    if len(shape) != len(chunk) or any(
        not 1 <= part <= max(size, 1) for size, part in zip(shape, chunk, strict=True)
    ):
        raise FileError(f"{file}: chunks {chunk} must fit an array of shape {shape}")
    expected = layout.to_json()
    for key in sorted(record.keys() | expected.keys()):
        if key not in record or key not in expected or not _same(record[key], expected[key]):
            raise FileError(f"{file}: {printable(key)[:40]!r} is not what xbar writes")
    return layout


def _parse(text: bytes, file: str) -> Any:
    try:
        return read_json(text)
    except JSON_ERRORS as error:
        raise FileError(f"{file} is not JSON ({printable(str(error))[:100]})") from error


def _same(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same text, types of numbers included."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _sizes(value: Any) -> tuple[int, ...]:
    """A shape, small enough to compute with."""
    if not isinstance(value, list) or len(value) > _AXES:
        raise ValueError
    if any(type(size) is not int or not 0 <= size < 2**48 for size in value):
        raise ValueError
    return tuple(value)


def _read(read: Read, layout: Layout, name: str, files: Mapping[str, int]) -> NDArray[Any]:
    array = np.zeros(layout.shape, layout.dtype)
    for file in files:
        corner = _corner(layout, file.removeprefix(f"{name}/"))
        if corner is None:
            raise FileError(f"{printable(file)} is no chunk of an array of shape {layout.shape}")
        most = layout.chunk_bytes + layout.chunk_bytes // 128 + _SLACK  # not compressible at all
        if files[file] > most:
            raise FileError(
                f"{printable(file)} must have at most {most:,} bytes, not {files[file]:,}"
            )
        values = _decode(read(file), layout, file)
        ends = zip(corner, layout.chunk, strict=True)
        place: list[Any] = [slice(first, first + size) for first, size in ends]
        part = array[(*place, ...)]  # a view, without axes too
        part[...] = values[tuple(slice(size) for size in part.shape)]
    return array


def _corner(layout: Layout, key: str) -> tuple[int, ...] | None:
    """First index of a chunk by its key, such as "c/0/3"; None if there is no such chunk."""
    if not layout.shape:
        return () if key == "c" else None
    indices = key.split("/")[1:]
    if len(indices) != len(layout.shape) or not all(
        text.isascii() and text.isdecimal() and len(text) < 16 for text in indices
    ):
        return None
    numbers = [int(text) for text in indices]
    corner = tuple(number * part for number, part in zip(numbers, layout.chunk, strict=True))
    canonical = "/".join(["c", *map(str, numbers)]) == key
    inside = all(first < size for first, size in zip(corner, layout.shape, strict=True))
    return corner if canonical and inside else None


def _decode(content: bytes, layout: Layout, file: str) -> NDArray[Any]:
    """The values of a chunk; its content's size is known before anything is decompressed."""
    from numcodecs.zstd import Zstd

    if _content_size(content) != layout.chunk_bytes:
        raise FileError(f"{printable(file)} must hold {layout.chunk_bytes} bytes, compressed")
    values = np.empty(layout.chunk, np.dtype(layout.dtype).newbyteorder("<"))
    try:
        Zstd().decode(content, out=values)
    except (RuntimeError, ValueError) as error:
        raise FileError(f"{printable(file)} can't be decompressed") from error
    if layout.dtype == "bool" and values.view(np.uint8).max(initial=0) > 1:
        raise FileError(f"{printable(file)} must hold truth values, 0 or 1")
    return values


def _content_size(frame: bytes) -> int | None:
    """Bytes that a Zstandard frame expands to, from its header (RFC 8878, 3.1.1.1); else None."""
    if frame[:4] != _MAGIC or len(frame) < 6:
        return None
    descriptor = frame[4]
    flag, single, dictionary = descriptor >> 6, (descriptor >> 5) & 1, descriptor & 3
    width = (single, 2, 4, 8)[flag]  # of the field, in bytes
    if dictionary or not width:
        return None
    start = 5 if single else 6  # after a window descriptor, which a single segment does not have
    size = int.from_bytes(frame[start : start + width], "little")
    return size + 256 if width == 2 else size
