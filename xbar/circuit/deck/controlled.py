"""Operating point of a circuit with controlled sources, by modified nodal analysis.

The unknowns are the voltages of all nodes but ground and the currents of the branches that fix a
voltage: sources, shorts, controlled voltage sources. Kirchhoff's current law is the row of a node,
the branch's own law the row of a branch. The matrix is not symmetric; it is equilibrated by powers
of 2, factored, and the solution is refined. (Ho, Ruehli and Brennan, The modified nodal approach to
network analysis, IEEE Trans. Circuits and Systems 22(6), 1975.)

Shapes: E elements, nodes, M unknowns. Units: SI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.circuit.deck.flat import Control, FlatElement
from xbar.errors import CircuitError, SolverError

if TYPE_CHECKING:
    import scipy.sparse as sp
    from scipy.sparse.linalg import SuperLU

_STEPS = 6
_SINGULAR = 1e15  # condition from which on the equations have many solutions within rounding
_BOUND = 1e-7  # largest accepted estimate of the relative error
_ROUNDING = 1.1e-16
_MANY = (
    "the equations of the controlled sources must have one solution, and have none or many: look "
    "for feedback of gain 1, or a node that nothing fixes"
)


class _System:
    """Rows of the system while they are collected.

    Attributes:
        nodes: number of each node, ground 0.
        branches: unknown of each element whose current is one.
        right: right-hand side (M,).
    """

    def __init__(self, elements: Sequence[FlatElement], nodes: Sequence[str]) -> None:
        self.nodes = {node: k for k, node in enumerate(nodes)}
        self.elements = {element.name: element for element in elements}
        fixing = [e.name for e in elements if fixes_voltage(e)]
        self.branches = {name: len(nodes) - 1 + k for k, name in enumerate(fixing)}
        self.right = np.zeros(len(nodes) - 1 + len(fixing))
        self._entries: list[tuple[int, int, float]] = []
        for element in elements:
            self._add(element)

    def matrix(self) -> sp.csc_array[np.float64]:
        """The matrix (M, M)."""
        import scipy.sparse as sp

        row, column, value = zip(*self._entries, strict=True) if self._entries else ((), (), ())
        shape = (len(self.right), len(self.right))
        return sp.csc_array((np.array(value, float), (row, column)), shape)

    def terms(self, control: Control) -> list[tuple[int, float]]:
        """A controlling quantity as a sum of unknowns, numbered from 0, times its gain.

        Raises:
            CircuitError: there is no such element, or its current is not that of a branch.
        """
        if len(control.by) == 2:
            ends = (self.nodes[node] - 1 for node in control.by)
            return list(zip(ends, (control.gain, -control.gain), strict=True))
        name = control.by[0]
        if name in self.branches:
            return [(self.branches[name], control.gain)]
        other = self.elements.get(name)
        if other is None or other.form != "r" or other.value == 0:
            raise CircuitError(
                f"a controlling current must be that of a voltage source or a resistor of the "
                f"deck, and {name!r} is neither"
            )
        gain = control.gain / other.value
        return self.terms(Control(gain, (other.first, other.second)))

    def _add(self, element: FlatElement) -> None:
        first, second = self.nodes[element.first] - 1, self.nodes[element.second] - 1
        form, terms = element.form, [t for c in element.controls for t in self.terms(c)]
        if element.name in self.branches:
            branch = self.branches[element.name]
            for node, sign in ((first, 1.0), (second, -1.0)):
                self._put(node, branch, sign)
                self._put(branch, node, sign)
            for unknown, gain in terms:
                self._put(branch, unknown, -gain)
            self.right[branch] = 0.0 if form in "lr" else element.value
        elif form == "r":
            terms = [(first, 1 / element.value), (second, -1 / element.value)]
        if form == "i" or (form == "r" and element.name not in self.branches):
            for node, sign in ((first, 1.0), (second, -1.0)):
                for unknown, gain in terms:
                    self._put(node, unknown, sign * gain)
                if node >= 0 and form == "i":
                    self.right[node] -= sign * element.value

    def _put(self, row: int, column: int, value: float) -> None:
        if row >= 0 and column >= 0 and value != 0:
            self._entries.append((row, column, value))


def fixes_voltage(element: FlatElement) -> bool:
    """Whether an element fixes the voltage between two distinct nodes."""
    if element.form == "r":
        return element.value == 0 and element.first != element.second
    return element.form in "vl"


def solve_controlled(
    elements: Sequence[FlatElement], nodes: Sequence[str]
) -> tuple[Floats, Floats]:
    """Voltages (nodes,) and currents (E,); ground is the first node.

    Raises:
        CircuitError: the equations have no unique solution, or a controlling current is unknown.
        SolverError: the solution is not precise enough: values span too wide a range.
    """
    system = _System(elements, nodes)
    found = _refined(system.matrix(), system.right)
    voltage = np.append(0.0, found[: len(nodes) - 1])
    number = system.nodes
    current = np.zeros(len(elements))
    for k, element in enumerate(elements):
        if element.name in system.branches:
            current[k] = found[system.branches[element.name]]
        elif element.form == "i":
            terms = (t for control in element.controls for t in system.terms(control))
            total = sum(gain * float(found[at]) for at, gain in terms if at >= 0)
            current[k] = element.value + total
        elif element.form == "r" and element.first != element.second:
            drop = voltage[number[element.first]] - voltage[number[element.second]]
            current[k] = drop / element.value
    return voltage, current


def _refined(matrix: sp.csc_array[np.float64], right: Floats) -> Floats:
    """Solution (M,) of the system.

    Its error is bounded as in LAPACK's gerfs: |A^-1| (|residual| + rounding of |A| |x| + |b|).
    """
    import scipy.sparse as sp

    if not len(right):
        return right
    size = abs(matrix)
    rows = _power(np.asarray(size.max(axis=1).todense()).ravel())
    matrix = sp.csc_array(sp.diags_array(rows) @ matrix)
    columns = _power(np.asarray(abs(matrix).max(axis=0).todense()).ravel())
    matrix = sp.csc_array(matrix @ sp.diags_array(columns))
    right = rows * right
    factor = _factor(matrix)
    found = factor.solve(right)
    for _ in range(_STEPS):
        step = factor.solve(right - matrix @ found)
        found += step
        if not np.abs(step).max() > _ROUNDING * np.abs(found).max():
            break
    size = abs(matrix)
    if not _through_inverse(factor, np.asarray(size.sum(axis=1)).ravel()) <= _SINGULAR:
        raise CircuitError(_MANY)
    sums = size @ np.abs(found) + np.abs(right)
    error = np.abs(right - matrix @ found) + 4 * _ROUNDING * sums
    if not _through_inverse(factor, error) <= _BOUND * (np.abs(found).max() or 1.0):
        raise SolverError("the values of the circuit span too wide a range for double precision")
    return np.asarray(columns * found)


def _factor(matrix: sp.csc_array[np.float64]) -> SuperLU:
    from scipy.sparse.linalg import splu

    try:
        return splu(matrix)
    except RuntimeError as error:
        raise CircuitError(_MANY) from error


def _through_inverse(factor: SuperLU, weight: Floats) -> float:
    """Estimate of the largest entry of |A^-1| weight, for a weight (M,) of positive numbers."""
    from scipy.sparse.linalg import LinearOperator, onenormest

    size = len(weight)
    solve: Any = factor.solve  # its stubs leave "trans" out
    if size <= 4:
        inverse = factor.solve(np.eye(size))
        return float((np.abs(inverse) @ weight).max())
    transposed = LinearOperator(
        (size, size),
        matvec=lambda x: weight * solve(np.asarray(x, float).ravel(), trans="T"),
        rmatvec=lambda x: solve(weight * np.asarray(x, float).ravel()),
        dtype=np.float64,
    )
    return float(onenormest(transposed))


def _power(largest: Floats) -> Floats:
    """Powers of 2 that bring values to about 1; 1 for zeros."""
    _, exponent = np.frexp(largest)
    if not np.isfinite(largest).all():
        raise SolverError("the values of the circuit span too wide a range for double precision")
    return np.where(largest > 0, np.ldexp(1.0, -exponent), 1.0)
