"""The netlist that an array must have: what the masks are compared with.

Devices have the names of the PDK's models. As primitive elements, M and R with their sizes, they
are what a comparison extracts; as subcircuits, X, they are what the PDK's models and rule decks
take.
"""

from __future__ import annotations

import re
from typing import Literal

from xbar.errors import FileError
from xbar.silicon.layout.array import Frame
from xbar.silicon.layout.standard import PINS

NFET = "sky130_fd_pr__nfet_01v8"
NARROW = "sky130_fd_pr__special_nfet_01v8"
RESISTOR = "sky130_fd_pr__res_xhigh_po"
SQUARE = 2000.0
"""Ohms of a square of the resistor, as drawn."""

Devices = Literal["primitive", "subcircuit"]


def array_netlist(
    frame: Frame, name: str = "tile", devices: Devices = "primitive", latch: str = ""
) -> str:
    """The array as SPICE text; the pins of the subcircuit ``name`` are those of the drawing.

    Args:
        frame: the array.
        name: of its subcircuit.
        devices: how devices are written.
        latch: the PDK's subcircuit of a latch, for an array with memory.
    """
    lines = bank_lines(frame, devices)
    if frame.memory is not None:
        lines = [*latch_lines(latch, devices), *lines, *_cell_lines(frame)]
    lines.append(f".SUBCKT {name} {' '.join(array_pins(frame))}")
    for i in range(frame.word_lines):
        for j in range(frame.bit_lines):
            lines.append(f"X{i}_{j} w_{i} b_{j} VSS {_cell_nodes(frame, i, j)}")
    return "\n".join([*lines, ".ENDS", ""])


def _cell_nodes(frame: Frame, i: int, j: int) -> str:
    count = range(frame.geometry.resistors)
    if frame.memory is None:
        return " ".join([*(f"g_{i}_{j}_{k}" for k in count), "bank"])
    return " ".join(["VPWR", f"e_{i}", *(f"d_{j}_{k}" for k in count), "cell"])


def array_pins(frame: Frame) -> list[str]:
    """Names of the array's pins, in the order of its subcircuit."""
    words, bits = range(frame.word_lines), range(frame.bit_lines)
    count = range(frame.geometry.resistors)
    lines = [*(f"w_{i}" for i in words), *(f"b_{j}" for j in bits), "VSS"]
    if frame.memory is None:
        return [*lines, *(f"g_{i}_{j}_{k}" for i in words for j in bits for k in count)]
    data = (f"d_{j}_{k}" for j in bits for k in count)
    return [*lines, "VPWR", *(f"e_{i}" for i in words), *data]


def _cell_lines(frame: Frame) -> list[str]:
    """The subcircuit of a cell with its memory: w, b, VSS, VPWR, enable, data."""
    count = range(frame.geometry.resistors)
    latch = frame.geometry.rules.memory["latch"]
    lines = [
        f".SUBCKT cell w b VSS VPWR e {' '.join(f'd{k}' for k in count)}",
        f"Xbank w b VSS {' '.join(f'g{k}' for k in count)} bank",
    ]
    lines += [f"X{k} d{k} e VSS VSS VPWR VPWR g{k} {latch}" for k in count]
    return [*lines, ".ENDS"]


_NO_NAME = re.compile(r"[^A-Za-z0-9_ ]")
_HEAD = re.compile(r"\.subckt\s+\S+\s+(.*)", re.IGNORECASE)


def latch_lines(text: str, devices: Devices) -> list[str]:
    """The PDK's subcircuit of a latch, its sizes in micrometres.

    PDKs write 0.42 um as "420000u" of a scaled netlist, as "0.42", or as "0.42u".

    Raises:
        FileError: its pins or lines are not as the drawing takes them.
    """
    lines = [line.strip() for line in text.replace("\n+", " ").splitlines()]
    lines = [line for line in lines if line and not line.startswith("*")]
    head = _HEAD.fullmatch(lines[0])
    if head is None or tuple(head[1].split()) != PINS:
        raise FileError(f"the PDK's latch must have the pins {' '.join(PINS)}: {lines[0]}")
    return [lines[0], *(_device(line, devices) for line in lines[1:-1]), ".ENDS"]


def _device(line: str, devices: Devices) -> str:
    plain = [word for word in line.split() if "=" not in word]
    sizes = dict(word.lower().split("=", 1) for word in line.split() if "=" in word)
    if len(plain) != 6 or plain[0][0].upper() not in "XM" or not {"w", "l"} <= set(sizes):
        raise FileError(f"the PDK's latch must be of transistors with w and l, not: {line}")
    name, *nodes, model = plain
    width, length = _micrometres(sizes["w"], line), _micrometres(sizes["l"], line)
    on = _NO_NAME.sub("_", " ".join(nodes))
    if devices == "subcircuit":
        return f"X{name[1:]} {on} {model} l={length:g} w={width:g}"
    # the library's narrow NMOS has a model of its own, but no masks of its own
    model = NFET if model == NARROW else model
    return f"M{name[1:]} {on} {model} L={length:g}U W={width:g}U"


def _micrometres(text: str, line: str) -> float:
    """A size of a PDK's netlist; a transistor has 1e-3 um and more, but not in metres."""
    try:
        number = float(text.removesuffix("u")) / (1e6 if text.endswith("u") else 1)
    except ValueError:
        raise FileError(f"the PDK's latch must have sizes that are numbers: {line}") from None
    return float(f"{number if number > 1e-3 else number * 1e6:.9g}")


def bank_lines(frame: Frame, devices: Devices) -> list[str]:
    """The subcircuit of one cell: w, b, VSS and its gates."""
    g = frame.geometry
    width = g.rules["resistor_width"]
    gates = " ".join(f"g{k}" for k in range(g.resistors))
    lines = [f".SUBCKT bank w b VSS {gates}"]
    for k, (length, switch) in enumerate(zip(g.lengths, g.switches, strict=True)):
        um, wide = length / 1000, switch / 1000
        channel = g.rules["gate_length"] / 1000
        if devices == "primitive":
            ohms, size = SQUARE * length / width, f"L={um:g}U W={width / 1000:g}U"
            lines.append(f"R{k} w m{k} {ohms:.9g} {RESISTOR} {size}")
            lines.append(f"M{k} m{k} g{k} b VSS {NFET} L={channel:g}U W={wide:g}U")
        else:
            lines.append(f"XR{k} w m{k} VSS {RESISTOR} l={um:g} w={width / 1000:g}")
            lines.append(f"XM{k} m{k} g{k} b VSS {NFET} l={channel:g} w={wide:g}")
    return [*lines, ".ENDS"]
