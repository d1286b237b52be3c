"""Peak figures of a chip, as the field counts them.

An operation is a multiplication or an addition, so a multiply-add is two. At the peak every cell of
every tile has a weight, all tiles work at a time and readings of different tiles are not added.
Figures are those of the inputs and outputs that the converters have, not normalised to one bit.

    TOPS        operations a second
    TOPS/W      operations a joule: arrays, converters, adders, data movement and leakage
    TOPS/mm²    operations a second and area: all of the chip that ``chip_area`` counts
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from xbar.compiler.mapping import DifferentialPair
from xbar.errors import SpecError
from xbar.hardware.spec import Hardware
from xbar.simulation.cost_parts import (
    Words,
    chip_area,
    dac_energy,
    leakage,
    reading_energy,
    seconds,
)
from xbar.simulation.cost_tables import peak_text
from xbar.simulation.left_out import design_left_out, survey_notes

MOST_TILES = 10**9
"""Tiles of a chip that are counted."""


@dataclass(frozen=True)
class Peak:
    """Peak figures of a chip.

    Attributes:
        tiles: number of tiles.
        operations: of one product on all tiles, two a multiply-add.
        time: seconds of such a product.
        energy: joules of it, by component.
        area: square metres by component.
        leakage: watts.
        fed: share of the time at which the buses can bring the inputs and take the outputs of all
            tiles, 1 if they keep up; 1 without converters.
        input_bits: bits of an input; 0 without a DAC.
        output_bits: bits of a reading; 0 without an ADC.
        notes: assumptions made.
        left_out: what is in none of the figures.
    """

    tiles: int
    operations: float
    time: float
    energy: Mapping[str, float]
    area: Mapping[str, float]
    leakage: float
    fed: float
    input_bits: int
    output_bits: int
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return peak_text(self)

    @property
    def power(self) -> float:
        """Watts."""
        return math.fsum(self.energy.values()) / self.time if self.time else 0.0

    @property
    def tops(self) -> float:
        """Tera-operations a second."""
        return self.operations / self.time / 1e12 if self.time else 0.0

    @property
    def tops_per_watt(self) -> float:
        """Tera-operations a joule."""
        return self.tops / self.power if self.power else 0.0

    @property
    def tops_per_mm2(self) -> float:
        """Tera-operations a second and square millimetre."""
        area = math.fsum(self.area.values()) * 1e6
        return self.tops / area if area else 0.0

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        names = ("power", "tops", "tops_per_watt", "tops_per_mm2")
        return asdict(self) | {name: getattr(self, name) for name in names}


def peak(hardware: Hardware, columns: int, tiles: int, cell_energy: float, slices: int = 1) -> Peak:
    """Peak figures of a chip.

    Args:
        hardware: its design.
        columns: columns of weights of a tile.
        tiles: number of tiles.
        cell_energy: joules that a cell takes in a product, all steps, read by read.
        slices: columns that a weight is cut into, as on chips whose cells hold a few bits; their
            readings are added up before they leave the tile.

    Raises:
        SpecError: the survey has no such ADC, or a product takes no time.
    """
    constants, words = hardware.cost, Words.of(hardware)
    lines, bit_lines = hardware.cells
    busiest = 0 if hardware.adc is None else min(columns, hardware.adc.shared)
    time = seconds(hardware, busiest)
    if not time > 0:
        raise SpecError(
            "cost.read_time or cost.adc_time must be above 0 s: a product would take no time"
        )
    moved = lines * words.input + columns // slices * words.output
    additions = columns * hardware.steps - columns // slices
    registers = lines * words.input + columns // slices * words.sum
    energy = {
        "arrays": lines * bit_lines * cell_energy,
        "dac": lines * hardware.steps * dac_energy(hardware) if hardware.dac else 0.0,
        "adc": columns * reading_energy(hardware) if hardware.adc else 0.0,
        "adders": additions * constants.add_energy if hardware.adc else 0.0,
        "registers": registers * constants.register_energy,
        "buffers": moved * constants.buffer_energy,
        "buses": moved * constants.bus_energy,
    }
    energy = {name: tiles * each for name, each in energy.items()}
    leaks = leakage(hardware, columns, tiles)
    on_bus = min(constants.cluster, tiles) * moved / (constants.bus_bits * constants.clock)
    return Peak(
        tiles=tiles,
        operations=2.0 * tiles * lines * (columns // slices),
        time=time,
        energy=energy | {"leakage": leaks * time},
        area=chip_area(hardware, columns, tiles),
        leakage=leaks,
        fed=min(1.0, time / on_bus) if on_bus else 1.0,
        input_bits=words.input,
        output_bits=0 if hardware.adc is None else hardware.adc.bits,
    )


def design_peak(hardware: Hardware, tiles: int = 1) -> Peak:
    """Peak figures of a chip that no network was compiled for.

    Weights are differential pairs; cells take ``cell_energy``.

    Args:
        hardware: its design.
        tiles: number of its tiles, at least 1.

    Raises:
        SpecError: the survey has no such ADC, a product takes no time, or there is no tile.

    >>> found = design_peak(Hardware(dac={"bits": 8}, adc={"bits": 8}), tiles=96)
    >>> round(found.operations / found.time / 1e12, 2) == round(found.tops, 2)
    True
    """
    if not 1 <= tiles <= MOST_TILES:
        raise SpecError(f"tiles must be from 1 to {MOST_TILES:,}, not {tiles}")
    columns = DifferentialPair().columns(hardware.cells[1])
    if columns < 1:
        raise SpecError(
            f"tile.bit_lines must have room for a pair of cells, not {hardware.tile.bit_lines}"
        )
    found = peak(hardware, columns, tiles, cell_energy(hardware))
    assumed = "cells: half of the resistors closed, voltages uniform, ideal wires"
    told = (assumed, *survey_notes(hardware))
    return replace(found, notes=told, left_out=design_left_out(hardware))


def cell_energy(hardware: Hardware) -> float:
    """Joules of a cell in a product of uniform voltages, with half of its resistors closed.

    The mean of v² of a voltage uniform between minus and plus the range is a third of its square;
    of a bit-serial input, half of its bits are one. Wires take nothing here.
    """
    volts, dac = hardware.read_voltage, hardware.dac
    conductance = 0.5 * float(hardware.bank.nominal_conductance.sum())
    one_bit = dac is not None and dac.bit_serial == 1
    squares = hardware.steps * volts**2 * (0.5 if one_bit else 1 / 3)
    return conductance * squares * hardware.cost.read_time
