"""A statement split to words and assignments.

Parentheses and commas outside of braces and quotes are blanks, as in SPICE. What stands in braces
or quotes is one word, which keeps them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xbar.circuit.deck.lines import Statement

_SPECIAL = re.compile(r"[(){}'\"=,]")
_TOKEN = re.compile(
    r"[\s(),]+|(?P<open>[{'\"])|(?P<sign>[<>!]=|==)|(?P<is>=)|(?P<word>[^\s(){}'\"=,]+)"
)
_BRACE = re.compile(r"[{}]")
_NAME = re.compile(r"[^\W\d][\w.]*")


@dataclass(frozen=True, slots=True)
class Words:
    """Words before the first assignment, and the assignments with what stands right of them.

    Attributes:
        words: words; formulas begin with a brace or a quote.
        assigned: text by name.
    """

    words: list[str]
    assigned: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def split(statement: Statement) -> Words:
    """Words and assignments of a statement.

    Raises:
        FileError: a quote or brace is not closed, or an assignment has no name or no value.
    """
    text = statement.text
    if not _SPECIAL.search(text):
        return Words(text.split(), {})
    if "params:" in text:
        text = text.replace("params:", " ")
    tokens = _tokens(text, statement)
    signs = [k for k, token in enumerate(tokens) if token.kind == "is"]
    if not signs:
        return Words([token.text for token in tokens], {})
    assigned: dict[str, str] = {}
    for n, k in enumerate(signs):
        name = tokens[k - 1].text if k else ""
        if not _NAME.fullmatch(name):
            raise statement.error(f"{name!r} is not a parameter name")
        stop = tokens[signs[n + 1] - 1].start if n + 1 < len(signs) else len(text)
        value = _trimmed(text[tokens[k].end : stop])
        if not value:
            raise statement.error(f"{name} must have a value")
        if name in assigned:
            raise statement.error(f"the parameter {name!r} is given twice")
        assigned[name] = value
    return Words([token.text for token in tokens[: signs[0] - 1]], assigned)


def blanked(statement: Statement) -> list[str]:
    """Words of a statement in which equals signs are blanks too.

    Raises:
        FileError: a quote or brace is not closed.
    """
    text = statement.text
    if not _SPECIAL.search(text):
        return text.split()
    return [token.text for token in _tokens(text, statement) if token.kind != "is"]


def _trimmed(value: str) -> str:
    """A value without the commas and parentheses of the list that it stands in."""
    value = value.strip(", \t")
    extra = value.count(")") - value.count("(")
    mark = ")" if extra > 0 else "("
    end = len(value) - min(abs(extra), len(value) - len(value.rstrip(mark)))
    return value[:end].strip(", \t")


def _tokens(text: str, statement: Statement) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise statement.error(f"{text[at : at + 20]!r} is not understood")
        kind = match.lastgroup or ""
        end = match.end()
        if kind == "open":
            end = _closed(text, at, statement)
            found.append(_Token("formula", text[at:end], at, end))
        elif kind == "sign":
            found.append(_Token("word", match[0], at, end))
        elif kind:
            found.append(_Token(kind, match[0], at, end))
        at = end
    return found


def _closed(text: str, at: int, statement: Statement) -> int:
    """Where a brace or quote that opens at a place is closed."""
    mark = text[at]
    if mark != "{":
        end = text.find(mark, at + 1)
        if end >= 0:
            return end + 1
    else:
        depth = 0
        for match in _BRACE.finditer(text, at):
            depth += 1 if match[0] == "{" else -1
            if depth == 0:
                return match.end()
    raise statement.error(f"a quote or brace is not closed in {statement.brief!r}")
