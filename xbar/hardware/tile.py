"""The tile: size and wires of one array."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xbar.hardware.base import Quantity, Spec


class Tile(Spec):
    """Size, wires, drivers and sense amplifiers of one array.

    Attributes:
        word_lines: W, driven rows.
        bit_lines: B, read columns. A differential pair takes two of them.
        spare_word_lines: of W, how many no weight is placed on at first: an input moves to one
            where its own word line has faults.
        spare_bit_lines: of B, the same for outputs.
        word_wire: ohms of one word-line segment, between two neighbouring cells and from the
            driver to the first one. 0 is an ideal wire.
        bit_wire: ohms of one bit-line segment.
        source: ohms in series with each driver.
        load: ohms in series with each sense amplifier.
        drive: end of the word lines that is driven.
        sense: end of the bit lines that is read.
    """

    word_lines: int = Field(default=64, ge=1, le=65536)
    bit_lines: int = Field(default=64, ge=1, le=65536)
    spare_word_lines: int = Field(default=0, ge=0)
    spare_bit_lines: int = Field(default=0, ge=0)
    word_wire: Quantity = Field(default=0.0, ge=0)
    bit_wire: Quantity = Field(default=0.0, ge=0)
    source: Quantity = Field(default=0.0, ge=0)
    load: Quantity = Field(default=0.0, ge=0)
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
