"""Text files as people save them: encodings, signs, and tables as spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 400
"""Bytes whose zeros tell UTF-16 without a mark."""

_SAME = {ord(a): b for a, b in zip("µ\u2126−\u00a0\u202f\u3000", "μΩ-   ", strict=True)}
_SAME |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII

_DELIMITERS = ("\t", ";", ",", "|", " ")
_COMMENTS = ("#", "%", "//")
_HEAD_LINES, _HEAD_LENGTH = 100, 100_000
"""The head is looked for among so many lines, of at most so many characters."""

# a number whose comma can't group thousands; within quotes where commas separate the cells
_COMMA = r"[+-]?(?:0*,\d+|\d+,(?:\d{1,2}|\d{4,}))(?![\d,.])"
_DECIMAL_COMMA = {True: re.compile('"' + _COMMA), False: re.compile(r'(?:^|[;\t|"\s])' + _COMMA)}
_GROUPS = r"[+-]?[1-9]\d{{0,2}}(?:{0}\d{{3}})+"
_GROUPED = {mark: re.compile(_GROUPS.format(re.escape(mark))) for mark in ",."}
_LINE = re.compile(r"[^\n]+\n?|\n")
_BRACKET = re.compile(r"(?<!\s)\s{1,9}(?=[\[(])")
_NUMERIC = re.compile(r"([+-]?[\d.,]*\d[\d.,]*)(.*)", re.DOTALL)


def decode(content: bytes, otherwise: str = "") -> str:
    r"""The text of a file: by its byte order mark, UTF-16 by its zero bytes, or UTF-8.

    Args:
        content: the file's bytes.
        otherwise: encoding of a file that is none of these, such as "cp1252"; "" refuses it, and
            wrong bytes behind the mark of UTF-8, which else become replacement characters.

    Raises:
        UnicodeDecodeError: it is none of these.

    >>> decode("µ".encode("utf-16")), decode(b"\xb5", "cp1252")
    ('µ', 'µ')
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            lenient = otherwise and mark == codecs.BOM_UTF8
            return content.decode(encoding, "replace" if lenient else "strict")
    even, odd = (content[start:_SAMPLE:2].count(0) for start in (0, 1))
    if even != odd and len(content) % 2 == 0:
        return content.decode("utf-16-be" if even > odd else "utf-16-le")
    try:
        return content.decode()
    except UnicodeDecodeError:
        if not otherwise:
            raise
        return content.decode(otherwise)


def plain_text(text: str) -> str:
    """Text with one spelling of micro, ohm and minus, and full-width characters as ASCII.

    >>> plain_text("－５ kΩ")
    '-5 kΩ'
    """
    return text.translate(_SAME)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table in a text file.

    Attributes:
        text: the file's text.
        start: line number of the head, from 1; 0 if there is none.
        delimiter: what separates the cells; a blank stands for any number of them.
        decimal_comma: whether commas are decimal points; None if nothing says so.
        head: cells of the head.
        skipped: number of lines before the head that are neither blank nor comments.
    """

    text: str
    start: int
    delimiter: str
    decimal_comma: bool | None
    head: tuple[str, ...]
    skipped: int = 0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line numbers and cells below the head, without comments and empty lines."""
        for line, cells in _split(self.text, self.delimiter):
            if line > self.start and any(cells) and not cells[0].startswith(_COMMENTS):
                yield line, cells

    def number(self, cell: str) -> str:
        """A cell's number with a decimal point, without groups of thousands.

        Raises:
            ValueError: its comma or point may be either.
        """
        text = plain_text(cell).strip()
        match = _NUMERIC.fullmatch(text)
        if match is None or not ("," in text or (self.decimal_comma and "." in text)):
            return text
        number, rest = match.groups()
        if "," in number and "." in number:
            point = max(",.", key=number.rfind)
        else:
            point = self._point(number, "," if "," in number else ".", rest)
        mark = "." if point == "," else ","
        whole, _, part = number.partition(point)
        if (mark in whole and not _GROUPED[mark].fullmatch(whole)) or mark in part or point in part:
            raise ValueError(f"{cell!r} is no number")
        return whole.replace(mark, "") + ("." + part if part else "") + rest

    def _point(self, number: str, mark: str, rest: str) -> str:
        """The decimal point of a number with one kind of marks."""
        other = "." if mark == "," else ","
        if not _GROUPED[mark].fullmatch(number) or rest[:1] in ("e", "E"):
            return mark
        if number.count(mark) > 1:
            return other
        if mark == "," and self.decimal_comma:
            return mark
        raise ValueError(f"{number!r} may be read in two ways; leave out groups of thousands")


def read_sheet(text: str, is_head: Callable[[Sequence[str]], bool]) -> Sheet | None:
    """The table in a text; None if there is no head among its first lines.

    Args:
        text: the file's text. A first line such as "sep=;" names the delimiter.
        is_head: whether cells, in their own letters, are the head that is wanted.
    """
    if text.startswith("sep=") and len(text) > 4:
        return _find(text, (text[4],), is_head)
    return _find(text, _DELIMITERS, is_head)


def sheet_without_head(text: str) -> Sheet:
    """A table of bare numbers: its delimiter is the one that splits most of its first line."""
    first = next((line for line in _lines(text) if _says_something(line)), "")
    delimiter = max(_DELIMITERS, key=lambda mark: len(_cells(first, mark)))
    return Sheet(text, 0, delimiter, _decimal_comma(text, delimiter), ())


def _find(
    text: str, delimiters: Sequence[str], is_head: Callable[[Sequence[str]], bool]
) -> Sheet | None:
    skipped = 0
    for number, line in enumerate(_lines(text), start=1):
        if number > _HEAD_LINES or len(line) > _HEAD_LENGTH:
            break
        # numpy's savetxt writes the head as a comment
        bare = line.lstrip("#%/ ") if line.startswith(_COMMENTS) else line
        for delimiter in delimiters:
            cells = _cells(_BRACKET.sub("", bare) if delimiter == " " else bare, delimiter)
            if is_head(cells):
                comma = _decimal_comma(text, delimiter)
                return Sheet(text, number, delimiter, comma, tuple(cells), skipped)
        skipped += _says_something(line) and not line.startswith("sep=")
    return None


def _says_something(line: str) -> bool:
    return bool(line.strip(" \t\r\n;,|")) and not line.lstrip().startswith(_COMMENTS)


def _lines(text: str) -> Iterator[str]:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return (match.group() for match in _LINE.finditer(text))


def _decimal_comma(text: str, delimiter: str) -> bool | None:
    if _DECIMAL_COMMA[delimiter == ","].search(text):
        return True
    return True if delimiter == ";" and re.search(r"\d,\d", text) else None


def _cells(line: str, delimiter: str) -> list[str]:
    return next((cells for _, cells in _split(line.rstrip("\r\n"), delimiter)), [])


def _split(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    if delimiter == " ":
        yield from ((number, line.split()) for number, line in enumerate(_lines(text), start=1))
        return
    rows = csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    for cells in rows:
        yield rows.line_num, [cell.strip() for cell in cells]
