"""A network's arrays on disk: in files of the program, or by reference to the model's own.

    {"dtype": "float32", "shape": [3, 5], "file": "weights/0.npy"}
    {"dtype": "float32", "shape": [3, 5], "file": "../llama/model-1.safetensors",
     "offset": 4096, "held": "bfloat16", "sha256": "..."}

An array that lies uncompressed in a file that stays (``reference`` of a graph's constants) is
referred to, by the file's path from the program, its place in it and the sha256 of its bytes;
others are written as .npy, each once, also if it stands under several names. Both are read at each
access. Their checksum is compared at the first one, and again if the file's size or time changed.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import bytes_of
from xbar.compiler.consistency import check_keys
from xbar.errors import FileError, printable
from xbar.files import file_sha256, open_regular, refuse_inside
from xbar.model.stored import Stored, StoredArrays, dtype_of, shape_of
from xbar.model.tensors import FLOAT8
from xbar.parallel import cpus, in_threads

DTYPES = frozenset(
    str.split(
        "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 "
        "complex64 complex128"
    )
)
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"weights/(0|[1-9][0-9]{0,8})\.npy")
_PART = 1 << 24
_ELSEWHERE = (
    "; put the model back there, or compile with --embed, which writes the weights into the program"
)

Content = tuple[str, tuple[int, ...], str]
"""Type, shape and sha256 of an array's bytes: the same for equal arrays."""


@dataclass(frozen=True)
class CheckedArray(Stored):
    """An array in a file, whose bytes must have a checksum.

    Attributes:
        sha256: checksum of the file from ``start`` to the array's end.
        start: first byte that the checksum counts.
        told: the file, and what to do if it is gone or has other bytes: beginning and end of the
            message about it.
    """

    sha256: str = ""
    start: int = 0
    told: tuple[str, str] = ("", "")
    _seen: dict[tuple[int, ...], bool] = field(default_factory=dict, compare=False, repr=False)

    def read(self) -> NDArray[Any]:
        """The array, fresh.

        Raises:
            FileError: the file is gone or was changed.
        """
        before = self.check()
        array = super().read()
        self._refuse_change(before)
        if array.dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
            raise FileError(self._wrong("must hold truth values, 0 or 1"))
        return array

    def rows(self, index: NDArray[np.integer]) -> NDArray[Any]:
        """Some rows of the array; see ``Stored.rows``. The first time the whole file is compared.

        Raises:
            FileError: the file is gone or was changed.
        """
        before = self.check()
        found = super().rows(index)
        self._refuse_change(before)
        return found

    def check(self) -> tuple[int, ...]:
        """Compare the checksum, unless it was and the file is the same; returns what it is.

        Raises:
            FileError: the file is gone or was changed.
        """
        now = self._now()
        if now not in self._seen:
            end = self.offset + self.size
            if now[0] < end:
                raise FileError(self._wrong(f"must have {end:,} bytes, not {now[0]:,}"))
            if file_sha256(self.path, self.start, end - self.start) != self.sha256:
                raise FileError(self._wrong("was changed after the program was written"))
            self._seen.clear()
            self._seen[now] = True
        return now

    def _refuse_change(self, before: tuple[int, ...]) -> None:
        if before != self._now():
            raise FileError(self._wrong("was changed while it was read"))

    def _wrong(self, what: str) -> str:
        return f"{self.told[0]} {what}{self.told[1]}"

    def _now(self) -> tuple[int, ...]:
        """Size, time and place of the file, which change with it."""
        try:
            found = self.path.lstat()
        except OSError as error:
            raise FileError(self._wrong(f"can't be read ({error.strerror})")) from error
        if not stat.S_ISREG(found.st_mode):
            raise FileError(self._wrong("is not a regular file"))
        return found.st_size, found.st_mtime_ns, found.st_ino


def contents(arrays: Mapping[str, NDArray[Any]], *, embed: bool) -> dict[str, Content]:
    """What each array holds, in parallel; of one that will be referred to, the file's own bytes."""
    found: dict[str, Content] = {}

    def look(name: str) -> None:
        shape, source = shape_of(arrays, name), None if embed else outside(arrays, name)
        if source is not None:
            digest = file_sha256(source.path, source.offset, source.size)
            found[name] = (source.held, shape, digest)
        else:
            data = bytes_of(arrays[name])
            found[name] = (
                str(dtype_of(arrays, name)),
                shape,
                hashlib.sha256(data.data).hexdigest(),
            )

    in_threads(look, list(arrays), cpus())
    return {name: found[name] for name in arrays}


def outside(arrays: Mapping[str, NDArray[Any]], name: str) -> Stored | None:
    """Where an array lies in a file that is no program's; None if it has to be written."""
    reference = arrays.reference(name) if isinstance(arrays, StoredArrays) else None
    if reference is None:
        return None
    path, offset, size, held = reference
    stored = Stored(
        path.resolve(), offset, shape_of(arrays, name), held, str(dtype_of(arrays, name))
    )
    try:
        refuse_inside(stored.path)
    except FileError:
        return None
    return stored if stored.size == size else None


