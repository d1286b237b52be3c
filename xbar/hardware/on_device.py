"""Conductances of many tiles at once, on a card or on the CPU: the same bits.

Shapes: T tiles of W x B cells with K resistors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xbar.arrays import Floats
from xbar.device import Buffer, Card, DeviceMemoryError, Memory, Source, find, in_batches
from xbar.errors import SpecError, warn
from xbar.hardware.bank import Bank
from xbar.hardware.chip import CONDUCTANCE, Chip

SOURCE = Source(Path(__file__).parent / "cuda" / "draw.cu", fuse=False)
_BLOCK = 256  # threads, which make four numbers each
_MOST_TILES = 1 << 15  # of a launch: a grid has 65,535 rows
_MOST_NUMBERS = 2**31 - 2 * 4 * _BLOCK  # of a tile: the kernel counts in 32 bits
_LAWS = {"normal": "normal", "lognormal": "lognormal", "uniform": "uniform", "none": "uniform"}


def conductances(chip: Chip, tiles: range, device: str = "cpu") -> Floats:
    """Conductances (T, W, B, K) in siemens of a chip's resistors, switched in: ``chip.on`` of each.

    Args:
        chip: the chip.
        tiles: numbers of consecutive tiles.
        device: "cpu", "cuda" for a card or "auto" for one if it works; the numbers are the same to
            the last bit. What a card does not draw (measured chips, say) comes from the CPU, with
            a warning for "cuda".

    Raises:
        SpecError: the tiles are not consecutive, or the chip has fewer.
        ToolError: "cuda" without a card.

    >>> from xbar import Chip, Hardware
    >>> conductances(Chip.sample(Hardware(), seed=0), range(3)).shape
    (3, 64, 64, 8)
    """
    if tiles.step != 1:
        raise SpecError(f"tiles must be consecutive, with a step of 1, not {tiles.step}")
    shape = (*chip.hardware.cells, chip.hardware.bank.resistors)
    result = np.empty((len(tiles), *shape))
    card = find(device)
    why = obstacle(chip)
    if card is not None and not why and len(tiles):
        if not 0 <= tiles.start <= tiles.stop <= 2**63:
            raise SpecError(
                f"tiles must be from 0 to 2^63 - 1, not {tiles.start} to {tiles.stop - 1}"
            )
        try:
            _on_card(card, chip, tiles, result)
        except DeviceMemoryError as error:
            why = str(error)
        else:
            return result
    if card is not None and why and device == "cuda":
        warn(f"the resistors are drawn on the CPU, with the same result: {why}")
    for i, tile in enumerate(tiles):
        result[i] = chip.on(tile)
    return result


def obstacle(chip: Chip) -> str:
    """Why a card does not draw a chip's resistors; empty if it does."""
    if chip.measurement is not None:
        return "the chip is measured"
    if chip.hardware.later is not None:
        return "the chip is one of later, whose devices have moved"
    bank = chip.hardware.bank
    if bank.spread not in _LAWS:
        return f"a card draws {', '.join(_LAWS)} spreads, not {bank.spread}"
    if bank.switch is not None or np.any(np.asarray(bank.series)):
        return "a card draws resistors without switches and series resistances"
    if np.prod(chip.hardware.cells, dtype=np.int64) * bank.resistors > _MOST_NUMBERS:
        return "a tile has more than 2^31 resistors"
    return ""


def _on_card(card: Card, chip: Chip, tiles: range, result: Floats) -> None:
    numbers = result[0].size

    def draw(part: slice) -> None:
        with card.memory() as memory:
            out = memory.empty((part.stop - part.start, numbers), np.float64)
            draw_tiles(memory, chip, tiles[part], out)
            card.read(out, result[part])

    in_batches(card, len(tiles), 8 * numbers, draw, _MOST_TILES)


def draw_tiles(memory: Memory, chip: Chip, tiles: range, out: Buffer, pairs: bool = False) -> None:
    """Start drawing the conductances of consecutive tiles to a buffer (T, W, B, K) of a card.

    Args:
        memory: memory of the card.
        chip: a chip without an ``obstacle``.
        tiles: at most 32,768 consecutive tiles.
        out: the buffer.
        pairs: whether the resistors of each second cell are written as negative numbers.
    """
    bank = chip.hardware.bank
    numbers = int(np.prod(chip.hardware.cells, dtype=np.int64)) * bank.resistors
    k = np.int32(bank.resistors)
    kernel = memory.card.kernel(SOURCE, f"draw_{_LAWS[bank.spread]}")
    kernel.launch(
        (-(-numbers // (4 * _BLOCK)), len(tiles)),
        _BLOCK,
        np.uint64(chip.seed or 0),
        np.uint64(CONDUCTANCE),
        np.uint64(tiles.start),
        np.int32(numbers),
        k,
        k if pairs else np.int32(numbers),
        np.int32(2) * k if pairs else np.int32(numbers),
        memory.holding(np.asarray(bank.nominal_conductance, dtype=np.float64)),
        memory.holding(_width(bank)),
        out,
    )


def draw_listed(
    memory: Memory, chip: Chip, tiles: Sequence[int], out: Buffer, pairs: bool = False
) -> None:
    """As ``draw_tiles``, for tiles in any order: those of consecutive numbers together."""
    each, start = out.size // len(tiles), 0
    for stop in range(1, len(tiles) + 1):
        if stop < len(tiles) and tiles[stop] == tiles[stop - 1] + 1:
            continue
        run = range(tiles[start], tiles[stop - 1] + 1)
        part = Buffer(out.address + start * each, len(run) * each)
        draw_tiles(memory, chip, run, part, pairs)
        start = stop


def _width(bank: Bank) -> Floats:
    """(K,) sigma of each resistor; of a uniform law half the width."""
    return np.array(np.sqrt(3.0) * bank.sigmas if bank.spread == "uniform" else bank.sigmas)
