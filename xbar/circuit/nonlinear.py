"""Crossbars with non-ohmic cells.

A cell's I-V curve gives its current and differential conductance at a voltage. The crossbar is
solved by Newton's method: each step is a linear crossbar of the differential conductances, with a
current source parallel to each cell for the remainder, solved by conjugate gradients, or directly
where these would not be exact enough. The residual
is the difference between the cells' actual currents and those that satisfy Kirchhoff's current law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, as_floats, check_finite, frozen
from xbar.errors import SolverError, SpecError
from xbar.tables import Outline

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_NEWTON_STEPS = 60
_SPLIT_STEPS = 200
_LINEAR = 1e-8  # bound on a step's error, relative to the largest current, beyond which it is exact


class CellLaw(Protocol):
    """I-V curve of each cell: 0 at 0 V, and non-decreasing."""

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""


def _coefficients(coefficients: ArrayLike) -> Floats:
    terms = as_floats(coefficients, "coefficients")
    if terms.ndim not in (1, 3) or not len(terms):
        raise SpecError(f"coefficients must have the shape (P,) or (P, W, B), not {terms.shape}")
    return frozen(terms)


def _siemens(conductance: ArrayLike) -> Floats:
    return frozen(as_floats(conductance, "conductance"))


@attrs.frozen(eq=False, slots=False, repr=False)
class PolynomialCell(Outline):
    """Current c1 v + c2 v^2 + c3 v^3 + …; with odd powers only, the curve is symmetric.

    Attributes:
        coefficients: (P,) or (P, W, B) coefficients, in amperes per volt, per volt squared and so
            on.

    >>> cell = PolynomialCell([1e-3, 0, 1e-3])
    >>> cell.current(np.array([[0.5]]))
    (array([[0.000625]]), array([[0.00175]]))
    """

    coefficients: Floats = attrs.field(converter=_coefficients)

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        total, slope = np.zeros_like(voltage), np.zeros_like(voltage)
        for k, coefficient in reversed(list(enumerate(self.coefficients, start=1))):
            slope = slope * voltage + k * coefficient
            total = total * voltage + coefficient
        return total * voltage, slope


@attrs.frozen(eq=False, slots=False, repr=False)
class BranchCell(Outline):
    """Current (c1 + rise u) v + c2 v² + … + kink v |v| of resistors with transistors as switches.

    u is the voltage of the bit line: where it rises, its switches have less overdrive.

    Attributes:
        coefficients: (P, W, B) c1, c2, ... in amperes per volt, per volt squared and so on.
        kink: (W, B) amperes per volt squared.
        rise: (W, B) likewise.
    """

    coefficients: Floats = attrs.field(converter=_coefficients)
    kink: Floats = attrs.field(converter=_siemens)
    rise: Floats = attrs.field(converter=_siemens)

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, where no bit line has risen."""
        size = np.abs(voltage)
        total, slope = PolynomialCell(self.coefficients).current(voltage)
        return total + self.kink * voltage * size, slope + 2 * self.kink * size

    def risen(self, bit: Floats) -> BranchCell:
        """The law where the bit lines are at ``bit`` (W, B) volts."""
        terms = self.coefficients.copy()
        terms[0] += self.rise * bit
        return BranchCell(terms, self.kink, self.rise)


@attrs.frozen(eq=False, slots=False, repr=False)
class SinhCell(Outline):
    """Current G V0 sinh(v / V0), as in tunnelling through a barrier.

    Attributes:
        conductance: (W, B) siemens at 0 V; () for equal cells.
        scale: V0 in volts, above which the current grows exponentially.
    """

    conductance: Floats = attrs.field(converter=_siemens)
    scale: float

    def __attrs_post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise SpecError(f"scale must be positive, not {self.scale} V")

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        ratio = voltage / self.scale
        current = self.conductance * self.scale * np.sinh(ratio)
        return np.asarray(current), np.asarray(self.conductance * np.cosh(ratio))


def _points(values: ArrayLike) -> Floats:
    return frozen(as_floats(values, "points of an I-V table"))


