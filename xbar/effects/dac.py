"""DAC: quantisation of word-line voltages, whole or bit-serial.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xbar.arrays import Floats
from xbar.effects.converters import ClipCount
from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import NUMPY, Array, Arrays
from xbar.hardware.converter import Converter
from xbar.hardware.spec import Hardware


class Dac(Effect):
    """Inputs are rounded to 2^bits - 1 levels and clipped at the DAC's full scale."""

    name = "dac"
    key = "dac"

    def given(self, hardware: Hardware) -> bool:
        """The design has a DAC."""
        return hardware.dac is not None

    def voltage(self, volts: Array, read: Read) -> Iterator[tuple[float, Array]]:
        """The nearest levels, or the steps of a bit-serial DAC."""
        return dac_steps(read.hardware, volts, read.clips.get(self.name), read.xp)


def dac_steps(
    hardware: Hardware, volts: Array, count: ClipCount | None = None, xp: Arrays = NUMPY
) -> Iterator[tuple[float, Array]]:
    """The DAC's steps for volts (N, G, inputs), which may be overwritten.

    Yields:
        Weight and volts of each step. The sum of their products is the rounded and clipped value.
    """
    dac, full_scale = hardware.dac, hardware.read_voltage
    if dac is None:
        yield 1.0, volts
        return
    if dac.bit_serial is None:
        yield 1.0, xp.levels(volts, dac.top / full_scale, dac.top, full_scale / dac.top, count)
        return
    codes = xp.levels(volts, dac.top / full_scale, dac.top, 1.0, count)
    for weight, share in serial_steps(codes, dac, xp):
        share *= full_scale
        yield weight / dac.top, share


def gate_steps(hardware: Hardware, volts: Floats) -> Iterator[tuple[float, Floats]]:
    """The reads of an array for volts (N, R): one, or one a bit where word lines are gates.

    Of bits, which a DAC that is switched off does not make.

    Yields:
        Weight and volts of each read.
    """
    if not hardware.tile.separate or np.isin(volts, (0.0, volts.max(initial=0.0))).all():
        yield 1.0, volts
        return
    yield from dac_steps(hardware, volts.copy())


def volts_per_unit(hardware: Hardware, x: Array, full_input: float | None, xp: Arrays) -> Array:
    """Volts per unit of a layer's inputs (N, G, inputs).

    Args:
        hardware: design of the chip.
        x: inputs.
        full_input: input value at the DAC's full scale; None for each vector's largest value.
        xp: namespace of the inputs.

    Returns:
        One number if ``full_input`` is given, else (N, 1, 1).
    """
    if full_input is not None:
        return float(hardware.read_voltage / full_input)
    peak = xp.peak(x)
    return hardware.read_voltage / (peak + (peak == 0))


def serial_steps(code: Array, dac: Converter, xp: Arrays = NUMPY) -> Iterator[tuple[float, Array]]:
    """The steps of a bit-serial DAC for codes from -top to top.

    Args:
        code: integers as floats, of any shape.
        dac: converter with ``bit_serial``.
        xp: namespace of the codes.

    Yields:
        Weight of a step's full-scale voltage, in codes, and its voltages relative to full scale, of
        the codes' shape. The sum of their products is the code. The gradient of the code is
        distributed over all steps except that of the sign bit.

    >>> import numpy as np
    >>> dac = Converter(bits=4, bit_serial=2)
    >>> [(weight, volts.tolist()) for weight, volts in serial_steps(np.array([-6.0]), dac)]
    [(3.0, [-0.6666666666666666]), (12.0, [-0.3333333333333333])]
    """
    assert dac.bit_serial is not None
    digit, most = dac.bit_serial, 2**dac.bit_serial - 1
    count = -(-(dac.bits - 1) // digit)
    weights = [float(most * 2 ** (digit * step)) for step in range(count)]
    wrap = 2 ** (dac.bits - 1) if dac.code == "twos-complement" else 0
    for step, weight in enumerate(weights):
        share = xp.digits(code, 2 ** (digit * step), 2**digit, wrap)
        yield weight, xp.straight(share, code, 1 / sum(weights))
    if wrap:
        yield -float(wrap), xp.flags(code < 0)
