"""Cost constants of a chip's components: energy, time, area and leakage, all set by the design.

The defaults are of a 32 nm process, mostly from one published design:

    ISAAC     A. Shafiee et al., "ISAAC: a convolutional neural network accelerator with in-situ
              analog arithmetic in crossbars", ISCA 2016, Table I, whose figures are of groups. In a
              read of 100 ns: 1024 DACs of 1 bit take 4 mW and 0.00017 mm²; 4 shift-and-add units,
              which serve 8 ADCs of 1.2 GS/s, 0.2 mW and 0.00024 mm²; 1024 sample-and-holds 10 uW
              and 0.00004 mm²; the input registers of 8 arrays (2 KB, read at 1024 bits a read) 1.24
              mW and 0.0021 mm². A buffer of 64 KB for 96 arrays takes 20.7 mW and 0.083 mm²; its
              bus, which brings 1 KB a read, 7 mW and 0.090 mm²; a router of 8 ports of 32 bits at 1
              GHz, for four such buffers, 42 mW and 0.151 mm² (all ports busy: our assumption)
    survey    energy and area of ADCs: ``adc_survey.py``
    NeuroSim  parameters of DNN+NeuroSim: a cell of one transistor and one resistor takes 4 F x
              12 F, an SRAM cell 8 F x 20 F; leakage: ``nodes.py``
    NeuRRAM   W. Wan et al., "A compute-in-memory chip based on resistive random-access memory",
              Nature 608, 2022, as in CiMLoop's model of it: 8.52 pulses of 1 us and 1.75 V to write
              a device and verify it

``node`` scales these defaults (``nodes.py``); a constant that the design states is used as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from xbar.errors import SpecError
from xbar.hardware.adc_survey import FASTEST, survey_area, survey_energy
from xbar.hardware.base import (
    Duration,
    Hertz,
    Joules,
    Metres,
    Quantity,
    Seconds,
    Spec,
    SquareMetres,
    Volts,
    Watts,
)
from xbar.hardware.nodes import (
    REFERENCE,
    area_factor,
    bit_leakage,
    check_node,
    energy_factor,
    logic_leakage,
)
from xbar.units import parse_quantity

_READ = 100e-9
"""Seconds of a read of ISAAC."""
_KILOBYTE = 8 * 1024
_MOST = 10**12
"""Largest number of bits, tiles and so on."""
_SIZES = 1e-60, 1e60
"""Sizes of constants that can be computed with."""


class Cost(Spec):
    """Constants of energy (joule), time (second), area (square metre) and leakage (watt).

    Attributes:
        node: feature size of the process, from 7 nm to 130 nm; scales the other defaults of energy,
            area and leakage, not those of time.
        clock: frequency of buses and routers (ISAAC).
        read_time: duration of one read (ISAAC).
        overlap: whether sample-and-holds let conversions overlap with the next read (ISAAC does).
        adc_step_energy: energy of an ADC conversion over 2^bits (Walden's figure of merit); None
            for the survey's energy at the ADC's bits, rate and node.
        adc_time: duration of one conversion; its inverse is the ADC's rate (ISAAC: 1.2 GS/s).
        adc_area: area of an ADC of ``adc_area_bits``; it doubles with each bit, like its
            capacitors. None for the survey's.
        adc_area_bits: resolution that ``adc_area`` refers to.
        hold_energy: energy of a sample-and-hold, one per reading (ISAAC).
        hold_area: its area, one per column of weights (ISAAC).
        dac_energy: energy of one conversion of a 1-bit DAC; it doubles with each bit of a step,
            like its capacitors (ISAAC).
        dac_area: area of a 1-bit DAC; it doubles likewise (ISAAC).
        add_energy: energy of one shift-and-add (ISAAC).
        add_area: area of one shift-and-add unit, one per ADC (ISAAC).
        device_area: area of one resistor with its switch (NeuroSim: 48 F²).
        bit_area: area of the memory of one switch state (NeuroSim: 160 F² of SRAM); 0 for
            non-volatile devices.
        register_energy: energy of a bit of an input or output in a tile's registers, in and out
            (ISAAC).
        register_area: its area (ISAAC).
        buffer: bits of the buffer of a cluster (ISAAC: 64 KB).
        buffer_energy: energy of a bit written to it or read (ISAAC).
        buffer_area: area of a bit (ISAAC).
        bus_bits: bits that a cluster's bus moves a clock (ISAAC).
        bus_energy: energy of a bit on it (ISAAC).
        bus_area: area of the bus (ISAAC).
        cluster: number of tiles with a common buffer and bus (ISAAC: 96).
        router_clusters: number of clusters with a common router (ISAAC: 4).
        hop_energy: energy of a bit through a router (ISAAC).
        router_area: area of a router (ISAAC).
        link_bits: bits that a router moves a clock and port (ISAAC).
        bit_leakage: power of a bit of SRAM: switch states, registers and buffers (NeuroSim).
        logic_leakage: power of logic, watts per square metre: adders, buses, routers (NeuroSim).
        write_energy: energy of writing a switch state (ISAAC: a bit written to a buffer).
        write_time: duration of writing those of one word line of a tile (ISAAC: one clock).
        pulse_voltage: volts of a pulse that tunes a device (NeuRRAM).
        pulse_time: duration of a pulse (NeuRRAM).
        pulses: mean number of pulses, each with a read that verifies it, for a device (NeuRRAM).
        measurements: number of times that each resistor is read to learn its conductance.
        tiles_at_once: number of tiles that are measured or written at a time.
        reprogram: time after which the chip is programmed again; None for never.

    >>> Cost(read_time="20 ns").read_time
    2e-08
    >>> round(Cost(node="14 nm").add_energy / Cost().add_energy, 2)
    0.21
    """

    node: Metres = REFERENCE
    clock: Hertz = Field(default=1.2e9, gt=0)
    read_time: Seconds = Field(default=_READ, ge=0)
    overlap: bool = False
    adc_step_energy: Joules | None = Field(default=None, ge=0)
    adc_time: Seconds = Field(default=1 / 1.2e9, ge=0)
    adc_area: SquareMetres | None = Field(default=None, ge=0)
    adc_area_bits: int = Field(default=8, ge=1, le=32)
    hold_energy: Joules = Field(default=10e-6 / 1024 * _READ, ge=0)
    hold_area: SquareMetres = Field(default=0.00004e-6 / 1024, ge=0)
    dac_energy: Joules = Field(default=4e-3 / 1024 * _READ, ge=0)
    dac_area: SquareMetres = Field(default=0.00017e-6 / 1024, ge=0)
    add_energy: Joules = Field(default=0.2e-3 / 9.6e9, ge=0)
    add_area: SquareMetres = Field(default=0.00024e-6 / 4, ge=0)
    device_area: SquareMetres = Field(default=48 * REFERENCE**2, ge=0)
    bit_area: SquareMetres = Field(default=160 * REFERENCE**2, ge=0)
    register_energy: Joules = Field(default=1.24e-3 * _READ / 1024, ge=0)
    register_area: SquareMetres = Field(default=0.0021e-6 / (2 * _KILOBYTE), ge=0)
    buffer: int = Field(default=64 * _KILOBYTE, ge=0, le=_MOST)
    buffer_energy: Joules = Field(default=20.7e-3 * _READ / _KILOBYTE, ge=0)
    buffer_area: SquareMetres = Field(default=0.083e-6 / (64 * _KILOBYTE), ge=0)
    bus_bits: int = Field(default=256, ge=1, le=_MOST)
    bus_energy: Joules = Field(default=7e-3 * _READ / _KILOBYTE, ge=0)
    bus_area: SquareMetres = Field(default=0.090e-6, ge=0)
    cluster: int = Field(default=96, ge=1, le=_MOST)
    router_clusters: int = Field(default=4, ge=1, le=_MOST)
    hop_energy: Joules = Field(default=42e-3 / (8 * 32 * 1e9), ge=0)
    router_area: SquareMetres = Field(default=0.151e-6, ge=0)
    link_bits: int = Field(default=32, ge=1, le=_MOST)
    bit_leakage: Watts = Field(default=bit_leakage(REFERENCE), ge=0)
    logic_leakage: Quantity = Field(default=logic_leakage(REFERENCE), ge=0)
    write_energy: Joules = Field(default=20.7e-3 * _READ / _KILOBYTE, ge=0)
    write_time: Seconds = Field(default=1 / 1.2e9, ge=0)
    pulse_voltage: Volts = Field(default=1.75, ge=0)
    pulse_time: Seconds = Field(default=1e-6, ge=0)
    pulses: Quantity = Field(default=8.52, ge=1)
    measurements: int = Field(default=1, ge=1, le=_MOST)
    tiles_at_once: int = Field(default=1, ge=1, le=_MOST)
    reprogram: Duration | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _of_the_node(cls, given: Any) -> Any:
        """Defaults of the node for the constants that are not given."""
        if not isinstance(given, Mapping) or "node" not in given:
            return given
        try:
            node = check_node(parse_quantity(given["node"], "m"))
        except (SpecError, TypeError):
            return given  # its own field says why
        return {**_scaled(node), **given} if node != REFERENCE else given

    @field_validator("node")
    @classmethod
    def _is_in_the_tables(cls, node: float) -> float:
        return check_node(node)

    @model_validator(mode="after")
    def _can_be_computed_with(self) -> Self:
        low, high = _SIZES
        for name, value in self:
            if isinstance(value, float) and value and not low <= value <= high:
                raise SpecError(f"{name} must be 0 or from {low:g} to {high:g}, not {value:g}")
        return self

    @model_validator(mode="after")
    def _rate_is_the_surveys(self) -> Self:
        surveyed = self.adc_step_energy is None or self.adc_area is None
        if surveyed and not self.adc_time * FASTEST >= 1:
            raise SpecError(
                f"adc_time must be at least {1 / FASTEST:g} s, the survey's fastest, not "
                f"{self.adc_time:g} s; or state adc_step_energy and adc_area"
            )
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some values replaced; with another ``node``, the defaults are its own."""
        del deep
        values = dict(self)
        if update and "node" in update:
            own = {name: each.default for name, each in Cost.model_fields.items()}
            own |= _scaled(self.node) if self.node != REFERENCE else {}
            values = {name: value for name, value in values.items() if value != own[name]}
            values.pop("node", None)
        return type(self)(**{**values, **(update or {})})

    def adc_energy(self, bits: int) -> float:
        """Joules of a conversion of an ADC of so many bits.

        Raises:
            SpecError: the survey has no such ADC.
        """
        if self.adc_step_energy is not None:
            return float(self.adc_step_energy * 2.0**bits)
        return survey_energy(bits, 1 / self.adc_time, self.node)

    def adc_size(self, bits: int) -> float:
        """Square metres of an ADC of so many bits.

        Raises:
            SpecError: the survey has no such ADC.
        """
        if self.adc_area is not None:
            return float(self.adc_area * 2.0 ** (bits - self.adc_area_bits))
        return survey_area(bits, 1 / self.adc_time, self.node)


def _scaled(node: float) -> dict[str, float]:
    """The defaults that depend on the process, at a node."""
    energy, area, features = energy_factor(node), area_factor(node), (node / REFERENCE) ** 2
    factors = {
        **dict.fromkeys(("device_area", "bit_area"), features),
        **dict.fromkeys(_ENERGIES, energy),
        **dict.fromkeys(_AREAS, area),
    }
    scaled = {name: Cost.model_fields[name].default * by for name, by in factors.items()}
    return scaled | {"bit_leakage": bit_leakage(node), "logic_leakage": logic_leakage(node)}


_ENERGIES = (
    *("hold_energy", "dac_energy", "add_energy", "register_energy", "buffer_energy"),
    *("bus_energy", "hop_energy", "write_energy"),
)
_AREAS = (
    *("hold_area", "dac_area", "add_area", "register_area", "buffer_area"),
    *("bus_area", "router_area"),
)
