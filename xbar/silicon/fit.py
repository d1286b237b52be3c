"""The laws of a branch, fitted to what a simulator or a tester found; arrays in, numbers out.

The conductance of a closed branch is

    G = 1 / (R (1 + dr) + series + Ron(dvt) (1 + share_slope (s / s' - 1))),
    1 / Ron(dvt) = (1 + slope dvt + bend dvt² + cubic dvt³) / Ron,

with dr the relative deviation of its resistor, dvt the volts by which its switch's threshold is
higher, and s the share Ron(dvt) / (R (1 + dr) + series + Ron(dvt)), which is s' without deviations.
Its current over the voltage is I = G v (1 + c2 v + c3 (v² - test²) + kink (|v| - test)), G being
the current's difference between +-test, by 2 test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SolverError

_STEPS = 5
"""Newton steps from the quadratic law's threshold to the cubic one's."""
_ROUNDS = 4
"""Fits of the area law, each weighted by the one before."""


class SwitchLaw(NamedTuple):
    """Ohms of a switch at a deviation dvt of its threshold.

    Attributes:
        resistance: ohms without deviation.
        slope: 1/V.
        bend: 1/V².
        cubic: 1/V³.
    """

    resistance: float
    slope: float
    bend: float
    cubic: float = 0.0

    def conductance(self, threshold: Floats) -> Floats:
        """Siemens at deviations in volts."""
        return np.asarray(self._factor(threshold) / self.resistance)

    def _factor(self, threshold: Floats) -> Floats:
        law = self.slope + threshold * (self.bend + threshold * self.cubic)
        return np.asarray(1 + threshold * law)

    def threshold(self, resistance: Floats) -> Floats:
        """The deviations in volts that give resistances in ohms: the inverse of the law.

        Raises:
            SolverError: no deviation gives one of them.
        """
        wanted = self.resistance / resistance - 1
        root = self.slope**2 + 4 * self.bend * wanted
        if np.any(root < 0):
            raise SolverError(
                "a switch must have a resistance within the law of its threshold, not "
                f"{resistance[np.argmin(root)]:g} ohm where {self.resistance:g} is typical"
            )
        # the branch through 0, written without a difference of nearly equal numbers
        found = np.asarray(2 * wanted / (self.slope + np.sign(self.slope) * np.sqrt(root)))
        for _ in range(_STEPS):
            slope = self.slope + found * (2 * self.bend + found * 3 * self.cubic)
            found = found - (self._factor(found) - 1 - wanted) / slope
        return found


def fit_switch(threshold: Floats, resistance: Floats) -> SwitchLaw:
    """The law of a switch through its resistance at deviations of its threshold.

    Relative deviations of the conductance are least squares; the resistance without deviation
    is kept exactly.

    Args:
        threshold: (D,) volts, 0 among them.
        resistance: (D,) ohms.
    """
    typical = float(resistance[np.argmin(np.abs(threshold))])
    matrix = np.stack([threshold, threshold**2, threshold**3], axis=1)
    weight = resistance / typical  # makes the residual one of the relative conductance
    matrix *= weight[:, None]
    wanted = (typical / resistance - 1) * weight
    # columns of like size, because powers of small voltages are small
    scale = np.abs(matrix).max(axis=0)
    slope, bend, cubic = np.linalg.lstsq(matrix / scale, wanted, rcond=None)[0] / scale
    return SwitchLaw(typical, float(slope), float(bend), float(cubic))


class Bend(NamedTuple):
    """How a branch's current departs from Ohm's law.

    Attributes:
        c2: 1/V.
        c3: 1/V².
        kink: 1/V.
        error: worst error of the current that is left, relative to the largest one.
    """

    c2: float
    c3: float
    kink: float
    error: float


def fit_bend(voltage: Floats, current: Floats, slope: float, test: float) -> Bend:
    """The bend of a current, by least squares.

    Args:
        voltage: (V,) volts, 0 among them.
        current: (V,) amperes.
        slope: G in siemens, which is kept: the current's difference between +-test, by 2 test.
        test: volts.
    """
    offset = current[np.argmin(np.abs(voltage))]
    bent = current - offset - slope * voltage
    terms = [voltage, voltage**2 - test**2, np.abs(voltage) - test]
    matrix = slope * voltage[:, None] * np.stack(terms, axis=1)
    # columns of like size, because powers of small voltages are small
    scale = np.abs(matrix).max(axis=0)
    found = np.linalg.lstsq(matrix / scale, bent, rcond=None)[0] / scale
    error = np.abs(matrix @ found - bent).max() / np.abs(current).max()
    c2, c3, kink = found.tolist()
    return Bend(c2, c3, kink, float(error))


def fit_c2_slope(threshold: Floats, c2: Floats) -> float:
    """Relative change of c2 per volt of a threshold's deviation, 1/V.

    Args:
        threshold: (D,) volts, 0 among them.
        c2: (D,) 1/V, as of branches of which the switch takes one share.
    """
    typical = c2[np.argmin(np.abs(threshold))]
    if typical == 0:
        return 0.0
    change = c2 / typical - 1
    return float(threshold @ change / (threshold @ threshold))


def fit_temperature(temperature: Floats, conductance: Floats, typical: float) -> Floats:
    """(2, K) linear and quadratic coefficient, 1/K and 1/K², of G relative to ``typical`` celsius.

    Args:
        temperature: (T,) celsius, ``typical`` among them.
        conductance: (T, K) siemens.
        typical: celsius.
    """
    away = temperature - typical
    at = int(np.argmin(np.abs(away)))
    change = conductance / conductance[at] - 1
    return np.asarray(np.linalg.lstsq(np.stack([away, away**2], axis=1), change, rcond=None)[0])


def fit_matching(length: Floats, resistance: Floats, sigma: Floats) -> Floats:
    """(K,) relative deviations of resistors by the area law, from noisy ones of each length.

    The ends of a resistor deviate by the same ohms at any length, its body by ohms whose square
    grows with the length: (sigma R)² = ends² + body² length, after Pelgrom et al., "Matching
    properties of MOS transistors", IEEE J. Solid-State Circuits 24, 1433 (1989). One fit over
    all lengths is more precise than each deviation alone.

    Args:
        length: (K,) metres.
        resistance: (K,) ohms.
        sigma: (K,) relative standard deviations of samples of equal size.
    """
    from scipy.optimize import nnls

    variance = (sigma * resistance) ** 2
    if not np.any(variance):
        return np.zeros_like(sigma)
    if len(np.unique(length)) < 2:
        return np.full_like(sigma, np.sqrt(np.mean(sigma**2)))
    matrix = np.stack([np.ones_like(length), length / length.max()], axis=1)
    smooth = variance
    for _ in range(_ROUNDS):
        # the error of a sample's variance is in proportion to the variance itself
        found, _ = nnls(matrix / smooth[:, None], variance / smooth)
        smooth = matrix @ found
    return np.asarray(np.sqrt(smooth) / resistance)
