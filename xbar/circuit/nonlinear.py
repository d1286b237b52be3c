"""Crossbars with non-ohmic cells.

A cell's I-V curve gives its current and differential conductance at a voltage. The crossbar is
solved by Newton's method: each step is a linear crossbar of the differential conductances, with a
current source parallel to each cell for the remainder, solved by conjugate gradients, or directly
where these would not be exact enough. The residual
is the difference between the cells' actual currents and those that satisfy Kirchhoff's current law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, as_floats, frozen
from xbar.circuit.selectors import GatedCell, check_range
from xbar.errors import SolverError, SpecError
from xbar.tables import Outline

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


_NEWTON_STEPS = 60
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
        _solve(crossbar, law, one, there, tolerance) for one, there in zip(volts, held, strict=True)
    ]
    for word, bit, *_ in found:
        check_range(law, word - bit)
    shape, unread = crossbar.conductance.shape, np.isinf(crossbar.load)
    empty = [np.zeros((0, *shape))] * 3 + [np.zeros((0, shape[1])), np.zeros(0), np.zeros(0, int)]
    parts = [np.array(part) for part in zip(*found, strict=True)] or empty
    parts[3][:, unread] = 0.0
    return NonlinearSolution(*map(frozen, parts))


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


def _solve(
    crossbar: Crossbar, law: CellLaw, volts: Floats, held: Floats, tolerance: float
) -> tuple[Floats, Floats, Floats, Floats, float, int]:
    def step(slope: Floats, inject: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        return _linear_step(attrs.evolve(crossbar, conductance=slope), volts, held, inject)

    span = max(volts.max(), held.max(), 0) - min(volts.min(), held.min(), 0)
    rest = np.broadcast_to(held, crossbar.conductance.shape)
    return newton(law, rest, float(span), step, tolerance)


def _risen(law: CellLaw, bit: Floats) -> CellLaw:
    """The law where the bit lines are at ``bit`` (W, B) volts above their rest."""
    if isinstance(law, BranchCell):
        return law.risen(bit)
    if isinstance(law, GatedCell):
        return GatedCell(_risen(law.law, bit), law.on)
    return law


Step: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats, Floats, Floats]]
"""A linear array: from (W, B) siemens of the cells and amperes beside them, the volts at both sides
of the cells and across them, (W, B), and the amperes of the amplifiers."""


def newton(
    law: CellLaw, rest: Floats, span: float, step: Step, tolerance: float
) -> tuple[Floats, Floats, Floats, Floats, float, int]:
    """Solve an array of cells with a law by Newton's method.

    Args:
        law: I-V curve of the cells.
        rest: (W, B) volts of the sense amplifier behind each cell.
        span: upper bound on a cell's voltage, for any law.
        step: solver of a linear array with the same wires.
        tolerance: tolerance of the residual.

    Returns:
        Voltages of both sides of the cells and their currents, (W, B); amperes of the amplifiers;
        the residual, and the number of steps.

    Raises:
        SolverError: the tolerance was not reached, or a current falls with voltage.
    """
    drop = np.zeros(rest.shape)
    residual, before, here = np.inf, np.inf, law
    for number in range(1, _NEWTON_STEPS + 1):
        current, slope = here.current(drop)
        if not np.all(slope >= 0):
            i, j = np.argwhere(~(slope >= 0))[0]
            raise SolverError(
                f"a cell's current must not fall with voltage, and does at {drop[i, j]:.3g} V at "
                f"word line {i}, bit line {j}; keep to the range that the law was made for"
            )
        word, bit, across, out = step(slope, current - slope * drop)
        reached = np.clip(across, -span, span)
        here = _risen(law, bit - rest)
        true, _ = here.current(reached)
        linearised = current + slope * (across - drop)
        largest = np.abs(true).max()
        residual = float(np.abs(true - linearised).max() / largest) if largest else 0.0
        if residual <= tolerance:
            return word, bit, true, out, residual, number
        # a step that increased the residual was too long
        drop = reached if residual < before else (drop + reached) / 2
        before = residual
    raise SolverError(
        f"Newton's method must bring the cells' currents to {tolerance:g}, and they were "
        f"{residual:.1e} off after {_NEWTON_STEPS} steps; lower the voltages or the contrast"
    )
