"""``xbar catalog``: lists published technologies, or prints one as a design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Json, show

if TYPE_CHECKING:
    from xbar.hardware.catalog import Technology


def run(
    name: Annotated[
        str | None, typer.Argument(help="technology to print as a TOML design; default: list all")
    ] = None,
    wires: Annotated[
        str | None, typer.Option(help="wire resistances of a node and cell type, such as 22nm-1t1r")
    ] = None,
    as_json: Json = False,
) -> None:
    """List published technologies as designs.

    Each has its source and assumptions.
    """
    from xbar.errors import SpecError
    from xbar.hardware.catalog import TECHNOLOGIES, find_technology

    if name is None:
        if wires is not None:
            raise SpecError("--wires needs a technology; name one")
        show(as_json, _listed(), _table(list(TECHNOLOGIES.values())))
    else:
        show(as_json, *_one(find_technology(name), wires))


def _one(entry: Technology, wires: str | None) -> tuple[dict[str, Any], str]:
    from xbar.hardware.catalog import WIRES_SOURCE, with_wires
    from xbar.hardware.toml import to_toml

    hardware = entry.hardware if wires is None else with_wires(entry.hardware, wires)
    remarks = [f"{entry.title}. {_standing(entry)}: {entry.source}, {entry.date}"]
    remarks += [f"published: {each}" for each in entry.published]
    remarks += [f"assumed: {each}" for each in entry.assumed]
    if wires is not None:
        remarks.append(f"wires of {wires}: {WIRES_SOURCE}")
    content = {**_entry(entry), "hardware": hardware.model_dump(mode="json")}
    return content, to_toml(hardware, remarks)


def _entry(entry: Technology) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "source": entry.source,
        "date": entry.date,
        "recalled": entry.recalled,
        "published": list(entry.published),
        "assumed": list(entry.assumed),
        "hardware": entry.hardware.model_dump(mode="json"),
    }


def _listed() -> dict[str, Any]:
    from xbar.hardware.catalog import TECHNOLOGIES, WIRES, WIRES_SOURCE

    return {
        "technologies": [_entry(entry) for entry in TECHNOLOGIES.values()],
        "wires": {
            "source": WIRES_SOURCE,
            "ohm_per_cell": {
                node: {"crosspoint": each.crosspoint, "1t1r": each.transistor}
                for node, each in WIRES.items()
            },
        },
    }


def _standing(entry: Technology) -> str:
    return "Recalled, verify before use" if entry.recalled else "Published"


def _table(entries: list[Technology]) -> str:
    from xbar.hardware.base import values_of
    from xbar.hardware.catalog import WIRES, WIRES_SOURCE
    from xbar.units import format_quantity

    lines = [f"{'technology':20} {'each':>9} {'spread':>8} {'on/off':>8} {'noise':>7}  what"]
    for entry in entries:
        bank, noise = entry.hardware.bank, entry.hardware.variation.read_noise
        each = format_quantity(float(bank.nominal_conductance[0]), "S")
        mark = " (recalled: verify)" if entry.recalled else ""
        lines.append(
            f"{entry.name:20} {each:>9} {max(values_of(bank.sigma)):8.2%} "
            f"{min(values_of(bank.on_off_ratio)):8.4g} {noise:7.2%}"
            f"  {entry.title}, {entry.date}{mark}"
        )
    lines += ["", "wires, ohm per cell     crosspoint    1t1r"]
    lines += [f"{node:20} {w.crosspoint:13g} {w.transistor:7g}" for node, w in WIRES.items()]
    lines += [WIRES_SOURCE, "", "xbar catalog NAME --wires 22nm-1t1r > chip.toml writes a design"]
    return "\n".join(lines)