@attrs.frozen(eq=False, slots=False, repr=False)
class TableCell(Outline):
    """A curve through measured points, straight between them; all cells have the same.

    Attributes:
        voltage: (P,) volts, rising. Points from 0 V up hold for both directions.
        current_at: (P,) amperes, not falling; 0 at 0 V, a point that need not be given. Solutions
            with a cell beyond the outermost points are refused.

    Raises:
        SpecError: the points are no such curve.

    >>> TableCell([0.5, 1.0], [1e-9, 1e-5]).current(np.array([[-0.75]]))[0]
    array([[-5.0005e-06]])
    """

    voltage: Floats = attrs.field(converter=_points)
    current_at: Floats = attrs.field(converter=_points)

    def __attrs_post_init__(self) -> None:
        volts, amperes = self.voltage, self.current_at
        if volts.ndim != 1 or volts.shape != amperes.shape or not len(volts):
            raise SpecError(
                "an I-V table must have one current per voltage, not shapes "
                f"{volts.shape} and {amperes.shape}"
            )
        check_finite(volts, "voltages of an I-V table", "V", ("point",))
        check_finite(amperes, "currents of an I-V table", "A", ("point",))
        zero = volts == 0
        if np.any(amperes[zero] != 0):
            raise SpecError(
                f"an I-V table must have 0 A at 0 V, not {amperes[zero][0]:g} A; subtract the "
                "instrument's offset"
            )
        if not zero.any():
            place = int(np.searchsorted(volts, 0.0))
            volts, amperes = np.insert(volts, place, 0.0), np.insert(amperes, place, 0.0)
        if volts[0] == 0:
            volts, amperes = (np.concatenate([-a[:0:-1], a]) for a in (volts, amperes))
        for name, rises in (
            ("voltages", np.diff(volts) > 0),
            ("currents", np.diff(amperes) >= 0),
        ):
            if not (rises.all() and volts[-1] > 0):
                at = int(np.argmin(rises))
                raise SpecError(
                    f"the {name} of an I-V table must rise from point to point, on both sides of "
                    f"0 V or from 0 V up, and do not after {volts[at]:g} V, {amperes[at]:g} A; of "
                    "a curve that snaps back give the part on which it is read"
                )
        object.__setattr__(self, "voltage", frozen(volts))
        object.__setattr__(self, "current_at", frozen(amperes))

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        last = len(self.voltage) - 2
        place = np.clip(np.searchsorted(self.voltage, voltage, side="right") - 1, 0, last)
        slopes = np.diff(self.current_at) / np.diff(self.voltage)
        slope = slopes[place]
        return self.current_at[place] + slope * (voltage - self.voltage[place]), slope

    def check_range(self, voltage: Floats) -> None:
        """Check that cell voltages (W, B) are within the table.

        Raises:
            SpecError: one is beyond it.
        """
        low, high = self.voltage[[0, -1]] * (1 + 1e-9)
        bad = np.argwhere(~((voltage >= low) & (voltage <= high)))
        if len(bad):
            i, j = bad[0]
            raise SpecError(
                f"the I-V table ends at {self.voltage[0]:g} and {self.voltage[-1]:g} V, and there "
                f"are {voltage[i, j]:.4g} V at word line {i}, bit line {j}; lower the drive or "
                "measure further"
            )


@dataclass(frozen=True, eq=False)
class SeriesCell:
    """A device in series with a selector.

    Attributes:
        device: I-V curve of the device.
        selector: I-V curve of the selector.
    """

    device: CellLaw
    selector: CellLaw

    def current(self, voltage: Floats) -> tuple[Floats, Floats]:
        """Current in amperes and slope in siemens, (W, B) each, for cell voltages (W, B)."""
        return self._split(voltage)[1:]

    def check_range(self, voltage: Floats) -> None:
        """Check that each selector's part of cell voltages (W, B) is within its table.

        Raises:
            SpecError: one is beyond it.
        """
        if isinstance(self.selector, TableCell):
            self.selector.check_range(voltage - self._split(voltage)[0])

    def _split(self, voltage: Floats) -> tuple[Floats, Floats, Floats]:
        """The device's part of the voltage, the current and its slope."""
        # the device's share of the voltage is between none and all: Newton within that bracket
        low, high = np.minimum(voltage, 0), np.maximum(voltage, 0)
        part = voltage / 2
        for _ in range(_SPLIT_STEPS):
            current, slope = self.device.current(part)
            other, other_slope = self.selector.current(voltage - part)
            excess, total = current - other, slope + other_slope
            low, high = np.where(excess <= 0, part, low), np.where(excess >= 0, part, high)
            step = np.divide(excess, total, out=np.zeros_like(excess), where=total > 0)
            if np.all(np.abs(step) <= 1e-15 * np.abs(voltage)):
                # the one that takes most of the voltage tells the current to more digits
                current = np.where(slope <= other_slope, current, other)
                return part, current, _in_series(slope, other_slope)
            guess = part - step
            part = np.where((guess > low) & (guess < high), guess, (low + high) / 2)
        raise SolverError(
            f"a cell's voltage must divide between device and selector within {_SPLIT_STEPS} "
            f"steps; check that both currents grow with voltage"
        )


def _in_series(one: Floats, other: Floats) -> Floats:
    total = one + other
    return np.divide(one * other, total, out=np.zeros_like(total), where=total > 0)


@dataclass(frozen=True, eq=False, repr=False)
class NonlinearSolution(Outline):
    """Voltages and currents of a crossbar with non-linear cells, for N inputs.

    Attributes:
        word_voltage: (N, W, B) voltage at the word-line side of each cell.
        bit_voltage: (N, W, B) voltage at the bit-line side of each cell.
        cell_current: (N, W, B) amperes from the word line to the bit line, by the I-V curve.
        current: (N, B) amperes into the sense amplifiers.
        residual: (N,) largest difference of a cell's current by its I-V curve and by Kirchhoff's
            law, relative to the largest cell current.
        steps: (N,) number of Newton steps.
    """

    word_voltage: Floats
    bit_voltage: Floats
    cell_current: Floats
    current: Floats
    residual: Floats
    steps: NDArray[np.int64]


