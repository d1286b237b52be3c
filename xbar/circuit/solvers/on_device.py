"""Transfer matrices of many tiles on a card: the merge tree of ``cuda/tree.cu``.

Sums are in another order than the CPU's, so results differ by rounding: by at most 6e-15 of a
tile's largest entry in every case measured.

Shapes: T tiles of W x B cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xbar.arrays import Bools, Floats
from xbar.circuit.solvers.grid import FAR, Grid
from xbar.circuit.solvers.tree_plan import SIDE, Level, make_plan
from xbar.device import Buffer, Card, Memory, Source, in_batches

SOURCE = Source(Path(__file__).parent / "cuda" / "tree.cu")
MOST_LINES = 512
"""Word or bit lines of a tile that a card takes."""

_OLDEST = (8, 0)  # capability: float64 tensor cores
_MOST_TILES = 1 << 14  # of a batch
_LEAVES = 4  # of a block
_SMALL, _SMALL_NODES = 37 * 1024, 16  # bytes of scratch and eliminated nodes for `joins_small`
_MEDIUM = 113 * 1024  # bytes of scratch for `joins`: two blocks a multiprocessor


def obstacle(grid: Grid, card: Card) -> str:
    """Why a card does not solve arrays with a grid's wires; empty if it does."""
    if card.capability < _OLDEST:
        return f"the {card.name} has no tensor cores for float64"
    if max(grid.cells.shape) > MOST_LINES:
        return f"a card takes up to {MOST_LINES} word and bit lines, not {max(grid.cells.shape)}"
    if grid.right is not None or grid.top is not None:
        return "lines driven or read at both ends are solved on the CPU"
    if not (grid.word.all() and grid.bit.all()):
        return "ideal wires (0 ohm) are solved on the CPU"
    if max(grid.word.max(), grid.bit.max()) >= FAR:
        return "lines that nothing drives or reads are solved on the CPU"
    return ""


def transfers_on(card: Card, grid: Grid, cells: Floats, result: Floats) -> Bools:
    """Write the transfer matrices (T, B, W) of cells (T, W, B) with a grid's wires.

    Args:
        card: a card without an ``obstacle`` for the grid.
        grid: the wires; cells and result are in its order of lines.
        cells: siemens.
        result: output, siemens.

    Returns:
        (T,) flag where a result is not finite: too many digits were lost.

    Raises:
        DeviceMemoryError: the card's memory does not hold one tile.
    """
    padded = Padded.of(grid)
    levels = make_plan(*padded.shape)
    failed = np.zeros(len(cells), np.bool_)
    number = int(np.prod(padded.shape))
    room = max([levels[0].before, *(level.after for level in levels)])
    each = 8 * (number + 2 * room + scratch(card, levels))

    def work(part: slice) -> None:
        with card.memory() as memory:
            given = memory.holding(padded.cells(cells[part]))
            found = start(memory, levels, padded, given, room)
            whole = np.empty((part.stop - part.start, padded.shape[1], padded.shape[0]))
            card.read(found, whole)
        result[part] = padded.real(whole)
        failed[part] = ~np.isfinite(result[part]).all(axis=(1, 2))

    in_batches(card, len(cells), each, work, _MOST_TILES)
    return failed


@dataclass(frozen=True, eq=False)
class Padded:
    """A grid's wires with open cells above and at the right, up to whole leaves.

    Those cells carry no current, whatever their wires: lines end open there.

    Attributes:
        shape: W, B in whole leaves.
        own: word and bit lines of the array.
        word: (W, B) siemens of the word lines' segments.
        bit: (W, B) siemens of the bit lines' segments.
    """

    shape: tuple[int, int]
    own: tuple[int, int]
    word: Floats
    bit: Floats

    @classmethod
    def of(cls, grid: Grid) -> Padded:
        """The wires of a grid."""
        lines, columns = grid.cells.shape
        high, wide = -(-lines // SIDE) * SIDE, -(-columns // SIDE) * SIDE
        wide = max(wide, 2 * SIDE) if high == SIDE else wide  # a tree has two leaves or more
        siemens = []
        for ohms in (grid.word, grid.bit):
            whole = np.full((high, wide), 1.0 / ohms.min())
            whole[high - lines :, :columns] = 1.0 / ohms
            siemens.append(whole)
        return cls((high, wide), (lines, columns), *siemens)

    def cells(self, own: Floats) -> Floats:
        """The array's cells (T, W, B), with open ones around them."""
        (high, wide), (lines, columns) = self.shape, self.own
        if self.shape == self.own:
            return own
        whole = np.zeros((len(own), high, wide))
        whole[:, high - lines :, :columns] = own
        return whole

    def real(self, whole: Floats) -> Floats:
        """The array's own part of transfer matrices (T, B, W)."""
        return whole[:, : self.own[1], self.shape[0] - self.own[0] :]


def _kind(card: Card, level: Level) -> tuple[str, int]:
    """Kernel and threads of a level's joins, by their scratch."""
    size = 8 * level.scratch
    if size <= _SMALL and level.joins[:, 4].max() <= _SMALL_NODES:
        return "joins_small", 64
    if size <= min(_MEDIUM, card.shared):
        return "joins", 128
    if size <= card.shared:
        return "joins_large", 512
    return "joins_global", 384


def scratch(card: Card, levels: tuple[Level, ...]) -> int:
    """Numbers of scratch in the card's memory that a tile takes."""
    each = [len(x.joins) * x.scratch for x in levels if _kind(card, x)[0] == "joins_global"]
    return max(each, default=0)


def start(
    memory: Memory, levels: tuple[Level, ...], padded: Padded, cells: Buffer, room: int
) -> Buffer:
    """Start all levels; the buffer with the transfer matrices (T, B, W)."""
    card, (lines, columns) = memory.card, padded.shape
    tiles = cells.size // (8 * lines * columns)
    one, two = memory.empty((tiles, room), np.float64), memory.empty((tiles, room), np.float64)
    spare = memory.empty((tiles, scratch(card, levels)), np.float64)
    leaves = lines * columns // SIDE**2
    card.kernel(SOURCE, "leaves").launch(
        (-(-leaves // _LEAVES), tiles),
        32 * _LEAVES,
        cells,
        memory.holding(padded.word),
        memory.holding(padded.bit),
        *(np.int32(lines), np.int32(columns), np.int64(levels[0].before)),
        one,
    )
    for level in levels:
        name, threads = _kind(card, level)
        alone = name == "joins_global"
        kernel = card.kernel(SOURCE, name, 0 if alone else 8 * level.scratch)
        plan = memory.holding(level.joins), memory.holding(level.maps)
        sizes = np.int64(level.before), np.int64(level.after)
        more = (spare, np.int64(level.scratch)) if alone else ()
        last = np.int32(level.last), np.int32(lines)
        grid = len(level.joins), tiles
        kernel.launch(grid, threads, *plan, one, sizes[0], two, sizes[1], *last, *more)
        one, two = two, one
    return one
