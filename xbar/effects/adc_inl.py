"""ADC linearity: thresholds that lie where the circuit puts them."""

from __future__ import annotations

from functools import partial

from xbar.effects.effect import Effect, Read
from xbar.effects.namespace import Array
from xbar.hardware.spec import Hardware


class AdcInl(Effect):
    """A converter gives the code of its own circuit (``transfer.py``) instead of the nearest level.

    The difference of both, a whole number of levels, is added to the current, so that the rounding
    that follows gives the circuit's code, and this effect alone is that difference. A current
    beyond the range, where the circuit does not give the outermost code, becomes that of its code.
    """

    name = "adc_inl"
    key = "adc.kind"
    needs_range = True

    def given(self, hardware: Hardware) -> bool:
        """The design's ADCs are of a kind whose circuit is known."""
        return hardware.adc is not None and hardware.adc.kind != "ideal"

    def current(self, current: Array, read: Read) -> Array:
        """The currents plus what the converters err by."""
        found, stage = read.drawn(self.name), read.stage
        if found is None or stage is None or stage.full_scale is None:
            return current
        full, top = read.xp.to_numpy(stage.full_scale), found.transfer.top
        return read.xp.changed(
            current, partial(found.transfer.add, gain=top / full, step=full / top)
        )
