"""Statements of one file: comments removed, continued lines joined."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xbar.errors import FileError, printable

_MARK = re.compile(r"[\"';$]|//")
_INCLUDES = re.compile(r"\.(inc|lib|incl|include)\b", re.I)
_LONGEST = 600  # maximum number of characters of an error
_SHOWN = 60  # maximum number of characters of a statement in an error


class Statement:
    """One statement of a deck.

    Attributes:
        file: name of its file.
        number: its first line, from 1.
        raw: its text on one line, as it was written.
        text: the same in lower case.
    """

    __slots__ = ("file", "number", "raw", "text")

    def __init__(self, file: str, number: int, raw: str) -> None:
        self.file, self.number, self.raw = file, number, raw
        self.text = raw.lower()

    @property
    def word(self) -> str:
        """Its first word, in lower case; of a directive without what is in parentheses."""
        word = self.text.split(None, 1)[0]
        return word.partition("(")[0] if word[0] == "." else word

    @property
    def brief(self) -> str:
        """Its text, shortened for messages."""
        return self.raw if len(self.raw) <= _SHOWN else f"{self.raw[: _SHOWN - 3]}..."

    def error(self, message: object) -> FileError:
        """An error with the location of this statement."""
        text = str(message)
        short = (
            text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
        )
        return FileError(printable(f"{self.file}:{self.number}: {short}"))


def read_lines(text: str, file: str, *, titled: bool, dollar_nodes: bool) -> Iterator[Statement]:
    """Statements of a file.

    Args:
        text: text of the file.
        file: its name, for messages.
        titled: whether the first line is a title, which is left out.
        dollar_nodes: whether ``$`` may begin the name of a node rather than a comment.

    Raises:
        FileError: a continuation has nothing to continue.
    """
    start, parts, joined = 0, [""], False
    for number, whole in enumerate(text.split("\n"), start=1):
        line = whole.strip()
        if not line or line[0] == "*" or (titled and number == 1):
            continue
        if "$" in line or ";" in line or "//" in line:
            line = _without_comment(line, dollar_nodes)
            if not line:
                continue
        if line[0] == "+":
            if not start:
                raise FileError(f"{file}:{number}: '+' continues a statement, but there is none")
            parts.append(line[1:].strip())
        elif joined:
            parts.append(line)
        else:
            if start:
                yield Statement(file, start, " ".join(parts) if len(parts) > 1 else parts[0])
            start, parts = number, [line]
        joined = parts[-1].endswith("\\\\")
        if joined:
            parts[-1] = parts[-1][:-2].rstrip()
    if start and (text := " ".join(parts).strip()):
        yield Statement(file, start, text)


def _without_comment(line: str, dollar_nodes: bool) -> str:
    """A line up to its comment: ``;``, ``//`` or a ``$`` that begins a word, outside of quotes."""
    path = _INCLUDES.match(line) is not None
    quote = ""
    for match in _MARK.finditer(line):
        mark, at = match[0], match.start()
        if mark in "\"'":
            if not quote:
                quote = mark if line.find(mark, at + 1) > 0 else ""
            elif quote == mark:
                quote = ""
        elif not quote:
            after = line[at + 1 : at + 2]
            if mark == "$" and (
                (at > 0 and line[at - 1] not in " \t,")
                or (path and after.strip())
                or (dollar_nodes and after.strip())
            ):
                continue
            if mark == "//" and path:
                continue
            return line[:at].rstrip()
    return line
