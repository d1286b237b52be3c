"""Splits a SPICE deck into statements: comments removed, continuations joined, files included.

The first line of a deck is always its title. Lines between ``.control`` and ``.endc`` and
everything after ``.end`` are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xbar.errors import FileError

_COMMENT = re.compile(r"(;|//|^\$|(?<=\s)\$).*")
_INCLUDE = re.compile(r"""\.(inc|include|lib)\s+(?P<q>["']?)(?P<path>.*?)(?P=q)\s*""", re.I)
_DEEPEST = 16  # maximum nesting of included files
_LARGEST = 256 * 1024 * 1024  # maximum size of a file in bytes


@dataclass(frozen=True)
class Statement:
    """One statement of a deck.

    Attributes:
        where: file and line, for messages.
        text: text in lower case, on one line.
    """

    where: str
    text: str

    def error(self, message: str) -> FileError:
        """An error with the location of this statement."""
        return FileError(f"{self.where}: {message}")


def read_statements(path: Path) -> list[Statement]:
    """The statements of a deck and of the files that it includes.

    Included files must be in the deck's folder or below it.

    Raises:
        FileError: a file can't be read, is not text, or is outside the deck's folder.
    """
    return list(_active(_read(path, path.resolve().parent, ())))


def _active(statements: Iterator[Statement]) -> Iterator[Statement]:
    """Statements outside control blocks, up to ``.end``."""
    control = None
    for statement in statements:
        word = statement.text.split()[0]
        if control is not None:
            control = None if word == ".endc" else control
        elif word == ".control":
            control = statement
        elif word == ".end":
            return
        else:
            yield statement
    if control is not None:
        raise control.error(".control must be closed by .endc")


def _read(path: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Statement]:
    place = path.resolve()
    if len(above) >= _DEEPEST or place in above:
        raise FileError(f"{path}: includes itself, or files are included too deeply")
    lines = _text(path).splitlines()
    skip = 0 if above else 1  # an included file has no title
    for number, line in _joined(lines, skip, path.name):
        statement = Statement(f"{path.name}:{number}", line.lower())
        include = _INCLUDE.fullmatch(line)
        if include is None:
            yield statement
            continue
        inner = _inside(path.parent / include["path"], root, statement)
        yield from _read(inner, root, (*above, place))


def _joined(lines: list[str], skip: int, name: str) -> Iterator[tuple[int, str]]:
    """First line number and text of each statement, continuations joined."""
    start, text = 0, ""
    for number, raw in enumerate(lines[skip:], start=skip + 1):
        line = raw.strip()
        if line.startswith("*"):
            continue
        line = _COMMENT.sub("", line).strip()
        if not line:
            continue
        if line.startswith("+"):
            if not text:
                raise FileError(f"{name}:{number}: '+' continues a statement, but there is none")
            text += " " + line[1:].strip()
            continue
        if text:
            yield start, text
        start, text = number, line
    if text:
        yield start, text


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{path}: a deck must be smaller than {_LARGEST} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    if b"\0" in data:
        raise FileError(f"{path}: is binary data, not a SPICE deck")
    text = data.decode("utf-8", errors="replace")
    if re.search(r"^\s*simulator\s+lang\s*=\s*spectre", text, re.M | re.I):
        raise FileError(f"{path}: is in Spectre's language; export it as SPICE")
    return text


def _inside(path: Path, root: Path, statement: Statement) -> Path:
    if not path.resolve().is_relative_to(root):
        raise statement.error(
            f"a file may be included only from the deck's folder, not {str(path)!r}; copy it there"
        )
    if not path.is_file():
        raise statement.error(f"the included file {str(path)!r} must exist")
    return path
