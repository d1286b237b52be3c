"""Device laws as JSON files, and the designs that refer to them.

    [device]
    table = "law.json"      relative to the design
    sha256 = "3f0c…"        of the file; may be left out

The values in the file are those of ``DeviceLaw``; other keys of ``[device]`` replace them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbar.errors import FileError, SpecError, printable, shown
from xbar.files import check_regular, read_file, write_bytes
from xbar.textfiles import decode

if TYPE_CHECKING:
    from xbar.hardware.device_law import DeviceLaw

KIND = "xbar device law"
_LARGEST = 4_000_000
"""Bytes of a law."""


def law_bytes(law: DeviceLaw) -> bytes:
    """Content of a law's file; the same law gives the same bytes."""
    own = law.model_dump(mode="json", exclude_defaults=True)
    return (json.dumps({"kind": KIND, "version": 1, **own}, indent=1) + "\n").encode()


def write_law(path: Path, law: DeviceLaw, *, force: bool = False) -> str:
    """Write a law, atomically; returns the sha256 of the file.

    Raises:
        FileError: it exists and ``force`` is not set, or can't be written.
    """
    content = law_bytes(law)
    write_bytes(path, content, force=force)
    return hashlib.sha256(content).hexdigest()


def read_law(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """The values in a law's file.

    Args:
        path: path of the file.
        sha256: what its content must have; None for any.

    Raises:
        FileError: it can't be read, is no law, or has another content.
    """
    check_regular(path)
    if path.stat().st_size > _LARGEST:
        raise FileError(f"{path}: must be a device law of at most {_LARGEST:,} bytes")
    content = read_file(path)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise FileError(
            f"{path}: must be the device law that the design was written with, of sha256 "
            f"{printable(sha256)[:12]}, not {found[:12]}; fit the design again, or take its "
            "device.sha256 out"
        )
    try:
        values = json.loads(decode(content))
    except (ValueError, RecursionError) as error:
        reason = printable(" ".join(str(error).split()))[:200]
        raise FileError(f"{path}: must be a device law in JSON: {reason}") from error
    if not isinstance(values, dict) or values.pop("kind", None) != KIND:
        raise FileError(f"{path}: must be a device law, with kind {KIND!r}; xbar fit writes one")
    version = values.pop("version", None)
    if version != 1:
        raise FileError(f"{path}: must be a device law of version 1, not {shown(version)}")
    return values


def with_table(content: Mapping[str, Any], design: Path) -> dict[str, Any]:
    """A design's content with the law that its ``device.table`` names, if any, in its place.

    Raises:
        FileError: as ``read_law``.
        SpecError: table or sha256 is no text, or sha256 has no table.
    """
    device = content.get("device")
    if not isinstance(device, Mapping) or not {"table", "sha256"} & set(device):
        return dict(content)
    own = dict(device)
    table, sha256 = own.pop("table", None), own.pop("sha256", None)
    if not isinstance(table, str) or not table:
        raise SpecError(f"device.table must be the path of a law's file, not {shown(table)}")
    if sha256 is not None and not isinstance(sha256, str):
        raise SpecError(f"device.sha256 must be a text, not {shown(sha256)}")
    return {**content, "device": {**read_law(design.parent / table, sha256), **own}}
