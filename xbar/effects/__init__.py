"""The physical effects between a weight and its reading, one per file.

``EFFECTS`` is the signal path, from the driver to the sense amplifier. The read-outs, the training
layer, the error budget and the compiler's expected error use it at run time, so adding an effect
takes one class and one entry.
"""

from __future__ import annotations

from xbar.effects.adc import Adc
from xbar.effects.adc_inl import AdcInl
from xbar.effects.adc_noise import AdcNoise
from xbar.effects.adc_offset import AdcOffset
from xbar.effects.amplifier import Amplifier
from xbar.effects.amplifier_noise import AmplifierNoise
from xbar.effects.dac import Dac
from xbar.effects.dac_inl import DacInl
from xbar.effects.drift import Drift
from xbar.effects.effect import Effect
from xbar.effects.faults import Faults
from xbar.effects.idle import Idle
from xbar.effects.nonlinearity import Nonlinearity
from xbar.effects.read_noise import ReadNoise
from xbar.effects.sampling import Sampling
from xbar.effects.selection import Selection
from xbar.effects.selector import Selector
from xbar.effects.source_lines import SourceLines
from xbar.effects.swing import Swing
from xbar.effects.temperature import Temperature
from xbar.effects.wires import Wires

__all__ = ["EFFECTS", "Effect"]

EFFECTS: tuple[Effect, ...] = (
    Dac(),
    DacInl(),
    Selection(),
    Drift(),
    Temperature(),
    Faults(),
    Wires(),
    Idle(),
    SourceLines(),
    Nonlinearity(),
    Selector(),
    ReadNoise(),
    AmplifierNoise(),
    Amplifier(),
    Swing(),
    Sampling(),
    AdcOffset(),
    AdcNoise(),
    AdcInl(),
    Adc(),
)
"""All effects, in signal order."""


def __dir__() -> list[str]:
    return list(__all__)
