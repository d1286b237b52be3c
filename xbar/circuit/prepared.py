"""An array prepared once and solved for many sets of cells with the same wires."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats, as_floats, as_indices, check_range, check_shape, frozen
from xbar.circuit.crossbar import CELL_ADVICE, CELL_AXES, Crossbar

if TYPE_CHECKING:
    from xbar.circuit.solvers.cache import PatchCache


_BYTES_PER_CELL = 80  # of the wires and a set of cells


class PreparedArray:
    """The wires of a crossbar, prepared for solving with different cells.

    A compiler that repeatedly changes some columns of a tile need not reduce and join the others
    each time: the merge tree's patches are cached between solutions, about 140 bytes per cell and
    level of the tree. The transfer matrix is bit-identical to that of a ``Crossbar`` with these
    cells. Threads may share a prepared array.

    Args:
        shape: numbers of word lines and bit lines, (W, B).
        word_wire: resistance of word-line segments in ohms, as in ``Crossbar``; likewise below.
        bit_wire: resistance of bit-line segments in ohms.
        source: driver resistance in ohms.
        load: sense-amplifier resistance in ohms.
        drive: driven end of the word lines.
        sense: sensed end of the bit lines.

    Raises:
        SpecError: a value is negative, not finite or of the wrong shape.
        SolverError: the array does not fit into this machine's memory.

    >>> array = PreparedArray((1, 1), source=1e3)
    >>> array.transfer([[1e-3]]), array.transfer([[3e-3]])
    (array([[0.0005]]), array([[0.00075]]))
    """

    def __init__(
        self,
        shape: tuple[int, int],
        word_wire: ArrayLike = 0.0,
        bit_wire: ArrayLike = 0.0,
        source: ArrayLike = 0.0,
        load: ArrayLike = 0.0,
        drive: Literal["left", "right", "both"] = "left",
        sense: Literal["bottom", "top", "both"] = "bottom",
    ) -> None:
        from xbar.circuit.solvers.cache import PatchCache
        from xbar.circuit.solvers.grid import as_grid
        from xbar.circuit.solvers.memory import check_memory

        lines = as_indices(shape, "shape of a PreparedArray", None, "numbers of lines")
        check_memory(_BYTES_PER_CELL * float(np.prod(lines.astype(float))), tuple(lines.tolist()))
        wires = Crossbar(np.zeros(tuple(lines)), word_wire, bit_wire, source, load, drive, sense)
        self.shape = wires.conductance.shape
        self.ideal = wires.ideal
        self._crossbar, self._wires = wires, as_grid(wires)
        self._cache: PatchCache = PatchCache()

    @classmethod
    def of(cls, crossbar: Crossbar) -> PreparedArray:
        """The wires of a crossbar, ignoring its cells."""
        lines, columns = crossbar.conductance.shape
        return cls(
            (lines, columns),
            crossbar.word_wire,
            crossbar.bit_wire,
            crossbar.source,
            crossbar.load,
            crossbar.drive,
            crossbar.sense,
        )

    def __repr__(self) -> str:
        return f"PreparedArray({self.shape[0]} x {self.shape[1]})"

    def transfer(self, conductance: ArrayLike) -> Floats:
        """Bit-line current per volt on each word line, (B, W) siemens, of cells (W, B) siemens.

        Raises:
            SpecError: a conductance is negative or not finite, or the shape is not the array's.
            SolverError: the array does not fit into memory.
        """
        cells = as_floats(conductance, "conductance")
        check_shape(cells, "conductance", self.shape, "an array is prepared for one shape")
        check_range(cells, "conductance", "S", CELL_AXES, CELL_ADVICE)
        if self.ideal:
            return frozen(cells.T.copy())
        from xbar.circuit.solvers import choice
        from xbar.circuit.solvers.floating import only_connected

        wires = self._wires
        turned = np.ascontiguousarray(cells[wires.rows, wires.columns])
        found = choice.cached_transfer(replace(wires, cells=turned), self._cache)
        return frozen(only_connected(self._crossbar, found))
