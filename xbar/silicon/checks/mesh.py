"""Ohms of a sheet of metal between two sets of contacts, with bounds.

The sheet is a union of polygons with sides along x and y. Two solutions on one mesh enclose the
truth, whatever the mesh: continuous voltages (bilinear elements) dissipate at least the true power
at a given voltage, so they give too few ohms; currents that nowhere pile up (finite volumes) at
least the true power at a given current, so they give too many (the principles of Dirichlet and
Thomson). The mesh is finer towards corners, and refined until the bounds are near enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import CircuitError, SolverError, SpecError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Integers = NDArray[np.int64]
_STIFF = np.array([[2, -2, -1, 1], [-2, 2, 1, -1], [-1, 1, 2, -2], [1, -1, -2, 2]]) / 6
"""Bilinear elements of a square, corners counterclockwise, currents along x."""
_FIRST, _LAST = 2, 64
"""Cells between neighbouring coordinates in the first mesh and in the last one that is tried."""


class Patch(NamedTuple):
    """A contact: a rectangle of the sheet with one voltage, behind a resistor.

    Attributes:
        x0: left end; all coordinates have the unit of the polygons.
        y0: lower end.
        x1: right end.
        y1: upper end.
        ohms: in series with it.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    ohms: float = 0.0


class Bounds(NamedTuple):
    """Ohms that are certainly not more and not less.

    Attributes:
        low: lower bound.
        high: upper bound.
    """

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The middle of both."""
        return (self.low + self.high) / 2


def sheet_ohms(
    polygons: Sequence[Floats],
    sheet: float,
    first: Sequence[Patch],
    second: Sequence[Patch],
    tolerance: float = 1e-3,
    slack: float = 0.0,
) -> Bounds:
    """Ohms from one set of contacts, which are joined behind their resistors, to another one.

    Args:
        polygons: (V, 2) corners of each polygon; sides along x or y, overlaps count once.
        sheet: ohms a square.
        first: contacts at one end.
        second: contacts at the other end.
        tolerance: distance of the bounds, relative to their middle.
        slack: distance in ohms that is near enough, too.

    Raises:
        SpecError: a side is neither along x nor along y, or a contact lies off the sheet.
        CircuitError: the ends are not connected, or shorted.
        SolverError: the finest mesh does not reach the tolerance.

    A corner of two squares' width takes 0.559 squares (an exact result of conformal mapping):

    >>> corner = np.array([(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)], float)
    >>> ends = [Patch(3.9, 0, 4, 1)], [Patch(0, 3.9, 1, 4)]
    >>> round(sheet_ohms([corner], 1.0, *ends).middle - 2 * 2.9, 2)
    0.56
    """
    best = Bounds(0.0, np.inf)
    fine = _FIRST
    while fine <= _LAST:
        mesh = _Mesh(polygons, [*first, *second], fine)
        ends = np.repeat([0, 1], [len(first), len(second)])
        found = Bounds(_by_voltages(mesh, sheet, ends), _by_currents(mesh, sheet, ends))
        best = Bounds(max(best.low, found.low), min(best.high, found.high))
        if best.high - best.low <= max(tolerance * best.middle, slack):
            return best
        fine *= 2
    raise SolverError(
        f"the ohms of a wire must be known to {tolerance:g}, but lie between {best.low:.6g} and "
        f"{best.high:.6g}; raise the tolerance"
    )


@dataclass
class _Mesh:
    """Rectangular cells of a sheet; those of one patch are one node.

    Attributes:
        x: coordinates of the mesh's lines along x.
        y: likewise.
        inside: (Y, X) whether a cell is metal.
        patches: all contacts.
    """

    x: Floats
    y: Floats
    inside: NDArray[np.bool_]
    patches: Sequence[Patch]

    def __init__(self, polygons: Sequence[Floats], patches: Sequence[Patch], fine: int) -> None:
        xs = [polygon[:, 0] for polygon in polygons] + [[p.x0, p.x1] for p in patches]
        ys = [polygon[:, 1] for polygon in polygons] + [[p.y0, p.y1] for p in patches]
        self.x, self.y = (_graded(np.unique(np.concatenate(v)), fine) for v in (xs, ys))
        self.patches = patches
        middle_x, middle_y = (self.x[:-1] + self.x[1:]) / 2, (self.y[:-1] + self.y[1:]) / 2
        self.inside = np.zeros((len(middle_y), len(middle_x)), dtype=bool)
        for polygon in polygons:
            self.inside |= _within(polygon, middle_x, middle_y)
        for patch in patches:
            cells = self.cells_of(patch)
            if not cells.any() or not self.inside[cells].all():
                raise SpecError(f"a contact must lie on its wire, and {patch[:4]} does not")

    def cells_of(self, patch: Patch) -> NDArray[np.bool_]:
        """(Y, X) whether a cell is part of a contact."""
        x, y = (self.x[:-1] + self.x[1:]) / 2, (self.y[:-1] + self.y[1:]) / 2
        across = (x > patch.x0) & (x < patch.x1)
        return np.outer((y > patch.y0) & (y < patch.y1), across)

    def nodes_of(self, patch: Patch) -> NDArray[np.bool_]:
        """(Y + 1, X + 1) whether a corner is part of a contact."""
        across = (self.x >= patch.x0) & (self.x <= patch.x1)
        return np.outer((self.y >= patch.y0) & (self.y <= patch.y1), across)


def _graded(values: Floats, fine: int) -> Floats:
    """The values, and between neighbours ``fine`` cells that are smaller towards both."""
    u = np.arange(fine) / fine
    t = np.where(u < 0.5, 2 * u**2, 1 - 2 * (1 - u) ** 2)
    between = values[:-1, None] + np.diff(values)[:, None] * t
    return np.append(between.ravel(), values[-1])


def _within(polygon: Floats, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """(Y, X) whether points lie in a polygon, by the number of sides to their left."""
    following = np.roll(polygon, -1, axis=0)
    inside = np.zeros((len(y), len(x)), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, following, strict=True):
        if x0 != x1 and y0 != y1:
            raise SpecError(f"wires must have sides along x or y, not from {x0, y0} to {x1, y1}")
        inside ^= np.outer((y > min(y0, y1)) & (y < max(y0, y1)), x > x0)
    return inside


def _by_voltages(mesh: _Mesh, sheet: float, ends: Integers) -> float:
    """Ohms of continuous voltages: not more than the truth."""
    dx, dy = np.diff(mesh.x), np.diff(mesh.y)
    rows, columns = np.nonzero(mesh.inside)
    wide = len(mesh.x)
    corner = rows * wide + columns
    corners = np.stack([corner, corner + 1, corner + 1 + wide, corner + wide], axis=1)
    ratio = dy[rows] / dx[columns]
    turned = _STIFF[np.ix_([0, 3, 2, 1], [0, 3, 2, 1])]
    values = (ratio[:, None, None] * _STIFF + turned / ratio[:, None, None]) / sheet
    nodes = np.arange(wide * len(mesh.y)).reshape(len(mesh.y), wide)
    nodes = _merged(nodes, [mesh.nodes_of(patch) for patch in mesh.patches])
    own = nodes.ravel()[corners]
    network = _Network()
    network.add_matrix(own, values)
    for patch, end in zip(mesh.patches, ends, strict=True):
        network.tie(int(nodes[mesh.nodes_of(patch)][0]), int(end), patch.ohms)
    return network.solve()[0]


def _merged(labels: Integers, groups: Sequence[NDArray[np.bool_]]) -> Integers:
    """Labels of which those of each group, and of groups that overlap, become one."""
    taken = np.zeros(labels.shape, dtype=bool)
    labels = labels.copy()
    for group in groups:
        joined = np.unique(labels[group])
        if taken[group].any():
            labels[np.isin(labels, joined)] = joined[0]
        labels[group] = joined[0]
        taken |= group
    return labels


def _together(
    patches: Sequence[Patch], masks: Sequence[NDArray[np.bool_]]
) -> list[NDArray[np.bool_]]:
    """The masks of contacts, those of contacts that touch as one: no ohms lie between them."""
    groups: list[tuple[list[Patch], NDArray[np.bool_]]] = []
    for patch, mask in zip(patches, masks, strict=True):
        near = [group for group in groups if any(_touch(patch, other) for other in group[0])]
        rest = [group for group in groups if not any(group is one for one in near)]
        members = [patch, *(other for group in near for other in group[0])]
        groups = [*rest, (members, np.logical_or.reduce([mask, *(group[1] for group in near)]))]
    return [mask for _, mask in groups]


def _touch(a: Patch, b: Patch) -> bool:
    return a.x0 <= b.x1 and b.x0 <= a.x1 and a.y0 <= b.y1 and b.y0 <= a.y1


def _by_currents(mesh: _Mesh, sheet: float, ends: Integers) -> float:
    """Ohms of currents that keep Kirchhoff's law in every cell: not less than the truth."""
    dx, dy = np.diff(mesh.x), np.diff(mesh.y)
    height, width = mesh.inside.shape
    cells = np.arange(height * width).reshape(height, width)
    chosen = [mesh.cells_of(patch) for patch in mesh.patches]
    cells = _merged(cells, _together(mesh.patches, chosen))
    shorted = np.logical_or.reduce(chosen)
    half_x, half_y = (np.where(shorted, 0.0, d / 2) for d in (dx[None, :], dy[:, None]))
    faces = []
    for axis, half, across in ((1, half_x, dy[:, None]), (0, half_y, dx[None, :])):
        low, high = _neighbours(axis)
        both = mesh.inside[low] & mesh.inside[high] & ~(shorted[low] & shorted[high])
        length = half[low] + half[high]
        breadth = np.broadcast_to(across, mesh.inside.shape)[low]
        siemens = np.where(both, breadth / np.where(both, length, 1.0), 0.0) / sheet
        faces.append((axis, siemens, cells[low], cells[high]))
    network = _Network()
    for _, siemens, a, b in faces:
        on = siemens > 0
        network.add_resistors(a[on], b[on], siemens[on])
    for patch, end in zip(mesh.patches, ends, strict=True):
        network.tie(int(cells[mesh.cells_of(patch)][0]), int(end), patch.ohms)
    total, voltage = network.solve()
    power = network.power_in_ties
    for axis, siemens, a, b in faces:
        flow = np.where(siemens > 0, siemens * (voltage(a) - voltage(b)), 0.0)
        padded = np.pad(flow, ((0, 0), (1, 1)) if axis else ((1, 1), (0, 0)))
        before, after = (padded[place] for place in _neighbours(axis))
        squares = dx[None, :] / dy[:, None] if axis else dy[:, None] / dx[None, :]
        each = sheet * squares * (before**2 + before * after + after**2) / 3
        power += float(each[mesh.inside & ~shorted].sum())
    return power * total**2


