"""The dialect of ngspice: an operating point, saved as the currents of the sense amplifiers."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects.dialect import Dialect


def _header(title: str) -> list[str]:
    # KLU is many times faster on crossbars; an ngspice built without it ignores the option.
    return [f"* {title}", ".options klu"]


def _resistor(name: str, a: str, b: str, ohms: str) -> str:
    return f"R{name} {a} {b} {ohms}"


def _voltage_source(name: str, positive: str, negative: str, volts: str) -> str:
    return f"V{name} {positive} {negative} dc {volts}"


def _current(name: str) -> str:
    return f"i(v{name})".lower()


def _footer(currents: Sequence[str]) -> list[str]:
    return [*(f".save {_current(name)}" for name in currents), ".op", ".end"]


NGSPICE = Dialect(
    name="ngspice",
    ground="0",
    header=_header,
    resistor=_resistor,
    voltage_source=_voltage_source,
    footer=_footer,
    current=_current,
)
