"""Text files as people save them: encodings."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes, otherwise: str = "") -> str:
    r"""The text of a file: by its byte order mark, UTF-16 by its zero bytes, or UTF-8.

    Args:
        content: the file's bytes.
        otherwise: encoding of a file that is none of these, such as "cp1252"; "" refuses it.

    Raises:
        UnicodeDecodeError: it is none of these.

    >>> decode("µ".encode("utf-16")), decode(b"\xb5", "cp1252")
    ('µ', 'µ')
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    start = content[:2]
    if 0 in start and any(start) and len(content) % 2 == 0:
        return content.decode("utf-16-be" if start[0] == 0 else "utf-16-le")
    try:
        return content.decode()
    except UnicodeDecodeError:
        if not otherwise:
            raise
        return content.decode(otherwise)
