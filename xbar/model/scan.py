"""Safety checks of model files before they are read.

``torch.export.load`` executes code from a malicious archive in several ways: pickled sample inputs,
weights stored as pickles, sizes evaluated as Python, guards that run when the module is called, and
compiled libraries. xbar uses none of these; a file that contains one is refused all the same,
because a regular export does not produce them, and because opening it with another tool would be
dangerous.

Archives are zip files. They are checked strictly (no compression, no irregular or duplicate names),
so that all readers see the same contents.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

from xbar.errors import FileError, UntrustedFileError
from xbar.model.sizes import check_expression, check_guards

# zipfile reads lazily: damage surfaces as any of these
ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, KeyError,
    NotImplementedError, RuntimeError, UnicodeError, OverflowError, zlib.error,
)  # fmt: skip

_NATIVE_SUFFIX = re.compile(
    r"\.(so(\.\d+)*|dll|dylib|pyd|o|a|exe|cubin|ptx|hsaco|wasm|py|pyc)$", re.I
)
_NATIVE_START = (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"!<arch>\n")
_HARMLESS = re.compile(
    r"collections OrderedDict"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter)"
    r"|torch (\w+Storage|Size|device|_?\w*float\w*|double|half|u?int\d*|long|short|bool)"
    r"|torch\.storage (_LoadWrapper|UntypedStorage|TypedStorage)"
    r"|torch\.serialization _get_layout"
    r"|torch\.(nn\.parameter )?(Parameter|Buffer)"
)
_BUILDS_OBJECTS = frozenset("STACK_GLOBAL INST OBJ NEWOBJ_EX EXT1 EXT2 EXT4 PERSID".split())

MOST_SOURCE = 1 << 26
"""Maximum size of a TorchScript archive's source text in bytes, uncompressed."""


def list_members(data: bytes, where: str) -> tuple[str, ...]:
    """Names of a zip file's members, validated, without the top-level folder.

    Raises:
        FileError: the file is damaged, or has members with irregular or duplicate names.
    """
    return tuple(_without_folder(_members(_open(data, where), where)))


