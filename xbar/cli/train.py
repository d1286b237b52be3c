"""``xbar train``: train a network further, through the exact wires of a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.model_options import (
    Activation,
    Arch,
    Bind,
    InputDtype,
    InputShape,
    ModelPath,
    Only,
    Skip,
    Take,
    TrustPickle,
    read_bind,
    read_shape,
)
from xbar.cli.output import (
    BehindWires,
    Force,
    Json,
    MeasuredUnit,
    graph_data,
    measurement_notes,
    progress,
    read_chip,
    refuse_unused,
    show,
)

if TYPE_CHECKING:
    from xbar.hardware.chip import Chip
    from xbar.hardware.spec import Hardware
    from xbar.model.graph import Graph
    from xbar.training.finetuning import Trained
    from xbar.training.recipe import Epoch, Tuning


def run(
    model: ModelPath,
    data: Annotated[
        Path, typer.Option(help="inputs to learn from and, if there are any, labels: .npz, .csv")
    ],
    hardware: Annotated[Path, typer.Option(help="design (TOML file)")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="network to write, such as tuned.pt2; with --chip its program"
        ),
    ],
    chip: Annotated[
        str | None,
        typer.Option(
            help="train for one chip: its seed, as xbar compile --seed takes it, or its "
            "measurement (.npz, .csv, .tsv, .txt)"
        ),
    ] = None,
    measured_unit: MeasuredUnit = None,
    behind_wires: BehindWires = None,
    epochs: Annotated[int, typer.Option(help="passes over the data, at most")] = 3,
    seed: Annotated[
        int, typer.Option(help="random seed of the data's order, of devices, of what is held apart")
    ] = 0,
    labels: Annotated[
        str | None,
        typer.Option(help="none: learn the network's own outputs though the data has labels"),
    ] = None,
    validation: Annotated[
        float,
        typer.Option(
            help="share of the inputs that is held apart: never trained on, it chooses the epoch "
            "that is kept, such as 0.2"
        ),
    ] = 0.0,
    patience: Annotated[
        int | None,
        typer.Option(help="stop after so many epochs without a better one; needs --validation"),
    ] = None,
    readout: Annotated[
        str, typer.Option(help="nodal (through the exact wires) or ideal (without wires)")
    ] = "nodal",
    gradient: Annotated[
        str | None,
        typer.Option(
            help="own (each cell's own attenuation; default) or exact (adjoint of the circuit, "
            "several times as long)"
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="largest step of a conductance, in usual resistors; default: 0.02"),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="inputs a step; default: 64")] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="find the ranges of converters from the data: max, percentile or least-squares"
        ),
    ] = None,
    tuning: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="other settings of xbar.training.Tuning, such as grain=0.03; repeatable",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="folder from which the same command goes on after whatever stopped it; it then "
            "stays; default: one beside the output until that is written"
        ),
    ] = None,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="train no further: write what the checkpoint has reached"),
    ] = False,
    device: Annotated[
        str,
        typer.Option(help="cpu, cuda (an NVIDIA card solves the arrays) or auto (if one works)"),
    ] = "cpu",
    arch: Arch = None,
    activation: Activation = None,
    input_shape: InputShape = None,
    take: Take = None,
    bind: Bind = None,
    input_dtype: InputDtype = None,
    only: Only = None,
    skip: Skip = None,
    trust_pickle: TrustPickle = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train a network further for a design, through exact wires.

    Any chip of the design suits the result: xbar compile tuned.pt2 --wire-aware. With --chip the
    result is the program of that chip, trained around its errors.
    """
    import xbar
    from xbar.errors import SpecError
    from xbar.model.pytorch import require_torch
    from xbar.training.finetuning import check_written, finetune
    from xbar.unfinished import unfinished_folder

    if labels not in (None, "none"):
        raise SpecError(f"--labels must be none or left out, not {labels!r}")
    given = {"gradient": gradient, "rate": rate, "batch": batch, "calibrate": calibrate}
    settings = read_tuning(tuning or (), {k: v for k, v in given.items() if v is not None})
    require_torch("training")
    hardware_or_chip = _hardware(hardware, chip, measured_unit, behind_wires)
    _refuse_output(output, program=chip is not None, force=force)
    _refuse_place(output, [model, data, hardware, *([] if chip is None else [chip])], checkpoint)
    graph = xbar.read_model(
        model,
        read_shape(input_shape),
        arch=arch,
        activation=activation,
        trust_pickle=trust_pickle,
        output=take,
        bind=read_bind(bind or ()),
        input_dtype=input_dtype,
    ).select(only or (), skip or ())
    if chip is None:
        check_written(graph)
    found = graph_data(data, graph)
    kept = unfinished_folder(output) if checkpoint is None else checkpoint
    words: Any = readout
    with progress("training") as report:

        def told(epoch: Epoch) -> None:
            report.label(f"training, loss {epoch.loss:.4g}")

        trained = finetune(
            graph,
            (found.inputs, None if labels else found.labels),
            hardware_or_chip,
            words,
            epochs=epochs,
            seed=seed,
            tuning=settings,
            validation=validation,
            patience=patience,
            checkpoint=kept,
            force=force,
            finish=finish,
            device=device,
            progress=report,
            after_epoch=told,
        )
    if trained.program is None:
        trained.save(output, force=force)
    else:
        trained.program.save(output, force=force)
    if checkpoint is None and not finish:
        from xbar.training.checkpoint import discard  # it imports torch

        discard(kept)
    notes = [*_measured(hardware_or_chip), *graph.notes, *found.notes]
    content = _content(trained, graph, output, notes)
    content |= {"checkpoint": str(kept) if kept.exists() else None, "asked_epochs": epochs}
    content["finished_early"] = finish and len(trained.history) < epochs
    show(as_json, content, _text(content))


