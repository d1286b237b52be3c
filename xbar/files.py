"""Writes that are whole or absent, whatever interrupts them; and .npz archives read as data.

What is written is made under a hidden name beside its place and renamed when it is complete.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, printable

# what numpy and zipfile raise for damaged archives: they document few, these were met by damage
_NPZ_ERRORS = (
    ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, NotImplementedError,
    OverflowError, MemoryError, RecursionError, SyntaxError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip


def refuse_existing(path: Path, *, force: bool) -> None:
    """An existing path is in the way unless it may be replaced.

    Raises:
        FileError: it exists and ``force`` is not set.
    """
    if os.path.lexists(path) and not force:
        raise FileError(f"{path}: exists already; choose another name, or replace it by --force")


def write_text(path: Path, text: str, *, force: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    write_bytes(path, text.encode(), force=force)


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write a file, whole or not at all.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    refuse_existing(path, force=force)
    if path.is_dir():
        raise FileError(f"{path}: is a directory; choose another name")
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise FileError(f"{path}: can't be written ({error.strerror or error})") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def refuse_directory(path: Path, marker: str, *, force: bool) -> None:
    """An existing folder is in the way unless it may be replaced and is of the right kind.

    Raises:
        FileError: it exists and ``force`` is not set, or has no ``marker``.
    """
    refuse_existing(path, force=force)
    if os.path.lexists(path) and not (path / marker).is_file():
        raise FileError(f"{path}: exists and has no {marker}, so it is not replaced")


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz archive by name; nothing in it is unpickled.

    Raises:
        FileError: it can't be read, is no .npz archive, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old headers, which are read all the same
            arrays = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    with archive.open(info) as member:
                        array = np.lib.format.read_array(member, allow_pickle=False)
                        member.read()  # to the end, where the checksum is compared
                    arrays[info.filename.removesuffix(".npy")] = array
            return arrays
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    except _NPZ_ERRORS as error:
        what = printable(str(error) or type(error).__name__)[:200]
        raise FileError(f"{path}: is no readable .npz archive ({what})") from error


@contextmanager
def new_directory(
    path: Path, marker: str, *, force: bool = False, within: Path | None = None
) -> Iterator[Path]:
    """A fresh folder that takes its place when the block ends, and vanishes if it fails.

    Args:
        path: its place.
        marker: a file that the folder will hold; an existing folder without it is never replaced.
        force: replace an existing folder.
        within: a folder of the same file system in which it is made; beside its place where
            nothing is said.

    Raises:
        FileError: the path is in the way, or can't be written.
    """
    refuse_directory(path, marker, force=force)
    beside = within or path.absolute().parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=beside))
    except OSError as error:
        raise FileError(f"{path}: can't be written ({error.strerror})") from error
    try:
        folder.chmod(0o755)
        yield folder
        _take_place(folder, path)
    except OSError as error:
        raise FileError(f"{path}: can't be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    old = folder.with_name(folder.name + ".old")
    path.rename(old)
    folder.rename(path)
    shutil.rmtree(old)
