"""Branches without the wires that they were measured through.

A tester sees a branch behind its driver, its word line, its bit line and the sense amplifier. It
reads I / V with one word line driven, the others and all sense amplifiers at 0 V, and one branch
closed ("branch"), or one in each cell of the driven word line ("line").

All current that enters a bit line is sensed, so what a column gains when a branch closes is that
branch's current p, less what its bit line loses of leakage. The lines' wires give the voltage u at
each crossing by Kirchhoff's laws, u = 1 - M (C u + p) on the driven line, with the conductance C of
open cells and the ohms M of the lines; the branch has p / u more than when it is open. Leakage is
iterated to the last bit. Branches that are closed alone are ports of the linear array of open
cells: p takes R p from the port's voltage and adds H p to the column's current.

Shapes: T tiles, W x B cells, K resistors per cell; W' x B' crossings of the physical array (see
``Bank.layout``). Units: siemens and ohms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.errors import SpecError, shown
from xbar.hardware.spec import Hardware
from xbar.units import format_quantity

Closed: TypeAlias = Literal["branch", "line"]
"""What is closed at a time: one "branch", or one in each cell of a word "line"."""

_STEPS = 300
_EXACT, _ROUNDING = 4e-16, 1e-12
_LEAST = 2.0**-54
"""Leakage through wires that changes no bit of a result."""
_FIRST_ORDER = 1e-6
"""Share of leakage whose square is nothing: 1e-12."""
_ELEMENTS = 2**22
"""Numbers of an array at a time."""


@dataclass(frozen=True, eq=False)
class Array:
    """The wires of one tile and where the resistors of its cells are.

    Attributes:
        word: (B', B') ohms: voltage lost at each crossing per current at each, of one word line.
        bit: (W', W') ohms: the same of one bit line.
        rows: (W, K) word line of each resistor.
        columns: (B, K) bit line of each resistor.
    """

    word: Floats
    bit: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, hardware: Hardware) -> Array:
        """The array of a design."""
        tile, k = hardware.tile, hardware.bank.resistors
        if tile.topology != "input-source":
            raise SpecError(
                f"branches measured behind wires need tile.topology 'input-source', not "
                f"{tile.topology!r}; give the branches themselves"
            )
        w, b = hardware.cells
        high, wide = (k if hardware.bank.layout == name else 1 for name in ("rows", "columns"))
        drive = {"left": (True, False), "right": (False, True), "both": (True, True)}[tile.drive]
        sense = {"top": (True, False), "bottom": (False, True), "both": (True, True)}[tile.sense]
        place = np.arange(k)
        return cls(
            line_ohms(b * wide, tile.word_wire, tile.source, drive),
            line_ohms(w * high, tile.bit_wire, hardware.sense_load, sense),
            np.arange(w)[:, None] * high + place * (high > 1),
            np.arange(b)[:, None] * wide + place * (wide > 1),
        )

    @property
    def ideal(self) -> bool:
        """Whether nothing lies before the cells."""
        return not (self.word.any() or self.bit.any())

    def open(self, cell: Floats) -> Floats:
        """(W', B') siemens of the crossings for resistors (W, B, K)."""
        total = np.zeros((len(self.bit), len(self.word)))
        np.add.at(total, (self.rows[:, None, :], self.columns[None, :, :]), cell)
        return total

    def lost(self, current: Floats) -> Floats:
        """(..., W', B') volts lost at each crossing for amperes (..., W', B') through them."""
        lost: Floats = current @ self.word + self.bit @ current
        return lost

    def settle(self, start: Floats, leak: Floats) -> Floats:
        """(..., W', B') volts at the crossings: ``start`` without what leakage takes.

        Raises:
            SpecError: the cells leak too much for the iteration.
        """
        volts, last = start, np.inf
        for _ in range(_STEPS):
            before, volts = volts, start - self.lost(leak * volts)
            change = float(np.abs(volts - before).max() / (np.abs(volts).max() or 1.0))
            if _settled(change, last):
                return volts
            if not np.isfinite(change):
                break
            last = change
        raise SpecError(_LEAKY)

    def most(self, leak: Floats) -> float:
        """Upper bound on the fraction of a line's voltage that leakage through its wires takes."""
        word, bit = leak.sum(axis=1).max(), leak.sum(axis=0).max()
        return float(self.word.max() * word + self.bit.max() * bit)

    def leaks(self, leak: Floats) -> bool:
        """Whether leakage through the wires changes a result at all."""
        return self.most(leak) > _LEAST

    def group(self, column: int) -> NDArray[np.int64]:
        """The bit lines that are sensed with one: those of its column of cells."""
        (j,) = np.flatnonzero((self.columns == column).any(axis=1))
        return np.unique(self.columns[j])


def _settled(change: float, last: float) -> bool:
    """Whether an iteration changes nothing more, or by rounding only."""
    return change <= _EXACT or last <= change <= _ROUNDING


