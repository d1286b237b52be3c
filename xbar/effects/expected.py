"""Expected squared error of a choice of resistors: bias² + variance.

A cell programmed to a conductance G_S = Σ g_i is read as m Σ g_i (1 + e_i), with the gain m from
cell to digital side and independent noise e_i of standard deviation r, so that for a target t

    E (reading - t)² = (m G_S - t)² + (m r)² Σ g_i²

Every pass of the compiler minimises this figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.effects.chain import Chain
from xbar.effects.effect import ExactCells, Read
from xbar.effects.namespace import NUMPY
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

    The chain is evaluated on a conductance of exactly 1, read with ideal wires at 1 V. Converters
    are left out: their rounding depends on the inputs.
    """
    chain = Chain.of(hardware, "ideal")
    gain, noise = chain.conductance(ExactCells(np.ones(()))), np.zeros(())
    read = Read(hardware, NUMPY, voltage=np.ones(()))
    for effect in chain.acting:  # in the order of ``Stage.read``
        before = gain
        noise = noise + effect.variance(np.ones(()), hardware)
        gain = effect.current(gain, read)
        noise = noise * (gain / before) ** 2
    return ExpectedError(float(gain), float(noise**0.5 / gain))
