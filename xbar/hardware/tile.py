"""The tile: size and wires of one array."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from xbar.errors import SpecError
from xbar.hardware.base import Ohms, Spec

Topology: TypeAlias = Literal[
    "input-source", "interleaved-input-source", "separate-source", "interleaved-separate-source"
]
"""What a cell's current comes from, and where the two cells of a signed weight lie."""


class Tile(Spec):
    """Size, wires, drivers and sense amplifiers of one array.

    Attributes:
        word_lines: number of word lines (driven rows) W.
        bit_lines: number of bit lines (sensed columns) B; a differential pair takes two.
        spare_word_lines: number of word lines reserved as spares, used for inputs whose own word
            line has faults.
        spare_bit_lines: number of bit lines reserved as spares, likewise for outputs.
        word_wire: resistance of a word-line segment in ohms, between neighbouring cells and from
            the driver to the first one. 0 is an ideal wire.
        bit_wire: resistance of a bit-line segment in ohms.
        source: series resistance of each driver in ohms.
        load: series resistance of each sense amplifier in ohms.
        drive: driven end of the word lines.
        sense: sensed end of the bit lines.
        topology: what a cell lies between. "input-source": its word line, which carries the input's
            voltage and the current, and a bit line. "interleaved-input-source": likewise, but the
            two cells of a signed weight share a place of one bit line, from two word lines that
            are driven with the input's voltage and with minus it. "separate-source": a source line
            beside its bit line, and a transistor that its word line switches; the input is a bit.
            "interleaved-separate-source": likewise, with two source lines of opposite voltage
            beside each bit line. The names are CrossSim's.
        source_wire: resistance of a source-line segment in ohms, for "separate-source"; source
            lines are driven at the end that is opposite to the sensed one of the bit lines.
        idle: lines that a read does not use, such as those of other blocks of weights: at "ground",
            or "float", driven and read by nothing.
    """

    word_lines: int = Field(default=64, ge=1, le=65536)
    bit_lines: int = Field(default=64, ge=1, le=65536)
    spare_word_lines: int = Field(default=0, ge=0)
    spare_bit_lines: int = Field(default=0, ge=0)
    word_wire: Ohms = Field(default=0.0, ge=0)
    bit_wire: Ohms = Field(default=0.0, ge=0)
    source: Ohms = Field(default=0.0, ge=0)
    load: Ohms = Field(default=0.0, ge=0)
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
    topology: Topology = "input-source"
    source_wire: Ohms = Field(default=0.0, ge=0)
    idle: Literal["ground", "float"] = "ground"

    @property
    def interleaved(self) -> bool:
        """Whether the two cells of a signed weight share a bit line."""
        return self.topology.startswith("interleaved-")

    @property
    def separate(self) -> bool:
        """Whether cells draw their current from source lines and word lines are gates."""
        return self.topology.endswith("separate-source")

    @property
    def word_lines_per_row(self) -> int:
        """Word lines that carry one input."""
        return 2 if self.interleaved and not self.separate else 1

    @model_validator(mode="after")
    def _wires_belong_to_the_topology(self) -> Self:
        if self.separate and self.word_wire:
            raise SpecError(
                f"word_wire must be 0 with topology {self.topology!r}, whose word lines are gates "
                f"and carry no current, not {self.word_wire:g} ohm; source_wire is that of the "
                "source lines"
            )
        if self.separate and self.idle != "ground":
            raise SpecError(
                f"idle must be 'ground' with topology {self.topology!r}, whose idle word lines "
                f"switch their cells off, not {self.idle!r}"
            )
        if self.source_wire and not self.separate:
            raise SpecError(
                f"source_wire must be 0 with topology {self.topology!r}, which has no source "
                f"lines, not {self.source_wire:g} ohm"
            )
        return self
