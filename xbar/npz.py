""".npz archives and .npy files, read as data.

Nothing in them is unpickled. The size of an array is known from its header, before anything is
inflated; arrays that are not wanted are not read.
"""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, printable
from xbar.files import check_regular, read_start

# errors of numpy and zipfile for damaged archives: mostly undocumented, observed in tests
_NPZ_ERRORS = (
    ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, NotImplementedError,
    OverflowError, MemoryError, RecursionError, SyntaxError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip

_ZIP, _NPY = b"PK", b"\x93NUMPY"
_INFLATED = 1 << 28
_INFLATION = 100
"""Bytes that any archive may inflate to; beyond that, at most so many times its own size."""


def array_format(path: Path) -> str:
    """Format of an archive or array, by its first bytes or else by its name.

    Returns:
        "npz" or "npy"; "" for any other file.

    Raises:
        FileError: it can't be read, or is no regular file.
    """
    start, ending = read_start(path), path.suffix.lower()
    if start.startswith(_ZIP):
        return "npz"
    if start.startswith(_NPY):
        return "npy"
    return ending[1:] if ending in (".npz", ".npy") else ""


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz archive by name; nothing in it is unpickled.

    The size of each array is read from its header, and refused if the archive does not hold it or
    inflates beyond 256 MiB and 100 times its own size.

    Args:
        path: the archive.
        names: arrays that are wanted, as far as they are there; the others are not read. None for
            all.

    Raises:
        FileError: it can't be read, is not an .npz archive, is damaged, or inflates too far.
    """
    arrays = {}
    with _open_npz(path) as archive:
        members = _members(archive)
        wanted = [name for name in members if names is None or name in names]
        for name in wanted:
            _read_header(archive, members[name])
        most = max(_INFLATED, _INFLATION * path.stat().st_size)
        total = sum(members[name].file_size for name in wanted)
        if total > most:
            raise FileError(
                f"{path}: its arrays would take {total / 1e9:.3g} GB of memory, more than "
                f"{_INFLATION} times the file; save it without compression"
            )
        for name in wanted:
            with archive.open(members[name]) as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
                member.read()  # to the end, which compares the checksum
    return arrays


def npz_arrays(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz archive in memory, which must not be compressed; none is unpickled.

    Args:
        content: the archive.
        where: its name for messages.

    Raises:
        FileError: it is damaged or compressed.
    """
    arrays = {}
    with _npz_errors(where, ".npz archive"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        members, infos = _members(archive), archive.infolist()
        if len(members) != len(infos):
            raise ValueError("it holds other things than arrays")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("its arrays are compressed")
        if sum(info.file_size for info in infos) > len(content):
            raise ValueError("its arrays claim more bytes than it has")
        for name, info in members.items():
            part = io.BytesIO(archive.read(info))  # to the end, which compares the checksum
            shape, dtype = _header(part)
            _check_size(shape, dtype, info.file_size - part.tell())
            part.seek(0)
            arrays[name] = np.lib.format.read_array(part, allow_pickle=False)
    return arrays


def npz_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shapes and types of the arrays in an .npz archive, from their headers alone.

    Raises:
        FileError: it can't be read, is not an .npz archive, or is damaged.
    """
    with _open_npz(path) as archive:
        return {name: _read_header(archive, info) for name, info in _members(archive).items()}


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """The array in an .npy file; nothing in it is unpickled.

    Args:
        path: the file.
        mapped: whether whole numbers with one axis may be mapped, and read when they are used.

    Raises:
        FileError: it can't be read, is not an .npy file, or is damaged.
    """
    check_regular(path)
    with _npz_errors(path, ".npy file"), path.open("rb") as file:
        if file.read(2) == _ZIP:
            raise FileError(f"{path}: must be an .npy file, one array, not an archive of several")
        file.seek(0)
        shape, dtype = _header(file)
        start = file.tell()
        _check_size(shape, dtype, path.stat().st_size - start)
        if mapped and len(shape) == 1 and dtype.kind in "iu" and shape[0]:
            return np.memmap(path, dtype, mode="r", offset=start, shape=shape)
        file.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


@contextmanager
def _npz_errors(path: Path | str, kind: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old headers, which can be read
            yield
    except PermissionError as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    except _NPZ_ERRORS as error:
        what = printable(str(error) or type(error).__name__)[:200]
        raise FileError(f"{path}: is not a readable {kind} ({what})") from error


@contextmanager
def _open_npz(path: Path) -> Iterator[zipfile.ZipFile]:
    check_regular(path)
    with _npz_errors(path, ".npz archive"), zipfile.ZipFile(path) as archive:
        yield archive


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            name = info.filename.removesuffix(".npy")
            if name in members:
                raise ValueError(f"two arrays are called {name!r}")
            members[name] = info
    return members


def _read_header(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(info) as member:
        shape, dtype = _header(member)
        _check_size(shape, dtype, info.file_size - member.tell())
    return shape, dtype


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"its array is of version {version}, which plain numbers do not need")
    return shape, dtype


def _check_size(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> None:
    """Check that an array of plain values has its bytes."""
    if dtype.hasobject:
        raise ValueError("its values are Python objects")
    if dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError("its array has no size")
    if math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"its header declares {shape} of {dtype}, which it does not hold")
