"""Crossbars as SPICE netlists, at three levels of detail.

A cell is one resistor, or all resistors of its bank in their switch states, or (with a
SwitchedBank) an instance of a subcircuit with switches as elements (see banktext.py). At the last
level the resistances of switches, and of uniform wires, are parameters.

Elements are named by their indices in the crossbar's arrays, nodes by their line numbers:

    Vw_3           driver of word line 3           at node d_3
    Rs_3_left      its source resistor             d_3 to e_3_left
    Rw_3_17        the segment word_wire[3, 17]
    Rc_3_17        the cell at word line 3, bit line 17, from w_3_17 to b_3_17
    Rc_3_17_0      the first resistor of that cell
    Bt_3_17        its selector, from m_3_17 to b_3_17
    Bc_3_17        the same cell with an I-V curve (Gc_ for HSPICE), as Bc_3_17_0 its first resistor
    Xc_3_17        the same cell as an instance of its bank's subcircuit
    Rb_3_17        the segment bit_wire[3, 17]
    Rl_17_bottom   load of bit line 17             f_17_bottom to s_17
    Vs_17          its sense amplifier, 0 V        at node s_17

An array with source lines has Vp_3, Rs_3_top and Rp_17_3 for source line 3, with cells from p_17_3
to b_17_3; cells of word lines that are off are left out.

Ideal wires (0 ohm) merge their nodes under the first one's name; open cells are omitted, except as
instances of a bank, which can be programmed in the deck. Floating lines of open cells are omitted
with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, as_floats, check_finite, check_range, check_shape
from xbar.circuit.assembly import KINDS, Assembly, assemble
from xbar.circuit.banktext import bank_name, cell_parameters, definitions, switch_parameters
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.curve import Curve
from xbar.circuit.dialects.dialect import Dialect
from xbar.circuit.dialects.registry import get_dialect
from xbar.circuit.selectors import TableCell
from xbar.circuit.source_lines import SourceLines
from xbar.circuit.switches import SwitchedBank
from xbar.circuit.text import number, sanitise
from xbar.errors import SpecError
from xbar.files import write_text
from xbar.tables import Outline

_SUM_TOLERANCE = 1e-12  # relative to a cell's conductance: rounding of a sum


@dataclass(frozen=True, repr=False)
class Netlist(Outline):
    """A circuit as text for a SPICE simulator.

    Attributes:
        text: text of the netlist.
        dialect: name of its dialect.
        currents: (B,) the simulator's name of the current into each sense amplifier.
    """

    text: str
    dialect: str
    currents: tuple[str, ...]

    def write(self, path: str | os.PathLike[str], force: bool = False) -> None:
        """Write the netlist to a file, atomically.

        Args:
            path: path of the file.
            force: whether to replace an existing file.

        Raises:
            FileError: the file exists and ``force`` is false, or it can't be written.
        """
        write_text(Path(path), self.text, force=force)


def crossbar_netlist(
    crossbar: Crossbar | SourceLines,
    voltage: ArrayLike | None = None,
    *,
    dialect: str = "ngspice",
    title: str = "crossbar",
    branch: ArrayLike | SwitchedBank | None = None,
    curve: Curve | None = None,
) -> Netlist:
    """Netlist of a crossbar at one input vector.

    ngspice runs in xbar's tests; netlists in the other dialects are only checked for structure.

    Args:
        crossbar: crossbar, or array with source lines, to export.
        voltage: word-line voltages (W,); default: 1 V on each.
        dialect: name of the SPICE dialect.
        title: title of the netlist and part of its subcircuit's name, reduced to letters, digits
            and underscores.
        branch: contents of each cell; default: one resistor. An array (W, B, K) of siemens means
            parallel resistors, one element each; a SwitchedBank, branches of a resistor and a
            switch in a subcircuit. They must add up to the cell's conductance.
        curve: I-V curves of the resistors at each crossing, K of them, or 1 by default; with a
            SwitchedBank, of its branches with closed switches, up to v³. None for Ohm's law.

    Raises:
        SpecError: the dialect is unknown, or a shape or value is invalid.

    >>> print(crossbar_netlist(Crossbar([[1e-3]], load=50.0)).text)
    * crossbar
    .options klu
    Vw_0 d_0 0 dc 1.0000000000000000e+00
    Vs_0 s_0 0 dc 0.0000000000000000e+00
    Rc_0_0 d_0 f_0_bottom 1.0000000000000000e+03
    Rl_0_bottom f_0_bottom s_0 5.0000000000000000e+01
    .save i(vs_0)
    .op
    .end
    """
    written = get_dialect(dialect)
    volts = _voltage(voltage, len(crossbar.conductance))
    on = _switched_on(crossbar, volts)
    assembly = assemble(crossbar)
    ohms = [number(value) for value in assembly.resistance.tolist()]
    before: list[str] = []
    if isinstance(branch, SwitchedBank):
        _check_sum(branch.branch, crossbar.conductance)
        wires, ohms = _wire_parameters(assembly, ohms, written)
        name = bank_name(title)
        before = written.parameters([*switch_parameters(branch), *wires])
        powers = _bank_powers(branch, curve)
        before += definitions(name, branch, written, powers)
        elements = _elements(assembly, ohms, lambda *_: [], written)
        elements += _bank_cells(branch, name, assembly, written, powers, on)
    else:
        cells = _plain_cells(crossbar.conductance, branch, written, curve)
        elements = _elements(
            assembly, ohms, lambda i, *rest: cells(i, *rest) if on[i] else [], written
        )
    senses = [f"s_{j}" for j in range(assembly.amplifiers)]
    sources = [
        (f"{assembly.letter}_{i}", f"d_{i}", each)
        for i, each in enumerate(_driven(crossbar, volts))
    ]
    sources += [(name, name, 0.0) for name in senses]
    text = [
        *written.header(sanitise(title)),
        *(() if curve is None else written.precise),
        *before,
        *(written.voltage_source(n, at, written.ground, number(v)) for n, at, v in sources),
        *elements,
        *written.footer(senses),
    ]
    currents = tuple(written.current(name) for name in senses)
    return Netlist("\n".join(text) + "\n", written.name, currents)


def _switched_on(array: Crossbar | SourceLines, volts: list[float]) -> list[bool]:
    """(W,) whether the cells of a word line are there: switched on, if word lines switch."""
    if isinstance(array, Crossbar):
        return [True] * len(volts)
    return [bool(each) for each in array.gates([volts])[0][0]]


def _driven(array: Crossbar | SourceLines, volts: list[float]) -> list[float]:
    """Volts of the drivers: of word lines, or of source lines."""
    if isinstance(array, Crossbar):
        return volts
    return [float(each) for each in array.sign * array.gates([volts])[1]]


Cells: TypeAlias = Callable[[int, int, str, str], list[str]]
"""Function from row, column and the two nodes of a cell to its elements."""


def _held(assembly: Assembly) -> NDArray[np.bool_]:
    """(nodes,) whether a node is joined to a driver or an amplifier.

    What floats with nothing but open cells has no voltage of its own: SPICE refuses it, or, where
    open switches are elements, loses all digits.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (assembly.tail, assembly.head)
    joined = coo_array((np.ones(len(assembly.tail)), ends), (assembly.nodes, assembly.nodes))
    part = connected_components(joined, directed=False)[1]
    held: NDArray[np.bool_] = np.isin(part, part[: assembly.drivers + assembly.amplifiers])
    return held


