"""What a SPICE dialect decides: how each line of a netlist is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How one simulator wants a netlist written. Names reach it sanitised, numbers as text.

    Attributes:
        name: what users call it.
        ground: the name of the node at 0 V.
        header: title -> the lines before the elements.
        resistor: (name, node, node, ohms) -> one line.
        voltage_source: (name, positive node, negative node, volts) -> one line.
        footer: names of the voltage sources whose currents are wanted -> the lines after.
        current: name of a voltage source -> what the current through it is called.
    """

    name: str
    ground: str
    header: Callable[[str], list[str]]
    resistor: Callable[[str, str, str, str], str]
    voltage_source: Callable[[str, str, str, str], str]
    footer: Callable[[Sequence[str]], list[str]]
    current: Callable[[str], str]
