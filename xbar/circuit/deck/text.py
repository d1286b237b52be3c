"""Bytes of a deck as text: UTF-8, UTF-16 or Latin-1, with or without a byte order mark."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from xbar.errors import FileError

_LARGEST = 256 * 1024 * 1024  # maximum size of a file in bytes
_SPECTRE = re.compile(r"^[ \t]*simulator[ \t]+lang[ \t]*=[ \t]*spectre", re.M | re.I)
_SAMPLE = 400  # bytes that tell UTF-16 without a mark


def read_text(path: Path) -> str:
    """Text of a file; lines end in a line feed.

    A byte order mark decides, then zeros in every other byte (UTF-16), then whether it is valid
    UTF-8; anything else is Latin-1, in which LTspice writes its micro sign.

    Raises:
        FileError: the file can't be read, is too large, is binary or in Spectre's language.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{path}: a deck must be smaller than {_LARGEST} bytes")
        if not path.is_file():
            raise FileError(f"{path}: can't be read (it is not a file)")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: can't be read ({error})") from error
    text = _decoded(data)
    if text is None or "\0" in text:
        raise FileError(f"{path}: is binary data, not a SPICE deck")
    if _SPECTRE.search(text):
        raise FileError(f"{path}: is in Spectre's language; export it as SPICE")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str | None:
    try:
        if data.startswith(codecs.BOM_UTF8):
            return data.decode("utf-8-sig", errors="replace")
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" in data[:_SAMPLE]:
            even, odd = data[:_SAMPLE:2].count(0), data[1:_SAMPLE:2].count(0)
            return data.decode("utf-16-le" if odd > even else "utf-16-be")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None if b"\0" in data[:_SAMPLE] else data.decode("latin-1")
