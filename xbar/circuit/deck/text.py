"""Bytes of a deck as text: UTF-8, UTF-16 or Latin-1, with or without a byte order mark."""

from __future__ import annotations

import re
from pathlib import Path

from xbar.errors import FileError
from xbar.files import check_regular, read_file
from xbar.textfiles import decode

_LARGEST = 256 * 1024 * 1024  # maximum size of a file in bytes
_SPECTRE = re.compile(r"^[ \t]*simulator[ \t]+lang[ \t]*=[ \t]*spectre", re.M | re.I)


def read_text(path: Path) -> str:
    """Text of a file; lines end in a line feed.

    What is neither UTF-8 nor UTF-16 is Latin-1, in which LTspice writes its micro sign.

    Raises:
        FileError: the file can't be read, is too large, is binary or in Spectre's language.
    """
    check_regular(path)
    if path.stat().st_size > _LARGEST:
        raise FileError(f"{path}: a deck must be smaller than {_LARGEST} bytes")
    try:
        text = decode(read_file(path), "latin-1")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise FileError(f"{path}: is binary data, not a SPICE deck")
    if _SPECTRE.search(text):
        raise FileError(f"{path}: is in Spectre's language; export it as SPICE")
    return text.replace("\r\n", "\n").replace("\r", "\n")
