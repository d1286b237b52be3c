"""Import of the user's own code, named "module:callable" on the command line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xbar.errors import SpecError, printable


def import_named(name: str, option: str, example: str) -> Any:
    """Import "module:attribute", also from the current directory.

    Args:
        name: name such as "mytask:score", or "mytask:Tasks.score".
        option: name of the option, for messages.
        example: example of a valid name, for messages.

    Raises:
        SpecError: the name is not valid, or importing it fails.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise SpecError(f"{option} must be module:callable, such as {example}, not {name!r}")
    with told_as(f"{option} {name}: it can't be imported"), current_directory():
        target: Any = importlib.import_module(module_name)
        for step in attribute.split("."):
            target = getattr(target, step)
    return target


@contextmanager
def told_as(message: str) -> Iterator[None]:
    """Tell whatever the user's own code raises, ``SystemExit`` too, as a SpecError of one line.

    Raises:
        SpecError: the block raised something; only KeyboardInterrupt is passed on.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    # code of others, which may raise anything: sys.exit, errors of test frameworks, ...
    except BaseException as error:
        raise SpecError(f"{message}: {summary(error)}") from error


@contextmanager
def current_directory() -> Iterator[None]:
    """Put the current directory on the import path."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def summary(error: BaseException) -> str:
    """An error of external code in one line."""
    try:
        text = str(error)
    except Exception:  # an error of others, whose __str__ fails
        text = ""
    lines = [printable(line.strip()) for line in text.splitlines() if line.strip()]
    first = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
    return f"{type(error).__name__}: {first[:200]}" if lines else type(error).__name__
