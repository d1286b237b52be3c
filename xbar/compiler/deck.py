"""A programmed tile as a SPICE deck, in a choice of detail.

Shapes: W' word lines and B' bit lines of a tile's array, see ``layout.py``.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.compiler.layout import to_array
from xbar.compiler.tile import Detail, ProgrammedTile
from xbar.errors import SpecError


def tile_netlist(
    tile: ProgrammedTile, dialect: str, voltage: ArrayLike | None, detail: Detail
) -> Netlist:
    """See ``ProgrammedTile.netlist``."""
    if detail not in get_args(Detail):
        raise SpecError(f"detail must be one of {', '.join(get_args(Detail))}, not {detail!r}")
    if detail == "bank" and tile.tuned is not None:
        raise SpecError("detail must be 'cell' or 'resistor' for tuned cells: no switches")
    return crossbar_netlist(
        tile.crossbar(),
        None if voltage is None else np.asarray(voltage, dtype=np.float64),
        dialect=dialect,
        title=f"{' '.join(tile.layers())} tile {tile.index}",
        branch=_cells(tile, detail),
    )


def _cells(tile: ProgrammedTile, detail: Detail) -> Floats | SwitchedBank | None:
    """The devices of each crossing of the array, (W', B', resistors at one crossing)."""
    if detail == "bank":
        on, off = tile.chip.on(tile.index), tile.chip.off(tile.index)
        closed = tile.chip.closed(tile.index, tile.mask)
        return SwitchedBank(_crossings(tile, on), _crossings(tile, off), _crossings(tile, closed))
    return _crossings(tile, tile.branch) if detail == "resistor" else None


def _crossings(tile: ProgrammedTile, resistor: NDArray[Any]) -> NDArray[Any]:
    layout = tile.chip.hardware.bank.layout
    return resistor if layout == "cell" else to_array(resistor, layout)[..., None]