def _open(data: bytes, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except ZIP_ERRORS as error:
        raise FileError(f"{where}: the file is damaged or cut short ({error})") from None


def _members(archive: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if not members:
        raise FileError(f"{where}: the archive is empty")
    seen: set[str] = set()
    for info in members:
        name = info.filename
        bad = (
            not name
            or name.startswith("/")
            or "\\" in name
            or ":" in name
            or ".." in name.split("/")
        )
        if bad or name.casefold() in seen or info.orig_filename != name:
            raise FileError(
                f"{where}: the archive has a member {name[:80]!r} with a repeated name or "
                "a path out of it; export the model again"
            )
        seen.add(name.casefold())
    return members


def _without_folder(members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    roots = {info.filename.split("/")[0] for info in members}
    plain = len(roots) == 1 and all("/" in info.filename for info in members)
    cut = len(next(iter(roots))) + 1 if plain else 0
    return {info.filename[cut:]: info for info in members}


class Archive:
    """The members of a checked zip file, by name without the top-level folder."""

    def __init__(self, data: bytes, where: str, source: bool = False) -> None:
        """Open an archive.

        Args:
            data: contents of the file.
            where: file name for messages.
            source: whether members in code/ may be compressed, as in TorchScript.

        Raises:
            FileError: it is damaged, or was not written by ``torch.save`` or
                ``torch.export.save``.
        """
        self.where = where
        self._zip = _open(data, where)
        members = _members(self._zip, where)
        packed = [
            info
            for info in members
            if source and "/code/" in info.filename and info.compress_type == zipfile.ZIP_DEFLATED
        ]
        if sum(info.file_size for info in packed) > MOST_SOURCE:
            raise FileError(f"{where}: its source text is larger than {MOST_SOURCE} bytes")
        for info in members:
            stored = info.compress_type == zipfile.ZIP_STORED
            if (not stored and info not in packed) or info.flag_bits & 1:
                raise FileError(
                    f"{where}: the member {info.filename[:80]!r} is compressed or encrypted, which "
                    "torch.export.save never does; export the model again"
                )
        if sum(info.file_size for info in members if info not in packed) > len(data):
            raise FileError(f"{where}: the members are larger than the file")
        self._members = _without_folder(members)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members, without the top-level folder."""
        return tuple(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """Contents of a member, with its checksum verified."""
        if name not in self._members:
            raise FileError(f"{self.where}: the archive lacks its member {name[:80]!r}")
        try:
            info = self._members[name]
            with self._zip.open(info) as member:
                # bounded, so that a compressed member can't expand further
                return member.read(info.file_size)
        except ZIP_ERRORS as error:
            raise FileError(f"{self.where}: {name[:80]} is damaged ({error})") from None

    def read_json(self, name: str) -> Any:
        """A member parsed as JSON."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise FileError(f"{self.where}: {name[:80]} is not valid JSON ({error})") from None


def scan_export(archive: Archive) -> None:
    """Refuse an exported archive that contains code in any of the known forms.

    Raises:
        UntrustedFileError: it contains code.
    """
    for name in archive.names:
        where = f"{archive.where}: {name[:80]}"
        path = PurePosixPath(name)
        start = archive.read(name)[:8]
        native = _NATIVE_SUFFIX.search(name) or "aotinductor" in path.parts
        if native or start.startswith(_NATIVE_START):
            raise UntrustedFileError(
                f"{where} is program code; export the model without compiling it"
            )
        if path.suffix == ".pt":
            check_pickle(archive.read(name), where)
        elif path.suffix == ".json" and "extra" not in path.parts[:1]:
            _scan_json(archive.read_json(name), where)


def _scan_json(data: Any, where: str) -> None:
    if isinstance(data, dict):
        check_guards(data.get("guards_code"), where)
    stack = [data]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            _scan_entry(item, where)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _scan_entry(item: dict[str, Any], where: str) -> None:
    if "expr_str" in item:
        check_expression(str(item["expr_str"]), where)
    if "path_name" in item:
        path = str(item["path_name"])
        if item.get("use_pickle") or not re.fullmatch(r"(weight|tensor)_\d+", path):
            raise UntrustedFileError(
                f"{where}: {path[:40]!r} is a pickled object, which runs code when it is loaded; "
                "export the model with plain tensors"
            )
    for key in ("in_spec", "out_spec"):
        if "default_factory_module" in str(item.get(key, "")):
            raise UntrustedFileError(
                f"{where}: {key} names a module to import; export the model with plain inputs"
            )


def check_pickle(data: bytes, where: str) -> None:
    """Refuse a ``torch.save`` file with more than tensors and plain containers.

    Nothing is unpickled: only the opcodes are inspected.

    Raises:
        UntrustedFileError: it would import something else, or its opcodes can't be read.
    """
    if not data:
        return
    for pickle in _pickles(data, where):
        try:
            for opcode, argument, _ in pickletools.genops(pickle):
                if opcode.name in _BUILDS_OBJECTS:
                    raise UntrustedFileError(_pickle_message(where, opcode.name))
                if opcode.name == "GLOBAL" and not _HARMLESS.fullmatch(str(argument)):
                    raise UntrustedFileError(_pickle_message(where, str(argument)))
        except (ValueError, EOFError, UnicodeError, OverflowError, MemoryError):
            raise UntrustedFileError(f"{where}: a pickle in it is damaged") from None


def _pickles(data: bytes, where: str) -> list[bytes]:
    if not data.startswith(b"PK"):
        raise UntrustedFileError(f"{where} is a pickle in an old format; export the model again")
    inner = Archive(data, where)
    found = [inner.read(name) for name in inner.names if name.endswith(".pkl")]
    if not found:
        raise UntrustedFileError(f"{where} is not what torch.save writes; export the model again")
    return found


def _pickle_message(where: str, what: str) -> str:
    return (
        f"{where} is a pickle that would import {what.replace(' ', '.')[:60]!r} and so run code; "
        "export the model with tensors as sample inputs"
    )