def write_arrays(
    folder: Path,
    home: Path,
    arrays: Mapping[str, NDArray[Any]],
    known: Mapping[str, Content],
    *,
    embed: bool,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Write a network's arrays, or refer to them.

    Args:
        folder: the program as it is written.
        home: where it will be.
        arrays: the arrays by name.
        known: what each holds, see ``contents``.
        embed: write also those that could be referred to.

    Returns:
        The record of each array, in order, and the sha256 of the files by name.
    """
    records: list[dict[str, Any]] = []
    files: dict[Content, str] = {}
    digests: dict[str, str] = {}
    for name, content in known.items():
        shape, dtype = shape_of(arrays, name), str(dtype_of(arrays, name))
        record: dict[str, Any] = {"dtype": dtype, "shape": list(shape)}
        source = None if embed else outside(arrays, name)
        if source is not None:
            place = (
                home.absolute().parent.resolve() / home.name
            )  # without links, as when it is read
            record["file"] = os.path.relpath(source.path, place)
            record |= {"offset": source.offset, "held": source.held, "sha256": content[2]}
        else:
            if content not in files:
                files[content] = f"weights/{len(files)}.npy"
                digests[files[content]] = write_npy(folder / files[content], arrays[name])
            record["file"] = files[content]
        records.append(record)
    return records, digests


def write_npy(path: Path, array: NDArray[Any]) -> str:
    """Write an array as .npy; returns the file's sha256."""
    path.parent.mkdir(exist_ok=True)
    data, digest = bytes_of(array), hashlib.sha256()
    with path.open("wb") as file:

        def put(part: bytes | memoryview) -> None:
            file.write(part)
            digest.update(part)

        put(npy_header(str(array.dtype), array.shape))
        for start in range(0, len(data), _PART):
            put(data[start : start + _PART].data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file of such an array, little-endian and in C order."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype).newbyteorder("<"))
    stream = io.BytesIO()
    record = {"descr": descr, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(stream, record)
    return stream.getvalue()


def npy_array(
    folder: Path, name: str, dtype: str, shape: tuple[int, ...], sha256: str
) -> CheckedArray:
    """An array in an .npy file of a folder; its header is compared, and nothing else read.

    Raises:
        FileError: the file has another header or size.
    """
    header, path = npy_header(dtype, shape), folder.absolute() / name
    with open_regular(path) as file:
        size, found = os.fstat(file.fileno()).st_size, file.read(len(header))
    told = (f"{folder}: {name}", "")
    array = CheckedArray(path, len(header), shape, dtype, dtype, None, sha256, 0, told)
    if size != len(header) + array.size or found != header:
        raise FileError(f"{told[0]} must be an .npy file of {dtype} {shape}, in C order")
    return array


def read_records(
    folder: Path, names: list[str], records: Any, files: Mapping[str, str]
) -> dict[str, CheckedArray]:
    """The arrays of a program by name, from their records; none is read.

    Raises:
        FileError: a record is not one of ``write_arrays``, or does not fit its file.
    """
    if not isinstance(records, list) or len(records) != len(names):
        raise FileError("network: arrays must be a list, one for each name")
    return {
        name: _read_record(folder, record, files)
        for name, record in zip(names, records, strict=True)
    }


def _read_record(folder: Path, record: Any, files: Mapping[str, str]) -> CheckedArray:
    outer = isinstance(record, dict) and "offset" in record
    more = ("offset", "held", "sha256") if outer else ()
    check_keys(record, ("dtype", "shape", "file", *more), "an array's record")
    dtype, shape, file = record["dtype"], record["shape"], record["file"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FileError(f"an array's dtype must be one of {', '.join(sorted(DTYPES))}")
    if not isinstance(shape, list) or len(shape) > 32 or not all(map(_is_size, shape)):
        raise FileError("an array's shape must be a list of sizes")
    if math.prod(shape) >= 2**56:
        raise FileError(f"an array can't have the shape {shape}")
    if not isinstance(file, str):
        raise FileError("an array's file must be a name")
    if not outer:
        if not _FILE.fullmatch(file) or file not in files:
            raise FileError(f"{printable(file)[:80]!r} is no array's file of the program")
        return npy_array(folder, file, dtype, tuple(shape), files[file])
    offset, held, digest = record["offset"], record["held"], record["sha256"]
    if not _is_size(offset) or not isinstance(held, str) or _kind(held) != np.dtype(dtype).kind:
        raise FileError("an array's offset and held must be those of numbers in a file")
    if not isinstance(digest, str) or not _HEXADECIMAL.fullmatch(digest) or "\0" in file:
        raise FileError("an array's sha256 must have 64 hexadecimal digits")
    path = Path(os.path.normpath(folder.resolve() / file))
    told = (f"{folder}: its weights lie in {printable(str(path))}, which", _ELSEWHERE)
    return CheckedArray(path, offset, tuple(shape), held, dtype, None, digest, offset, told)


def _kind(held: str) -> str:
    """Kind of numbers of a type in a file; "" for a type that can't be read."""
    if held == "bfloat16" or held in FLOAT8:
        return "f"
    return np.dtype(held).kind if held in DTYPES else ""


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**56
