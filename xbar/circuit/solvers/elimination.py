"""Exact solution of a resistor network whatever range its conductances span.

Nodes are eliminated one after the other by the star-mesh transformation, which only adds,
multiplies and divides positive numbers: no diagonal of a matrix is stored, and nothing cancels.
So every conductance of a reduced network has a relative error of a few roundings per eliminated
node, even where 60 decades meet; currents are found without subtracting the voltages of nodes. The
same idea for Markov chains: W. K. Grassmann, M. I. Taksar, D. P. Heyman, "Regenerative analysis
and steady state distributions for Markov chains", Operations Research 33 (1985); its accuracy:
C. A. O'Cinneide, "Entrywise perturbation theory and error analysis for Markov chains", Numerische
Mathematik 65 (1993).

Shapes: E resistors, K known nodes, N right-hand sides. Units: SI.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from xbar.arrays import Floats, Ints
from xbar.circuit.solvers import elimination_kernels as kernels
from xbar.errors import SolverError

if TYPE_CHECKING:
    from numpy.typing import NDArray


Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_FEW = 32
_LARGEST = 2.0**660  # conductances are scaled to this, so that products of shares do not underflow


class Elimination:
    """A network of resistors, with all nodes but the first ones eliminated.

    Every other node must be connected to a known one.

    Args:
        tail: (E,) node at one end of each resistor.
        head: (E,) node at the other end, another one.
        conductance: (E,) siemens, all positive.
        nodes: number of nodes.
        known: number K of known nodes, the first ones.
        rank: (nodes,) numbers by which the others are ordered, from `elimination_order`; found here
            by default.
    """

    def __init__(
        self,
        tail: Ints,
        head: Ints,
        conductance: Floats,
        nodes: int,
        known: int,
        rank: Ints | None = None,
    ) -> None:
        self.nodes, self.known, self.conductance = nodes, known, conductance
        self._count = nodes - known
        self._scale = 2.0 ** np.floor(np.log2(_LARGEST / (conductance.max(initial=0.0) or 1.0)))
        order = self._order(tail, head, rank)
        ends = order[tail], order[head]
        #: nodes of each resistor in the order of elimination, and the sign of its current
        self._low, self._high = np.minimum(*ends), np.maximum(*ends)
        self._sign = np.where(ends[0] < ends[1], 1.0, -1.0)
        self._place = order

    def _kernel(self, kernel: Kernel) -> Kernel:
        """The kernel; for a few nodes as Python, which needs no compilation."""
        return inspect.unwrap(kernel) if self.nodes <= _FEW else kernel

    def _order(self, tail: Ints, head: Ints, rank: Ints | None) -> Ints:
        """Number (nodes,) of each node in the order of elimination, known ones last."""
        order = np.arange(self.nodes) + self._count
        if rank is not None:
            order[self.known + np.argsort(rank[self.known :])] = np.arange(self._count)
            return order
        inner = (tail >= self.known) & (head >= self.known)
        order[self.known :] = elimination_order(
            tail[inner] - self.known, head[inner] - self.known, self._count
        )
        return order

    @cached_property
    def _rows(self) -> tuple[Ints, Ints, Floats, Floats]:
        """Start, index, mesh and degree of the elimination."""
        from scipy.sparse import coo_array

        upper = coo_array(
            (self.conductance * self._scale, (self._low, self._high)), (self.nodes, self.nodes)
        ).tocsr()
        pointer = upper.indptr[: self._count + 1].astype(np.int64)
        neighbour, siemens = upper.indices.astype(np.int64), upper.data
        fill_rows, ascending = self._kernel(kernels.fill_rows), self._kernel(kernels.ascending)
        start, index = fill_rows(self._count, self.nodes, pointer, neighbour)
        index = ascending(start, index, self.nodes)
        eliminate = self._kernel(kernels.eliminate)
        mesh, degree = eliminate(start, index, pointer, neighbour, siemens)
        if not np.all(np.isfinite(degree) & (degree > 0)):
            raise SolverError(
                "the resistances span too wide a range for double precision: some conductances "
                "between nodes are below 1e-300 of the others; leave out resistors that hardly "
                "matter"
            )
        return start, index, mesh, degree

    @cached_property
    def between(self) -> Floats:
        """Conductances (K, K) between known nodes with the others eliminated; 0 on the diagonal."""
        count = self._count
        siemens = np.zeros((self.known, self.known))
        direct = self._low >= count
        np.add.at(
            siemens,
            (self._low[direct] - count, self._high[direct] - count),
            self.conductance[direct] * self._scale,
        )
        self._kernel(kernels.between_known)(*self._rows, siemens)
        siemens /= self._scale
        return siemens + siemens.T

    @cached_property
    def _links(self) -> tuple[Ints, Ints, Ints]:
        """Strongest neighbour in each row, places of the pairs with it, places of the resistors."""
        start, index, mesh, _ = self._rows
        find_pairs = self._kernel(kernels.find_pairs)
        best, low, high = self._kernel(kernels.strongest)(start, index, mesh)
        pair = find_pairs(start, index, low, high)
        return best, pair, find_pairs(start, index, self._low, self._high)

    def solve(self, known: Floats, inject: Floats | None = None) -> tuple[Floats, Floats]:
        """Voltages (nodes, N), and voltages (E, N) across the resistors, tail relative to head.

        Args:
            known: (K, N) voltages of the known nodes.
            inject: (nodes, N) amperes into each node; none by default.

        Raises:
            SolverError: the conductances span more than 300 decades.
        """
        rows, (best, pair, edge) = self._rows, self._links
        volts = np.empty((known.shape[1], self.nodes))
        across = np.empty((known.shape[1], len(self.conductance)))
        drop = np.empty(len(rows[1]))
        joined = edge < 0
        pass_on = self._kernel(kernels.inject)
        substitute = self._kernel(kernels.substitute)
        for n in range(known.shape[1]):
            here = np.empty(self.nodes)
            here[self._count :] = known[:, n]
            amperes = np.zeros(self.nodes)
            if inject is not None:
                amperes[self._place] = inject[:, n] * self._scale
                pass_on(*rows, amperes)
            substitute(rows, best, pair, amperes, here, drop)
            across[n, ~joined] = drop[edge[~joined]]
            across[n, joined] = here[self._low[joined]] - here[self._high[joined]]
            volts[n] = here[self._place]
        return volts.T, (across * self._sign).T


def elimination_order(tail: Ints, head: Ints, count: int) -> NDArray[np.int64]:
    """Number (count,) of each node in an order of elimination by minimum degree, with little fill.

    SuperLU computes it while factorising a matrix of the same pattern, in which each conductance is
    1 S and each node has 1 S to ground: always well conditioned.
    """
    from scipy.sparse import coo_array, csc_array, diags_array
    from scipy.sparse.linalg import splu

    if count < 3:
        return np.arange(count)
    ones = np.ones(len(tail))
    one_way = coo_array((ones, (tail, head)), (count, count))
    joined = csc_array(one_way + one_way.T)
    joined.data[:] = -1.0
    degree: Floats = -np.asarray(joined.sum(axis=0)).ravel()
    factor = splu(
        csc_array(joined + diags_array(degree + 1.0)),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.asarray(factor.perm_c, dtype=np.int64)
