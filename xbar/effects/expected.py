"""Expected squared error of a choice of resistors: bias² + variance.

A cell programmed to a conductance G_S = Σ g_i is read as m Σ g_i (1 + e_i), with the gain m from
cell to digital side and independent noise e_i of standard deviation r, so that for a target t

    E (reading - t)² = (m G_S - t)² + (m r)² Σ g_i²

Every pass of the compiler minimises this figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2

import numpy as np

from xbar.arrays import Floats
from xbar.effects.chain import Chain
from xbar.effects.effect import Effect, ExactCells, Read
from xbar.effects.namespace import NUMPY
from xbar.errors import SpecError
from xbar.hardware.spec import Hardware


@dataclass(frozen=True)
class ExpectedError:
    """Gain and noise of the reading of a programmed conductance.

    Attributes:
        gain: mean reading over programmed conductance.
        noise: standard deviation of one resistor's reading, relative to its conductance.
    """

    gain: float = 1.0
    noise: float = 0.0

    def of(self, achieved: Floats, target: Floats, power: Floats) -> Floats:
        """Expected squared error (...) in siemens².

        Args:
            achieved: (...) signed sum of the chosen resistors, in siemens.
            target: (...) siemens.
            power: (...) sum of the squares of all conducting resistors, in siemens².
        """
        bias = self.gain * achieved - target
        return bias * bias + (self.gain * self.noise) ** 2 * power


def expected_error(hardware: Hardware) -> ExpectedError:
    """The expected error of weights on chips of a design, without wires.

    The chain is evaluated on one cell of about a resistor's conductance that was reached exactly,
    read with ideal wires at 1 V. Converters are left out: their rounding depends on the inputs. As
    in ``Stage.read``, all conductances come first, then variances and currents in signal order.

    Raises:
        SpecError: the mean reading is not a positive part of what is programmed.
    """
    from xbar import effects

    return _expected_error(hardware, effects.EFFECTS)


@lru_cache(maxsize=64)
def _expected_error(hardware: Hardware, effects: tuple[Effect, ...]) -> ExpectedError:
    """The same for a design and the tuple in use: a compilation asks for each of its tiles."""
    chain = Chain.of(hardware, "ideal")
    # of a power of two effects in proportion to it round nothing
    siemens = 2.0 ** round(log2(hardware.bank.nominal_conductance.mean()))
    cell, volts = np.full((1, 1), siemens), np.ones((1, 1))
    now, variance = chain.conductance(ExactCells(cell)), np.zeros((1, 1))
    read = Read(hardware, NUMPY, voltage=volts)
    _check_reading(now, siemens, chain)
    for effect in chain.acting:
        before = now
        variance = variance + effect.variance(cell**2, hardware)
        now = effect.current(now.copy(), read)
        _check_reading(now, siemens, chain)
        variance = variance * (now / before) ** 2
    return ExpectedError(float(now.item() / siemens), float(variance.item() ** 0.5 / now.item()))


def _check_reading(now: Floats, siemens: float, chain: Chain) -> None:
    reading = now.item()
    if not (reading > 0.0 and np.isfinite(reading)):
        raise SpecError(
            f"effects must read {siemens:.3g} S as a positive conductance, not {reading:.3g} S, to "
            f"be programmed for; mend one of {', '.join(effect.name for effect in chain.acting)}"
        )
