"""``xbar compile``: compile a network file for a design into a program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

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
    Measured,
    MeasuredUnit,
    measurement_notes,
    progress,
    read_chip,
    read_list,
    refuse_unused,
    show,
)


def run(
    model: ModelPath,
    hardware: Annotated[Path, typer.Option("--hardware", help="design (TOML file)")],
    output: Annotated[Path, typer.Option("--output", "-o", help="program to write")],
    seed: Annotated[
        int | None,
        typer.Option(help="random seed of the chip sampled from the design; default: 0"),
    ] = None,
    measured: Measured = None,
    measured_unit: MeasuredUnit = None,
    behind_wires: BehindWires = None,
    arch: Arch = None,
    activation: Activation = None,
    input_shape: InputShape = None,
    take: Take = None,
    bind: Bind = None,
    input_dtype: InputDtype = None,
    only: Only = None,
    skip: Skip = None,
    trust_pickle: TrustPickle = False,
    switches: Annotated[
        Path | None,
        typer.Option(help="switch states from xbar prune for this same chip"),
    ] = None,
    wire_aware: Annotated[
        bool, typer.Option("--wire-aware", help="compensate wire resistance when choosing subsets")
    ] = False,
    wires: Annotated[
        str | None,
        typer.Option(
            help="aware, as --wire-aware; or fit, to choose blocks' extents, packing and order of "
            "lines for the wires too, and tell what each would give"
        ),
    ] = None,
    max_tiles: Annotated[
        int | None,
        typer.Option(
            help="with --wires fit: number of tiles that may be taken; default: twice those that "
            "the network takes anyway"
        ),
    ] = None,
    corners: Annotated[
        str | None,
        typer.Option(help='choose one mask for several temperatures: "25 C, 85 C"'),
    ] = None,
    life: Annotated[
        str | None,
        typer.Option(help='choose one mask for several times since programming: "1 h, 1 y"'),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(help="with these: least worst (default) or mean error over their points"),
    ] = None,
    outlook: Annotated[
        str | None,
        typer.Option(
            help="with these, what is known of devices then: their law (default), or the devices, "
            "as if each had been measured at every point"
        ),
    ] = None,
    compensate: Annotated[
        str | None,
        typer.Option(
            help="with these: gain, if each layer's outputs will be divided by one factor at each "
            "point, as xbar simulate --compensate gain does; none (default)"
        ),
    ] = None,
    mapping: Annotated[
        str,
        typer.Option(
            help="signed weights: pair (differential) or reference (shared reference column)"
        ),
    ] = "pair",
    scale_per: Annotated[
        str, typer.Option(help="granularity of the weight scale: column, tile or layer")
    ] = "column",
    programming: Annotated[
        str,
        typer.Option(
            help="subset; for comparison nominal (codes), or tunable cells: write-verify, "
            "bit-slice or residual"
        ),
    ] = "subset",
    write_error: Annotated[
        float | None,
        typer.Option(
            help="write error of tunable cells: standard deviation relative to full scale; "
            "default: that of the design's device law, or 0.05"
        ),
    ] = None,
    cell_bits: Annotated[
        int | None, typer.Option(help="bits per tunable cell with bit-slice; default: 2")
    ] = None,
    compact: Annotated[
        bool, typer.Option(help="leave out zero weights where that saves cells")
    ] = True,
    pack: Annotated[
        str,
        typer.Option(
            help="what blocks on a tile may share: none (one block per tile), apart (no line), "
            "beside (word lines), any (word and bit lines)"
        ),
    ] = "apart",
    swap_lines: Annotated[
        str,
        typer.Option(
            help="reassign lines around stuck resistors: faults (only tiles with faults), "
            "always or never"
        ),
    ] = "faults",
    workers: Annotated[
        int | None, typer.Option(help="number of threads; default: one per CPU")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler to run on, such as tcp://host:8786")
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="cpu, cuda (an NVIDIA card) or auto (a card if one works); same bytes"),
    ] = "cpu",
    embed: Annotated[
        bool,
        typer.Option("--embed", help="write weights into the program that the model's files have"),
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Program a trained network onto a chip."""
    import xbar
    from xbar.compiler.life_record import life_record
    from xbar.compiler.options import with_life
    from xbar.errors import printable
    from xbar.files import refuse_existing
    from xbar.model.arithmetic import arithmetic
    from xbar.model.share import MOST_SILENT, weigh
    from xbar.pruning.store import load_switches
    from xbar.report.harsh import harsh_layers
    from xbar.report.levers import Levers
    from xbar.report.metrics import layer_metrics
    from xbar.report.text import program_text, unreachable_lines

    # validated by Options, whose errors list the allowed values
    ways = {"over": over, "outlook": outlook, "compensate": compensate}
    if corners is None and life is None:
        refuse_unused("--corners or --life", {f"--{key}": w is not None for key, w in ways.items()})
    if wires != "fit":
        refuse_unused("--wires fit", {"--max-tiles": max_tiles is not None})
    words: dict[str, Any] = {
        "mapping": mapping,
        "scale_per": scale_per,
        "programming": programming,
        "pack": pack,
        "swap_lines": swap_lines,
    }
    options = xbar.Options(
        **tunable_options(programming, write_error, cell_bits),
        wire_aware=wire_aware,
        compact=compact,
        **words,
    )
    options = with_life(options, read_list(corners), read_list(life), ways)
    refuse_existing(output, force=force)
    design = xbar.Hardware.load(hardware)
    chip = read_chip(design, measured, measured_unit, seed, behind_wires)
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
    share, work = weigh(graph), arithmetic(graph)
    source = graph if switches is None else load_switches(switches, graph, chip)
    with progress("tiles") as report:
        program = xbar.compile(
            source,
            chip,
            options=options,
            wires=cast(Any, wires),
            max_tiles=max_tiles,
            output=output,
            force=force,
            embed=embed,
            workers=workers,
            scheduler=scheduler,
            device=device,
            progress=report,
        )
    metrics = layer_metrics(program)
    # without faults only the scale puts weights out of range; those are counted as clipped
    faults = chip.may_have_faults
    lost = [one for one in program.unreachable() if one.stuck] if faults else []
    harsh = harsh_layers(program, metrics)
    notes = [*measurement_notes(chip), *graph.notes]
    record = None if options.whole_life is None else life_record(program)
    levers = Levers.of(program, metrics)
    content = {
        "program": str(output),
        "tiles": len(program.tiles),
        "placement": None if program.placement is None else program.placement.to_json(),
        "resistors_per_cell": design.bank.resistors,
        "resistors_per_weight": program.resistors_per_weight,
        "options": program.options.model_dump(mode="json"),
        "levers": None if levers is None else levers.to_json(),
        "life": None if record is None else record.to_json(),
        "layers": [layer.to_json() for layer in metrics],
        "unreachable": [one.to_json() for one in lost],
        "harsh_wires": [layer.to_json() for layer in harsh],
        "weights": share.to_json(),
        "arithmetic": None if work is None else work.to_json(),
        "digital": [{"name": name, "reason": reason} for name, reason in graph.digital],
        "notes": notes,
    }
    remarks = [*map(str, harsh), *unreachable_lines(lost)]
    remarks += [str(work)] if work is not None and work.digital else []
    remarks += [f"stays digital: {name}: {reason}" for name, reason in graph.digital]
    remarks += [f"assumed: {note}" for note in notes]
    head = [f"{printable(str(share))}\n"] if share.ratio > MOST_SILENT else []
    lived = [] if record is None else [str(record)]
    lived += [] if levers is None else [str(levers)]
    text = "\n".join([*head, program_text(program, metrics), *lived, *map(printable, remarks)])
    show(as_json, content, text + f"\nwritten to {output}")


def tunable_options(
    programming: str, write_error: float | None, cell_bits: int | None
) -> dict[str, Any]:
    """The options of tunable cells that are given; refused for other cells."""
    given = {"write_error": write_error, "cell_bits": cell_bits}
    if programming in ("subset", "nominal"):
        what = "--programming write-verify, bit-slice or residual"
        refuse_unused(what, {"--write-error": write_error is not None})
    if programming != "bit-slice":
        refuse_unused("--programming bit-slice", {"--cell-bits": cell_bits is not None})
    return {name: value for name, value in given.items() if value is not None}
