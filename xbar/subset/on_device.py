"""Closest subset sums on a card: the masks and sums of `kernels.lockstep`, to the last bit.

Banks of 11 to 18 elements are solved 32 at a time, first in 32 bits, then in 64 where those leave
it open; fewer and up to 20 elements one in each block of threads.

Shapes: M problems with a bank of K elements each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from xbar.arrays import Bools, Floats, Ints
from xbar.device import Buffer, Card, DeviceMemoryError, Memory, Source, find, in_batches
from xbar.errors import warn

FEWEST, MOST = 2, 20
"""Elements of the banks that a card takes."""

_FOLDER = Path(__file__).parent / "kernels" / "cuda"
_LANES = 32
_MOST_PROBLEMS = 1 << 24  # of a batch, so that a batch's arrays stay small beside the host's memory
_UNSURE = 0.4  # largest fraction left open by 32 bits for which they save time
_IN_LOCK_STEP, _IN_WIDE = range(11, 19), range(11, 17)  # numbers of elements
_ONES = (
    np.int32(1),
    np.int32(-1),
)  # unknown to the compiler, so that multiply-adds stay what they are
_EXACT_THREADS = 1024  # of `exact` that a multiprocessor runs at once: with 64 registers each
_BLOCKS_EACH = 16  # blocks of `exact` for each multiprocessor


@dataclass(frozen=True)
class _Launch:
    """How a lock-step kernel is launched.

    Attributes:
        warps: warps of a block.
        blocks: blocks that a multiprocessor runs at once.
        shared: bytes of shared memory of a block.
    """

    warps: int
    blocks: int
    shared: int


# warps and blocks by the number of elements, the fastest on H100 and H200 that need no stack
_NARROW = {11: (2, 12), 12: (2, 12), 13: (4, 5), 14: (4, 5)}
_NARROW |= {15: (4, 3), 16: (4, 3), 17: (16, 1), 18: (16, 1)}
_WIDE = {11: (4, 4), 12: (4, 4), 13: (8, 2), 14: (8, 2)}
_WIDE |= {15: (8, 1), 16: (16, 1), 17: (16, 1), 18: (16, 1)}


def _launch(elements: int, word: int) -> _Launch:
    """For integers of ``word`` bytes: rows of both lists, minima, keys, totals and three more."""
    h = (elements + 1) // 2
    rows = (2 << h) + (2 << h) // _LANES + 2 * h + 2 * (h - 5) + 3
    shared = _LANES * (word * rows + 3 * 8 + 4 * 4) + 8 * elements * (_LANES + 1)
    return _Launch(*(_NARROW if word == 4 else _WIDE)[elements], shared)


@cache
def source(elements: int) -> Source:
    """The text of the kernels for banks of a number of elements."""
    split = (elements + 1) // 2
    sums = 1 << split
    constants = {"ELEMENTS": elements, "EXACT_BYTES": sums * (24 + 8 + 4)}
    constants["EXACT_THREADS"] = max(sums, _LANES)
    constants["EXACT_BLOCKS"] = _EXACT_THREADS // constants["EXACT_THREADS"]
    if elements in _IN_LOCK_STEP:
        for name, launch in (("NARROW", _launch(elements, 4)), ("WIDE", _launch(elements, 8))):
            constants |= {
                f"{name}_WARPS": launch.warps,
                f"{name}_BLOCKS": launch.blocks,
                f"{name}_BYTES": launch.shared,
            }
    return Source(_FOLDER / "subset.cu", (_FOLDER / "lanes.h",), constants, fuse=False)


def obstacle(elements: int, card: Card) -> str:
    """Why a card does not take banks of K elements; empty if it does."""
    if not FEWEST <= elements <= MOST:
        return f"a card takes banks of {FEWEST} to {MOST} elements, not K = {elements}"
    if elements in _IN_LOCK_STEP and _launch(elements, 4).shared > card.shared:
        return f"K = {elements} needs more shared memory than the {card.name} has"
    return ""


def solve_on(
    device: str, problems: tuple[Floats, Ints, Floats], mask: Bools, achieved: Floats
) -> str:
    """Solve M problems on the card that ``device`` names, if it takes them.

    Args:
        device: "cpu", "cuda" or "auto".
        problems: banks (R, K), the bank (M,) of each problem and targets (M,).
        mask: (M, K) output: chosen elements.
        achieved: (M,) output: their sums.

    Returns:
        The card's name; empty where nothing was done, which is told in a warning for "cuda".

    Raises:
        ToolError: "cuda" without a card.
    """
    card = find(device)
    if card is None:
        return ""
    why = obstacle(mask.shape[1], card)
    if not why:
        try:
            Chooser(card, mask.shape[1]).solve(problems, mask, achieved)
        except DeviceMemoryError as error:
            why = str(error)
        else:
            return card.name
    if device == "cuda":
        warn(f"subsets are chosen on the CPU, with the same result: {why}")
    return ""


class Chooser:
    """Chooses subsets of banks of K elements on a card.

    Attributes:
        card: the card.
        elements: K.
        narrow: whether a first pass with 32 bits pays.
    """

    def __init__(self, card: Card, elements: int) -> None:
        self.card, self.elements = card, elements
        self.narrow = elements in _IN_LOCK_STEP

    def solve(self, problems: tuple[Floats, Ints, Floats], mask: Bools, achieved: Floats) -> None:
        """Write masks (M, K) and sums (M,)."""
        bank, row, target = problems
        each = 8 * self.elements + 8 + 4 + 8 + 4
        own = len(bank) == len(target) and bool(np.array_equal(row, np.arange(len(row))))

        def work(part: slice) -> None:
            banks = bank[part] if own else bank[row[part]]
            with self.card.memory() as memory:
                found = np.empty(len(banks), np.uint32)
                out = memory.empty(len(banks), np.uint32), memory.empty(len(banks), np.float64)
                self.run(memory, memory.holding(banks), memory.holding(target[part]), out)
                self.card.read(out[0], found)
                self.card.read(out[1], achieved[part])
            bits = found.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)
            mask[part] = np.unpackbits(bits, axis=1, count=self.elements, bitorder="little")

        in_batches(self.card, len(target), each, work, _MOST_PROBLEMS)

    def run(
        self, memory: Memory, banks: Buffer, targets: Buffer, out: tuple[Buffer, Buffer]
    ) -> None:
        """Solve problems whose banks and targets are on the card.

        Args:
            memory: memory of the card, to be held until ``out`` has been read.
            banks: (M, K) float64.
            targets: (M,) float64.
            out: masks (M,) uint32 and sums (M,) float64.
        """
        count = targets.size // 8
        if not self.narrow:
            every = np.arange(count, dtype=np.uint32)
            listed = memory.holding(every), memory.holding(np.array([count], np.uint32))
            self._in_full(count, (banks, targets), (*out, *listed))
            return
        opened = memory.holding(np.zeros(1, np.uint32))
        after = *out, memory.empty(count, np.uint32), opened
        launch = _launch(self.elements, 4)
        kernel = self.card.kernel(source(self.elements), "narrow", launch.shared)
        grid = self._grid(count, launch.blocks)
        threads = _LANES * launch.warps
        kernel.launch(grid, threads, banks, targets, np.uint32(count), *_ONES, *after)
        self._in_full(count, (banks, targets), after)
        left = np.empty(1, np.uint32)
        self.card.read(opened, left)
        self.narrow = bool(left[0] <= _UNSURE * count)  # the results are the same either way

    def _in_full(
        self, count: int, given: tuple[Buffer, Buffer], after: tuple[Buffer, Buffer, Buffer, Buffer]
    ) -> None:
        """Solve up to ``count`` problems in full precision: masks, sums, which ones, how many."""
        text = source(self.elements)
        wide = _launch(self.elements, 8) if self.elements in _IN_WIDE else None
        if wide and wide.shared <= self.card.shared:
            kernel = self.card.kernel(text, "wide", wide.shared)
            grid = self._grid(count, wide.blocks)
            kernel.launch(grid, _LANES * wide.warps, *given, *_ONES, *after)
            return
        kernel = self.card.kernel(text, "exact", text.constants["EXACT_BYTES"])
        grid = min(count, self.card.processors * _BLOCKS_EACH), 1
        kernel.launch(grid, text.constants["EXACT_THREADS"], *given, *after)

    def _grid(self, count: int, blocks: int) -> tuple[int, int]:
        """Blocks that take groups of problems in turn, as many as run at once."""
        return min(-(-count // _LANES), self.card.processors * blocks), 1
