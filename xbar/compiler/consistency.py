"""Records of a program's manifest: untrusted numbers in, checked ones out.

``block_table.py``, ``bundles.py`` and ``array_files.py`` do the same for arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from xbar.compiler.placement import PlacementReport
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


def _amount(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise FileError(f"{name} must be a finite number from 0, not {str(value)[:40]!r}")
    return float(value)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def read_placement(record: Any, counts: tuple[int, int, int]) -> PlacementReport | None:
    """The report on a placement.

    Args:
        record: what the program says.
        counts: tiles, blocks and weights that are placed.

    Raises:
        FileError: it has other counts, or is no such report.
    """
    if record is None:
        return None
    check_keys(record, PlacementReport.__annotations__, "placement")
    report = PlacementReport(**record)
    if counts != (report.tiles, report.blocks, report.weights):
        raise FileError(f"placement: its tiles, blocks and weights {counts} are not those placed")
    if not _count(report.dropped) or not _count(report.bound):
        raise FileError("placement: dropped and bound must be whole numbers from 0")
    _amount(report.utilisation, "placement: utilisation")
    if not isinstance(report.method, str) or report.status not in ("optimal", "best found"):
        raise FileError("placement: method and status must be those of a packing")
    return report
