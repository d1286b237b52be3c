"""Layers and rules of a process, as far as the drawing needs them: data from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from xbar.errors import SpecError, shown

DRAWN = ("sky130",)
"""Processes that there is a drawing for."""


@dataclass(frozen=True)
class Rules:
    """Numbers that decide distances in a drawing.

    Attributes:
        process: name of the process.
        grid: nanometres that all coordinates are multiples of.
        layers: name -> number and datatype in a GDS file.
        rules: name -> nanometres.
        sheet: conductor -> ohms a square.
        memory: sizes and places of the library cells that a memory is made of.
    """

    process: str
    grid: int
    layers: Mapping[str, tuple[int, int]]
    rules: Mapping[str, int]
    sheet: Mapping[str, float]
    memory: Mapping[str, Any]

    def __getitem__(self, name: str) -> int:
        """Nanometres of a rule."""
        return self.rules[name]


@cache
def drawing_rules(process: str = "sky130") -> Rules:
    """The layers and rules of a process's drawing.

    Raises:
        SpecError: there is no drawing for this process.
    """
    if process not in DRAWN:
        raise SpecError(
            f"masks can be drawn for {', '.join(DRAWN)}, not for {shown(process)}; "
            "its circuits can be characterised and verified without"
        )
    content = tomllib.loads(files(__package__).joinpath(f"{process}.toml").read_text())
    return Rules(
        process=content["process"],
        grid=content["grid"],
        layers={name: (pair[0], pair[1]) for name, pair in content["layers"].items()},
        rules=content["rules"],
        sheet=content["sheet"],
        memory=content["memory"],
    )
