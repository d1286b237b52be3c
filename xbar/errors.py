"""All errors and warnings of xbar.

    XbarError
    ├── SpecError        a value of the design or an argument is not allowed (also a ValueError)
    ├── FileError        a file is missing, damaged, of the wrong kind, or exists already
    │   └── UntrustedFileError   reading the file could run code in it
    ├── ModelError       a neural network can't be read, lowered or run
    ├── CircuitError     a circuit has no unique solution: floating or shorted parts
    ├── NotFoundError    a circuit has no node or element of that name (also a KeyError)
    ├── SolverError      a numerical method did not reach its tolerance
    ├── EngineError      an external engine ran and gave no usable answer
    └── ToolError        an external tool or an optional package is missing

    UserWarning
    └── XbarWarning      something was assumed, left out or left open; the message says what

A message states what must hold, what was got, where, and what to do. The command line prints only
the message and exits with the class's ``exit_code``.
"""

from __future__ import annotations

import sys
import warnings

_SHOWN = 40
"""Characters of a value that are shown in a message."""


def printable(text: str) -> str:
    r"""Text without control characters, so that a name from a file can't command a terminal.

    >>> printable("fc\x1b[2J")
    'fc?[2J'
    """
    return "".join(c if c.isprintable() else "?" for c in text)


def shown(value: object) -> str:
    """A value as a message shows it: on one line, and cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        text = "a number of thousands of digits"
    text = printable(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _one_line(text: str) -> str:
    """A message as one printable line, whatever names from a file stand in it."""
    return printable(" ".join(line.strip() for line in text.splitlines()))


class XbarError(Exception):
    """Base class of all errors raised by xbar; their messages are one line.

    Attributes:
        exit_code: exit code of the command line: 1 for a failed check, 2 for usage or bad input, 3
            for a missing external tool.
    """

    exit_code = 2

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(_one_line(a) if isinstance(a, str) else a for a in arguments))


class SpecError(XbarError, ValueError):
    """A value of the design, or an argument, is not allowed."""


class FileError(XbarError):
    """A file is missing, damaged, of the wrong kind, or exists already."""


class UntrustedFileError(FileError):
    """Reading this file could run code in it."""


class ModelError(XbarError):
    """A neural network can't be read, lowered or run."""


class CircuitError(XbarError):
    """A circuit has no unique solution: floating or shorted parts."""


class NotFoundError(XbarError, KeyError):
    """A circuit has no node or element of that name."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class SolverError(XbarError):
    """A numerical method did not reach its tolerance."""

    exit_code = 1


class EngineError(XbarError):
    """An external engine ran and gave no usable answer."""

    exit_code = 1


class ToolError(XbarError):
    """An external tool or an optional package is missing."""

    exit_code = 3


class XbarWarning(UserWarning):
    """Something was assumed, left out or left open; the message says what."""


def warn(message: str) -> None:
    """Warn, at the line outside xbar that called it; the command line prints the message only."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(_one_line(message), XbarWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in {"xbar", "pydantic"}
