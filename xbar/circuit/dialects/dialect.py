"""Interface of SPICE dialects: syntax of each line of a netlist.

ngspice runs in xbar's test suite; the other simulators do not, so netlists for them are only
checked for their structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Parameters: TypeAlias = Sequence[tuple[str, str]]
"""Parameter names with a number or an expression each."""


@dataclass(frozen=True)
class Dialect:
    """Netlist syntax of one simulator. Names are sanitised beforehand, numbers are text.

    A value is a number, or the result of ``expression`` for a formula in parameters.

    Attributes:
        name: name of the dialect.
        ground: name of the node at 0 V.
        header: function from the title to the lines before the elements.
        resistor: function from (name, node, node, ohms) to an element.
        voltage_source: function from (name, positive node, negative node, volts) to an element.
        current_source: function from (name, node, node, formula) to an element whose current from
            the first to the second node is a formula of parameters, numbers, ``+ - *``, ``sinh``
            and ``v(node,node)``.
        precise: lines that tighten the tolerances of Newton's method, for netlists with current
            sources: the default ones allow errors of 0.1 %.
        footer: function from the names of the 0 V sources to be measured to the last lines.
        current: function from the name of a voltage source to that of its current.
        expression: function from a formula of parameters, numbers and ``+ - *`` to a value.
        parameters: function from the netlist's parameters, at least one, to their lines.
        subcircuit: function from (name, ports, parameters with defaults, elements) to its lines.
        table_source: function from (name, node, node, points) to an element whose current from the
            first to the second node is read from points (volts, amperes) of the voltage between
            them; None where xbar writes none.
        instance: function from (name, nodes, subcircuit, parameters) to an element.
    """

    name: str
    ground: str
    header: Callable[[str], list[str]]
    resistor: Callable[[str, str, str, str], str]
    voltage_source: Callable[[str, str, str, str], str]
    current_source: Callable[[str, str, str, str], str]
    precise: tuple[str, ...]
    footer: Callable[[Sequence[str]], list[str]]
    current: Callable[[str], str]
    expression: Callable[[str], str]
    parameters: Callable[[Parameters], list[str]]
    subcircuit: Callable[[str, Sequence[str], Parameters, Sequence[str]], list[str]]
    table_source: Callable[[str, str, str, Parameters], str] | None
    instance: Callable[[str, Sequence[str], str, Parameters], str]
