"""What a SPICE dialect decides: how each line of a netlist is written.

ngspice runs in xbar's test suite; the other simulators do not, so what is written for them is
checked for its structure only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Parameters: TypeAlias = Sequence[tuple[str, str]]
"""Names, each with a number or an expression."""


@dataclass(frozen=True)
class Dialect:
    """How one simulator wants a netlist written. Names reach it sanitised, numbers as text.

    A value is a number, or what ``expression`` made of a formula in parameters.

    Attributes:
        name: what users call it.
        ground: the name of the node at 0 V.
        header: title -> the lines before the elements.
        resistor: (name, node, node, ohms) -> one element.
        voltage_source: (name, positive node, negative node, volts) -> one element.
        footer: names of the sources of 0 V whose currents are wanted -> the lines after.
        current: name of a voltage source -> what the current through it is called.
        expression: a formula in parameters, numbers and ``+ - *`` -> a value.
        parameters: parameters of the whole netlist, at least one -> the lines that set them.
        subcircuit: (name, ports, parameters with their defaults, elements) -> its lines.
        instance: (name, nodes, subcircuit, parameters) -> one element.
    """

    name: str
    ground: str
    header: Callable[[str], list[str]]
    resistor: Callable[[str, str, str, str], str]
    voltage_source: Callable[[str, str, str, str], str]
    footer: Callable[[Sequence[str]], list[str]]
    current: Callable[[str], str]
    expression: Callable[[str], str]
    parameters: Callable[[Parameters], list[str]]
    subcircuit: Callable[[str, Sequence[str], Parameters, Sequence[str]], list[str]]
    instance: Callable[[str, Sequence[str], str, Parameters], str]
