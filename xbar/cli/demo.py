"""``xbar demo``: two networks, from training to a chip verified by SPICE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Force, Json, progress, show

if TYPE_CHECKING:
    from xbar.cli.demo_networks import DemoNetwork
    from xbar.compiler.program import Program
    from xbar.hardware.spec import Hardware
    from xbar.simulation.dataset import Dataset

REPORT, KIND = "report.json", "xbar demo"


def run(
    output: Annotated[Path, typer.Option("--output", "-o", help="output folder")] = Path(
        "build/demo"
    ),
    hardware: Annotated[
        Path | None, typer.Option(help="design (TOML file); default: the demo's own")
    ] = None,
    seed: Annotated[int, typer.Option(help="random seed of training and chip")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train, program, simulate and verify two networks.

    The networks share one design; ngspice verifies a tile of each.
    """
    import json

    import xbar
    from xbar.cli.demo_networks import networks
    from xbar.files import refuse_existing
    from xbar.folders import Marker, list_folder, new_directory

    refuse_existing(output, force=force)
    design = xbar.Hardware.load(hardware or Path(__file__).with_name("demo_chip.toml"))
    output.parent.mkdir(parents=True, exist_ok=True)
    with new_directory(output, Marker(REPORT, KIND), force=force) as folder:
        (folder / "netlists").mkdir()
        entries = [_one(network, design, seed, folder) for network in networks()]
        content = {"networks": entries}
        text = _text(entries, design)
        (folder / "report.txt").write_text(text, encoding="utf-8")
        files = dict.fromkeys(sorted(list_folder(folder)))
        index = {"kind": KIND, **content, "files": files}
        (folder / REPORT).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    show(as_json, content, text + f"\nwritten to {output}")


def _one(network: DemoNetwork, design: Hardware, seed: int, folder: Path) -> dict[str, Any]:
    """Train, compile, simulate and verify one network; returns its report entry."""
    import numpy as np

    import xbar
    from xbar.cli.demo_networks import export, train
    from xbar.report.metrics import layer_metrics
    from xbar.simulation.dataset import Dataset

    split = network.load()
    data = Dataset(split.test, split.test_labels)
    np.savez_compressed(folder / f"{network.name}.npz", inputs=split.test, labels=split.test_labels)
    with progress(f"{network.name}: train") as report:
        module = train(network, split, seed, report)
    export(module, network, folder / f"{network.name}.pt2")
    graph = xbar.read_model(folder / f"{network.name}.pt2")
    with progress(f"{network.name}: compile") as report:
        program = xbar.compile(graph, xbar.Chip.sample(design, seed), progress=report)
    program.save(folder / f"{network.name}.xbar")
    with progress(f"{network.name}: ideal wires") as report:
        ideal = xbar.simulate(program, data.inputs, data.labels, seed=seed, progress=report)
    with progress(f"{network.name}: with wires") as report:
        nodal = xbar.simulate(
            program, data.inputs, data.labels, readout="nodal", seed=seed, progress=report
        )
    return {
        "name": network.name,
        "inputs": nodal.inputs,
        "digital_accuracy": ideal.digital_accuracy,
        "ideal_accuracy": ideal.accuracy,
        "ideal_interval": ideal.interval,
        "nodal_accuracy": nodal.accuracy,
        "nodal_interval": nodal.interval,
        "resistors_per_cell": design.bank.resistors,
        "resistors_per_weight": program.resistors_per_weight,
        "layers": [layer.to_json() for layer in layer_metrics(program)],
        **_verify(network.name, program, data, folder / "netlists"),
    }


def _verify(name: str, program: Program, data: Dataset, folder: Path) -> dict[str, Any]:
    """Verify the fullest tile with ngspice; if it is not installed, report that."""
    import xbar
    from xbar.errors import ToolError
    from xbar.simulation.verify import activations, tile_voltage

    tile = max(program.tiles, key=lambda tile: (tile.blocks[0].weight.size, -tile.index))
    vectors = activations(program, data.inputs)
    volts = tile_voltage(tile, vectors[tile.blocks[0].block.layer])
    deck = tile.netlist("ngspice", volts, block=0)
    deck.write(folder / f"{name}_tile{tile.index}.cir")
    try:
        with progress(f"{name}: ngspice") as report:
            found = xbar.verify(program, [tile.index], inputs=data.inputs, progress=report)
    except ToolError as error:
        return {"verify": None, "verify_reason": str(error)}
    return {
        "verify": found.worst,
        "verify_reason": None,
        "verify_tile": tile.index,
        "verify_passed": found.passed,
    }


def _text(entries: list[dict[str, Any]], design: Hardware) -> str:
    from xbar.tables import percent, table
    from xbar.units import format_quantity

    tile = design.tile
    head = ["layer", "tiles", "weights", "worst residual", "bits", "digital", "ideal", "nodal"]
    summary = (
        f"{entries[0]['resistors_per_cell']} resistors a cell, "
        f"{entries[0]['resistors_per_weight']} a weight; tiles of {tile.word_lines} x "
        f"{tile.bit_lines}, {tile.word_wire:g} ohm and {tile.bit_wire:g} ohm wire segments\n"
    )
    blocks = [summary]
    for entry in entries:
        rows = [
            [
                layer["name"],
                str(layer["tiles"]),
                str(layer["weights"]),
                format_quantity(layer["worst_residual"], "S"),
                "exact" if layer["bits"] is None else f"{layer['bits']:.1f}",
                *[""] * 3,
            ]
            for layer in entry["layers"]
        ]
        total = [str(sum(layer[key] for layer in entry["layers"])) for key in ("tiles", "weights")]
        shares = [percent(entry[f"{kind}_accuracy"]) for kind in ("digital", "ideal", "nodal")]
        rows.append(["accuracy", *total, "", "", *shares])
        title = f"{entry['name']}, {entry['inputs']} held-out inputs"
        blocks.append(table(title, head, rows) + _verdict(entry))
    return "\n".join(blocks)


def _verdict(entry: dict[str, Any]) -> str:
    if entry["verify"] is None:
        return f"not verified: {entry['verify_reason']}\n"
    word = "agrees with" if entry["verify_passed"] else "DIFFERS from"
    return (
        f"ngspice {word} tile {entry['verify_tile']}: worst current error "
        f"{entry['verify']:.1e} of full scale\n"
    )