def line_ohms(count: int, wire: float, end: float, ends: tuple[bool, bool]) -> Floats:
    """(count, count) ohms: voltage lost at each crossing of a line per current at each.

    Args:
        count: number of crossings.
        wire: ohms of a segment between crossings, and between a crossing and an end.
        end: ohms of the driver or sense amplifier at each end.
        ends: whether the first and the last end have one.
    """
    place = np.arange(count)
    first, last = end + wire * (place + 1.0), end + wire * (count - place)
    low, high = np.minimum(place[:, None], place), np.maximum(place[:, None], place)
    if not ends[1]:
        return np.asarray(first[low])
    if not ends[0]:
        return np.asarray(last[high])
    whole = 2 * end + wire * (count + 1)
    return first[low] * last[high] / whole if whole else np.zeros((count, count))


def without_wires(
    on: Floats, off: Floats | None, stuck: NDArray[np.int8], hardware: Hardware, closed: Closed
) -> tuple[Floats, Floats]:
    """``on`` and ``off`` (W, B, K) siemens of one tile's branches alone.

    Args:
        on: measured siemens: what each cell had with this branch closed, less the ``off`` of its
            other branches.
        off: measured siemens, which add up to what each cell had with all its switches open, those
            that are stuck closed included; None if known by the bank's on_off_ratio only.
        stuck: -1 open, +1 closed, else 0.
        hardware: design, with the wires of the measurement.
        closed: what was closed at a time.

    Raises:
        SpecError: a branch conducts more than its wires let through, or leakage too much.
    """
    array, ratios = Array.of(hardware), hardware.bank.on_off_ratios
    if off is not None:
        still = _open_cells(off, array)
        found = _closed_branches(on, off, still, stuck, array, closed)
        return np.where(stuck > 0, still, found), still
    found, last = on, np.inf
    for _ in range(_STEPS):
        still, before = np.where(stuck > 0, found, found / ratios), found
        apparent = _as_seen(still, array)
        found = _closed_branches(on, apparent, still, stuck, array, closed)
        # what is stuck closed is seen with the open branches, and corrected by their ratio
        seen = np.divide(on, apparent, out=np.ones_like(on), where=apparent > 0)
        found = np.where(stuck > 0, before * seen, found)
        change = float(np.abs(found - before).max() / (found.max() or 1.0))
        if _settled(change, last):
            return found, found / ratios
        last = change
    raise SpecError(_LEAKY)


_LEAKY = (
    "open switches must leak less for wires to be taken out: their currents lose most of the "
    "voltage on the lines; measure the branches at their own terminals"
)


def _closed_branches(
    on: Floats,
    apparent: Floats,
    still: Floats,
    stuck: NDArray[np.int8],
    array: Array,
    closed: Closed,
) -> Floats:
    """(W, B, K) siemens of branches, from what they add to the cells with open branches."""
    leak, more = array.open(still), np.zeros(on.shape)
    moves = (stuck == 0) & (on > 0)
    excess = np.where(moves, on - apparent, 0.0)
    find = _line if closed == "line" else _branch
    for i in range(len(array.rows)):
        volts, current = find(array, i, leak, excess[i], moves[i])
        _check_volts(volts, i, on[i], array)
        more[i] = current / volts
    found = np.where(stuck < 0, on, np.maximum(still + more, 0.0))
    return np.where(on > 0, found, 0.0)