def _neighbours(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    every, low, high = slice(None), slice(None, -1), slice(1, None)
    return ((every, low), (every, high)) if axis else ((low, every), (high, every))


class _Network:
    """A resistor network between two ends, one volt apart."""

    def __init__(self) -> None:
        self._a: list[Integers] = []
        self._b: list[Integers] = []
        self._values: list[Floats] = []
        self._ties: list[tuple[int, int, float]] = []
        self.power_in_ties = 0.0

    def add_matrix(self, nodes: Integers, values: Floats) -> None:
        """Add elements: (E, 4) nodes and (E, 4, 4) siemens."""
        self._a.append(np.repeat(nodes, 4, axis=1).ravel())
        self._b.append(np.tile(nodes, (1, 4)).ravel())
        self._values.append(values.reshape(len(nodes), 16).ravel())

    def add_resistors(self, a: Integers, b: Integers, siemens: Floats) -> None:
        """Add resistors between pairs of nodes."""
        for one, other, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            self._a.append(one)
            self._b.append(other)
            self._values.append(sign * siemens)

    def tie(self, node: int, end: int, ohms: float) -> None:
        """Join a node to an end by a resistor or, with 0 ohm, directly."""
        self._ties.append((node, end, ohms))

    def solve(self) -> tuple[float, _Voltages]:
        """Ohms between the ends, and the voltages.

        Raises:
            CircuitError: the ends are shorted or not connected.
        """
        from scipy.sparse.linalg import splu

        known, matrix, fixed = self._system()
        free = np.flatnonzero(np.isnan(fixed))
        given = np.flatnonzero(~np.isnan(fixed))
        voltage = fixed.copy()
        if len(free):
            inner = matrix[free][:, free].tocsc()
            right = -(matrix[free][:, given] @ fixed[given])
            try:
                voltage[free] = splu(inner).solve(right)
            except RuntimeError as error:
                raise CircuitError("a piece of a wire touches none of its contacts") from error
        current = float((matrix @ voltage)[fixed == 1.0].sum())
        if not current > 1e-12 * matrix.diagonal().max():
            raise CircuitError("two contacts of a wire must be connected, and are not")
        answer = _Voltages(known, voltage)
        for node, end, ohms in self._ties:
            if ohms:
                drop = float(answer(np.array([node]))[0]) - (1.0 if end == 0 else 0.0)
                self.power_in_ties += drop**2 / ohms
        return 1 / current, answer

    def _system(self) -> tuple[Integers, csr_array, Floats]:
        """Known nodes, their matrix, and (n,) fixed voltages: those of the ends are -1 and -2."""
        from scipy.sparse import coo_array

        a, b, values = (list(v) for v in (self._a, self._b, self._values))
        pinned: dict[int, float] = {}
        for node, end, ohms in self._ties:
            if ohms:
                g = 1 / ohms
                for one, other, sign in (
                    (node, node, 1),
                    (node, -1 - end, -1),
                    (-1 - end, node, -1),
                ):
                    a.append(np.array([one]))
                    b.append(np.array([other]))
                    values.append(np.array([sign * g]))
                a.append(np.array([-1 - end]))
                b.append(np.array([-1 - end]))
                values.append(np.array([g]))
                pinned[-1 - end] = 1.0 - end
            elif pinned.setdefault(node, 1.0 - end) != 1.0 - end:
                raise CircuitError("the two ends of a wire must not be shorted by their contacts")
        rows, columns, entries = (np.concatenate(v) for v in (a, b, values))
        known, numbers = np.unique(np.concatenate([rows, columns]), return_inverse=True)
        size, half = len(known), len(rows)
        shape = (size, size)
        matrix = coo_array((entries, (numbers[:half], numbers[half:])), shape=shape).tocsr()
        fixed = np.full(size, np.nan)
        for node, volts in pinned.items():
            fixed[np.searchsorted(known, node)] = volts
        return known, matrix, fixed


@dataclass
class _Voltages:
    """Voltages by node number; those of unknown nodes are zero."""

    known: Integers
    values: Floats

    def __call__(self, nodes: Integers) -> Floats:
        """Voltages of nodes of any shape."""
        place = np.minimum(np.searchsorted(self.known, nodes), len(self.known) - 1)
        found: Floats = np.where(self.known[place] == nodes, self.values[place], 0.0)
        return found