def _elements(assembly: Assembly, ohms: list[str], cells: Cells, dialect: Dialect) -> list[str]:
    """The elements of all nodes that are held."""
    names, held = assembly.names(), _held(assembly)
    text = []
    elements = zip(
        assembly.kind.tolist(),
        assembly.row.tolist(),
        assembly.column.tolist(),
        assembly.tail.tolist(),
        assembly.head.tolist(),
        ohms,
        held[assembly.tail].tolist(),
        strict=True,
    )
    for kind, row, column, tail, head, value, there in elements:
        if not there:
            continue
        a, b = names[tail], names[head]
        if KINDS[kind] == "cell":
            text += cells(row, column, a, b)
        else:
            name = _name(assembly, KINDS[kind], row, column)
            text.append(dialect.resistor(name, a, b, value))
    return text


def _name(assembly: Assembly, kind: str, row: int, column: int) -> str:
    """Name of a resistor that is no cell."""
    if kind == "source":
        return f"s_{row}_{assembly.sides[column]}"
    if kind == "load":
        return f"l_{column}_{('top', 'bottom')[row]}"
    return f"{assembly.letter if kind == 'word' else 'b'}_{row}_{column}"


def _plain_cells(
    conductance: Floats, branch: ArrayLike | None, dialect: Dialect, curve: Curve | None
) -> Cells:
    """Each cell as one resistor, or as all its resistors that are switched in."""
    siemens = conductance[:, :, None] if branch is None else _branch(branch, conductance)
    table = None
    if curve is not None:
        curve.check(siemens.shape)
        table = _selector(curve.selector, dialect)

    def cell(row: int, column: int, a: str, b: str) -> list[str]:
        name = f"c_{row}_{column}"
        text: list[str] = []
        if table is not None and siemens[row, column].any():
            middle = f"m_{row}_{column}"
            text.append(table(f"t_{row}_{column}", middle, b))
            b = middle
        for k, g in enumerate(siemens[row, column].tolist()):
            own = name if branch is None else f"{name}_{k}"
            formula = None if curve is None else curve.formula((row, column, k), g, a, b)
            if formula is not None and g > 0:
                text.append(dialect.current_source(own, a, b, formula))
            elif g > 0:
                text.append(dialect.resistor(own, a, b, number(1 / g)))
        return text

    return cell


