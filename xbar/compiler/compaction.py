"""Compaction: cutting a matrix into blocks of at most tile size, leaving out zeros.

Inputs and outputs whose weights are all zero take no word line and no column. The rest is cut into
strips of as many outputs as a tile has columns; a strip takes only the inputs used by its outputs,
cut to the tile's height. So the outputs of a strip should use few inputs together: outputs with
common inputs are gathered greedily, adding the one with the fewest new inputs. The same is tried
with inputs and outputs exchanged and with the original order; the fewest tiles win, then the fewest
cells, then the simplest order. A matrix without zeros is cut into a regular grid.

Shapes: a support (O, I) marks a matrix's nonzero weights; ``size`` is a tile's rows of cells and
columns of weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Indices, span

Piece: TypeAlias = tuple[Indices, Indices]
"""Inputs and outputs of a block."""

Cut: TypeAlias = Literal["even", "full"]
"""Slices of nearly equal size, or full tiles and a remainder."""

Support: TypeAlias = NDArray[np.bool_]
Size: TypeAlias = tuple[int, int]

SEARCH_LIMIT = 2 * 10**9
"""Limit on the work of gathering the outputs of one matrix, in flags added up."""

_FEW = 16  # a matrix with fewer zeros than this part is looked at before anything is searched


def grid(shape: tuple[int, int], size: Size, cut: Cut = "even") -> list[Piece]:
    """Cut a whole matrix (outputs, inputs) into pieces of at most ``size``, in order."""
    outputs, inputs = shape
    return [
        (span(*rows), span(*columns))
        for rows in parts(inputs, size[0], cut)
        for columns in parts(outputs, size[1], cut)
    ]


def compact(support: Support, size: Size, cut: Cut = "even") -> list[Piece]:
    """Pieces that cover every nonzero weight once, and few zeros.

    Args:
        support: (O, I) nonzero weights.
        size: rows and columns of a tile.
        cut: way of cutting strips.
    """
    if _hardly_any_zeros(support, size, cut):
        whole = grid(support.shape[::-1], size[::-1], cut)
        return [(rows, columns) for columns, rows in whole]  # strip by strip
    outputs, inputs = np.flatnonzero(support.any(axis=1)), np.flatnonzero(support.any(axis=0))
    if not len(outputs):
        return []
    kept = support[outputs[:, None], inputs]
    if kept.all():
        pieces = grid((len(outputs), len(inputs)), size, cut)
    else:
        pieces = min(_candidates(kept, size, cut), key=_cost)
    return [(inputs[rows], outputs[columns]) for rows, columns in pieces]


def _hardly_any_zeros(support: Support, size: Size, cut: Cut) -> bool:
    """Whether the zeros are too few for any candidate to gain by them.

    A block leaves out an output, or an input, whose weights in it are all zero, which none has if
    each has fewer zeros than the smallest block has inputs, or outputs. The number of tiles then
    is that of the grid, unless a strip could take fewer inputs by a whole tile.
    """
    zeros = support.size - np.count_nonzero(support)
    if zeros == 0 or zeros >= support.size // _FEW:
        return False
    output, input_ = np.nonzero(~support)
    for length, most, other, across, at in (
        (support.shape[1], size[0], support.shape[0], size[1], output),
        (support.shape[0], size[1], support.shape[1], size[0], input_),
    ):
        of_one = int(np.bincount(at).max())
        if of_one >= min(end - first for first, end in parts(length, most, cut)):
            return False
        tall, strips = -(-length // most), -(-other // across)
        whole = strips * tall
        if -(-(length - of_one) // most) < tall or whole / other * other > whole:  # as in _gather
            return False
    return True


def parts(length: int, most: int, cut: Cut = "even") -> list[tuple[int, int]]:
    """Cut a length into the fewest slices of at most ``most``.

    >>> parts(10, 4), parts(10, 4, "full")
    ([(0, 3), (3, 6), (6, 10)], [(0, 4), (4, 8), (8, 10)])
    """
    number = -(-length // most)
    if cut == "full":
        edges = [min(most * i, length) for i in range(number + 1)]
    else:
        edges = [length * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))


def _cost(pieces: Sequence[Piece]) -> tuple[int, int]:
    return len(pieces), sum(len(rows) * len(columns) for rows, columns in pieces)


def _candidates(support: Support, size: Size, cut: Cut) -> Iterator[list[Piece]]:
    """Candidate cuts, the simplest first."""
    turned, other = np.ascontiguousarray(support.T), size[::-1]
    yield _pieces(support, _in_order(len(support), size[1], cut), size, cut)
    yield _turn(_pieces(turned, _in_order(len(turned), size[0], cut), other, cut))
    for early in (False, True):
        yield _pieces(support, _gather(support, size, cut, early), size, cut)
        yield _turn(_pieces(turned, _gather(turned, other, cut, early), other, cut))


def _turn(pieces: Sequence[Piece]) -> list[Piece]:
    return [(columns, rows) for rows, columns in pieces]


def _in_order(length: int, most: int, cut: Cut) -> list[Indices]:
    return [span(*ends) for ends in parts(length, most, cut)]


def _pieces(support: Support, strips: Sequence[Indices], size: Size, cut: Cut) -> list[Piece]:
    """Each strip of outputs with its inputs, cut to the tile's height."""
    result = []
    for strip in strips:
        own = support[strip]
        used = np.flatnonzero(own.any(axis=0))
        for first, end in parts(len(used), size[0], cut):
            rows = used[first:end]
            result.append((rows, strip[own[:, rows].any(axis=1)]))
    return result


