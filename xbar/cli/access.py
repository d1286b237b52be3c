"""``xbar access``: one cell of a design's array reached alone, and read margins by size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Json, show

if TYPE_CHECKING:
    from xbar.circuit.access import ReadMargins
    from xbar.hardware.bank import Bank


def run(
    design: Annotated[Path, typer.Argument(help="design with its tile, bank and selector")],
    sizes: Annotated[
        str, typer.Option(help="lines of square arrays, such as 8,32,128")
    ] = "8,32,128",
    scheme: Annotated[
        str | None,
        typer.Option(help="ground, V/2, V/3, 5V/12, float, float words or float bits; default all"),
    ] = None,
    volts: Annotated[
        str | None, typer.Option(help="volts of the selected word line; default the DAC's range")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="ohms of a cell that is on; default all switches closed"),
    ] = None,
    off: Annotated[
        str | None, typer.Option(help="ohms of a cell that is off; default all switches open")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell how well one cell is read in arrays of several sizes.

    All other cells are on. Margin, sneak current, the voltages of half-selected and other cells,
    and power, with the design's wires and selectors, at the cell that is hardest to read.
    """
    from typing import get_args

    from xbar.circuit.access import Scheme, read_margins
    from xbar.circuit.selectors import TableCell
    from xbar.hardware.spec import Hardware
    from xbar.units import parse_quantity

    hardware = Hardware.load(design)
    tile = hardware.tile.model_copy(update={"load": hardware.sense_load})
    closed, opened = _siemens(hardware.bank)
    level = hardware.read_voltage if volts is None else parse_quantity(volts, "V")
    selector = hardware.selector
    law = None if selector is None else TableCell(*selector.points())
    schemes: list[Any] = list(get_args(Scheme)) if scheme is None else [scheme]
    found = [
        read_margins(
            tile,
            closed if on is None else _conductance(on, "--on"),
            opened if off is None else _conductance(off, "--off"),
            _sizes(sizes),
            volts=level,
            scheme=each,
            selector=law,
        )
        for each in schemes
    ]
    content = {"volts": level, "schemes": [_json(each) for each in found]}
    show(as_json, content, _text(found, level))


def _siemens(bank: Bank) -> tuple[float, float]:
    """A nominal cell with all switches closed, and with all open."""
    import numpy as np

    each = bank.nominal_conductance
    return float(each.sum()), float((each / np.asarray(bank.on_off_ratios)).sum())


def _conductance(ohms: str, option: str) -> float:
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    value = parse_quantity(ohms, "ohm")
    if not value > 0:
        raise SpecError(f"{option} must be above 0 ohm, not {ohms!r}")
    return 1.0 / value


def _sizes(text: str) -> list[int]:
    from xbar.errors import SpecError

    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise SpecError(f"--sizes must be numbers of lines such as 8,32,128, not {text!r}")
    return [int(part) for part in parts]


def _json(found: ReadMargins) -> dict[str, Any]:
    columns = ("margin", "on_current", "off_current", "sneak_current", "on_voltage", "power")
    content: dict[str, Any] = {"scheme": found.scheme, "sizes": list(found.sizes)}
    content |= {name: getattr(found, name).tolist() for name in columns}
    half = found.half_selected.T.tolist()
    content |= {"half_selected_word_line": half[0], "half_selected_bit_line": half[1]}
    return content | {"unselected": found.unselected.tolist()}


def _text(found: list[ReadMargins], volts: float) -> str:
    from xbar.tables import percent, table
    from xbar.units import format_quantity

    head = ["scheme", "lines", "margin", "sneak", "selected", "half, word", "half, bit", "others"]
    rows = [
        [
            each.scheme if place == 0 else "",
            str(size),
            percent(float(each.margin[place])),
            format_quantity(float(each.sneak_current[place]), "A"),
            *(
                f"{float(one):.3g} V"
                for one in (each.on_voltage[place], *each.half_selected[place])
            ),
            f"{float(each.unselected[place]):.3g} V",
        ]
        for each in found
        for place, size in enumerate(each.sizes)
    ]
    return table(f"one cell at {volts:g} V, all others on", head, rows)
