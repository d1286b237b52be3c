"""Atomic writes of files; regular files read whole.

A file is written under a temporary name next to its destination and renamed when complete.
``folders.py`` does the same for folders.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xbar.errors import FileError, printable

_BUFFER = 1 << 20
_NAME = 100
"""Characters of a file's name in that of its temporary file."""


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse an existing path unless it may be replaced.

    Raises:
        FileError: it exists and ``force`` is not set, or is a device or pipe; or it lies within a
            program or configuration.
    """
    refuse_inside(path)
    if not os.path.lexists(path):
        return
    if not force:
        raise FileError(f"{path}: exists already; choose another name, or replace it by --force")
    if (mode := mode_of(path)) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(f"{path}: is a device or pipe, which is not replaced; choose another name")


_INDEXES = ("manifest.json", "configuration.json")


def refuse_inside(path: Path) -> None:
    """Refuse a path within a program or configuration, which another file there would damage.

    Raises:
        FileError: one of its parents is such a folder.
    """
    for parent in path.absolute().parents:
        for name in _INDEXES:
            index = parent / name
            try:
                content = index.read_bytes() if index.is_file() else b""
            except OSError:  # it can't be looked at, or the name is too long
                continue
            if b'\n "kind": "xbar ' in content:
                raise FileError(
                    f"{path}: lies within {parent}, which xbar wrote and which can hold nothing "
                    "else; choose another place"
                )


def write_text(path: Path, text: str, *, force: bool = False) -> None:
    """Write a text file in UTF-8, atomically.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    # bytes of a file's name that are no UTF-8 are lone surrogates in a text
    write_bytes(path, text.encode(errors="backslashreplace"), force=force)


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write a file atomically.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    refuse_existing(path, force=force)
    if stat.S_ISDIR(mode_of(path)):
        raise FileError(f"{path}: is a directory; choose another name")
    temporary: Path | None = None
    try:
        name = f".{path.name[:_NAME]}.{secrets.token_hex(8)}"
        # created with the mode that the process's umask leaves
        handle = os.open(path.absolute().parent / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        temporary = path.absolute().parent / name
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: can't be written ({reason})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refuse_name(path: Path) -> None:
    """Refuse a path that can't be, such as one with a name of 5,000 letters.

    Raises:
        FileError: the system says so.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: can't be written ({reason})") from error


def cache_folder(part: str) -> Path:
    """Folder of a part of xbar in the user's folder for caches (XDG Base Directory Specification).

    Raises:
        FileError: the user has no such folder.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        caches = home if home.is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError as error:
        raise FileError(
            "there is no folder for caches, as the user has no home; set XDG_CACHE_HOME to the "
            "absolute path of one"
        ) from error
    return caches / "xbar" / part


def is_file(path: Path) -> bool:
    """Whether there is a file at a path; False also where no file can have its name."""
    try:
        return path.is_file()
    except OSError:
        return False


def mode_of(path: Path) -> int:
    """The mode of a file or folder; 0 where there is none, or none can be by that name."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return 0


def read_regular(path: Path, missing: str = "", most: int | None = None) -> bytes:
    """The content of a regular file; a link at its end is not followed, a pipe not waited for.

    Args:
        path: path of the file.
        missing: error message if there is no such file.
        most: bytes that it may have; what a sparse file only claims to hold is not read.

    Raises:
        FileError: it can't be read, is larger, or is a link, folder, pipe, socket or device.
    """
    with open_regular(path, missing, most) as file:
        return file.read()


def file_sha256(path: Path, start: int = 0, count: int | None = None) -> str:
    """sha256 of a regular file, or of some bytes of it; it is not read as a whole.

    Args:
        path: path of the file; a link at its end is not followed.
        start: the first byte.
        count: number of bytes; None for all that follow.

    Raises:
        FileError: it can't be read, ends before, or is no regular file.
    """
    digest, left = hashlib.sha256(), count
    buffer = memoryview(bytearray(_BUFFER))
    with open_regular(path) as file:
        file.seek(start)
        while left is None or left > 0:
            size = file.readinto(buffer if left is None else buffer[: min(left, _BUFFER)])
            if not size:
                break
            digest.update(buffer[:size])
            left = None if left is None else left - size
    if left:
        raise FileError(f"{printable(str(path))}: is cut short, by {left:,} bytes")
    return digest.hexdigest()


@contextmanager
def open_regular(
    path: Path, missing: str = "", most: int | None = None
) -> Iterator[io.BufferedReader]:
    """Open a regular file to read; as ``read_regular``.

    Raises:
        FileError: as there, also while the block reads it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileError(f"{printable(str(path))}: is not a regular file")
            size = os.fstat(file.fileno()).st_size
            if most is not None and size > most:
                raise FileError(
                    f"{printable(str(path))}: must have at most {most:,} bytes, not {size:,}"
                )
            yield file
    except FileNotFoundError as error:
        message = f"{printable(str(path))}: can't be read ({error.strerror})"
        raise FileError(missing or message) from error
    except OSError as error:
        reason = "is a link" if error.errno == errno.ELOOP else f"can't be read ({error.strerror})"
        raise FileError(f"{printable(str(path))}: {reason}") from error


def read_file(path: Path) -> bytes:
    """The bytes of a regular file; pipes and devices, which may never end, are refused.

    Raises:
        FileError: it can't be read, or is no regular file.
    """
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror or error})") from error


def read_start(path: Path, size: int = 16) -> bytes:
    """The first bytes of a regular file, which tell its kind.

    Raises:
        FileError: it can't be read, or is no regular file.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror or error})") from error


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, before it is opened.

    Raises:
        FileError: there is nothing, or a directory, pipe or device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: can't be read ({reason})") from error
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: can't be read (Is a directory)")
    if not stat.S_ISREG(mode):
        raise FileError(f"{path}: must be a regular file, not a pipe or device")
