"""Folders of work that is not finished: one run at a time writes there, and only its own files.

    .out.xbar.unfinished/    a compilation, see ``compiler/journal.py``
    .tuned.pt2.unfinished/   a training, see ``training/checkpoint.py``

A folder of such a name that is a link, or holds what such work does not leave, is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from xbar.errors import FileError, printable

_NOTHING = re.compile("(?!)")


def unfinished_folder(output: Path) -> Path:
    """The folder of work whose result will be at a path."""
    return output.absolute().parent / f".{output.name}.unfinished"


@contextmanager
def locked(
    folder: Path, output: Path, files: re.Pattern[str], folders: re.Pattern[str] = _NOTHING
) -> Iterator[None]:
    """Make a folder where there is none, and hold its lock, which ends however the run ends.

    Args:
        folder: path of the folder.
        output: what the work is for, as messages name it.
        files: matches the files that it may hold, by their paths within it.
        folders: likewise for folders.

    Raises:
        FileError: it is a link or no folder, holds other things, or another run holds its lock.
        OSError: it can't be made or read.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    check_own(folder, output, files, folders)
    with _open_lock(folder / "lock") as lock:
        _hold(lock, output)
        yield


def check_own(
    folder: Path, output: Path, files: re.Pattern[str], folders: re.Pattern[str] = _NOTHING
) -> None:
    """Check that a folder is one of unfinished work, by what it holds; as ``locked``.

    Raises:
        FileError: it is a link, no folder, or holds other things.
        OSError: it can't be read.
    """
    problem = None if stat.S_ISDIR(folder.lstat().st_mode) else "is not a folder"
    waiting = [] if problem else [""]
    while waiting and problem is None:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False) and folders.fullmatch(path):
                    waiting.append(path + "/")
                elif not (entry.is_file(follow_symlinks=False) and files.fullmatch(path)):
                    problem = f"holds {printable(path)}, which is no part of an unfinished run"
    if problem is not None:
        where = "" if folder == output else f"{folder.name} next to it "
        raise FileError(
            f"{output}: {where}{problem}; look at it and remove it, or choose another name"
        )


def _open_lock(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+")


def _hold(lock: IO[str], output: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(
            f"{output}: another run is writing it; wait for it, or choose another name"
        ) from None
