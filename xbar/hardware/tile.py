"""The tile: size and wires of one array."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xbar.hardware.base import Ohms, Spec


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