def _gather(support: Support, size: Size, cut: Cut, early: bool) -> list[Indices]:
    """Strips of outputs with common inputs, those with the fewest inputs first.

    These gain the most, so the rest keeps its order once strips take as many tiles per output as
    with all inputs.

    Args:
        support: (O, I) without empty rows.
        size: rows and columns of a tile.
        cut: even strips, or full ones and a remainder.
        early: whether a strip ends where the next output takes no fewer tiles than in a separate
            strip.
    """
    outputs, inputs = support.shape
    in_order = _in_order(outputs, size[1], cut)
    most = size[1] if early else max(len(strip) for strip in in_order)
    if outputs * support.size // most > SEARCH_LIMIT:
        return in_order
    worst = len(in_order) * _tall(inputs, size) / outputs
    by_input = np.ascontiguousarray(support.T).view(np.uint8)
    count = support.sum(axis=1, dtype=np.int64)
    left = np.ones(outputs, dtype=np.bool_)
    strips, tiles = [], 0
    while left.any():
        strip, used = _strip(by_input, count, left, size, most, early)
        strips.append(strip)
        tiles += _tall(used, size)
        if tiles >= worst * (outputs - int(left.sum())):
            return in_order
    return strips


def _strip(
    by_input: NDArray[np.uint8], count: Indices, left: Support, size: Size, most: int, early: bool
) -> tuple[Indices, int]:
    """One strip of the outputs that are ``left``, and its number of inputs.

    It has at most ``most`` outputs and may end ``early``, see ``_gather``.
    """
    never = len(by_input) + 1
    fresh = np.where(left, count, never)  # new inputs of each output
    unused = np.ones(len(by_input), dtype=np.bool_)
    strip: list[int] = []
    used = 0
    while len(strip) < most:
        best = int(np.argmin(fresh))
        added = int(fresh[best])
        if added == never:
            break
        more = _tall(used + added, size) - _tall(used, size)
        if early and strip and added and more >= _tall(int(count[best]), size):
            break
        strip.append(best)
        left[best], fresh[best] = False, never
        if added:
            news = np.flatnonzero(by_input[:, best].view(np.bool_) & unused)
            unused[news] = False
            used += added
            fresh[left] -= by_input[news].sum(axis=0, dtype=np.int64)[left]
    return np.sort(np.array(strip, dtype=np.int64)), used


def _tall(inputs: int, size: Size) -> int:
    """Number of tiles of a strip with this number of inputs."""
    return -(-inputs // size[0])
