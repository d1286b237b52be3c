"""The error to be expected of a choice of resistors: bias² + variance.

A cell that was programmed to a conductance G_S = Σ g_i is read as m Σ g_i (1 + e_i), with the gain
m of everything that lies between cell and digital side, and independent noise e_i of standard
deviation r, so that for a target t

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
    """What a read-out makes of a programmed conductance.

    Attributes:
        gain: mean reading over programmed conductance.
        noise: standard deviation of one resistor's reading, relative to its conductance.
    """

    gain: float = 1.0
    noise: float = 0.0

    def of(self, achieved: Floats, target: Floats, power: Floats) -> Floats:
        """Expected squared error (...) in siemens².

        Args:
            achieved: (...) siemens that the chosen resistors add up to, with their signs.
            target: (...) siemens.
            power: (...) siemens², the sum of the squares of all resistors that conduct.
        """
        bias = self.gain * achieved - target
        return bias * bias + (self.gain * self.noise) ** 2 * power


def expected_error(hardware: Hardware) -> ExpectedError:
    """The expected error of weights on chips of a design, before wires.

    The chain is asked what it makes of a conductance of 1 that was reached exactly, read with
    ideal wires at 1 V. Converters step aside: what they round depends on the inputs.
    """
    chain = Chain.of(hardware, "ideal")
    cell = ExactCells(np.ones(()))
    gain, noise = cell.target, np.zeros(())
    read = Read(hardware, NUMPY, voltage=np.ones(()))
    for effect in chain.acting:
        before = gain
        gain = effect.conductance(gain, cell)
        noise = noise + effect.variance(np.ones(()), hardware)
        gain = effect.current(gain, read)
        noise = noise * (gain / before) ** 2
    return ExpectedError(float(gain), float(noise**0.5 / gain))
