"""Arrays of a program's layers on disk, mapped into memory.

One file a layer, named by the checksum of all that its arrays follow from, in ``xbar/layers`` of
the user's folder for caches. A file is written under another name and renamed, so that a run that
is killed leaves no part of one, and runs side by side can't disturb each other; it holds its name
and ends with its own checksum, which are compared before it is used. All together take at most half
of what the disk has free: those that were not used for the longest time make room.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import bytes_of
from xbar.errors import FileError
from xbar.files import cache_folder

_ALIGNED = 64
_PIECE = 1 << 24
_STALE = 86400.0  # seconds after which a file that nobody finished is removed
_DIGEST = hashlib.sha256().digest_size
_SUFFIX = ".layer"

Reals = NDArray[np.floating[Any]]


def folder() -> Path:
    """Where the files lie: ``xbar/layers`` in the user's folder for caches."""
    return cache_folder("layers")


@dataclass(eq=False)
class Mapped:
    """Arrays of a file, mapped into memory: read when used, and dropped by ``release``.

    Attributes:
        arrays: arrays by name, not to be written to.
    """

    arrays: dict[str, Reals]
    _memory: mmap.mmap

    def release(self) -> None:
        """Give the memory back; the next use reads the file again."""
        advice = getattr(mmap, "MADV_DONTNEED", None)  # not on every system
        if advice is not None:
            self._memory.madvise(advice)

    @classmethod
    def open(cls, path: Path, key: str) -> Mapped | None:
        """The arrays of a file; None if there is none, a damaged one, or one of another key."""
        try:
            with path.open("rb") as file:
                if not _is_whole(file):
                    return None
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            size = int.from_bytes(memory[:8], "little")
            head = json.loads(memory[8 : 8 + size])
        except (OSError, ValueError):
            return None
        if head["key"] != key:
            return None
        with contextlib.suppress(OSError):  # the time of its last use
            os.utime(path)
        return cls(
            {
                name: np.frombuffer(memory, dtype, int(np.prod(shape)), offset).reshape(shape)
                for name, (dtype, shape, offset) in head["arrays"].items()
            },
            memory,
        )


def _is_whole(file: BinaryIO) -> bool:
    """Whether a file ends with its checksum."""
    left = os.fstat(file.fileno()).st_size - _DIGEST
    digest = hashlib.sha256()
    while left > 0:
        piece = file.read(min(_PIECE, left))
        if not piece:
            return False
        digest.update(piece)
        left -= len(piece)
    return left == 0 and file.read() == digest.digest()


@dataclass(eq=False)
class LayerCache:
    """The files of a run.

    Attributes:
        path: folder of the files.
        used: names of those that this run uses, which it keeps.
    """

    path: Path = field(default_factory=folder)
    used: set[str] = field(default_factory=set)

    def load(self, key: str) -> Mapped | None:
        """The arrays of a key; None if they are not there, or damaged."""
        self.used.add(key + _SUFFIX)
        return Mapped.open(self.path / (key + _SUFFIX), key)

    def keep(self, key: str, arrays: Mapping[str, Reals]) -> Mapped:
        """Write the arrays of a key; returns them mapped.

        Raises:
            FileError: they can't be written, as on a disk that is full.
        """
        path = self.path / (key + _SUFFIX)
        self.used.add(path.name)
        temporary = self.path / f".{key[:16]}.{secrets.token_hex(8)}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._make_room(sum(each.nbytes for each in arrays.values()))
            with temporary.open("xb") as file:
                _write(file, key, arrays)
            found = Mapped.open(temporary, key)  # under its own name another run may remove it
            temporary.replace(path)
        except OSError as error:
            raise FileError(
                f"{self.path}: the matrices of layers can't be kept on disk "
                f"({error.strerror or error}); make room, set XDG_CACHE_HOME to a folder on "
                "another disk, or leave the limit of memory out"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if found is None:
            raise FileError(f"{path}: was changed while it was written; run again")
        return found

    def _make_room(self, size: int) -> None:
        """Remove files of other runs, the longest unused first, for more bytes."""
        files = sorted(self._files())
        disk = os.statvfs(self.path)
        total = size + sum(length for _, length, path in files if path.suffix == _SUFFIX)
        most = (disk.f_bavail * disk.f_frsize + total - size) // 2
        for used, length, path in files:
            unfinished = path.name.startswith(".")
            if path.name in self.used or (unfinished and time.time() - used < _STALE):
                continue
            if unfinished or total > most:
                path.unlink(missing_ok=True)
                total -= 0 if unfinished else length

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.path.iterdir():
            if path.suffix == _SUFFIX or path.name.startswith("."):
                with contextlib.suppress(OSError):  # another run removed it
                    found = path.stat()
                    yield found.st_mtime, found.st_size, path


def _write(file: BinaryIO, key: str, arrays: Mapping[str, Reals]) -> None:
    """Length of the head, head, arrays, checksum."""
    head: dict[str, tuple[str, tuple[int, ...], int]] = {}
    room = 4096 * (1 + (len(key) + 100 + sum(len(name) + 100 for name in arrays)) // 4096)
    offset = 8 + room
    for name, each in arrays.items():
        offset += -offset % _ALIGNED
        head[name] = each.dtype.newbyteorder("<").str, each.shape, offset
        offset += each.nbytes
    digest = hashlib.sha256()
    text = json.dumps({"key": key, "arrays": head}).encode().ljust(room)
    done = 0
    for piece in (room.to_bytes(8, "little"), text):
        done += _put(file, digest, piece)
    for name, each in arrays.items():
        done += _put(file, digest, bytes(head[name][2] - done))
        done += _put(file, digest, bytes_of(each).data)
    file.write(digest.digest())
    file.flush()
    os.fsync(file.fileno())


def _put(file: BinaryIO, digest: Any, piece: bytes | memoryview) -> int:
    digest.update(piece)
    file.write(piece)
    return len(piece)
