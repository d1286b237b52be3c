"""Whether the stored parts of a program fit together: untrusted numbers in, checked ones out.

A program folder and a journal hold each tile's blocks, switches and scales. Before they are used
every index is checked against the network's matrices and the chip's tiles, every weight must lie in
one place, and every number must be one that the compiler can have written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block, Indices, span
from xbar.compiler.job import TileResult
from xbar.compiler.placement import PlacementReport
from xbar.compiler.plan import Plan
from xbar.compiler.tile import Reached
from xbar.errors import FileError, printable


def check_keys(record: Any, keys: Iterable[str], what: str) -> None:
    """Check that a record has exactly these keys.

    Raises:
        FileError: it has others, or is no record.
    """
    if not isinstance(record, dict):
        raise FileError(f"{what} must be a record, not {printable(str(record))[:40]!r}")
    for key in sorted(record.keys() ^ set(keys)):
        state = "must not have" if key in record else "must have"
        raise FileError(f"{what} {state} a key {printable(key)[:40]!r}")


def read_block(record: Any, plan: Plan) -> Block:
    """A block of a plan from ``Block.to_json``, its indices within its matrix and its tile.

    ``check_result`` checks the rest.

    Raises:
        FileError: it is no such record, or an index is out of bounds.
    """
    check_keys(record, ("layer", "group", "inputs", "outputs", "word_lines", "columns"), "a block")
    layer, group = record["layer"], record["group"]
    if not isinstance(layer, str) or layer not in plan.weights:
        raise FileError(f"a block's layer {printable(str(layer))[:60]!r} is none of the network")
    groups, outputs, inputs = plan.weights[layer].shape
    word_lines, bit_lines = plan.hardware.cells
    if not _count(group) or group >= groups:
        raise FileError(f"{printable(layer)}: a block's group must be under {groups}")
    return Block(
        layer,
        group,
        _indices(record["inputs"], inputs, layer),
        _indices(record["outputs"], outputs, layer),
        _indices(record["word_lines"], word_lines, layer),
        _indices(record["columns"], plan.mapping.columns(bit_lines), layer),
    )


def check_block(block: Block, plan: Plan) -> None:
    """Check a block's indices against its matrix and its tile.

    Raises:
        FileError: one is out of bounds or stands twice, or axes have different lengths.
    """
    groups, outputs, inputs = plan.weights[block.layer].shape
    word_lines, bit_lines = plan.hardware.cells
    limits = (inputs, outputs, word_lines, plan.mapping.columns(bit_lines))
    axes = (block.inputs, block.outputs, block.word_lines, block.columns)
    for axis, limit in zip(axes, limits, strict=True):
        if axis.min(initial=0) < 0 or axis.max(initial=-1) >= limit:
            raise FileError(f"{printable(block.layer)}: an index is not from 0 to {limit - 1}")
        if len(np.unique(axis)) != len(axis):
            raise FileError(f"{printable(block.layer)}: an index stands twice in a block")
    lengths = [len(axis) for axis in axes]
    if 0 in lengths or lengths[:2] != lengths[2:] or not 0 <= block.group < groups:
        raise FileError(f"{printable(block.layer)}: a block's indices have lengths {lengths}")


def _indices(record: Any, limit: int, layer: str) -> Indices:
    """Index list from ``Block.to_json``; a range is checked before memory is taken for it."""
    if isinstance(record, dict):
        check_keys(record, ("from", "to"), "a range")
        first, end = record["from"], record["to"]
        if _count(first) and _count(end) and first < end <= limit:
            return span(first, end)
    elif isinstance(record, list) and all(_count(i) and i < limit for i in record):
        return np.array(record, dtype=np.int64)
    raise FileError(f"{printable(layer)}: a block's indices must be numbers from 0 to {limit - 1}")


def read_reached(record: Any) -> Reached:
    """What a block reached, from its record.

    Raises:
        FileError: it is anything else.
    """
    check_keys(record, ("worst", "power", "largest", "switches", "clipped"), "reached")
    worst, power, largest = (_amount(record[name], name) for name in ("worst", "power", "largest"))
    switches, clipped = record["switches"], record["clipped"]
    if not (_count(switches) and _count(clipped)):
        raise FileError("reached: switches and clipped must be whole numbers from 0")
    return Reached(worst, power, largest, switches, clipped)


def read_errors(record: Any) -> tuple[float, ...]:
    """A tile's wire errors from their list.

    Raises:
        FileError: one is no number from 0.
    """
    if not isinstance(record, list):
        raise FileError("wire_errors must be a list")
    return tuple(_amount(value, "wire_errors") for value in record)


def _amount(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise FileError(f"{name} must be a finite number from 0, not {str(value)[:40]!r}")
    return float(value)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def read_placement(record: Any, results: Iterable[TileResult]) -> PlacementReport | None:
    """The report on a placement, its counts compared with the blocks.

    Raises:
        FileError: they differ, or it is no such report.
    """
    if record is None:
        return None
    check_keys(record, PlacementReport.__annotations__, "placement")
    report = PlacementReport(**record)
    blocks = [block.shape for result in results for block in result.blocks]
    tiles = sum(1 for _ in results)
    counts = (report.tiles, report.blocks, report.weights)
    if counts != (tiles, len(blocks), sum(r * c for r, c in blocks)):
        raise FileError(f"placement: its tiles, blocks and weights {counts} are not those placed")
    if not _count(report.dropped) or not _count(report.bound):
        raise FileError("placement: dropped and bound must be whole numbers from 0")
    _amount(report.utilisation, "placement: utilisation")
    if not isinstance(report.method, str) or report.status not in ("optimal", "best found"):
        raise FileError("placement: method and status must be those of a packing")
    return report


def check_result(result: TileResult, plan: Plan) -> None:
    """Check a tile's blocks, switches and scales against the plan.

    Raises:
        FileError: two blocks share a cell, a scale is not positive, or a shape differs.
    """
    cells, count = plan.hardware.cells, plan.hardware.bank.resistors
    shape = (*cells, -(-count // 8))
    where = f"tile {result.index}"
    if result.packed.shape != shape or result.packed.dtype != np.uint8:
        raise FileError(f"{where}: its switches must be uint8 {shape}, not {result.packed.shape}")
    if count % 8 and (result.packed[..., -1] >> (count % 8)).any():
        raise FileError(f"{where}: it has switches beyond {count} resistors")
    if not len(result.blocks) == len(result.scales) == len(result.reached):
        raise FileError(f"{where}: blocks, scales and what they reached must be as many")
    taken = np.zeros((cells[0], plan.mapping.columns(cells[1])), dtype=np.bool_)
    for block, scale in zip(result.blocks, result.scales, strict=True):
        check_block(block, plan)
        if scale.dtype != np.float64 or scale.shape != block.shape[1:]:
            raise FileError(f"{where}: a block of {block.shape[1]} outputs has {len(scale)} scales")
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise FileError(f"{where}: scales must be positive")
        place = np.ix_(block.word_lines, block.columns)
        if taken[place].any():
            raise FileError(f"{where}: two blocks share a cell")
        taken[place] = True


def check_weights_placed(
    weights: Mapping[str, NDArray[Any]], results: Iterable[TileResult]
) -> None:
    """Check that every weight except zeros has one place.

    Raises:
        FileError: one has none, or more than one.
    """
    placed = {name: np.zeros(matrix.shape, dtype=np.bool_) for name, matrix in weights.items()}
    for result in results:
        for block in result.blocks:
            place = np.ix_(block.outputs, block.inputs)
            if placed[block.layer][block.group][place].any():
                raise FileError(f"{printable(block.layer)}: a weight has two places")
            placed[block.layer][block.group][place] = True
    for name, matrix in weights.items():
        if (~placed[name] & (matrix != 0)).any():
            raise FileError(f"{printable(name)}: a weight has no place on a tile")
