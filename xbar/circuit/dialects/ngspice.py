"""ngspice dialect: an operating point, with the sense amplifiers' currents saved."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects import lines
from xbar.circuit.dialects.dialect import Dialect


def _header(title: str) -> list[str]:
    # KLU is many times faster on crossbars; ngspice built without it ignores the option
    return [f"* {title}", ".options klu"]


def _footer(currents: Sequence[str]) -> list[str]:
    return [*(f".save {lines.current(name)}" for name in currents), ".op", ".end"]


NGSPICE = Dialect(
    name="ngspice",
    ground="0",
    header=_header,
    resistor=lines.resistor,
    voltage_source=lines.voltage_source,
    current_source=lines.current_source,
    precise=(".options reltol=1e-12 abstol=1e-20 vntol=1e-15",),
    footer=_footer,
    current=lines.current,
    expression=lines.braces,
    parameters=lines.global_parameters,
    subcircuit=lines.subcircuit,
    table_source=lines.table_source,
    instance=lines.instance,
)
