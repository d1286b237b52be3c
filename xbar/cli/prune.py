"""``xbar prune``: find a subnetwork, given by a mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import (
    BehindWires,
    Force,
    Json,
    Measured,
    MeasuredUnit,
    progress,
    read_chip,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xbar.hardware.chip import Chip
    from xbar.pruning.ticket import Ticket

METHODS = ("edge-popup", "gates", "magnitude", "lottery-ticket", "random")
UNTRAINED = METHODS[:2]
"""Those that leave the weights as they are, so that they can be a chip's conductances."""


def run(
    arch: Annotated[str, typer.Option(help="module:callable that builds the torch module")],
    data: Annotated[Path, typer.Option(help=".npz with training inputs and labels")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="network to write, such as ticket.pt2")
    ],
    state: Annotated[
        Path | None, typer.Argument(help="state dict to load; default: the module as built")
    ] = None,
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "edge-popup",
    keep: Annotated[float, typer.Option(help="fraction of weights to keep")] = 0.5,
    weights: Annotated[
        str,
        typer.Option(
            help="weights of edge-popup and gates: kaiming, constant or given (the module's own); "
            "with --hardware the chip's conductances"
        ),
    ] = "kaiming",
    hardware: Annotated[
        Path | None,
        typer.Option(help="choose among the conductances of a chip of this design (TOML file)"),
    ] = None,
    measured: Measured = None,
    measured_unit: MeasuredUnit = None,
    behind_wires: BehindWires = None,
    readout: Annotated[
        str, typer.Option(help="on a chip: ideal, or nodal to train the mask with wire resistance")
    ] = "ideal",
    epochs: Annotated[int, typer.Option(help="epochs per round")] = 15,
    rounds: Annotated[
        int, typer.Option(help="pruning rounds of magnitude pruning and lottery tickets")
    ] = 3,
    rewind: Annotated[int, typer.Option(help="epoch to rewind lottery tickets to")] = 0,
    scope: Annotated[str, typer.Option(help="apply --keep per layer, or global")] = "layer",
    structure: Annotated[
        str, typer.Option(help="what to prune: single weights, or whole outputs or inputs")
    ] = "weights",
    test: Annotated[
        Path | None, typer.Option(help=".npz with inputs and labels to test on")
    ] = None,
    seed: Annotated[int, typer.Option(help="random seed of training and of the chip")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find a subnetwork by pruning and write it.

    With --hardware, the chip's switches are written beside it.
    """
    from xbar.errors import SpecError
    from xbar.files import refuse_existing
    from xbar.model.pytorch import require_torch
    from xbar.pruning.store import save_ticket, switches_path

    if method not in METHODS:
        raise SpecError(f"--method must be one of {', '.join(METHODS)}, not {method!r}")
    if (hardware is not None or measured is not None) and method not in UNTRAINED:
        raise SpecError(
            f"--hardware is for {' and '.join(UNTRAINED)}, not {method}; "
            "xbar compile takes the chip"
        )
    require_torch("pruning")
    refuse_existing(output, force=force)
    chip = _chip(hardware, measured, measured_unit, seed, behind_wires)
    if chip is not None:
        refuse_existing(switches_path(output), force=force)
    options: dict[str, Any] = {"scope": scope, "structure": structure}
    if method in UNTRAINED:
        options |= {"weights": chip or weights, "readout": readout}
    elif method == "magnitude":
        options |= {"rounds": rounds}
    elif method == "lottery-ticket":
        options |= {"rounds": rounds, "rewind": rewind}
    ticket = _find(method, arch, state, data, keep, epochs, seed, options)
    files = save_ticket(ticket, output, force=force)
    content = {
        "method": ticket.method,
        "keep": keep,
        "kept": ticket.kept,
        "layers": {name: float(mask.mean()) for name, mask in ticket.mask.items()},
        "training_accuracy": _accuracy(ticket, data),
        "test_accuracy": None if test is None else _accuracy(ticket, test),
        "files": [str(file) for file in files],
    }
    show(as_json, content, _text(content))


def _chip(
    hardware: Path | None,
    measured: Path | None,
    unit: str | None,
    seed: int,
    behind_wires: str | None,
) -> Chip | None:
    import xbar
    from xbar.errors import SpecError

    if hardware is None:
        if measured is not None:
            raise SpecError("--measured needs --hardware, whose tiles and banks were measured")
        return None
    return read_chip(
        xbar.Hardware.load(hardware),
        measured,
        unit,
        seed if measured is None else None,
        behind_wires,
    )


def _find(
    method: str,
    arch: str,
    state: Path | None,
    data: Path,
    keep: float,
    epochs: int,
    seed: int,
    options: dict[str, Any],
) -> Ticket:
    import xbar
    from xbar.model.fit import build_module

    module = build_module(arch, state, seed)
    find: Callable[..., Ticket] = getattr(xbar.pruning, method.replace("-", "_"))
    if method not in UNTRAINED:
        return find(module, _read(data), keep, epochs=epochs, seed=seed, **options)
    with progress("epochs") as report:
        return find(module, _read(data), keep, epochs=epochs, seed=seed, progress=report, **options)


def _read(path: Path) -> tuple[Any, Any]:
    from xbar.errors import FileError
    from xbar.simulation.accuracy import class_numbers
    from xbar.simulation.dataset import read_dataset

    found = read_dataset(path)
    if found.labels is None:
        raise FileError(f"{path}: must have an array 'labels' as well as 'inputs'")
    labels, _ = class_numbers(found.labels, len(found.inputs))
    return found.inputs, labels


def _accuracy(ticket: Ticket, path: Path) -> float:
    from xbar.training.loop import accuracy

    return accuracy(ticket.model, *_read(path))


def _text(content: dict[str, Any]) -> str:
    from xbar.tables import percent, table

    rows = [[name, percent(share)] for name, share in content["layers"].items()]
    rows.append(["all", percent(content["kept"])])
    lines = [table(content["method"], ["layer", "kept"], rows)]
    lines.append(f"accuracy on the training data {percent(content['training_accuracy'])}")
    if content["test_accuracy"] is not None:
        lines.append(f"accuracy on the test data {percent(content['test_accuracy'])}")
    return "\n".join([*lines, *(f"written to {file}" for file in content["files"])])
