"""Lines common to ngspice, Xyce and HSPICE."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.circuit.dialects.dialect import Parameters

WIDTH = 100  # characters, well below the limits of the simulators


def wrapped(words: Sequence[str]) -> str:
    r"""Join words to one statement, wrapped with continuation lines (leading plus sign).

    >>> wrapped(["a" * 60, "b" * 60]).split("\n")
    ['aaa...', '+ bbb...']
    """
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append(f"+ {word}")
        else:
            lines[-1] += f" {word}"
    return "\n".join(lines)


def assignments(parameters: Parameters) -> list[str]:
    """Each parameter as ``name=value``."""
    return [f"{name}={value}" for name, value in parameters]


def resistor(name: str, a: str, b: str, ohms: str) -> str:
    """A resistor."""
    return f"R{name} {a} {b} {ohms}"


def voltage_source(name: str, positive: str, negative: str, volts: str) -> str:
    """A voltage source."""
    return f"V{name} {positive} {negative} dc {volts}"


def current_source(name: str, a: str, b: str, formula: str) -> str:
    """A current source with a formula, for ngspice."""
    return f"B{name} {a} {b} I={formula}"


def table_source(name: str, a: str, b: str, points: Parameters) -> str:
    """A current source with a table of its own voltage, for ngspice."""
    pairs = [f"{volts},{amperes}," for volts, amperes in points[:-1]]
    return wrapped([f"B{name} {a} {b} I=pwl(v({a},{b}),", *pairs, f"{','.join(points[-1])})"])


def current(name: str) -> str:
    """Name of the current through a voltage source from its positive node."""
    return f"i(v{name})".lower()


def braces(formula: str) -> str:
    """An expression for ngspice and Xyce."""
    return f"{{{formula}}}"


def global_parameters(parameters: Parameters) -> list[str]:
    """Parameters of the whole netlist."""
    return [wrapped([".param", *assignments(parameters)])]


def subcircuit(
    name: str,
    ports: Sequence[str],
    parameters: Parameters,
    elements: Sequence[str],
) -> list[str]:
    """The definition of a subcircuit."""
    head = wrapped([".subckt", name, *ports, *assignments(parameters)])
    return [head, *elements, f".ends {name}"]


def instance(name: str, nodes: Sequence[str], of: str, parameters: Parameters) -> str:
    """An instance of a subcircuit."""
    return wrapped([f"X{name}", *nodes, of, *assignments(parameters)])
