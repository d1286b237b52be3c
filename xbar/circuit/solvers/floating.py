"""Lines of a crossbar that nothing drives or reads: an infinite source or load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Bools, Floats

if TYPE_CHECKING:
    from xbar.circuit.crossbar import Crossbar


def only_connected(crossbar: Crossbar, transfer: Floats) -> Floats:
    """A transfer matrix (B, W), or currents (..., B), with exact zeros for floating lines."""
    if np.isinf(crossbar.load).any() or np.isinf(crossbar.source).any():
        transfer = transfer.copy()
        transfer[np.isinf(crossbar.load)] = 0.0
        transfer[:, np.isinf(crossbar.source)] = 0.0
    return transfer


def lost_lines(crossbar: Crossbar) -> tuple[Bools, Bools]:
    """Word lines (W,) and bit lines (B,) that no cells connect to a driver or an amplifier."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    cells = crossbar.conductance
    lines, columns = cells.shape
    held = np.append(np.isfinite(crossbar.source), np.isfinite(crossbar.load))
    if held.all():
        return np.zeros(lines, dtype=bool), np.zeros(columns, dtype=bool)
    row, column = np.nonzero(cells)
    shape = (lines + columns, lines + columns)
    joined = coo_array((np.ones(len(row)), (row, lines + column)), shape)
    part = np.asarray(connected_components(joined, directed=False)[1])
    lost = ~np.isin(part, part[held])
    return lost[:lines], lost[lines:]


def end_voltages(crossbar: Crossbar, voltage: Floats, word: Floats) -> Floats:
    """Voltage (N, W) at the driven end of each word line; of the left one with drive "both".

    Args:
        crossbar: crossbar.
        voltage: (N, W) volts of the drivers.
        word: (N, W, B) word-line voltages.
    """
    side = -1 if crossbar.drive == "right" else 0
    return _behind(voltage, word[:, :, side], crossbar.source, crossbar.word_wire[:, side])


def read_end_voltages(crossbar: Crossbar, bit_voltage: Floats, bit: Floats) -> Floats:
    """Voltage (N, B) at the read end of each bit line; of the lower one with sense "both".

    Args:
        crossbar: crossbar.
        bit_voltage: (N, B) volts of the sense amplifiers.
        bit: (N, W, B) bit-line voltages.
    """
    side = 0 if crossbar.sense == "top" else -1
    return _behind(bit_voltage, bit[:, side], crossbar.load, crossbar.bit_wire[side])


def _behind(terminal: Floats, node: Floats, outer: Floats, inner: Floats) -> Floats:
    """Voltage between two resistances in series, from a terminal to a node."""
    total = outer + inner
    some = np.isfinite(total) & (total > 0)
    share = np.divide(outer, total, out=np.zeros_like(total), where=some)
    return np.where(np.isinf(outer), node, terminal + share * (node - terminal))
