"""Arrays whose cells draw their current from source lines, and their read-out.

    source line l, driven at its upper end        bit line, read at its lower end
        V ──R──●── cell (0, l) ──┤gate 0├──●
               R                           R
               ●── cell (1, l) ──┤gate 1├──●
               R                           R
               ●   ...                     ●──R── sense amplifier at 0 V

Word lines carry no current: they switch transistors, so an input is a bit. With paired source
lines, 2j at V and 2j + 1 at -V lie on either side of bit line j, and the two cells of a row meet it
at one place. What a cell contributes depends on which others are on, so that there is no transfer
matrix: each input is solved by itself. A column is a ladder, whose rows are eliminated from its
upper end by star-mesh transformations, which only add, multiply and divide positive numbers.

The topologies are those of CrossSim (its arrays with "separate source").

Shapes: W word lines, L source lines, B bit lines (L, or L / 2 if paired), N inputs. Units: SI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import (
    Floats,
    arguments,
    as_floats,
    check_finite,
    check_range,
    check_shape,
    frozen,
    one_number,
    one_of,
)
from xbar.circuit.crossbar import CELL_ADVICE
from xbar.errors import SpecError
from xbar.tables import Outline

if TYPE_CHECKING:
    from xbar.circuit.nonlinear import CellLaw

CELL_AXES = ("word line", "source line")
_LARGEST = 1e12


def _siemens(conductance: ArrayLike) -> Floats:
    cells = as_floats(conductance, "conductance")
    if cells.ndim != 2 or 0 in cells.shape:
        raise SpecError(
            "conductance must have the shape (W, L) with at least one word line and one source "
            f"line, not {cells.shape}"
        )
    check_range(cells, "conductance", "S", CELL_AXES, CELL_ADVICE)
    return frozen(cells)


@attrs.frozen(eq=False, slots=False, repr=False)
class SourceLines(Outline):
    """W word lines that switch cells between source lines and bit lines.

    Attributes:
        conductance: (W, L) siemens of the cells when on. Zero is an open cell.
        source_wire: ohms of a source-line segment, between neighbouring cells and before the first.
        bit_wire: ohms of a bit-line segment, likewise.
        source: ohms between a driver and its source line.
        load: ohms between a bit line and its sense amplifier.
        sense: read end of the bit lines; source lines are driven at the other one, or at "both".
        paired: whether source lines 2j and 2j + 1, of opposite voltages, share bit line j.

    Raises:
        SpecError: a value is negative or not finite, or a pair is incomplete.

    A cell of 1 mS behind 1 kohm passes half of its current:

    >>> SourceLines([[1e-3]], source=1e3).read([[1.0]])
    array([[0.0005]])
    """

    conductance: Floats = attrs.field(converter=_siemens)
    source_wire: float = 0.0
    bit_wire: float = 0.0
    source: float = 0.0
    load: float = 0.0
    sense: Literal["bottom", "top", "both"] = "bottom"
    paired: bool = False

    def __attrs_post_init__(self) -> None:
        one_of(self.sense, "sense", ("bottom", "top", "both"))
        for name in ("source_wire", "bit_wire", "source", "load"):
            ohms = one_number(getattr(self, name), name, 0)
            if ohms > _LARGEST:
                raise SpecError(f"{name} must be from 0 to {_LARGEST:g} ohm, not {ohms:g}")
            object.__setattr__(self, name, ohms)
        if self.paired and self.conductance.shape[1] % 2:
            raise SpecError(
                "paired source lines must be an even number, not "
                f"{self.conductance.shape[1]}: two a bit line"
            )

    def __reduce__(self) -> tuple[type[SourceLines], tuple[Any, ...]]:
        return type(self), arguments(self)

    @property
    def ideal(self) -> bool:
        """Whether every wire, source and load is 0 ohm, so that cells are independent."""
        return not (self.source_wire or self.bit_wire or self.source or self.load)

    def with_ideal_lines(self) -> SourceLines:
        """The same cells between lines of 0 ohm."""
        return SourceLines(self.conductance, sense=self.sense, paired=self.paired)

    @property
    def bit_lines(self) -> int:
        """Number of bit lines."""
        return int(self.conductance.shape[1]) // (2 if self.paired else 1)

    @property
    def sign(self) -> Floats:
        """(L,) voltage of each source line relative to that of a word line that is on."""
        signs = np.ones(self.conductance.shape[1])
        if self.paired:
            signs[1::2] = -1.0
        return signs

    def gates(self, voltage: ArrayLike) -> tuple[Floats, Floats]:
        """What word-line voltages (N, W) switch on: 1 or 0 (N, W), and volts (N,) of the sources.

        Raises:
            SpecError: an input has other word-line voltages than 0 and one positive voltage.
        """
        volts = as_floats(voltage, "voltage")
        check_shape(volts, "voltage", ("N", len(self.conductance)), "one volt per word line")
        check_finite(volts, "voltage", "V", ("input", "word line"))
        level = volts.max(axis=1, initial=0.0)
        bad = np.argwhere((volts != 0) & (volts != level[:, None]))
        if len(bad):
            n, i = bad[0]
            raise SpecError(
                "a word line that switches cells must be at 0 V or at the voltage of all that are "
                f"on, not at {volts[n, i]:g} V beside {level[n]:g} V at input {n}, word line {i}; "
                "apply an input bit by bit"
            )
        return (volts > 0).astype(np.float64), level

    def read(self, voltage: ArrayLike) -> Floats:
        """Bit-line currents (N, B) in amperes for word-line voltages (N, W).

        A word line at 0 V has its cells off; the others' voltage is that of the source lines. With
        ideal wires this is ``voltage @ conductance``, for paired source lines the differences.

        Raises:
            SpecError: an input has other voltages than 0 and one positive voltage.

        >>> SourceLines([[1e-3, 2e-3], [3e-3, 3e-3]], paired=True).read([[1.0, 1.0], [0.0, 1.0]])
        array([[-0.001],
               [ 0.   ]])
        """
        gates, level = self.gates(voltage)
        if self.ideal:
            each = (gates * level[:, None]) @ (self.conductance * self.sign)
            return np.asarray(each[:, 0::2] + each[:, 1::2]) if self.paired else each
        return self._ladders(gates)[0] * level[:, None]

    def power(self, voltage: ArrayLike) -> Floats:
        """(N,) watts that the source lines' drivers supply, for word-line voltages (N, W)."""
        gates, level = self.gates(voltage)
        if self.ideal:
            return np.asarray((gates @ self.conductance.sum(axis=1)) * level**2)
        return np.asarray(self._ladders(gates)[1].sum(axis=1) * level**2)

    def _ladders(self, gates: Floats) -> tuple[Floats, Floats]:
        """(N, B) amperes into the amplifiers, and watts drawn, at 1 V."""
        from xbar.circuit.solvers.ladder_columns import read_columns

        upside = slice(None, None, -1 if self.sense == "top" else 1)
        signs = 2 if self.paired else 1
        each = self.conductance[upside].reshape(len(self.conductance), -1, signs)
        cells = np.ascontiguousarray(each.swapaxes(1, 2))
        current = np.empty((len(gates), self.bit_lines))
        watts = np.empty_like(current)
        ohms = np.array([self.source_wire, self.bit_wire, self.source, self.load])
        on = np.ascontiguousarray(gates[:, upside] > 0)
        read_columns(cells, on, ohms, self.sense == "both", current, watts)
        return current, watts

    def solve(
        self, voltage: ArrayLike, law: CellLaw | None = None, tolerance: float = 1e-10
    ) -> SourceSolution:
        """Every voltage and current for word-line voltages (N, W), by the general exact solver.

        Args:
            voltage: word-line voltages, as of ``read``.
            law: I-V curve of the cells that are on; Ohm's law by default.
            tolerance: of the residual of Newton's method.

        Raises:
            SpecError: the voltages are not as of ``read``, or beyond the law's table.
            SolverError: Newton's method did not reach the tolerance.

        >>> SourceLines([[1e-3]], source=1e3).solve([[1.0]]).source_voltage
        array([[[0.5]]])
        """
        from xbar.circuit.nonlinear import PolynomialCell, newton
        from xbar.circuit.selectors import GatedCell, check_range
        from xbar.circuit.solvers.direct import DirectSolver

        gates, level = self.gates(voltage)
        bent = PolynomialCell(self.conductance[None]) if law is None else law
        rest, found = np.zeros(self.conductance.shape), []
        for on, volts in zip(gates, level, strict=True):
            driven = (self.sign * volts)[None]

            def step(
                slope: Floats, inject: Floats, driven: Floats = driven
            ) -> tuple[Floats, Floats, Floats, Floats]:
                solver = DirectSolver(attrs.evolve(self, conductance=slope))
                word, bit, across, out = solver.solve_with_sources(driven, inject[None])
                return word[0], bit[0], across[0], out[0]

            gated = GatedCell(bent, np.broadcast_to(on[:, None] > 0, self.conductance.shape))
            span = 2 * float(volts) if self.paired else float(volts)
            solved = newton(gated, rest, span, step, tolerance)
            check_range(gated, solved[0] - solved[1])
            found.append(solved[:4])
        shape, bits = self.conductance.shape, self.bit_lines
        empty = [np.zeros((0, *shape))] * 3 + [np.zeros((0, bits))]
        parts = [np.array(part) for part in zip(*found, strict=True)] or empty
        return SourceSolution(*map(frozen, parts))


@dataclass(frozen=True, eq=False, repr=False)
class SourceSolution(Outline):
    """Voltages and currents of an array with source lines, for N inputs.

    Attributes:
        source_voltage: (N, W, L) volts at the source-line side of each cell.
        bit_voltage: (N, W, L) volts at the bit-line side.
        cell_current: (N, W, L) amperes from the source line to the bit line.
        current: (N, B) amperes into the sense amplifiers.
    """

    source_voltage: Floats
    bit_voltage: Floats
    cell_current: Floats
    current: Floats
