"""Weights in several files, listed by an index.

    {"weight_map": {"fc.weight": "part-1.safetensors", "fc.bias": "part-2.safetensors"}}

The index names files beside it, nothing else. Each file must hold exactly the tensors that the
index says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xbar.errors import FileError
from xbar.files import is_file, read_file
from xbar.model.checkpoint import Entry
from xbar.model.graph import Graph
from xbar.model.safetensors import Located, is_safetensors, locate_safetensors
from xbar.model.source import Source
from xbar.model.state import read_entries, safetensors_entries, saved_entries
from xbar.tables import few

_MOST_INDEX = 1 << 26
"""Maximum size of an index in bytes."""


def is_index(data: bytes) -> bool:
    """Whether a file looks like the index of weights in several files.

    >>> is_index(b'{"weight_map": {}}'), is_index(b'{"nodes": []}')
    (True, False)
    """
    return data[:64].lstrip().startswith(b"{") and b'"weight_map"' in data


def read_shards(data: bytes, path: Path, source: Source) -> Graph:
    """The network whose weights are in the files that an index names.

    Raises:
        FileError: the index or a file is damaged or missing, or they don't fit each other.
        UntrustedFileError: the index names a file elsewhere, or a file holds pickled objects.
    """
    listed, files = _listed(data, path, source.where)
    entries: list[Entry] = []
    notes: list[str] = []
    for file, each in files.items():
        found, told = _entries(each)
        # a tensor that its writer left out as equal to another need not be listed
        own, equal = ({e.path for e in found if e.equal is kind} for kind in (False, True))
        _check_held(file, listed, own, equal, source.where)
        entries += found
        notes += told
    return read_entries(entries, source, ordered=False, notes=tuple(notes))


def locate_shards(path: Path) -> dict[str, Located]:
    """Where the tensors of the safetensors files are that an index names, by file.

    Raises:
        FileError: the index or a file is damaged, cut short or missing, or they don't fit.
        ModelError: a tensor has a type without numpy equivalent.
    """
    listed, files = _listed(read_file(path), path, path.name)
    found = {}
    for file, each in files.items():
        found[file] = locate_safetensors(each)
        own = {*found[file].tensors}
        _check_held(file, listed, own, {*found[file].metadata} - own, path.name)
    return found


def _listed(data: bytes, path: Path, where: str) -> tuple[Mapping[str, str], dict[str, Path]]:
    """The file of each tensor by an index, and each file's path, where they all are there."""
    listed = _weight_map(data, where)
    files = {file: path.parent / file for file in sorted(set(listed.values()))}
    missing = [file for file, each in files.items() if not is_file(each)]
    if missing:
        raise FileError(
            f"{where}: {few(missing)} must be beside it, {len(missing)} of its {len(files)} files"
        )
    return listed, files


def _check_held(
    file: str, listed: Mapping[str, str], own: set[str], equal: set[str], where: str
) -> None:
    """Check that a file holds what the index lists, or says that it is equal to that."""
    named = {name for name, each in listed.items() if each == file}
    odd = (named - own - equal) | (own - named)
    if odd:
        raise FileError(
            f"{where}: {file} must hold the tensors that the index lists; "
            f"{few(sorted(odd))} stands in one of them only"
        )


def _entries(path: Path) -> tuple[list[Entry], tuple[str, ...]]:
    data = read_file(path)
    if is_safetensors(data):
        return safetensors_entries(data, path.name)
    return saved_entries(data, path.name), ()


def _weight_map(data: bytes, where: str) -> Mapping[str, str]:
    if len(data) > _MOST_INDEX:
        raise FileError(f"{where}: the index is larger than {_MOST_INDEX} bytes")
    try:
        record: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: the index is not valid JSON ({str(error)[:80]})") from None
    listed = record.get("weight_map") if isinstance(record, dict) else None
    if not isinstance(listed, dict) or not listed:
        raise FileError(f"{where}: its weight_map must give each tensor's file")
    for file in listed.values():
        if not isinstance(file, str) or not _is_plain(file):
            raise FileError(f"{where}: it names {str(file)[:60]!r}, which is no file beside it")
    return listed


def _is_plain(file: str) -> bool:
    r"""Whether a name is one file in the same folder, on any system.

    >>> _is_plain("a-00001.safetensors"), _is_plain("../a"), _is_plain("c:a"), _is_plain(".")
    (True, False, False, False)
    """
    return file.isprintable() and not set(file) & set("/\\:") and file.strip(". ") != ""
