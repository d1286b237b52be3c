"""``xbar silicon layout``: a program's tile as masks, and what checks say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Force, Json, ProgramPath, refuse_unused, show
from xbar.cli.silicon.processes import Pdk

if TYPE_CHECKING:
    from xbar.hardware.spec import Hardware
    from xbar.silicon.layout.layout import Layout

_SAME_WIRES = 0.02
"""Ohms by squares are this near to those of the masks, at any lengths: 0.7 % were found."""


def run(
    program: ProgramPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="masks to write (GDS)")],
    tile: Annotated[int, typer.Option(help="number of the tile")] = 0,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory", help="draw a latch for each switch, of the PDK's own standard cells"
        ),
    ] = False,
    netlist: Annotated[
        Path | None, typer.Option(help="netlist to write that the masks must be (SPICE)")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="picture to write of 2 x 2 cells (SVG)")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="compare the masks with their netlist (klayout)")
    ] = False,
    rules: Annotated[
        bool, typer.Option("--rules", help="check the masks by xbar's own rules (klayout)")
    ] = False,
    wires: Annotated[
        Path | None,
        typer.Option(help="hardware design to write with the ohms of the drawn wires (TOML)"),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="the foundry's deck of rules to run on the masks (klayout)")
    ] = None,
    lvs: Annotated[
        Path | None,
        typer.Option(help="the foundry's deck that compares masks and netlist (klayout)"),
    ] = None,
    pdk: Pdk = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw the array of a program's tile as masks.

    All tiles of a chip are the same array; what differs is the configuration that 'xbar emit'
    writes. Exit code 1 if a check that was asked for did not hold.
    """
    import xbar
    from xbar.silicon.checks.klayout import find_klayout
    from xbar.silicon.layout.layout import Layout

    files = {"masks": output, "netlist": netlist, "picture": picture, "wires": wires}
    decks = [deck for deck in (check, lvs) if deck is not None]
    _check_paths([path for path in files.values() if path is not None], decks, force)
    if compare or rules or decks:
        find_klayout()
    if not memory:
        refuse_unused("--memory", {"--pdk": pdk is not None})
    loaded = xbar.Program.load(program)
    loaded.tile(tile)  # all are the same array, but there must be one
    layout = Layout.of(loaded.hardware, memory=memory, pdk=pdk)
    layout.write(output, force=force)
    _warn_of_other_wires(layout, loaded.hardware)
    if netlist is not None:
        layout.write_netlist(netlist, force=force)
    if picture is not None:
        layout.picture(picture, force=force)
    found: dict[str, Any] = {}
    if compare:
        found["compare"] = layout.compare()
    if rules:
        found["rules"] = layout.check()
    if check is not None:
        found["check"] = _rule_deck(layout, output, check)
    if lvs is not None:
        found["lvs"] = _netlist_deck(layout, output, lvs)
    if wires is not None:
        found["wires"] = _write_wires(layout, loaded.hardware, wires, force)
    written = {name: str(path) for name, path in files.items() if path is not None}
    _show(layout, tile, found, written, as_json)
    if any(not getattr(each, "ok", True) for each in found.values()):
        raise typer.Exit(1)


def _warn_of_other_wires(layout: Layout, design: Hardware) -> None:
    """Warn where the subsets were chosen for wires that these masks don't have."""
    from xbar.errors import warn

    drawn, meant = (
        (layout.word_wire, layout.bit_wire),
        (design.tile.word_wire, design.tile.bit_wire),
    )
    if any(abs(one - other) > _SAME_WIRES * one for one, other in zip(drawn, meant, strict=True)):
        warn(
            f"the wires of these masks have {drawn[0]:.3g} and {drawn[1]:.3g} ohm a cell, those of "
            f"the program's design {meant[0]:.3g} and {meant[1]:.3g}: write the design of the "
            "masks by --wires and compile for it"
        )


def _check_paths(written: list[Path], decks: list[Path], force: bool) -> None:
    """Check what is to be written and read, before anything is."""
    from xbar.errors import SpecError
    from xbar.files import check_regular, refuse_existing

    for path in written:
        refuse_existing(path, force=force)
    for deck in decks:
        check_regular(deck)
    names = [path.resolve() for path in [*written, *decks]]
    for name, path in zip(names, written, strict=False):
        if names.count(name) > 1:
            raise SpecError(f"{path}: is named for two files; give each one of its own")


def _rule_deck(layout: Layout, masks: Path, deck: Path) -> Any:
    from xbar.silicon.checks.deck import run_rule_deck

    return run_rule_deck(masks, deck, layout.name)


def _netlist_deck(layout: Layout, masks: Path, deck: Path) -> Any:
    from xbar.silicon.checks.deck import for_decks, run_netlist_deck

    return run_netlist_deck(masks, for_decks(layout.netlist("subcircuit")), deck, layout.name)


def _write_wires(layout: Layout, design: Any, path: Path, force: bool) -> Any:
    from xbar.files import write_text
    from xbar.hardware.toml import to_toml

    wires = layout.wires()
    write_text(path, to_toml(wires.on(design), ["wires as they are drawn"]), force=force)
    return wires


def _show(
    layout: Layout, tile: int, found: dict[str, Any], written: dict[str, str], as_json: bool
) -> None:
    content = {
        "tile": tile,
        **layout.to_json(),
        **{name: each.to_json() for name, each in found.items()},
        "files": written,
    }
    parts = [layout.table(), *(each.table() for each in found.values())]
    parts += [f"written to {path}" for path in written.values()]
    show(as_json, content, "\n".join(parts))
