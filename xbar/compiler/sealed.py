"""Indexes of folders: JSON files that vouch for themselves and for every other file.

An index has the keys ``kind`` and ``format``, ``files``, the sha256 of every other file of the
folder by name, and ``checksum``: the sha256 of the index itself, with zeros in place of the
checksum's own 64 digits. JSON is read strictly: no name twice in an object, no NaN or infinity.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar.errors import FileError, printable
from xbar.files import file_sha256, mode_of, read_regular
from xbar.folders import LARGEST_INDEX, Marker, list_folder
from xbar.parallel import cpus, in_threads

_BLANK = "0" * 64
_CHECKSUM = re.compile(rb'\n "checksum": "([0-9a-f]{64})"')
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")

# a strict reading raises these for damaged text; deep nesting a RecursionError
JSON_ERRORS = (ValueError, RecursionError)


def read_json(text: bytes) -> Any:
    """Parse JSON strictly.

    Raises:
        ValueError: it is not JSON in UTF-8, an object has a name twice, or a number is not finite.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_no_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("an object has the same name twice")
    return record


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def seal(content: dict[str, Any]) -> bytes:
    """The text of an index with these keys, sorted, and its checksum."""
    text = json.dumps({**content, "checksum": _BLANK}, indent=1, sort_keys=True, allow_nan=False)
    blank = text.encode() + b"\n"
    return _replaced(blank, hashlib.sha256(blank).hexdigest().encode())


def is_intact(text: bytes) -> bool:
    """Whether an index has the checksum of its own content."""
    found = _CHECKSUM.search(text)
    blank = _replaced(text, _BLANK.encode())
    return found is not None and hashlib.sha256(blank).hexdigest().encode() == found[1]


def _replaced(text: bytes, digits: bytes) -> bytes:
    found = _CHECKSUM.search(text)
    return text if found is None else text[: found.start(1)] + digits + text[found.end(1) :]


@dataclass(frozen=True)
class SealedFolder:
    """A folder whose index is intact.

    Attributes:
        path: path of the folder.
        content: the index.
        sizes: bytes of every file except the index, by name relative to the folder.
        index_bytes: bytes of the index.
    """

    path: Path
    content: dict[str, Any]
    sizes: dict[str, int]
    index_bytes: int

    @classmethod
    def open(cls, path: Path, marker: Marker, format_: int, writer: str) -> SealedFolder:
        """Read the index of a folder and list its files.

        Args:
            path: path of the folder.
            marker: name and kind of the index.
            format_: format that can be read.
            writer: what writes such a folder again, for the messages.

        Raises:
            FileError: it is not such a folder, its index was changed, or it holds a link or
                something else that is neither file nor folder.
        """
        content = read_index(path, marker, format_, writer)
        sizes = list_folder(path)
        index_bytes = sizes.pop(marker.name, 0)
        return cls(path, content, sizes, index_bytes)

    def faults(self, *, contents: bool = True) -> Iterator[str]:
        """What is wrong with the names of the files and their contents, one sentence each."""
        listed = self.content["files"]
        for name in sorted(self.sizes.keys() ^ listed.keys()):
            shown = printable(name)
            yield f"{shown} {'is missing' if name in listed else 'does not belong to it'}"
        there = [name for name in listed if contents and name in self.sizes]
        told: dict[str, str] = {}

        def look(name: str) -> None:
            try:
                if file_sha256(self.path / name) != listed[name]:
                    told[name] = f"{printable(name)} was changed after it was written"
            except FileError as error:
                told[name] = str(error).removeprefix(f"{self.path}: ")

        in_threads(look, there, cpus())
        yield from (told[name] for name in there if name in told)

    def read(self, name: str, most: int | None = None) -> bytes:
        """A file's content, which has the checksum of the index.

        Args:
            name: name of the file.
            most: bytes that it may have.

        Raises:
            FileError: it can't be read, is larger, or was changed.
        """
        content = read_regular(self.path / name, "", most)
        if hashlib.sha256(content).hexdigest() != self.content["files"][name]:
            raise FileError(f"{self.path}: {printable(name)} was changed after it was written")
        return content


def read_index(path: Path, marker: Marker, format_: int, writer: str) -> dict[str, Any]:
    """The index of a folder, its checksum compared; see ``SealedFolder.open``.

    Raises:
        FileError: there is none of this kind and format, or it was changed.
    """
    again = f"write it again with {writer}"
    if not stat.S_ISDIR(mode := mode_of(path)):
        state = "is not a directory" if mode else "does not exist"
        raise FileError(f"{path}: {state}; {writer} writes one")
    missing = f"{path}: has no {marker.name}; {writer} writes one"
    text = read_regular(path / marker.name, missing, LARGEST_INDEX)
    try:
        content = read_json(text)
    except JSON_ERRORS as error:
        what = printable(str(error))[:200]
        raise FileError(f"{path}: {marker.name} is damaged ({what}); {again}") from error
    if not isinstance(content, dict) or content.get("kind") != marker.kind:
        raise FileError(f"{path}: {marker.name} does not describe an {marker.kind}")
    if content.get("format") != format_ and ("checksum" not in content or is_intact(text)):
        raise FileError(
            f"{path}: has format {str(content.get('format'))[:20]}, this xbar reads {format_}; "
            f"write it again with this version of {writer}"
        )
    if not is_intact(text):
        raise FileError(f"{path}: {marker.name} was changed after it was written; {again}")
    files = content.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(digest, str) and _HEXADECIMAL.fullmatch(digest) for digest in files.values()
    ):
        raise FileError(f"{path}: {marker.name} does not list its files; {again}")
    return content


def changed_files(path: Path, marker: Marker) -> Iterator[str]:
    """What differs from a changed index as far as it can still be read, one sentence each."""
    try:
        content, sizes = (
            read_json(read_regular(path / marker.name, "", LARGEST_INDEX)),
            list_folder(path),
        )
    except (FileError, *JSON_ERRORS):
        return
    files = content.get("files") if isinstance(content, dict) else None
    if isinstance(files, dict):
        sizes.pop(marker.name, None)
        yield from SealedFolder(path, {"files": files}, sizes, 0).faults()
