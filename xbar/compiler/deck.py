"""A programmed tile as a SPICE deck, in a choice of detail.

Shapes: W' word lines and B' bit lines of a tile's array, see ``layout.py``.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, one_of
from xbar.circuit.curve import Curve
from xbar.circuit.netlist import Netlist, crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.compiler.layout import to_array
from xbar.compiler.tile import DeckReadout, Detail, ProgrammedTile
from xbar.effects.nonlinearity import at_rest
from xbar.errors import SpecError
from xbar.hardware.chip import Chip


def tile_netlist(
    tile: ProgrammedTile,
    dialect: str,
    voltage: ArrayLike | None,
    detail: Detail,
    readout: DeckReadout = "nodal",
) -> Netlist:
    """See ``ProgrammedTile.netlist``."""
    if detail not in get_args(Detail):
        raise SpecError(f"detail must be one of {', '.join(get_args(Detail))}, not {detail!r}")
    one_of(readout, "readout", get_args(DeckReadout))
    if detail == "bank" and tile.tuned is not None:
        raise SpecError("detail must be 'cell' or 'resistor' for tuned cells: no switches")
    return crossbar_netlist(
        tile.crossbar(),
        None if voltage is None else np.asarray(voltage, dtype=np.float64),
        dialect=dialect,
        title=f"{' '.join(tile.layers())} tile {tile.index}",
        branch=_cells(tile, detail),
        curve=None if readout == "nodal" else _curve(tile, detail),
    )


def _cells(tile: ProgrammedTile, detail: Detail) -> Floats | SwitchedBank | None:
    """The devices of each crossing of the array, (W', B', resistors at one crossing)."""
    if detail == "bank":
        on, off = tile.chip.on(tile.index), tile.chip.off(tile.index)
        closed = tile.chip.closed(tile.index, tile.mask)
        ohms = _switch_ohms(tile.chip, tile.index)
        return SwitchedBank(
            _crossings(tile, on),
            _crossings(tile, off),
            _crossings(tile, closed),
            None if ohms is None else _crossings(tile, ohms),
        )
    return _crossings(tile, tile.branch) if detail == "resistor" else None


def _switch_ohms(chip: Chip, tile: int) -> Floats | None:
    """(W, B, K) ohms of a tile's closed switches; their nominal ones on a measured chip."""
    bank = chip.hardware.bank
    if bank.switch is None:
        return None
    shape = (*chip.hardware.cells, bank.resistors)
    threshold = np.zeros(shape) if chip.tiles is not None else chip.deviations(tile).threshold
    return bank.switch.ohms(threshold, bank.resistors)


def _curve(tile: ProgrammedTile, detail: Detail) -> Curve:
    """The I-V curves of ``_cells``."""
    law = tile.nonlinearity
    if detail == "bank":
        if not law.by_resistor:
            raise SpecError(
                "detail must be 'cell' or 'resistor' for a law of sinh or odd, which open switches "
                "follow too; 'bank' is for c2 and c3"
            )
        if not law.is_polynomial or law.c2_slope is not None:
            raise SpecError(
                "detail must be 'cell' or 'resistor' for a law with kink, rise, test or c2_slope; "
                "'bank' is for c2 and c3"
            )
        on = tile.chip.on(tile.index)
        powers = np.stack([each * on for each in law.terms(on.shape[-1])])
    else:
        powers = tile.powers()
    layout = tile.chip.hardware.bank.layout
    if detail == "cell":
        crossings = [to_array(each, layout)[..., None] for each in powers]
    else:
        crossings = [_crossings(tile, each) for each in powers]
    at_one = tile.chip.hardware.bank.resistors if layout == "cell" and detail != "cell" else 1
    shape = (len(powers), *tile.crossbar().conductance.shape, at_one)
    found = np.array(crossings).reshape(shape)
    if law.by_resistor and len(found) == 4:
        beside = np.stack([at_rest(law, found), found[2], found[3]])
        return Curve(found[:2], beside=beside)
    return Curve(found, law.sinh)


def _crossings(tile: ProgrammedTile, resistor: NDArray[Any]) -> NDArray[Any]:
    layout = tile.chip.hardware.bank.layout
    return resistor if layout == "cell" else to_array(resistor, layout)[..., None]
