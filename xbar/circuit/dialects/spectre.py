"""Spectre dialect, in Spectre's own language. Not run in our tests.

Names keep their SPICE letters (R, V, X), so that decks in different dialects can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects.dialect import Dialect, Parameters
from xbar.circuit.dialects.lines import assignments, wrapped


def _header(title: str) -> list[str]:
    return [f"// {title}", "simulator lang=spectre"]


def _resistor(name: str, a: str, b: str, ohms: str) -> str:
    return f"R{name} ({a} {b}) resistor r={ohms}"


def _voltage_source(name: str, positive: str, negative: str, volts: str) -> str:
    return f"V{name} ({positive} {negative}) vsource dc={volts}"


def _current_source(name: str, a: str, b: str, formula: str) -> str:
    return f"B{name} ({a} {b}) bsource i={formula}"


def _current(name: str) -> str:
    return f"V{name}:p"


def _footer(currents: Sequence[str]) -> list[str]:
    return [wrapped(["save", *map(_current, currents)]), "point dc"]


def _expression(formula: str) -> str:
    return f"({formula})"


def _parameters(parameters: Parameters) -> list[str]:
    return [wrapped(["parameters", *assignments(parameters)])]


def _subcircuit(
    name: str, ports: Sequence[str], parameters: Parameters, elements: Sequence[str]
) -> list[str]:
    declared = _parameters(parameters) if parameters else []
    return [f"subckt {name} ({' '.join(ports)})", *declared, *elements, f"ends {name}"]


def _instance(name: str, nodes: Sequence[str], of: str, parameters: Parameters) -> str:
    return wrapped([f"X{name} ({' '.join(nodes)}) {of}", *assignments(parameters)])


SPECTRE = Dialect(
    name="spectre",
    ground="0",
    header=_header,
    resistor=_resistor,
    voltage_source=_voltage_source,
    current_source=_current_source,
    precise=("precise options reltol=1e-9 iabstol=1e-18 vabstol=1e-12",),
    footer=_footer,
    current=_current,
    expression=_expression,
    parameters=_parameters,
    subcircuit=_subcircuit,
    table_source=None,
    instance=_instance,
)
