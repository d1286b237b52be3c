"""Xyce dialect: a one-point sweep, printed as CSV. Not run in our tests."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects import lines
from xbar.circuit.dialects.dialect import Dialect, Parameters


def _header(title: str) -> list[str]:
    return [f"* {title}"]


def _footer(currents: Sequence[str]) -> list[str]:
    # .print needs an analysis: a one-point sweep that leaves the first 0 V source at 0 V
    wanted = [lines.current(name) for name in currents]
    sweep = f".dc V{currents[0]} 0 0 1"
    return [sweep, lines.wrapped([".print dc format=csv precision=16", *wanted]), ".end"]


def _announced(parameters: Parameters) -> Parameters:
    return [("PARAMS: " + name if k == 0 else name, v) for k, (name, v) in enumerate(parameters)]


def _subcircuit(
    name: str, ports: Sequence[str], parameters: Parameters, elements: Sequence[str]
) -> list[str]:
    return lines.subcircuit(name, ports, _announced(parameters), elements)


def _instance(name: str, nodes: Sequence[str], of: str, parameters: Parameters) -> str:
    return lines.instance(name, nodes, of, _announced(parameters))


def _current_source(name: str, a: str, b: str, formula: str) -> str:
    return f"B{name} {a} {b} I={{{formula}}}"


def _table_source(name: str, a: str, b: str, points: Parameters) -> str:
    pairs = [f"{volts},{amperes}," for volts, amperes in points[:-1]]
    last = f"{','.join(points[-1])})}}"
    return lines.wrapped([f"B{name} {a} {b} I={{table(v({a},{b}),", *pairs, last])


XYCE = Dialect(
    name="xyce",
    ground="0",
    header=_header,
    resistor=lines.resistor,
    voltage_source=lines.voltage_source,
    current_source=_current_source,
    precise=(".options nonlin abstol=1e-20 reltol=1e-12",),
    footer=_footer,
    current=lines.current,
    expression=lines.braces,
    parameters=lines.global_parameters,
    subcircuit=_subcircuit,
    table_source=_table_source,
    instance=_instance,
)