def _selector(table: TableCell | None, dialect: Dialect) -> Callable[[str, str, str], str] | None:
    """A selector's element, from its name and nodes."""
    if table is None:
        return None
    write = dialect.table_source
    if write is None:
        raise SpecError(
            f"dialect must be ngspice, xyce or hspice for a selector's table, not {dialect.name!r}"
        )
    points = [
        (number(volts), number(amperes))
        for volts, amperes in zip(table.voltage.tolist(), table.current_at.tolist(), strict=True)
    ]
    return lambda name, a, b: write(name, a, b, points)


def _bank_powers(bank: SwitchedBank, curve: Curve | None) -> Floats | None:
    """(2, W, B, K) coefficients of v² and v³ of a bank's branches; None if ohmic."""
    if curve is None:
        return None
    curve.check(bank.on.shape)
    more = (curve.selector, curve.sinh, curve.beside)
    if len(curve.powers) > 2 or any(each is not None for each in more):
        raise SpecError(
            "a bank with switches must have a curve of v² and v³; take single resistors"
        )
    padding = np.zeros((2 - len(curve.powers), *bank.on.shape))
    return np.concatenate([curve.powers, padding])


def _bank_cells(
    bank: SwitchedBank,
    name: str,
    assembly: Assembly,
    dialect: Dialect,
    powers: Floats | None,
    on: list[bool],
) -> list[str]:
    """Each cell as an instance of its bank, even where nothing is switched in.

    Those of word lines that are off, and of floating lines without another cell, are left out.
    """
    names, text, held = assembly.names(), [], _held(assembly)
    word, bit = assembly.word_node.tolist(), assembly.bit_node.tolist()
    there = held[assembly.word_node] & held[assembly.bit_node] & np.array(on)[:, None]
    for i, row in enumerate(cell_parameters(bank, dialect, powers)):
        for j, parameters in enumerate(row):
            ends = names[word[i][j]], names[bit[i][j]]
            if there[i, j]:
                text.append(dialect.instance(f"c_{i}_{j}", ends, name, parameters))
    return text


_WIRES = {
    "source": "source_series",
    "word": "word_wire",
    "bit": "bit_wire",
    "load": "load_series",
}


def _wire_parameters(
    assembly: Assembly, ohms: list[str], dialect: Dialect
) -> tuple[list[tuple[str, str]], list[str]]:
    """Parameters for uniform wires, and every element's resistance in terms of them."""
    parameters = []
    ohms = list(ohms)
    for kind, name in _WIRES.items():
        members = np.flatnonzero(assembly.kind == KINDS.index(kind)).tolist()
        values = {ohms[k] for k in members}
        if len(values) == 1:
            parameters.append((name, values.pop()))
            for k in members:
                ohms[k] = dialect.expression(name)
    return parameters, ohms


def _voltage(voltage: ArrayLike | None, lines: int) -> list[float]:
    volts = np.ones(lines) if voltage is None else as_floats(voltage, "voltage")
    advice = "one volt per word line: a netlist holds one input vector"
    check_shape(volts, "voltage", (lines,), advice)
    check_finite(volts, "voltage", "V", ("word line",))
    return [float(v) for v in volts]


def _branch(branch: ArrayLike, conductance: Floats) -> Floats:
    siemens = as_floats(branch, "branch")
    if siemens.ndim != 3 or siemens.shape[:2] != conductance.shape:
        lines, columns = conductance.shape
        raise SpecError(f"branch must have the shape ({lines}, {columns}, K), not {siemens.shape}")
    axes = ("word line", "bit line", "resistor")
    check_range(siemens, "branch", "S", axes, "0 is a resistor that is switched off")
    _check_sum(siemens, conductance)
    return siemens


def _check_sum(siemens: Floats, conductance: Floats) -> None:
    if siemens.shape[:2] != conductance.shape:
        raise SpecError(
            f"the bank must be one of {conductance.shape} cells, not of {siemens.shape[:2]}"
        )
    total = siemens.sum(axis=2)
    bad = np.argwhere(np.abs(total - conductance) > _SUM_TOLERANCE * conductance)
    if len(bad):
        i, j = bad[0]
        raise SpecError(
            f"the resistors of a cell must add up to its conductance {conductance[i, j]} S, "
            f"not {total[i, j]} S at word line {i}, bit line {j}"
        )
