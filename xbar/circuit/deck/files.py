"""Statements of a deck and of the files and library sections that it includes.

Left out are lines between ``.control`` and ``.endc``, tables between ``.data`` and ``.enddata``,
what follows ``.end`` of a file, and in the deck itself what follows ``.alter``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from xbar.circuit.deck.lines import Statement, read_lines
from xbar.circuit.deck.rules import Rules
from xbar.circuit.deck.text import read_text
from xbar.errors import FileError
from xbar.files import check_regular

_FILE = re.compile(r"""\.lib\s+("[^"]*"|'[^']*'|\S+)(?:\s+(\S+))?|\.inc(?:l|lude)?\s+(.+)""", re.I)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))|%(\w+)%")
_ALTERS = ("alter", "alterparam", "altermod", "set temp", "option", "reset")
_DEEPEST = 16  # maximum nesting of included files
_MOST_FILES = 1000  # maximum number of inclusions
_MOST_AGAIN = 32 * 1024 * 1024  # maximum number of characters of files included again


_BLOCKS = {".control": ".endc", ".data": ".enddata", ".aliases": ".endaliases"}
"""What begins and ends lines that are left out."""
_OWN = re.compile(r"(?:^|[\\/])(?:nom\.lib|standard\.(?:bjt|dio|jft|mos))$")
"""Libraries that PSpice and LTspice name in decks whether they are used or not."""


class Files:
    """Reads the files of one deck.

    Attributes:
        root: the deck's folder; every file is in it or below.
        remarks: where assumptions are told.
        title: the first line of the deck.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules, self.remarks = rules, rules.remarks
        self.title = ""
        self._texts: dict[Path, str] = {}
        self._count = self._again = 0

    def statements(self, path: Path) -> Iterator[Statement]:
        """Statements of a deck.

        Raises:
            FileError: a file can't be read, is not text, or is outside of the deck's folder.
        """
        check_regular(path)
        self.root = path.resolve().parent
        text = self._text(path)
        self.title = text.split("\n", 1)[0].strip()
        yield from self._read(path, text, (), titled=True)

    def _text(self, path: Path) -> str:
        place = path.resolve()
        self._count += 1
        if self._count > _MOST_FILES:
            raise FileError(f"{path}: a deck must include fewer than {_MOST_FILES} files")
        if place not in self._texts:
            self._texts[place] = read_text(path)
        else:
            self._again += len(self._texts[place])
            if self._again > _MOST_AGAIN:
                raise FileError(
                    f"{path}: files included again must have fewer than {_MOST_AGAIN} characters "
                    f"in all"
                )
        return self._texts[place]

    def _read(
        self, path: Path, text: str, above: tuple[tuple[Path, str], ...], *, titled: bool = False
    ) -> Iterator[Statement]:
        """Statements of a file, or of the section of a library that ``above`` ends with."""
        lines = read_lines(text, path.name, titled=titled, dollar_nodes=self.rules.dollar_nodes)
        section = above[-1][1] if above else ""
        kept = self._sections(list(self._active(lines, titled)), section, path)
        for statement in kept:
            if statement.text.startswith((".inc", ".lib")) and (
                match := _FILE.fullmatch(statement.raw)
            ):
                yield from self._include(statement, match, path, above)
            elif statement.word in (".inc", ".incl", ".include", ".lib"):
                raise statement.error(f"{statement.brief!r} must name a file and a section")
            else:
                yield statement

    def _include(
        self,
        statement: Statement,
        match: re.Match[str],
        path: Path,
        above: tuple[tuple[Path, str], ...],
    ) -> Iterator[Statement]:
        name = (match[1] or match[3]).strip("\"'")
        section = (match[2] or "").strip("\"'").lower()
        try:
            inner = self._inside(path.parent, name, statement)
        except FileError:
            if section or not _OWN.search(name.lower()):
                raise
            self.remarks.add(
                f"{statement.file}:{statement.number}: '{name}' is a library that comes with a "
                f"simulator; it is not here, and nothing of it is read"
            )
            return
        step = (inner.resolve(), section)
        if len(above) >= _DEEPEST or step in above or (not section and inner.samefile(path)):
            raise statement.error(
                f"{name!r} includes itself, or files are included too deeply (limit {_DEEPEST})"
            )
        yield from self._read(inner, self._text(inner), (*above, step))

    def _inside(self, folder: Path, name: str, statement: Statement) -> Path:
        """Path of an included file."""
        expanded = _VARIABLE.sub(lambda match: self._variable(match, statement), name)
        longest = max(map(len, expanded.encode(errors="replace").split(b"/")))
        if "\0" in expanded or len(expanded) > 4000 or longest > 255:  # a file system's limit
            raise statement.error(f"{name[:60]!r} is not a file name")
        path = folder / expanded
        if "\\" in expanded and not path.exists():
            path = folder / expanded.replace("\\", "/")
        if not path.resolve().is_relative_to(self.root):
            raise statement.error(
                f"a file may be included only from the deck's folder, not {name!r}; copy it there"
            )
        if not path.is_file():
            path = next((p for p in _siblings(path) if p.name.lower() == path.name.lower()), path)
        if not path.is_file():
            raise statement.error(
                f"the included file '{name}' must exist; copy it to the deck's folder and include "
                f"it by its name alone, or leave the line out if no element needs it"
            )
        return path

    def _variable(self, match: re.Match[str], statement: Statement) -> str:
        name = next(part for part in match.groups() if part)
        value = os.environ.get(name)
        if value is None:
            raise statement.error(
                f"{match[0]!r} is an environment variable, and {name!r} is not set; set it, or "
                f"write the path"
            )
        return value

    def _active(self, lines: Iterator[Statement], titled: bool) -> Iterator[Statement]:
        """Statements outside of control blocks and tables, up to ``.end``."""
        block: Statement | None = None
        closing = ""
        for statement in lines:
            if block is not None:
                if statement.text.startswith(closing):
                    block = None
                elif closing == ".endc" and statement.text.startswith(_ALTERS):
                    self.remarks.add(
                        f"{statement.file}:{statement.number}: the script of .control is not run, "
                        f"and {statement.brief!r} may change the circuit"
                    )
                continue
            if statement.text[0] == ".":
                word = statement.word
                if word == ".end":
                    return
                if word == ".alter" and titled:
                    self.remarks.add(
                        f"{statement.file}:{statement.number}: the deck is read up to .alter"
                    )
                    return
                if word in _BLOCKS:
                    block, closing = statement, _BLOCKS[word]
                    continue
            yield statement
        if block is not None:
            raise block.error(f"{block.word} must be closed by {closing}")

    def _sections(
        self, statements: list[Statement], section: str, path: Path
    ) -> Iterator[Statement]:
        """The section of a library; without a name, what is outside of sections."""
        ends = [k for k, s in enumerate(statements) if s.text.startswith(".endl")]
        last = ends[-1] if ends else -1
        inside, names = "", []
        for k, statement in enumerate(statements):
            if statement.text.startswith(".endl"):
                inside = ""
            elif k < last and statement.word == ".lib" and len(statement.text.split()) == 2:
                inside = statement.text.split()[1].strip("\"'")
                names.append(inside)
            elif inside == section:
                yield statement
        if section and section not in names:
            known = ", ".join(dict.fromkeys(names)) or "none"
            raise FileError(f"{path.name}: must have the section {section!r}, and has {known}")


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except OSError:
        return []
