"""HSPICE and compatible simulators: an operating point with printed currents.

Not run in our tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects import lines
from xbar.circuit.dialects.dialect import Dialect, Parameters


def _header(title: str) -> list[str]:
    return [f"* {title}", ".option ingold=2 numdgt=10"]


def _footer(currents: Sequence[str]) -> list[str]:
    # .print needs an analysis: a one-point sweep that leaves the first 0 V source at 0 V
    wanted = [lines.current(name) for name in currents]
    sweep = f".dc V{currents[0]} 0 0 1"
    return [".op", sweep, lines.wrapped([".print dc", *wanted]), ".end"]


def _expression(formula: str) -> str:
    return f"'{formula}'"


def _current_source(name: str, a: str, b: str, formula: str) -> str:
    return f"G{name} {a} {b} cur='{formula}'"


def _table_source(name: str, a: str, b: str, points: Parameters) -> str:
    pairs = [f"{volts},{amperes}" for volts, amperes in points]
    return lines.wrapped([f"G{name} {a} {b} pwl(1) {a} {b}", *pairs])


HSPICE = Dialect(
    name="hspice",
    ground="0",
    header=_header,
    resistor=lines.resistor,
    voltage_source=lines.voltage_source,
    current_source=_current_source,
    precise=(".option reli=1e-9 relv=1e-9 absi=1e-18 absv=1e-12",),
    footer=_footer,
    current=lines.current,
    expression=_expression,
    parameters=lines.global_parameters,
    subcircuit=lines.subcircuit,
    table_source=_table_source,
    instance=lines.instance,
)
