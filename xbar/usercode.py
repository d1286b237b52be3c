"""The user's own code, named "module:callable" on the command line: imported, and so run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xbar.errors import SpecError


def import_named(name: str, option: str, example: str) -> Any:
    """What "module:attribute" names; modules of the current directory count.

    Args:
        name: such as "mytask:score", or "mytask:Tasks.score".
        option: what it was given for, for messages.
        example: of a good name, for messages.

    Raises:
        SpecError: there is no such thing, or importing it fails.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise SpecError(f"{option} must be module:callable, such as {example}, not {name!r}")
    try:
        with current_directory():
            target: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                target = getattr(target, part)
    # the user's own module is imported, and may raise anything
    except Exception as error:
        raise SpecError(f"{option} {name}: it can't be imported: {summary(error)}") from error
    return target


@contextmanager
def current_directory() -> Iterator[None]:
    """Let modules of the current directory be imported."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def summary(error: BaseException) -> str:
    """An error of somebody else's code in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