def _hardware(
    design: Path, chip: str | None, unit: str | None, behind_wires: str | None
) -> Hardware | Chip:
    """The design, or a chip of it: sampled by its seed, or measured."""
    from xbar.hardware.spec import Hardware

    loaded = Hardware.load(design)
    if chip is None:
        given = {"--measured-unit": unit is not None, "--behind-wires": behind_wires is not None}
        refuse_unused("--chip", given)
        return loaded
    seed = int(chip) if chip.isdecimal() else None
    return read_chip(loaded, None if seed is not None else Path(chip), unit, seed, behind_wires)


def _measured(hardware: Hardware | Chip) -> list[str]:
    """What was assumed when a chip's measurement was read."""
    from xbar.hardware.chip import Chip

    return measurement_notes(hardware) if isinstance(hardware, Chip) else []


def _refuse_output(output: Path, *, program: bool, force: bool) -> None:
    """Refuse an output that may not be replaced, before the long work."""
    from xbar.errors import FileError
    from xbar.files import refuse_existing
    from xbar.folders import refuse_directory

    if program:
        from xbar.compiler.writer import PROGRAM

        refuse_directory(output, PROGRAM, force=force)
    else:
        refuse_existing(output, force=force)
        if output.is_dir():
            raise FileError(
                f"{output}: is a folder, which no network replaces; choose another name"
            )


def _refuse_place(output: Path, read: Sequence[str | Path], checkpoint: Path | None) -> None:
    """Refuse an output where it can't be written, or would be the end of what the run needs."""
    from xbar.errors import FileError
    from xbar.files import mode_of

    if not mode_of(output.parent):
        raise FileError(f"{output}: its folder does not exist; make it first")
    if any(mode_of(Path(each)) and output.resolve() == Path(each).resolve() for each in read):
        raise FileError(
            f"{output}: is read by this run, which could not go on without it; choose another name"
        )
    if checkpoint is not None and checkpoint.resolve() in (
        output.resolve(),
        *output.resolve().parents,
    ):
        raise FileError(
            f"{output}: lies in the checkpoint {checkpoint}, which holds nothing else; choose "
            "another place"
        )


