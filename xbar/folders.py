"""Atomic writes of folders that xbar may replace; safe listing of the files in a folder.

A folder is written under a temporary name next to its destination and takes its place when
complete. It has an index, a JSON file with its ``kind`` and, under ``files``, the name of every
other file. With ``force`` a folder is replaced only if its index is of the same kind and lists
exactly the files that it has; only these are deleted. Old and new folder exchange their names in
one step where the file system can do that (Linux, most local ones). Elsewhere the old one is
renamed first; if the run is killed before the second rename, the next one renames it back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from xbar.errors import FileError, printable
from xbar.files import read_regular, refuse_existing, refuse_name

LARGEST_INDEX = 1 << 28
"""Maximum bytes of an index."""
DEEPEST = 16
"""Maximum depth of a folder."""

_OLD = ".old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


class Marker(NamedTuple):
    """What identifies a folder of xbar's own.

    Attributes:
        name: name of its index.
        kind: value of ``kind`` in the index.
    """

    name: str
    kind: str


def list_folder(path: Path) -> dict[str, int]:
    """Size in bytes of every file in a folder and below, by relative name with slashes.

    Raises:
        FileError: something in it is a link, pipe, socket or device, a folder in it is empty, it is
            nested too deeply, or it can't be read.
    """
    sizes: dict[str, int] = {}
    waiting = [("", 0)]
    try:
        while waiting:
            prefix, depth = waiting.pop()
            if depth > DEEPEST:
                raise FileError(f"{path}: {printable(prefix)[:80]} is nested too deeply")
            before = len(sizes) + len(waiting)
            with os.scandir(path / prefix) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((name + "/", depth + 1))
                    elif entry.is_file(follow_symlinks=False):
                        sizes[name] = entry.stat(follow_symlinks=False).st_size
                    else:
                        what = _what(entry.stat(follow_symlinks=False).st_mode)
                        raise FileError(
                            f"{path}: {printable(name)} is a {what}, which does not belong to it"
                        )
            if prefix and len(sizes) + len(waiting) == before:
                raise FileError(f"{path}: {printable(prefix)} is empty and does not belong to it")
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    return sizes


def _what(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


def refuse_directory(path: Path, marker: Marker, *, force: bool) -> None:
    """Refuse an existing path unless it is a folder that may be replaced.

    Raises:
        FileError: it exists and ``force`` is not set, or is not a folder with an index of the
            marker's kind and exactly the files that the index lists; or it lies in such a folder.
    """
    refuse_existing(path, force=force)
    if os.path.lexists(path):
        _own_files(path, marker)


def _own_files(path: Path, marker: Marker) -> list[str]:
    """The files of a folder of xbar's own, its index last.

    Raises:
        FileError: it is not such a folder, or its index does not list exactly its files.
    """
    if path.is_symlink() or not path.is_dir():
        what = "a link" if path.is_symlink() else "no folder"
        raise FileError(f"{path}: is {what}, so it is not replaced; choose another name")
    text = read_regular(
        path / marker.name,
        f"{path}: exists and has no {marker.name}, so it is not replaced",
        LARGEST_INDEX,
    )
    try:
        index = json.loads(text)
    except (ValueError, RecursionError):
        index = None
    listed = index.get("files") if isinstance(index, dict) else None
    if (
        not isinstance(index, dict)
        or index.get("kind") != marker.kind
        or not isinstance(listed, dict)
    ):
        raise FileError(
            f"{path}: {marker.name} is not that of an {marker.kind}, so the folder is not "
            "replaced; choose another name, or delete it yourself"
        )
    found = list_folder(path)
    for name in sorted(found.keys() ^ {*listed, marker.name}):
        state = "is missing" if name not in found else f"is not listed in {marker.name}"
        raise FileError(
            f"{path}: {printable(name)} {state}, so the folder is not replaced; choose another "
            "name, or delete it yourself"
        )
    return [*sorted(found.keys() - {marker.name}), marker.name]


@contextmanager
def new_directory(
    path: Path, marker: Marker, *, force: bool = False, within: Path | None = None
) -> Iterator[Path]:
    """Create a folder atomically: it takes its place when the block ends, is deleted if it fails.

    Args:
        path: path of the folder.
        marker: its index, which the block must write.
        force: replace an existing folder of the same kind.
        within: parent of the temporary folder, on the same file system; by default that of the
            path.

    Raises:
        FileError: the path exists and may not be replaced, or can't be written.
    """
    refuse_name(path)
    beside = within or path.absolute().parent
    recover(path, marker, beside)
    refuse_directory(path, marker, force=force)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=beside))
    except OSError as error:
        raise FileError(f"{path}: can't be written ({error.strerror})") from error
    try:
        try:
            folder.chmod(new_mode())
            yield folder
            old = _own_files(path, marker) if force and os.path.lexists(path) else []
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _take_place(folder, path, old, keep=False)
    except OSError as error:
        raise FileError(f"{path}: can't be written ({error.strerror or error})") from error


def take_place(folder: Path, path: Path, marker: Marker, *, force: bool) -> None:
    """Rename a complete folder to its path, as ``new_directory`` does; it stays if that fails.

    Raises:
        FileError: the path exists and may not be replaced.
        OSError: it can't be renamed.
    """
    refuse_directory(path, marker, force=force)
    old = _own_files(path, marker) if os.path.lexists(path) else []
    _take_place(folder, path, old, keep=True)


def new_mode() -> int:
    """The mode of a new folder, as the process's umask leaves it."""
    return 0o777 & ~_umask()


def _umask() -> int:
    """The process's umask; Linux tells it without changing it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("Umask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        return 0o022


def _take_place(folder: Path, path: Path, old: list[str], *, keep: bool) -> None:
    """Rename a folder to its path, and delete the files of the folder that was there.

    If it can't be renamed it is deleted, or kept.
    """
    if not old:
        _rename(folder, path, keep=keep)
        return
    aside = folder
    if not _exchange(folder, path):
        aside = folder.with_name(folder.name + _OLD)
        path.rename(aside)
        _rename(folder, path, keep=keep)
    _delete(aside, old)


def _rename(folder: Path, path: Path, *, keep: bool) -> None:
    try:
        folder.rename(path)
    except OSError:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two folders in one step; False where that is not possible.

    Raises:
        OSError: it failed for another reason.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(first), os.fsencode(second)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code))


def _delete(folder: Path, names: list[str]) -> None:
    """Delete these files of a folder and the folders that are then empty; nothing else.

    Raises:
        FileError: it has other files by now, and stays.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in names:
            (folder / name).unlink()
        parents = {above for name in names for above in Path(name).parents}
        for inner in sorted(parents, key=lambda each: len(each.parts), reverse=True):
            try:
                (folder / inner).rmdir()
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                raise FileError(
                    f"{folder}: holds files that came while it was replaced; it stays, look at it"
                ) from error


def recover(path: Path, marker: Marker, beside: Path) -> None:
    """Rename a folder back that was moved aside by a run that was then killed.

    Args:
        path: path of the folder; nothing is done if it exists.
        marker: its index.
        beside: parent of the temporary folders.
    """
    if os.path.lexists(path):
        return
    for aside in sorted(beside.glob(f".{glob.escape(path.name)}.*.tmp{_OLD}")):
        with contextlib.suppress(FileError, OSError):
            _own_files(aside, marker)
            aside.rename(path)
            return
