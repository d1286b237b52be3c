"""The source text in a TorchScript archive: functions by dotted name.

The text is Python syntax with TorchScript's types. It is parsed to a syntax tree, never compiled.
"""

from __future__ import annotations

import ast
import re
import warnings

from xbar.errors import FileError, ModelError
from xbar.model.scan import Archive

_MOST_TEXT = 8_000_000
_PLAIN = re.compile(r"__torch__(\.[A-Za-z_][A-Za-z0-9_]*)+")


class Script:
    """Functions and methods, parsed on demand."""

    def __init__(self, archive: Archive) -> None:
        """Start with nothing parsed."""
        self.archive = archive
        self._modules: dict[str, dict[str, ast.FunctionDef]] = {}

    def function(self, name: str) -> ast.FunctionDef:
        """A function by its name, such as ``__torch__.net.LeNet.forward``.

        Raises:
            FileError: it is missing from the archive, or its text can't be parsed.
        """
        if not _PLAIN.fullmatch(name):
            raise FileError(f"{self.archive.where}: {name[:80]!r} is not a function name")
        parts = name.split(".")
        for cut in (len(parts) - 1, len(parts) - 2):  # a function, or a class and a method
            file = "code/" + "/".join(parts[:cut]) + ".py"
            if cut > 0 and file in self.archive:
                found = self._module(file).get(".".join(parts[cut:]))
                if found is not None:
                    return found
        raise FileError(f"{self.archive.where}: the archive lacks {name[:80]}")

    def _module(self, file: str) -> dict[str, ast.FunctionDef]:
        if file not in self._modules:
            self._modules[file] = self._parse(file)
        return self._modules[file]

    def _parse(self, file: str) -> dict[str, ast.FunctionDef]:
        where, text = self.archive.where, self.archive.read(file)
        if len(text) > _MOST_TEXT:
            raise ModelError(f"{where}: {file} has {len(text)} bytes of source, which is too many")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about odd literals: nothing of it is compiled
                tree = ast.parse(text.decode())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise FileError(f"{where}: {file} can't be parsed; it is damaged") from None
        found: dict[str, ast.FunctionDef] = {}
        for item in tree.body:
            if isinstance(item, ast.FunctionDef):
                found[item.name] = item
            elif isinstance(item, ast.ClassDef):
                methods = (each for each in item.body if isinstance(each, ast.FunctionDef))
                found |= {f"{item.name}.{each.name}": each for each in methods}
        return found
