"""The order of a network's lines in its file: ``Graph.lines`` as JSON beside the weights.

{"fc1": {"inputs": [[2, 0, 1]], "outputs": [[1, 0]]}, ...}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError
from xbar.model.graph import Lines

NAME = "xbar_lines.json"
"""Of the extra file in a ``torch.export`` archive."""

_MOST = 2**31
_SIDES = ("inputs", "outputs")


def as_text(lines: Mapping[str, Lines]) -> str:
    """JSON of the order of lines."""
    return json.dumps(as_data(lines), separators=(",", ":"))


def as_data(lines: Mapping[str, Lines]) -> dict[str, Any]:
    """The same before it is text."""
    return {
        layer: {side: ranks.tolist() for side, ranks in zip(_SIDES, each, strict=True)}
        for layer, each in lines.items()
    }


def lines_of(data: Any, where: str) -> dict[str, Lines]:
    """The order of lines of parsed JSON.

    Raises:
        FileError: it is none.
    """
    if not isinstance(data, dict):
        raise FileError(f"{where}: must hold an object, not {type(data).__name__}")
    found = {}
    for layer, each in data.items():
        if not isinstance(each, dict) or each.keys() != set(_SIDES):
            raise FileError(f"{where}: {layer[:80]} must have inputs and outputs, and nothing else")
        inputs, outputs = (_ranks(each[side], f"{where}: {layer[:80]}: {side}") for side in _SIDES)
        found[layer] = inputs, outputs
    return found


def _ranks(data: Any, where: str) -> NDArray[np.int64]:
    rows = data if isinstance(data, list) else []
    good = rows and all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows)
    if not good or any(type(rank) is not int or not 0 <= rank < _MOST for r in rows for rank in r):
        raise FileError(f"{where} must be rows, of one length, of whole numbers from 0")
    return np.array(rows, np.int64).reshape(len(rows), -1)
