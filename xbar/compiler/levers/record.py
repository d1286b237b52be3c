"""What was chosen against harsh wires, as options of a compilation and as a record of why."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from xbar.hardware.base import Spec
from xbar.tables import count, percent, table

State: TypeAlias = Literal["chosen", "possible", "too many tiles", "another design"]


class Extent(Spec):
    """Inputs and outputs that a block of a layer has at most; the rest of its tile stays open.

    Lines with faults may be exchanged with open ones beyond (``Options.swap_lines``).

    Attributes:
        layer: name of the layer.
        inputs: rows of cells that its blocks may take.
        outputs: columns of weights that they may take.
    """

    layer: str
    inputs: int = Field(ge=1)
    outputs: int = Field(ge=1)


class Lever(Spec):
    """One way to lay a network on tiles, tried on samples.

    Attributes:
        name: what it is.
        expected: relative error of the effective weights after wire-aware programming, root mean
            square over the layers.
        tiles: number of tiles that it takes.
        state: "chosen"; "possible" but not better; "too many tiles"; or "another design", which
            this chip is not of.
    """

    name: str
    expected: float = Field(ge=0)
    tiles: int = Field(ge=0)
    state: State


class LayerFit(Spec):
    """One layer.

    Attributes:
        layer: name of the layer.
        before: its expected error on whole tiles.
        expected: its expected error as it is laid.
    """

    layer: str
    before: float = Field(ge=0)
    expected: float = Field(ge=0)


class Fitted(Spec):
    """What was tried and what was chosen.

    Attributes:
        levers: each way that was tried, the present one first.
        layers: expected errors of each layer that has tiles.
        max_tiles: number of tiles that could be taken.
    """

    levers: tuple[Lever, ...]
    layers: tuple[LayerFit, ...]
    max_tiles: int = Field(ge=0)

    @property
    def tried(self) -> tuple[str, list[str], list[list[str]]]:
        """A table of the levers: title, names of the columns, rows."""
        rows = [[one.name, percent(one.expected), f"{one.tiles}", one.state] for one in self.levers]
        title = f"levers against the wires, on at most {count(self.max_tiles, 'tile')}"
        return title, ["lever", "expected error", "tiles", ""], rows

    def __str__(self) -> str:
        return table(*self.tried)
