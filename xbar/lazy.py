"""Packages whose public names are imported on first use.

A package's ``__init__`` lists the modules of its names; ``import xbar`` then does not load numba,
scipy or PyTorch, and ``dir`` of the package shows only its public names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package whose public names stay what they are when modules of these names are imported."""

    _functions: frozenset[str]

    def __setattr__(self, name: str, value: object) -> None:
        # the import of a module sets it as an attribute of its package
        if not (name in self._functions and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def public_names(
    package: str, home: Mapping[str, str], modules: Iterable[str] = (), other: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``.

    Args:
        package: name of the package.
        home: module of each public name.
        modules: public modules and subpackages of the package.
        other: names defined in the package itself.
    """
    sys.modules[package].__class__ = _Package
    vars(sys.modules[package])["_functions"] = frozenset(home)
    public = frozenset(modules)
    shown = sorted({*home, *public, *other})

    def get(name: str) -> Any:
        if name in public:
            return import_module(f"{package}.{name}")
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: list(shown)
