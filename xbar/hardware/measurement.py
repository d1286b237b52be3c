"""Measured conductances, read from .npz or .csv and validated.

Shapes: T tiles, W word lines, B bit lines, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, check_finite, check_shape, real
from xbar.errors import FileError, SpecError, printable
from xbar.files import read_npz
from xbar.tables import Outline

_INDICES = ["tile", "word_line", "bit_line", "resistor"]


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Outline):
    """Measurement of a chip: on, off (T, W, B, K) siemens; stuck (T, W, B, K) -1, 0, +1."""

    on: Floats
    off: Floats
    stuck: NDArray[np.int8]


def read_measurement(
    path: Path, shape: tuple[int, int, int], on_off_ratio: float = float("inf")
) -> Measurement:
    """Read the measurement in a file, for tiles of shape (W, B, K).

    If ``off`` was not measured it is ``on / on_off_ratio``.

    Raises:
        FileError: the file can't be read.
        SpecError: a value is not a conductance, or a shape is not (T, W, B, K).
    """
    try:
        arrays = _read_csv(path, shape) if path.suffix.lower() == ".csv" else read_npz(path)
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: is not a readable .csv file ({error})") from error
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    return check_measurement(arrays, shape, on_off_ratio, where=f"{path}: ")


def check_measurement(
    arrays: Mapping[str, NDArray[np.generic]],
    shape: tuple[int, int, int],
    on_off_ratio: float,
    where: str = "",
) -> Measurement:
    """Validate arrays ``on`` and, if measured, ``off`` and ``stuck``."""
    if "on" not in arrays:
        raise SpecError(f"{where}a measurement must have an array 'on', not only {sorted(arrays)}")
    on = _conductance("on", arrays["on"], shape, where)
    off = on / on_off_ratio
    if "off" in arrays:
        off = _conductance("off", arrays["off"], shape, where)
    stuck = np.asarray(arrays.get("stuck", np.zeros(on.shape, dtype=np.int8)))
    if on.shape != off.shape or on.shape != stuck.shape:
        raise SpecError(
            f"{where}on, off and stuck must have one shape, not {on.shape}, {off.shape} and "
            f"{stuck.shape}"
        )
    if not np.isin(stuck, (-1, 0, 1)).all():
        raise SpecError(f"{where}stuck must be -1 (open), 0 or +1 (closed) everywhere")
    return Measurement(on, off, stuck.astype(np.int8))


def _conductance(
    name: str, array: NDArray[np.generic], shape: tuple[int, int, int], where: str
) -> Floats:
    name = f"{where}{name}"
    if array.dtype.kind == "b":
        raise SpecError(f"{name} must be numbers in siemens, not {array.dtype}")
    check_shape(real(array, name), name, ("tiles", *shape), "as the design's tile and bank say")
    values = np.ascontiguousarray(array, dtype=np.float64)
    check_finite(values, name, "S", ("tile", "word line", "bit line", "resistor"), negative=False)
    return values


def _read_csv(path: Path, shape: tuple[int, int, int]) -> dict[str, NDArray[np.generic]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        head = [name.strip() for name in next(rows, [])]
        names = head[len(_INDICES) :]
        if head[: len(_INDICES)] != _INDICES or names not in (
            ["on"],
            ["on", "off"],
            ["on", "off", "stuck"],
        ):
            raise SpecError(
                "the first line must be tile,word_line,bit_line,resistor,on[,off[,stuck]], not "
                + printable(",".join(head))[:80]
            )
        table = _parse_rows(rows, len(head))
    return _place(table, names, shape)


def _parse_rows(rows: Iterable[list[str]], width: int) -> Floats:
    table: list[list[float]] = []
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            values = [float(cell) for cell in row]
        except ValueError as error:
            raise SpecError(f"line {line}: {error}") from error
        if len(values) != width:
            raise SpecError(f"line {line}: must have {width} values, not {len(values)}")
        table.append(values)
    if not table:
        raise SpecError("there is no line of data")
    return np.array(table)


def _check_each_once(flat: NDArray[np.int64], full: tuple[int, ...]) -> None:
    found, count = np.unique(flat, return_counts=True)
    wrong = np.flatnonzero((found != np.arange(len(found))) | (count != 1))
    if len(wrong) == 0 and len(found) == math.prod(full):
        return
    first = int(wrong[0]) if len(wrong) else len(found)
    times = int(count[first]) if len(wrong) and found[first] == first else 0
    place = np.unravel_index(first, full)
    where = ", ".join(f"{n} {i}" for n, i in zip(_INDICES, place, strict=True))
    raise SpecError(f"each resistor must stand once, but {where} stands {times} times")


def _place(
    table: Floats, names: list[str], shape: tuple[int, int, int]
) -> dict[str, NDArray[np.generic]]:
    given = table[:, :4]
    if not ((given >= 0) & (given < 2**31) & (given == np.floor(given))).all():
        raise SpecError("tile, word_line, bit_line and resistor must be integers from 0")
    index = given.astype(np.int64)
    over = np.argwhere(index[:, 1:] >= shape)
    if len(over):
        line, axis = over[0]
        raise SpecError(
            f"line {line + 2}: {_INDICES[axis + 1]} must be under {shape[axis]}, "
            f"not {index[line, axis + 1]}"
        )
    full = (int(index[:, 0].max()) + 1, *shape)
    flat = np.ravel_multi_index(tuple(index.T), full)
    _check_each_once(flat, full)
    result: dict[str, NDArray[np.generic]] = {}
    for column, name in enumerate(names, start=4):
        values = np.empty(int(np.prod(full)))
        values[flat] = table[:, column]
        result[name] = values.reshape(full)
    return result
