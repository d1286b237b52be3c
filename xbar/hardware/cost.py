"""Cost constants of a chip's components: energy, time and area, all overridable by the design.

The defaults are for a 32 nm process, mostly from one published design:

    ISAAC     A. Shafiee et al., "ISAAC: a convolutional neural network accelerator with in-situ
              analog arithmetic in crossbars", ISCA 2016, table of components: reads of 100 ns;
              8 ADCs of 8 bits take 0.0096 mm²; 1024 DACs of 1 bit take 4 mW and 0.00017 mm²;
              4 shift-and-add units, which serve 8 ADCs of 1.2 GS/s, take 0.2 mW and 0.00024 mm²
    Kull      L. Kull et al., "A 3.1 mW 8b 1.2 GS/s single-channel asynchronous SAR ADC", ISSCC
              2013, the ADC that ISAAC assumes: 3.1 mW / 1.2 GS/s / 2^8 = 10 fJ a step
    NeuroSim  parameters of DNN+NeuroSim: a cell of one transistor and one resistor takes 4 F x
              12 F, an SRAM cell 8 F x 20 F
    Walden    R. Walden, "Analog-to-digital converter survey and analysis", IEEE J. Sel. Areas
              Commun. 17, 1999: a converter's energy is a constant times 2^bits. Beyond about 10
              bits thermal noise requires a factor of four per bit; use a larger constant then
"""

from __future__ import annotations

from pydantic import Field

from xbar.hardware.base import Joules, Seconds, Spec, SquareMetres

FEATURE = 32e-9
"""Half pitch F of the default process, metres."""


class Cost(Spec):
    """Constants of energy (joule), time (second) and area (square metre).

    Attributes:
        read_time: duration of one read (ISAAC).
        adc_step_energy: energy of an ADC conversion over 2^bits (Walden's figure of merit; Kull).
        adc_time: duration of one conversion (Kull).
        adc_area: area of an ADC of ``adc_area_bits``; it doubles with each bit, like its capacitors
            (ISAAC).
        adc_area_bits: resolution that ``adc_area`` refers to.
        dac_energy: energy of one conversion of a 1-bit DAC; it doubles with each bit of a step,
            like its capacitors (ISAAC: 4 mW / 1024 in 100 ns).
        dac_area: area of a 1-bit DAC; it doubles likewise (ISAAC).
        add_energy: energy of one shift-and-add (ISAAC: 0.2 mW at 9.6 G readings per second).
        add_area: area of one shift-and-add unit, one per ADC (ISAAC).
        device_area: area of one resistor with its switch (NeuroSim: 48 F²).
        bit_area: area of the memory of one switch state (NeuroSim: 160 F² of SRAM); 0 for
            non-volatile devices.

    >>> Cost(read_time="20 ns").read_time
    2e-08
    """

    read_time: Seconds = Field(default=100e-9, ge=0)
    adc_step_energy: Joules = Field(default=3.1e-3 / 1.2e9 / 2**8, ge=0)
    adc_time: Seconds = Field(default=1 / 1.2e9, ge=0)
    adc_area: SquareMetres = Field(default=0.0096e-6 / 8, ge=0)
    adc_area_bits: int = Field(default=8, ge=1, le=32)
    dac_energy: Joules = Field(default=4e-3 / 1024 * 100e-9, ge=0)
    dac_area: SquareMetres = Field(default=0.00017e-6 / 1024, ge=0)
    add_energy: Joules = Field(default=0.2e-3 / 9.6e9, ge=0)
    add_area: SquareMetres = Field(default=0.00024e-6 / 4, ge=0)
    device_area: SquareMetres = Field(default=48 * FEATURE**2, ge=0)
    bit_area: SquareMetres = Field(default=160 * FEATURE**2, ge=0)
