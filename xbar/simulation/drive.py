"""The DAC: what volts the word lines get for a layer's inputs, step by step.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.hardware.spec import Hardware
from xbar.simulation.converters import ClipCount, quantise_in_place, serial_steps
from xbar.simulation.ranges import Ranges

Reals = NDArray[np.floating[Any]]


def unit_of(hardware: Hardware, layer: str, x: Reals, ranges: Ranges | None) -> Any:
    """Volts for an input of one, for a layer's inputs (N, G, inputs).

    One number where the layer's range was found from data; else (N, 1, 1), so that each vector's
    own largest value gets the DAC's full scale.
    """
    voltage = hardware.read_voltage
    if ranges is not None and layer in ranges.inputs:
        return x.dtype.type(voltage / ranges.inputs[layer])
    axes = (1, 2)
    peak = np.maximum(x.max(axis=axes, keepdims=True), -x.min(axis=axes, keepdims=True))
    return voltage / np.where(peak > 0, peak, x.dtype.type(1.0))


def dac_steps(
    hardware: Hardware, volts: Reals, count: ClipCount | None = None
) -> Iterator[tuple[float, Reals]]:
    """What the DAC makes of volts (N, G, inputs), which it may overwrite.

    Yields:
        By step: what its readings count, and the volts. The sum of their products is the rounded
        and clipped value.
    """
    dac, full_scale = hardware.dac, hardware.read_voltage
    if dac is None:
        yield 1.0, volts
        return
    step = full_scale / dac.top if dac.bit_serial is None else 1.0
    quantise_in_place(volts, full_scale, dac.top, step, count or ClipCount())
    if dac.bit_serial is None:
        yield 1.0, volts
        return
    for weight, share in serial_steps(volts, dac):
        share *= full_scale
        yield weight / dac.top, share.astype(volts.dtype, copy=False)
