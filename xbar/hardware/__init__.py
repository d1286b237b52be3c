"""The chip: its design (Hardware) and one fabricated instance (Chip).

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.hardware import catalog as catalog
    from xbar.hardware.amplifier import Amplifier as Amplifier
    from xbar.hardware.bank import Bank as Bank
    from xbar.hardware.chip import Chip as Chip
    from xbar.hardware.converter import Converter as Converter
    from xbar.hardware.cost import Cost as Cost
    from xbar.hardware.curve import Curve as Curve
    from xbar.hardware.device_law import DeviceLaw as DeviceLaw
    from xbar.hardware.fabricate import Deviations as Deviations
    from xbar.hardware.fabricate import Resistors as Resistors
    from xbar.hardware.law_over_time import Drift as Drift
    from xbar.hardware.law_over_time import Flicker as Flicker
    from xbar.hardware.law_over_time import Relaxation as Relaxation
    from xbar.hardware.law_over_time import Retention as Retention
    from xbar.hardware.law_parts import Fitted as Fitted
    from xbar.hardware.law_parts import Goodness as Goodness
    from xbar.hardware.law_parts import Parameter as Parameter
    from xbar.hardware.law_parts import Spread as Spread
    from xbar.hardware.measurement import Measurement as Measurement
    from xbar.hardware.nonlinearity import Nonlinearity as Nonlinearity
    from xbar.hardware.on_device import conductances as conductances
    from xbar.hardware.selector import Selector as Selector
    from xbar.hardware.silicon import Drawn as Drawn
    from xbar.hardware.spec import Hardware as Hardware
    from xbar.hardware.spec import Later as Later
    from xbar.hardware.spec import Moment as Moment
    from xbar.hardware.switch import Switch as Switch
    from xbar.hardware.temperature import Temperature as Temperature
    from xbar.hardware.tile import Tile as Tile
    from xbar.hardware.variation import Variation as Variation

_HOME = {
    "Bank": "xbar.hardware.bank",
    "Chip": "xbar.hardware.chip",
    "Amplifier": "xbar.hardware.amplifier",
    "Converter": "xbar.hardware.converter",
    "Cost": "xbar.hardware.cost",
    "Curve": "xbar.hardware.curve",
    "Deviations": "xbar.hardware.fabricate",
    "DeviceLaw": "xbar.hardware.device_law",
    "Drawn": "xbar.hardware.silicon",
    "Drift": "xbar.hardware.law_over_time",
    "Flicker": "xbar.hardware.law_over_time",
    "Fitted": "xbar.hardware.law_parts",
    "Goodness": "xbar.hardware.law_parts",
    "Parameter": "xbar.hardware.law_parts",
    "Spread": "xbar.hardware.law_parts",
    "Hardware": "xbar.hardware.spec",
    "Later": "xbar.hardware.spec",
    "Moment": "xbar.hardware.spec",
    "Measurement": "xbar.hardware.measurement",
    "Nonlinearity": "xbar.hardware.nonlinearity",
    "Relaxation": "xbar.hardware.law_over_time",
    "Resistors": "xbar.hardware.fabricate",
    "Retention": "xbar.hardware.law_over_time",
    "Selector": "xbar.hardware.selector",
    "Switch": "xbar.hardware.switch",
    "Temperature": "xbar.hardware.temperature",
    "Tile": "xbar.hardware.tile",
    "Variation": "xbar.hardware.variation",
    "conductances": "xbar.hardware.on_device",
}
_MODULES = ("catalog",)

__all__ = sorted([*_HOME, *_MODULES])

__getattr__, __dir__ = public_names("xbar.hardware", _HOME, _MODULES)
