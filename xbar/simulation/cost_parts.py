"""What the parts of a chip take, by the constants of ``Hardware.cost``.

A tile's word lines have DACs behind input registers; its columns of weights have sample-and-holds,
shared ADCs, an adder each and output registers. Some tiles share a buffer and a bus: a cluster.
Some clusters share a router, where there are several. Without a DAC nothing digital arrives, and
without an ADC nothing leaves: those parts are then left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xbar.hardware.spec import Hardware


@dataclass(frozen=True)
class Words:
    """Bits of the digital numbers around a tile; 0 where the design has no converter.

    Attributes:
        input: of an input, which the DAC takes.
        sum: of a reading after its steps are added up.
        output: of an output, which is the next layer's input.
    """

    input: int
    sum: int
    output: int

    @classmethod
    def of(cls, hardware: Hardware) -> Words:
        """The bits of a design's numbers."""
        dac, adc = hardware.dac, hardware.adc
        into = 0 if dac is None else dac.bits
        if adc is None:
            return cls(into, 0, 0)
        shifts = (hardware.steps - 1) * dac_bits(hardware) if dac is not None else 0
        return cls(into, adc.bits + shifts, into or adc.bits)


def dac_bits(hardware: Hardware) -> int:
    """Bits that a DAC converts in a step."""
    dac = hardware.dac
    assert dac is not None
    return dac.bits if dac.bit_serial is None else dac.bit_serial


def adc_bits(hardware: Hardware) -> list[int]:
    """Resolution after each step."""
    adc = hardware.adc
    assert adc is not None
    return list(adc.step_bits or [adc.bits] * hardware.steps)


def dac_energy(hardware: Hardware) -> float:
    """Joules of one conversion of a word line's DAC."""
    return float(hardware.cost.dac_energy * 2.0 ** (dac_bits(hardware) - 1))


def reading_energy(hardware: Hardware) -> float:
    """Joules of a column's ADC readings and samples in all steps of a product."""
    constants = hardware.cost
    held = hardware.steps * constants.hold_energy
    return sum(constants.adc_energy(bits) for bits in adc_bits(hardware)) + held


def seconds(hardware: Hardware, conversions: int) -> float:
    """Duration of a product in a pipeline of products.

    Args:
        hardware: the design.
        conversions: conversions of the busiest ADC after each step.
    """
    constants = hardware.cost
    converting = conversions * constants.adc_time
    if constants.overlap:
        return hardware.steps * max(constants.read_time, converting)
    return hardware.steps * (constants.read_time + converting)


def filling(hardware: Hardware, conversions: int) -> float:
    """Seconds until the pipeline of a layer's reads and conversions is full."""
    constants = hardware.cost
    if not constants.overlap:
        return 0.0
    return min(constants.read_time, conversions * constants.adc_time)


def converters(hardware: Hardware, columns: int) -> int:
    """Number of ADCs of a tile."""
    return 0 if hardware.adc is None else -(-columns // hardware.adc.shared)


def clusters(hardware: Hardware, tiles: int) -> int:
    """Number of buffers and buses; none for a design without converters."""
    words = Words.of(hardware)
    return -(-tiles // hardware.cost.cluster) if words.input or words.output else 0


def routers(hardware: Hardware, tiles: int) -> int:
    """Number of routers; none for one cluster."""
    number = clusters(hardware, tiles)
    return -(-number // hardware.cost.router_clusters) if number > 1 else 0


def chip_area(hardware: Hardware, columns: int, tiles: int) -> dict[str, float]:
    """Square metres by component of a chip of some tiles with some columns of weights each."""
    constants, words = hardware.cost, Words.of(hardware)
    lines, bit_lines = hardware.cells
    devices = tiles * lines * bit_lines * hardware.bank.resistors
    dac = adc = adders = 0.0
    if hardware.dac is not None:
        dac = tiles * lines * constants.dac_area * 2.0 ** (dac_bits(hardware) - 1)
    if hardware.adc is not None:
        number = converters(hardware, columns)
        held = columns * constants.hold_area
        adc = tiles * (number * constants.adc_size(max(adc_bits(hardware))) + held)
        adders = tiles * number * constants.add_area
    shared = clusters(hardware, tiles)
    return {
        "devices": devices * constants.device_area,
        "bits": devices * constants.bit_area,
        "dac": dac,
        "adc": adc,
        "adders": adders,
        "registers": tiles * _register_bits(words, lines, columns) * constants.register_area,
        "buffers": shared * constants.buffer * constants.buffer_area,
        "buses": shared * constants.bus_area,
        "routers": routers(hardware, tiles) * constants.router_area,
    }


def leakage(hardware: Hardware, columns: int, tiles: int) -> float:
    """Watts that a chip takes when it does nothing: its memory and logic.

    Switch states leak unless ``bit_area`` is 0, for devices that keep them by themselves.
    """
    constants, words = hardware.cost, Words.of(hardware)
    lines, bit_lines = hardware.cells
    area = chip_area(hardware, columns, tiles)
    states = tiles * lines * bit_lines * hardware.bank.resistors if constants.bit_area else 0
    bits = states + tiles * _register_bits(words, lines, columns)
    bits += clusters(hardware, tiles) * constants.buffer
    logic = math.fsum(area[name] for name in ("adders", "buses", "routers"))
    return float(bits * constants.bit_leakage + logic * constants.logic_leakage)


def _register_bits(words: Words, lines: int, columns: int) -> int:
    return lines * words.input + columns * words.sum
