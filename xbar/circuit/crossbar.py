"""A resistive crossbar and its read-out.

    V[i] ──R──●──R──●──R──●      word line i, driven at its left end
              │     │     │      cell (i, j) of conductance G[i, j]
              ●     ●     ●
              R     R     R      bit line j, read at its lower end
              ⏚     ⏚     ⏚      by a sense amplifier at virtual ground

Shapes: W word lines, B bit lines, N input vectors. Units: SI throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import (
    Floats,
    arguments,
    as_floats,
    as_indices,
    check_finite,
    check_range,
    check_shape,
    frozen,
    given,
)
from xbar.blas import multiply
from xbar.errors import SpecError, warn
from xbar.tables import Outline, few

if TYPE_CHECKING:
    from xbar.circuit.solvers.revision import Revision


_DRIVES = ("left", "right", "both")
_SENSES = ("bottom", "top", "both")
CELL_AXES = ("word line", "bit line")
CELL_ADVICE = "map signed weights to a DifferentialPair first"


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Outline):
    """Every voltage and current of a crossbar for N input vectors.

    Attributes:
        word_voltage: (N, W, B) voltage at the word-line side of each cell.
        bit_voltage: (N, W, B) voltage at the bit-line side of each cell.
        cell_current: (N, W, B) amperes from the word line to the bit line.
        current: (N, B) amperes into the sense amplifiers, as from ``Crossbar.read``.
        residual: (N,) largest violation of Kirchhoff's current law at any node, relative to the
            largest current through any resistor.
        word_end_voltage: (N, W) volts at the driven end of each word line, behind the source; at
            the left end with drive "both". That of a floating line is what its cells make it.
        bit_end_voltage: (N, B) volts at the read end of each bit line, before the load; at the
            lower end with sense "both".

    Voltages of lines that no cell connects to a driver or an amplifier are NaN.
    """

    word_voltage: Floats
    bit_voltage: Floats
    cell_current: Floats
    current: Floats
    residual: Floats
    word_end_voltage: Floats
    bit_end_voltage: Floats


@dataclass(eq=False)
class _Start:
    """Starting point for a crossbar's transfer matrix, if not from scratch.

    Attributes:
        revision: another crossbar with a known matrix, or None.
    """

    revision: Revision | None = None


def _siemens(conductance: ArrayLike) -> Floats:
    cells = as_floats(conductance, "conductance")
    if cells.ndim != 2 or 0 in cells.shape:
        raise SpecError(
            f"conductance must have the shape (W, B) with at least one word line and one bit "
            f"line, not {cells.shape}"
        )
    check_range(cells, "conductance", "S", CELL_AXES, CELL_ADVICE)
    return frozen(cells)


@attrs.frozen(eq=False, slots=False)
class Crossbar:
    """W word lines crossing B bit lines, with one cell at each crossing.

    Arguments are scalars or arrays of the shapes below; the attributes are always arrays of these
    shapes, float64, copied and read-only. Zero ohm is ideal anywhere.

    Attributes:
        conductance: (W, B) siemens. Zero is an open cell.
        word_wire: (W, B) resistance of each word-line segment in ohms: [i, j] is the segment
            before cell (i, j), on the driver's side. With drive "both": (W, B + 1), from left to
            right.
        bit_wire: (W, B) resistance of each bit-line segment in ohms: [i, j] is the segment after
            cell (i, j), towards the sense amplifier. With sense "both": (W + 1, B), from top to
            bottom.
        source: (W,) ohms between each driver and its word line; with "both", at each end. Infinite
            for a line that nothing drives.
        load: (B,) ohms between each bit line and its sense amplifier; with "both", at each end.
            Infinite for a line that nothing reads; its current is 0.
        drive: driven end of the word lines; "both" applies the same voltage to both.
        sense: sensed end of the bit lines; "both" adds the currents of the two ends.

    Raises:
        SpecError: a value is negative, not finite or of the wrong shape.

    A cell of 1 mS behind 1 kohm passes half of its current:

    >>> Crossbar([[1e-3]], source=1e3).read([[1.0]])
    array([[0.0005]])
    """

    conductance: Floats = attrs.field(converter=_siemens)
    word_wire: Floats = attrs.field(default=0.0, converter=given)
    bit_wire: Floats = attrs.field(default=0.0, converter=given)
    source: Floats = attrs.field(default=0.0, converter=given)
    load: Floats = attrs.field(default=0.0, converter=given)
    drive: Literal["left", "right", "both"] = "left"
    sense: Literal["bottom", "top", "both"] = "bottom"
    _start: _Start = attrs.field(init=False, factory=_Start)

    def __attrs_post_init__(self) -> None:
        _check_choice("drive", self.drive, _DRIVES)
        _check_choice("sense", self.sense, _SENSES)
        lines, columns = self.conductance.shape
        word, bit = (
            (lines, columns + (self.drive == "both")),
            (lines + (self.sense == "both"), columns),
        )
        wires: tuple[tuple[str, tuple[int, ...], Sequence[str]], ...] = (
            ("word_wire", word, ("word line", "segment")),
            ("bit_wire", bit, ("segment", "bit line")),
            ("source", (lines,), ("word line",)),
            ("load", (columns,), ("bit line",)),
        )
        for name, shape, axes in wires:
            object.__setattr__(self, name, self._spread(name, shape, axes))

    def _spread(self, name: str, shape: tuple[int, ...], axes: Sequence[str]) -> Floats:
        """Wire resistances, broadcast to their full shape."""
        ohms = as_floats(getattr(self, name), name)
        if ohms.shape not in ((), shape):
            longer = len(shape) == 2 and shape != self.conductance.shape
            why = " (a line with two ends has one segment more than cells)" if longer else ""
            raise SpecError(
                f"{name} must be a scalar or have the shape {shape}{why}, not {ohms.shape}"
            )
        advice, checked = "0 is an ideal wire, and opens belong in the cells", ohms
        if name in ("source", "load"):
            advice = "inf is a line that nothing drives or reads"
            checked = np.where(ohms == np.inf, 0.0, ohms)
        check_range(checked, name, "ohm", axes, advice)
        return frozen(np.array(np.broadcast_to(ohms, shape)))

    def __reduce__(self) -> tuple[type[Crossbar], tuple[Any, ...]]:
        return type(self), arguments(self)

    def __repr__(self) -> str:
        lines, columns = self.conductance.shape
        return f"Crossbar({lines} x {columns}, drive={self.drive!r}, sense={self.sense!r})"

    @property
    def ideal(self) -> bool:
        """Whether every wire, source and load is 0 ohm, so that cells are independent."""
        wires = (self.word_wire, self.bit_wire, self.source, self.load)
        return not any(np.any(ohms) for ohms in wires)

    def with_ideal_lines(self) -> Crossbar:
        """The same cells between lines of 0 ohm."""
        return Crossbar(self.conductance)

    @cached_property
    def transfer(self) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens: the effective weights.

        Exact, computed once. With ideal wires, source and load it is ``conductance.T``.

        Raises:
            SolverError: the array does not fit into memory.

        >>> Crossbar([[1e-3], [1e-3]], load=1e3).transfer
        array([[0.00033333, 0.00033333]])
        """
        if self.ideal:
            return frozen(self.conductance.T.copy())
        from xbar.circuit.solvers import choice
        from xbar.circuit.solvers.floating import only_connected

        start = self._start
        revised = start.revision.transfer(self.conductance) if start.revision else None
        if revised is not None:
            return frozen(only_connected(self, revised[0]))
        start.revision = None
        return frozen(only_connected(self, choice.transfer(self)))

    def read(self, voltage: ArrayLike, bit_voltage: ArrayLike | None = None) -> Floats:
        """Bit-line currents (N, B) in amperes for word-line voltages (N, W).

        With ideal wires this is ``voltage @ conductance``; wire resistance adds IR drop.

        Args:
            voltage: volts of the word lines' drivers.
            bit_voltage: volts of the sense amplifiers, (B,) or (N, B); 0 V by default. The currents
                are those into the amplifiers.

        Raises:
            SpecError: the voltages are not finite or not of shape (N, W).
            SolverError: the array does not fit into memory.

        >>> Crossbar(np.array([[1e-3], [2e-3]])).read([[1.0, 0.5]])
        array([[0.002]])
        """
        volts = self.check_voltage(voltage)
        if bit_voltage is not None:
            held = self.check_bit_voltage(bit_voltage, len(volts))
            if held.any():
                return self._biased(volts, held).current
        if not self.ideal:
            from xbar.circuit.solvers import choice

            current = choice.few_currents(self, volts)
            if current is not None:
                if np.inf in self.load:
                    current[:, np.isinf(self.load)] = 0.0
                return current
        return multiply(volts, self.transfer.T)

    def solve(self, voltage: ArrayLike, bit_voltage: ArrayLike | None = None) -> Solution:
        """Every voltage and current for word-line voltages (N, W).

        Args:
            voltage: volts of the word lines' drivers.
            bit_voltage: volts of the sense amplifiers, (B,) or (N, B); 0 V by default.

        Raises:
            SpecError: the voltages are not finite or not of shape (N, W).
            SolverError: the array does not fit into memory.

        >>> solution = Crossbar([[1e-3]], source=1e3).solve([[1.0]])
        >>> solution.word_voltage, solution.cell_current
        (array([[[0.5]]]), array([[[0.0005]]]))
        """
        volts = self.check_voltage(voltage)
        held = self.check_bit_voltage(bit_voltage, len(volts))
        if held.any():
            return self._biased(volts, held)
        from xbar.circuit.solvers import choice

        word, bit, cell, residual = choice.solution(self, volts)
        return self._solution(volts, held, (word, bit, cell, self.read(volts), residual))

    def _biased(self, volts: Floats, held: Floats) -> Solution:
        """Solution with sense amplifiers at other voltages (N, B) than 0 V."""
        from xbar.circuit.solvers.direct import DirectSolver

        word, bit, cell, current, residual = DirectSolver(self).solve(volts, held)
        current[:, np.isinf(self.load)] = 0.0
        return self._solution(volts, held, (word, bit, cell, current, residual))

    def _solution(
        self, volts: Floats, held: Floats, found: tuple[Floats, Floats, Floats, Floats, Floats]
    ) -> Solution:
        """A solution with the voltages of the lines' ends, and NaN for lost lines."""
        from xbar.circuit.solvers.floating import end_voltages, lost_lines, read_end_voltages

        word, bit, cell, current, residual = found
        rows, columns = lost_lines(self)
        if rows.any() or columns.any():
            lost = [f"word line {i}" for i in np.flatnonzero(rows)]
            lost += [f"bit line {j}" for j in np.flatnonzero(columns)]
            warn(f"no voltage for {few(lost)}: no cell connects it to a driver or an amplifier")
            word, bit, cell = word.copy(), bit.copy(), cell.copy()
            word[:, rows], bit[:, :, columns] = np.nan, np.nan
            cell[:, rows] = 0.0
        ends = end_voltages(self, volts, word), read_end_voltages(self, held, bit)
        return Solution(*map(frozen, (word, bit, cell, current, residual, *ends)))

    def update(self, rows: ArrayLike, columns: ArrayLike, conductance: ArrayLike) -> Crossbar:
        """A crossbar with new conductances in cells (rows[k], columns[k]).

        If this one's transfer matrix is known, the new one's is computed from it as long as that is
        faster than from scratch and its error is below 1e-10 of the largest entry.

        Args:
            rows: word-line indices, one or (E,).
            columns: bit-line indices, one or (E,).
            conductance: new conductances in siemens, a scalar or (E,).

        Raises:
            SpecError: an index is out of range, a cell is repeated, or a value is invalid.

        >>> Crossbar([[1e-3, 2e-3]]).update(0, 1, 5e-3).conductance
        array([[0.001, 0.005]])
        """
        lines, bits = self.conductance.shape
        row = as_indices(rows, "rows", lines, "a word line")
        column = as_indices(columns, "columns", bits, "a bit line")
        values = np.atleast_1d(as_floats(conductance, "conductance"))
        try:
            row, column, values = np.broadcast_arrays(row, column, values)
        except ValueError as error:
            raise SpecError(
                f"rows, columns and conductance must have one length, not {row.shape}, "
                f"{column.shape} and {values.shape}"
            ) from error
        cell, count = np.unique(row * bits + column, return_counts=True)
        if np.any(count > 1):
            i, j = divmod(int(cell[count > 1][0]), bits)
            raise SpecError(
                f"each cell may be updated once, not twice at word line {i}, bit line {j}"
            )
        cells = self.conductance.copy()
        cells[row, column] = values
        changed = attrs.evolve(self, conductance=cells)
        changed._start.revision = self._as_base()
        return changed

    def _as_base(self) -> Revision | None:
        """A base for crossbars with a few changed cells, if the transfer matrix is known."""
        if self._start.revision or "transfer" not in self.__dict__ or self.ideal:
            return self._start.revision
        from xbar.circuit.solvers.revision import Revision

        return Revision(self)

    def check_voltage(self, voltage: ArrayLike) -> Floats:
        """Validate voltages (N, W); returns a new array.

        Raises:
            SpecError: they are not finite or not of shape (N, W).
        """
        volts = as_floats(voltage, "voltage")
        lines = self.conductance.shape[0]
        if volts.ndim == 1:
            raise SpecError(
                f"voltage must have the shape (N, {lines}), not {volts.shape}; "
                f"write voltage[None, :] for a single input vector"
            )
        check_shape(volts, "voltage", ("N", lines), "one volt per word line")
        check_finite(volts, "voltage", "V", ("input", "word line"))
        return volts

    def check_bit_voltage(self, voltage: ArrayLike | None, count: int) -> Floats:
        """Validate voltages (N, B) of the sense amplifiers; returns a new array.

        Raises:
            SpecError: they are not finite or not of one of the shapes (), (B,) and (N, B).
        """
        shape = count, self.conductance.shape[1]
        held = as_floats(0.0 if voltage is None else voltage, "bit_voltage")
        if held.shape not in ((), shape[1:], shape):
            raise SpecError(
                f"bit_voltage must be a scalar or have the shape {shape[1:]} or {shape}, "
                f"not {held.shape}"
            )
        held = np.array(np.broadcast_to(held, shape))
        check_finite(held, "bit_voltage", "V", ("input", "bit line"))
        return held


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SpecError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