def read_tuning(texts: Sequence[str], given: Mapping[str, Any]) -> Tuning:
    """Settings such as "grain=0.03", beside those of options of their own."""
    from dataclasses import fields

    from xbar.errors import SpecError
    from xbar.training.recipe import Tuning

    known, found = [each.name for each in fields(Tuning)], dict(given)
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in known or not equals:
            raise SpecError(
                f"--tuning must be NAME=VALUE, a name of {', '.join(known)}; not {text[:60]!r}"
            )
        if name in found:
            option = f" or by --{name}" if name in given else ""
            raise SpecError(f"{name} is given twice; give it once, by --tuning{option}")
        found[name] = _value(name, value)
    return Tuning(**found)


def _value(name: str, text: str) -> Any:
    """A number, several of them, none, true or false; or the text itself."""
    if name in ("times", "temperatures"):
        return tuple(each.strip() for each in text.split(","))
    if text in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _content(trained: Trained, graph: Graph, output: Path, notes: list[str]) -> dict[str, Any]:
    """What is told, as JSON."""
    return {
        "network": str(output),
        "layers": [layer.name for layer in graph.layers],
        "digital": [{"name": name, "reason": reason} for name, reason in graph.digital],
        "epochs": [
            {
                "loss": epoch.loss,
                "accuracy": epoch.accuracy,
                "nonzero": epoch.kept,
                "validation_loss": epoch.validation_loss,
                "validation_accuracy": epoch.validation_accuracy,
                "stale": epoch.stale,
            }
            for epoch in trained.history
        ],
        "kept_epoch": trained.kept,
        "steps": trained.steps,
        "went_on_from_step": trained.went_on,
        "digital_accuracy": trained.digital,
        "notes": [*notes, *trained.notes],
    }


def _text(content: dict[str, Any]) -> str:
    """What is told, as a table and lines."""
    from xbar.errors import printable
    from xbar.tables import percent, table

    epochs = content["epochs"]
    validated = bool(epochs) and epochs[0]["validation_loss"] is not None
    head = ["epoch", "loss", "right", "not 0"] + ["held apart: loss", "right"] * validated
    rows = []
    for number, epoch in enumerate(epochs, 1):
        row = [f"{number}{'*' * (validated and number == content['kept_epoch'])}"]
        row += [f"{epoch['loss']:.4g}", percent(epoch["accuracy"]), percent(epoch["nonzero"])]
        if validated:
            loss, right = epoch["validation_loss"], epoch["validation_accuracy"]
            row += [f"{loss:.4g}", percent(right)]
        rows.append(row)
    lines = [table(f"training of {', '.join(content['layers'])}", head, rows)]
    if validated:
        kept = f"* kept: epoch {content['kept_epoch']} of {len(epochs)}, of the least loss"
        lines.append(kept if content["kept_epoch"] else "kept as it began: no epoch had less loss")
    if len(epochs) < content["asked_epochs"]:
        why = "as far as it was" if content["finished_early"] else "no better one since"
        lines.append(f"stopped after {len(epochs)} of {content['asked_epochs']} epochs: {why}")
    if content["went_on_from_step"]:
        lines.append(f"went on from step {content['went_on_from_step']} of {content['steps']}")
    if content["digital_accuracy"] is not None:
        where = "of what is held apart" if validated else "of these inputs"
        lines.append(f"the digital network: {percent(content['digital_accuracy'])} {where} right")
    stale = max((epoch["stale"] for epoch in epochs), default=0.0)
    if stale:
        lines.append(
            f"arrays were solved every few steps: those in between within {100 * stale:.2g} %"
        )
    lines += [f"stays digital: {each['name']}: {each['reason']}" for each in content["digital"]]
    lines += [f"assumed: {note}" for note in content["notes"]]
    if content["checkpoint"] is not None:
        lines.append(f"checkpoint: {content['checkpoint']}")
    return "\n".join([lines[0], *map(printable, lines[1:]), f"written to {content['network']}"])