def _line(
    array: Array, row: int, leak: Floats, excess: Floats, moves: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """(B, K) volts at a row's branches, and amperes beyond the open state's.

    For each k, resistor k of all cells of the row is closed.

    Args:
        array: wires.
        row: driven row of cells.
        leak: (W', B') siemens of the crossings with all switches open.
        excess: (B, K) siemens that each column gains.
        moves: (B, K) whether the switch has an effect.
    """
    lines, columns = array.rows[row], array.columns
    field = _driven(array, row, leak)
    if not array.leaks(leak):
        place = zip(range(len(lines)), lines, columns.T, strict=True)
        lost = [array.word[np.ix_(at, at)] @ excess[:, k] for k, _, at in place]
        return 1.0 - np.stack(lost, axis=1) - np.diag(array.bit)[lines] * excess, excess
    start = np.zeros(leak.shape)
    start[lines] = 1.0
    idle, each = _summed(array, leak * field), np.arange(len(lines))
    volts, current = np.broadcast_to(field, (len(lines), *leak.shape)), excess
    last = np.inf
    for _ in range(_STEPS):
        flow, before = leak * volts, volts
        current = np.where(moves, excess + (idle - _summed(array, flow)).T, 0.0)
        flow[each, lines, columns] += current
        volts = start - array.lost(flow)
        change = float(np.abs(volts - before).max())
        if _settled(change, last):
            return volts[each, lines, columns], current
        if not np.isfinite(change):
            break
        last = change
    raise SpecError(_LEAKY)


def _branch(
    array: Array, row: int, leak: Floats, excess: Floats, moves: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """The same where each branch is closed alone."""
    del moves  # what does not move has no excess
    lines, columns = array.rows[row], array.columns
    field = _driven(array, row, leak)
    ohms, share = np.empty(excess.shape), np.empty(excess.shape)
    for k in range(len(lines)):
        if k and np.all(lines == lines[0]) and np.array_equal(columns[:, k], columns[:, 0]):
            ohms[:, k], share[:, k] = ohms[:, 0], share[:, 0]
        else:
            ohms[:, k], share[:, k] = _ports(array, int(lines[k]), columns[:, k], leak)
    current = excess / share
    return field[lines, columns] - ohms * current, current


def _ports(
    array: Array, line: int, columns: NDArray[np.int64], leak: Floats
) -> tuple[Floats, Floats]:
    """(B,) ohms of the array of open cells at the crossings of a word line with some columns.

    And (B,) amperes of the column per ampere through its crossing.
    """
    word, bit = array.word[:, columns], array.bit[:, line, None]
    here, down = leak[line][:, None] * word, leak[:, columns] * bit
    alone = np.diag(array.word)[columns] + array.bit[line, line]
    most = array.most(leak)
    if most < _FIRST_ORDER:
        both = 2 * leak[line, columns] * np.diag(array.word)[columns] * array.bit[line, line]
        ohms = alone - (here * word).sum(axis=0) - (down * bit).sum(axis=0) - both
        group = np.array([array.group(column) for column in columns])
        own = here[group, np.arange(len(columns))[:, None]].sum(axis=1)
        return ohms, 1.0 - own - down.sum(axis=0)
    ohms, share = np.empty(len(columns)), np.empty(len(columns))
    step = max(1, _ELEMENTS // leak.size)
    for start in range(0, len(columns), step):
        some = np.arange(start, min(start + step, len(columns)))
        each = np.arange(len(some))
        unit = np.zeros((len(some), *leak.shape))
        unit[each, line, columns[some]] = 1.0
        volts = array.settle(array.lost(unit), leak)
        ohms[some] = volts[each, line, columns[some]]
        share[some] = 1.0 - _summed(array, leak * volts)[each, some]
    return ohms, share


def _open_cells(apparent: Floats, array: Array) -> Floats:
    """(W, B, K) siemens of open branches, from those that their cells seem to have."""
    found, last = apparent, np.inf
    for _ in range(_STEPS):
        seen = _as_seen(found, array)
        ratio = np.divide(apparent, seen, out=np.ones_like(seen), where=seen > 0)
        found = found * ratio
        change = float(np.abs(ratio - 1).max())
        if _settled(change, last):
            return found
        last = change
    raise SpecError(_LEAKY)


def _as_seen(still: Floats, array: Array) -> Floats:
    """(W, B, K) siemens that open branches seem to have behind the wires.

    A cell's are in proportion to its branches' own.
    """
    leak = array.open(still)
    if not array.leaks(leak):
        return still
    rows = range(len(array.rows))
    seen: Floats = np.stack([_summed(array, leak * _driven(array, i, leak)) for i in rows])
    own = still.sum(axis=2)
    share = np.divide(seen, own, out=np.ones_like(own), where=own > 0)
    return np.asarray(still * share[:, :, None])


def _driven(array: Array, row: int, leak: Floats) -> Floats:
    """(W', B') volts at the open crossings with 1 V on one row of cells."""
    start = np.zeros(leak.shape)
    start[array.rows[row]] = 1.0
    return array.settle(start, leak) if array.leaks(leak) else start


def _summed(array: Array, current: Floats) -> Floats:
    """(..., B) amperes of each column of cells for amperes (..., W', B') through crossings."""
    line = current.sum(axis=-2)
    distinct = array.columns[:, : 1 if array.columns[0, 0] == array.columns[0, -1] else None]
    return np.asarray(line[..., distinct].sum(axis=-1))


def _check_volts(volts: Floats, row: int, on: Floats, array: Array) -> None:
    bad = np.argwhere(~(volts > 0))
    if not len(bad):
        return
    j, k = (int(index) for index in bad[0])
    line, column = int(array.rows[row, k]), int(array.columns[j, k])
    ohms = float(array.word[column, column] + array.bit[line, line])
    raise SpecError(
        f"on must be less than what the wires let through, and at word line {row}, bit line {j}, "
        f"resistor {k} it is {format_quantity(float(on[j, k]), 'S')} behind "
        f"{format_quantity(ohms, 'ohm')}; check word_wire, bit_wire, source and load of the tile, "
        "and what was closed at a time"
    )


def check_closed(value: object, name: str) -> Closed:
    """One of "branch" and "line".

    Raises:
        SpecError: it is neither.
    """
    for known in get_args(Closed):
        if value == known:
            found: Closed = known
            return found
    raise SpecError(f"{name} must be {' or '.join(get_args(Closed))}, not {shown(value)}")


def largest_change(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Largest relative change of conductances that are not 0."""
    some = before > 0
    return float(np.abs(after[some] / before[some] - 1).max()) if some.any() else 0.0
