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
from xbar.circuit.selectors import TableCell
from xbar.circuit.switches import SwitchedBank
from xbar.compiler.idle import array_for
from xbar.compiler.layout import to_crossings
from xbar.compiler.tile import DeckReadout, Detail, ProgrammedTile
from xbar.effects.nonlinearity import at_rest
from xbar.effects.readout import check_readout
from xbar.errors import SpecError
from xbar.hardware.chip import Chip


def tile_netlist(
    tile: ProgrammedTile,
    dialect: str,
    voltage: ArrayLike | None,
    detail: Detail,
    readout: DeckReadout = "nodal",
    block: int | None = None,
) -> Netlist:
    """See ``ProgrammedTile.netlist``; as a read of one block finds the tile, or of all at once."""
    if detail not in get_args(Detail):
        raise SpecError(f"detail must be one of {', '.join(get_args(Detail))}, not {detail!r}")
    one_of(readout, "readout", get_args(DeckReadout))
    check_readout(tile.chip.hardware, readout)
    if detail == "bank" and tile.tuned is not None:
        raise SpecError("detail must be 'cell' or 'resistor' for tuned cells: no switches")
    return crossbar_netlist(
        tile.array() if block is None else array_for(tile, block),
        _driven(tile) if voltage is None else np.asarray(voltage, dtype=np.float64),
        dialect=dialect,
        title=f"{' '.join(tile.layers())} tile {tile.index}",
        branch=_cells(tile, detail),
        curve=None if readout == "nodal" else _curve(tile, detail),
    )


def _driven(tile: ProgrammedTile) -> Floats:
    """(W',) volts with 1 V for each input."""
    lines: Floats = tile.lines(np.ones((1, tile.chip.hardware.cells[0])))[0]
    return lines


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
    hardware = tile.chip.hardware
    selector = hardware.selector
    table = None if selector is None else TableCell(*selector.points())
    together = hardware.bank.layout == "cell" and detail != "cell"
    at_one = hardware.bank.resistors if together else 1
    shape = tile.array().conductance.shape
    if table is not None and detail == "bank":
        raise SpecError("detail must be 'cell' or 'resistor' with a selector; 'bank' has none")
    if hardware.bank.nonlinearity is None:
        return Curve(np.zeros((0, *shape, at_one)), selector=table)
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
    if detail == "cell":
        crossings = [to_crossings(hardware, each)[..., None] for each in powers]
    else:
        crossings = [_crossings(tile, each) for each in powers]
    found = np.array(crossings).reshape(len(powers), *shape, at_one)
    if law.by_resistor and len(found) == 4:
        beside = np.stack([at_rest(law, found), found[2], found[3]])
        return Curve(found[:2], beside=beside, selector=table)
    return Curve(found, law.sinh, selector=table)


def _crossings(tile: ProgrammedTile, resistor: NDArray[Any]) -> NDArray[Any]:
    """A number by resistor (W, B, K) as (W', B', resistors at one crossing)."""
    hardware = tile.chip.hardware
    if hardware.bank.layout != "cell":
        return to_crossings(hardware, resistor)[..., None]
    if not hardware.tile.interleaved:
        return resistor
    each = [to_crossings(hardware, one[..., None]) for one in np.moveaxis(resistor, -1, 0)]
    return np.stack(each, axis=-1).astype(resistor.dtype)