def solve_nonlinear(
    crossbar: Crossbar,
    law: CellLaw,
    voltage: ArrayLike,
    tolerance: float = 1e-10,
    bit_voltage: ArrayLike | None = None,
) -> NonlinearSolution:
    """Every voltage and current of a crossbar with non-ohmic cells.

    Args:
        crossbar: crossbar with wires, sources and loads; the law replaces its conductances.
        law: I-V curve of the cells.
        voltage: word-line voltages (N, W).
        tolerance: tolerance of the residual.
        bit_voltage: volts of the sense amplifiers, (B,) or (N, B); 0 V by default.

    Raises:
        SpecError: the voltages are not finite or not of the right shape, or a cell's voltage is
            beyond its law's table.
        SolverError: Newton's method did not reach the tolerance.

    >>> from xbar.circuit.crossbar import Crossbar
    >>> crossbar = Crossbar([[1e-3]], source=1e3)
    >>> solution = solve_nonlinear(crossbar, PolynomialCell([1e-3, 0, 1e-3]), [[1.0]])
    >>> solution.bit_voltage, solution.word_voltage.round(6)
    (array([[[0.]]]), array([[[0.453398]]]))
    """
    volts = crossbar.check_voltage(voltage)
    held = crossbar.check_bit_voltage(bit_voltage, len(volts))
    found = [
        _newton(crossbar, law, one, there, tolerance)
        for one, there in zip(volts, held, strict=True)
    ]
    for word, bit, *_ in found:
        check_range(law, word - bit)
    shape, unread = crossbar.conductance.shape, np.isinf(crossbar.load)
    empty = [np.zeros((0, *shape))] * 3 + [np.zeros((0, shape[1])), np.zeros(0), np.zeros(0, int)]
    parts = [np.array(part) for part in zip(*found, strict=True)] or empty
    parts[3][:, unread] = 0.0
    return NonlinearSolution(*map(frozen, parts))


def check_range(law: CellLaw, voltage: Floats) -> None:
    """Check that cell voltages (W, B) are within the tables of a law, if it has one.

    Raises:
        SpecError: one is beyond.
    """
    if isinstance(law, (TableCell, SeriesCell)):
        law.check_range(voltage)


def _linear_step(
    crossbar: Crossbar, volts: Floats, held: Floats, inject: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Voltages of both sides and across the cells (W, B), and currents (B,), of a linear crossbar.

    By conjugate gradients where the bound on their error allows it, else directly.
    """
    from xbar.circuit.solvers.direct import DirectSolver
    from xbar.circuit.solvers.line_gradients import LineGradientsSolver

    try:
        if held.any():
            raise SolverError("conjugate gradients have the bit lines' ends at 0 V")
        found = LineGradientsSolver(crossbar).solve(volts[None], inject[None])
        if found.error[0] <= _LINEAR * np.abs(found.current).max():
            word, bit = found.word[0], found.bit[0]
            return word, bit, word - bit, found.current[0]
    except SolverError:
        pass
    exact = DirectSolver(crossbar).solve_with_sources(volts[None], inject[None], held[None])
    return exact[0][0], exact[1][0], exact[2][0], exact[3][0]


def _newton(
    crossbar: Crossbar, law: CellLaw, volts: Floats, held: Floats, tolerance: float
) -> tuple[Floats, Floats, Floats, Floats, float, int]:
    # upper bound on a cell's voltage, for any law
    span = max(volts.max(), held.max(), 0) - min(volts.min(), held.min(), 0)
    drop = np.zeros(crossbar.conductance.shape)
    residual, before, here = np.inf, np.inf, law
    for step in range(1, _NEWTON_STEPS + 1):
        current, slope = here.current(drop)
        if not np.all(slope >= 0):
            i, j = np.argwhere(~(slope >= 0))[0]
            raise SolverError(
                f"a cell's current must not fall with voltage, and does at {drop[i, j]:.3g} V at "
                f"word line {i}, bit line {j}; keep to the range that the law was made for"
            )
        linear = attrs.evolve(crossbar, conductance=slope)
        word, bit, across, out = _linear_step(linear, volts, held, current - slope * drop)
        reached = np.clip(across, -span, span)
        if isinstance(law, BranchCell):
            here = law.risen(bit - held)
        true, _ = here.current(reached)
        linearised = current + slope * (across - drop)
        largest = np.abs(true).max()
        residual = float(np.abs(true - linearised).max() / largest) if largest else 0.0
        if residual <= tolerance:
            return word, bit, true, out, residual, step
        # a step that increased the residual was too long
        drop = reached if residual < before else (drop + reached) / 2
        before = residual
    raise SolverError(
        f"Newton's method must bring the cells' currents to {tolerance:g}, and they were "
        f"{residual:.1e} off after {_NEWTON_STEPS} steps; lower the voltages or the contrast"
    )
