"""Compiled kernels on disk, by the hash of what they were compiled from."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from xbar.errors import FileError
from xbar.files import cache_folder, write_bytes

_DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    """Where binaries are kept: ``xbar/kernels`` in the user's folder for caches."""
    return cache_folder("kernels")


def load(name: str) -> bytes | None:
    """The binary of a name; None where there is none, or a damaged one."""
    try:
        content = (folder() / name).read_bytes()
    except (OSError, FileError):  # FileError: the user has no home
        return None
    binary = content[_DIGEST:]
    return binary if hashlib.sha256(binary).digest() == content[:_DIGEST] else None


def keep(name: str, binary: bytes) -> None:
    """Keep a binary, if that is possible: without, it is compiled in each process."""
    with contextlib.suppress(OSError, FileError):
        folder().mkdir(parents=True, exist_ok=True)
        write_bytes(folder() / name, hashlib.sha256(binary).digest() + binary, force=True)
