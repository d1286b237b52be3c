"""The text of a kernel and what decides its binary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PORTABLE = Path(__file__).parent / "cuda" / "portable.h"


@dataclass(frozen=True)
class Source:
    """CUDA C++ text that is also plain C++.

    Attributes:
        path: the .cu file.
        headers: files that it includes, besides ``portable.h``.
        constants: macros with whole numbers, which the text asks for.
        fuse: whether a multiplication and an addition may be rounded once; where results must
            have the bits of another program, no.
    """

    path: Path
    headers: tuple[Path, ...] = ()
    constants: Mapping[str, int] = field(default_factory=dict)
    fuse: bool = True

    @property
    def text(self) -> str:
        """The text of the .cu file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def included(self) -> dict[str, str]:
        """Name and text of each header."""
        return {p.name: p.read_text(encoding="utf-8") for p in (PORTABLE, *self.headers)}

    @property
    def definitions(self) -> list[str]:
        """The macros as a compiler's options."""
        return [f"-D{name}={value}" for name, value in sorted(self.constants.items())]

    @cached_property
    def key(self) -> str:
        """A name for the text and how it is to be compiled."""
        return _digest(self.text, *self.included.values(), *self.definitions, str(self.fuse))

    def digest(self, *compiler: str) -> str:
        """A name for the binary that a compiler with these options makes of it."""
        return _digest(self.key, *compiler)


def _digest(*parts: str) -> str:
    every = hashlib.sha256()
    for part in parts:
        content = part.encode()
        every.update(len(content).to_bytes(8, "little") + content)
    return every.hexdigest()
