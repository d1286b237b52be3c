"""The netlist that an array must have: what the masks are compared with.

Devices have the names of the PDK's models. As primitive elements, M and R with their sizes, they
are what a comparison extracts; as subcircuits, X, they are what the PDK's models and rule decks
take.
"""

from __future__ import annotations

from typing import Literal

from xbar.silicon.layout.array import Frame

NFET = "sky130_fd_pr__nfet_01v8"
RESISTOR = "sky130_fd_pr__res_xhigh_po"
SQUARE = 2000.0
"""Ohms of a square of the resistor, as drawn."""

Devices = Literal["primitive", "subcircuit"]


def array_netlist(frame: Frame, name: str = "tile", devices: Devices = "primitive") -> str:
    """The array as SPICE text, with every gate a pin.

    The pins of the subcircuit ``name`` are those of the drawing: w_i, b_j, VSS, g_i_j_k.
    """
    lines = [*bank_lines(frame, devices), f".SUBCKT {name} {' '.join(array_pins(frame))}"]
    count = range(frame.geometry.resistors)
    for i in range(frame.word_lines):
        for j in range(frame.bit_lines):
            gates = " ".join(f"g_{i}_{j}_{k}" for k in count)
            lines.append(f"X{i}_{j} w_{i} b_{j} VSS {gates} bank")
    return "\n".join([*lines, ".ENDS", ""])


def array_pins(frame: Frame) -> list[str]:
    """Names of the array's pins, in the order of its subcircuit."""
    words, bits = range(frame.word_lines), range(frame.bit_lines)
    count = range(frame.geometry.resistors)
    return [
        *(f"w_{i}" for i in words),
        *(f"b_{j}" for j in bits),
        "VSS",
        *(f"g_{i}_{j}_{k}" for i in words for j in bits for k in count),
    ]


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
