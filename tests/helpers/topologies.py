"""Designs of every topology of an array, and nodal analysis of drawings of them."""

from __future__ import annotations

from typing import Any

import numpy as np

import xbar

WEIGHTS = np.random.default_rng(5).normal(size=(5, 7))
INPUTS = np.random.default_rng(7).uniform(-1, 1, (4, 7))
WIRES = {"bit_wire": 3.0, "source": 40.0, "load": 25.0}
INTERLEAVED = {"topology": "interleaved-input-source", "word_wire": 2.0, **WIRES}
SEPARATE = {"topology": "separate-source", "source_wire": 2.0, **WIRES}
PAIRED = SEPARATE | {"topology": "interleaved-separate-source"}
BITS = xbar.Converter(bits=5, bit_serial=1, code="twos-complement")
Resistor = tuple[Any, Any, float]
"""Two nodes, of any names, and the ohms between them."""
End = tuple[Any, float] | None


def nodal(resistors: list[Resistor], held: dict[Any, float], read: object) -> float:
    """Amperes into a node at 0 V, of resistors (node, node, ohms) with some nodes held at volts.

    Dense Kirchhoff equations; nodes are any names.
    """
    names = sorted({n for a, b, _ in resistors for n in (a, b)} - set(held), key=str)
    place = {name: k for k, name in enumerate(names)}
    matrix, right = np.zeros((len(names), len(names))), np.zeros(len(names))
    for a, b, ohms in resistors:
        for here, there in ((a, b), (b, a)):
            if here in place:
                matrix[place[here], place[here]] += 1 / ohms
                if there in place:
                    matrix[place[here], place[there]] -= 1 / ohms
                else:
                    right[place[here]] += held[there] / ohms
    volts = dict(zip(names, np.linalg.solve(matrix, right), strict=True)) | held
    return sum(
        (volts[a if b == read else b] - volts[read]) / ohms
        for a, b, ohms in resistors
        if read in (a, b)
    )


def line(name: str, count: int, ohms: float, first: End, last: End) -> list[Resistor]:
    """A line of nodes (name, 0 ...), with (node, ohms) at its ends or None."""
    found = [((name, k), (name, k + 1), ohms) for k in range(count - 1)]
    for place, end in ((0, first), (count - 1, last)):
        if end:
            found.append((end[0], (name, place), ohms + end[1]))
    return found


def design(layout: Any = "cell", more: dict[str, Any] | None = None, **tile: Any) -> xbar.Hardware:
    """Small tiles of two resistors a cell."""
    lines = {"word_lines": 28, "bit_lines": 24}
    bank = xbar.Bank(
        resistors=2, nominal=20e3, sigma=0.2, spread="normal", on_off_ratio=200, layout=layout
    )
    return xbar.Hardware(bank=bank, tile=xbar.Tile(**lines, **tile), **more or {})


def gated_design(tile: dict[str, Any], layout: Any = "cell", **more: Any) -> xbar.Hardware:
    """The same with a DAC of single bits, as gates need it."""
    return design(layout, {"dac": BITS, **more}, **tile)
