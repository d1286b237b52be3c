"""``xbar op``: the operating point of a SPICE deck."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbar.cli.output import Force, Json, progress, show

if TYPE_CHECKING:
    from xbar.circuit.deck.point import OperatingPoint


def run(
    deck: Annotated[Path, typer.Argument(help="SPICE deck")],
    dialect: Annotated[
        str | None, typer.Option(help="ngspice, xyce, hspice or ltspice: whose deck it is")
    ] = None,
    floating: Annotated[
        str, typer.Option(help="nodes that nothing connects to ground: warn, report or refuse")
    ] = "warn",
    csv: Annotated[Path | None, typer.Option(help="CSV file to write")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Solve a SPICE deck's operating point: voltages and currents."""
    import xbar
    from xbar.arrays import one_of
    from xbar.circuit.deck.circuit import FLOATING
    from xbar.files import refuse_existing, write_text

    if_floating = one_of(floating, "--floating", FLOATING)
    if csv is not None:
        refuse_existing(csv, force=force)
    with progress("operating point") as report:
        report(0, 3)
        circuit = xbar.read_spice(deck, dialect=dialect)
        report(1, 3)
        point = circuit.solve(if_floating)
        report(2, 3)
        if csv is not None:
            write_text(csv, "".join(_lines_of_csv(point)), force=force)
        report(3, 3)
    content = {
        "deck": str(deck),
        "voltage": {**point.voltage, **dict.fromkeys(point.floating)},
        "current": {**point.current, **dict.fromkeys(point.undetermined)},
        "floating": list(point.floating),
        "undetermined": list(point.undetermined),
        "notes": list(circuit.notes),
    }
    show(as_json, content, "" if as_json else _text(point))


def _text(point: OperatingPoint) -> str:
    """Two tables: voltages and currents, with what has none at the end."""
    tables = [
        _table("node", "voltage", "V", point.voltage, point.floating),
        _table("element", "current", "A", point.current, point.undetermined),
    ]
    return "\n\n".join(table for table in tables if table)


def _table(
    kind: str, quantity: str, unit: str, values: Mapping[str, float], missing: tuple[str, ...]
) -> str:
    """Aligned lines; quicker than a table of rich for hundreds of thousands of them."""
    from xbar.errors import printable
    from xbar.units import format_quantity

    rows = [
        (printable(name), format_quantity(value + 0.0, unit, 6)) for name, value in values.items()
    ]
    rows += [(printable(name), "-") for name in missing]
    if not rows:
        return ""
    wide = max(len(name) for name, _ in [(kind, ""), *rows])
    far = max(len(text) for _, text in [("", quantity), *rows])
    head = f"{kind:<{wide}}  {quantity:>{far}}\n{'-' * wide}  {'-' * far}\n"
    return head + "\n".join(f"{name:<{wide}}  {text:>{far}}" for name, text in rows)


def _lines_of_csv(point: OperatingPoint) -> Iterator[str]:
    """Lines ``quantity,name,value,unit``; what has no value has an empty one."""
    yield "quantity,name,value,unit\n"
    for quantity, values, missing, unit in (
        ("voltage", point.voltage, point.floating, "V"),
        ("current", point.current, point.undetermined, "A"),
    ):
        for name, value in values.items():
            yield f"{quantity},{_field(name)},{value!r},{unit}\n"
        for name in missing:
            yield f"{quantity},{_field(name)},,{unit}\n"


def _field(name: str) -> str:
    """A name as a field, safe in spreadsheets, as in xbar's other tables."""
    from xbar.compiler.devices import safe_name

    text = safe_name(name)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text
