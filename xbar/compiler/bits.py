"""Switch states without gaps: K bits a cell, where a tile in memory has whole bytes a cell.

    memory  (W, B, ceil(K / 8)) bytes   resistor 0 in the lowest bit of a cell's first byte
    disk    ceil(W B K / 8) bytes       the same bits, cell after cell, resistor 0 first

Six resistors take six bits on a disk, not eight. Up to K = 8, eight cells are one number of 64
bits, whose parts are moved together in three steps.

Shapes: T tiles of W x B cells with K resistors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_WORD = np.dtype("<u8")


def row_bytes(cells: tuple[int, int], resistors: int) -> int:
    """Bytes of one tile's switches on disk."""
    return -(-math.prod(cells) * resistors // 8)


def close_gaps(packed: Bytes, resistors: int) -> Bytes:
    """(T, ceil(W B K / 8)) from (T, W, B, ceil(K / 8)).

    >>> close_gaps(np.array([[[[5], [7], [1]]]], dtype=np.uint8), 3)  # 101, 111, 001: 001 111 101
    array([[125,   0]], dtype=uint8)
    """
    tiles, size = len(packed), row_bytes((packed.shape[1], packed.shape[2]), resistors)
    if resistors % 8 == 0:
        return np.ascontiguousarray(packed).reshape(tiles, size)
    if resistors > 8:
        bits = np.unpackbits(packed, axis=-1, count=resistors, bitorder="little")
        return np.packbits(bits.reshape(tiles, -1), axis=-1, bitorder="little")
    cells = packed.reshape(tiles, -1)
    whole = np.zeros((tiles, -(-cells.shape[1] // 8) * 8), dtype=np.uint8)
    whole[:, : cells.shape[1]] = cells
    word: NDArray[Any] = whole.view(_WORD)
    for lane in (8, 16, 32):
        width = resistors * lane // 8
        low = word & _lanes(2 * lane, width)
        word = low | ((word >> lane & _lanes(2 * lane, width)) << width)
    dense = word[..., None].view(np.uint8)[..., :resistors].reshape(tiles, -1)
    return np.ascontiguousarray(dense[:, :size])


def open_gaps(rows: Bytes, cells: tuple[int, int], resistors: int) -> Bytes:
    """(T, W, B, ceil(K / 8)) from (T, ceil(W B K / 8)): the inverse of ``close_gaps``."""
    tiles, count = len(rows), math.prod(cells)
    shape = (tiles, *cells, -(-resistors // 8))
    if resistors % 8 == 0:
        return rows.reshape(shape)
    if resistors > 8:
        bits = np.unpackbits(rows, axis=-1, count=count * resistors, bitorder="little")
        return np.packbits(bits.reshape(*shape[:3], resistors), axis=-1, bitorder="little")
    words = -(-count // 8)
    dense = np.zeros((tiles, words * resistors), dtype=np.uint8)
    dense[:, : rows.shape[1]] = rows
    spread = np.zeros((tiles, words, 8), dtype=np.uint8)
    spread[..., :resistors] = dense.reshape(tiles, words, resistors)
    word: NDArray[Any] = spread.view(_WORD)[..., 0]
    for lane in (32, 16, 8):
        width = resistors * lane // 8
        low = word & _lanes(2 * lane, width)
        word = low | ((word >> width & _lanes(2 * lane, width)) << lane)
    cells_ = word[..., None].view(np.uint8).reshape(tiles, -1)
    return np.ascontiguousarray(cells_[:, :count]).reshape(shape)


def _lanes(lane: int, width: int) -> np.uint64:
    """A mask of the lowest bits of each lane of a 64-bit number."""
    return np.uint64(sum(((1 << width) - 1) << start for start in range(0, 64, lane)))
