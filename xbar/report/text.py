"""Plain-text summaries of programs."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.compiler.placement import PlacementReport
from xbar.compiler.program import Program
from xbar.compiler.provenance import Unreachable
from xbar.compiler.tuned import TunedCells
from xbar.errors import printable
from xbar.model.arithmetic import arithmetic
from xbar.report.metrics import LayerMetrics
from xbar.report.survey import Survey
from xbar.tables import count, percent, table
from xbar.units import format_quantity

FEW = 5
"""Maximum number of out-of-range weights that are listed."""


def program_text(program: Program, metrics: Sequence[LayerMetrics]) -> str:
    """Summary of a program, one line per layer."""
    tile = program.hardware.tile
    title = (
        f"{count(len(program.tiles), 'tile')} of {tile.word_lines} x {tile.bit_lines}, "
        f"{count(program.hardware.bank.resistors, 'resistor')} a cell, "
        f"{program.resistors_per_weight} a weight"
    )
    title += _programming(program)
    rows = [
        [
            layer.name,
            str(layer.tiles),
            str(layer.weights),
            format_quantity(layer.worst_residual, "S"),
            _bits(layer.bits),
            _wires(layer),
        ]
        for layer in metrics
    ]
    head = ["layer", "tiles", "weights", "worst residual", "bits", "error by wires"]
    if not program.wire_aware:
        head, rows = head[:-1], [row[:-1] for row in rows]
    clipped = [
        f"{printable(layer.name)}: {_outside(layer.clipped)}\n"
        for layer in metrics
        if layer.clipped
    ]
    placed = "" if program.placement is None else f"\n{placement_text(program.placement)}\n"
    return table(title, head, rows) + placed + "".join(clipped)


def _outside(weights: int) -> str:
    """How many weights are clipped."""
    if weights == 1:
        return "1 weight is outside its bank's range"
    return f"{count(weights, 'weight')} are outside their banks' range"


def _programming(program: Program) -> str:
    """Options that differ from the defaults, in a few words."""
    options = program.options
    words = [] if options.mapping == "pair" else ["one reference bit line a tile"]
    if options.programming != "subset":
        words.append(f"programming: {options.programming}")
    if options.programming not in ("subset", "nominal"):
        words.append(_write_error(program))
    return "".join(f", {word}" for word in words)


def _write_error(program: Program) -> str:
    tuned = TunedCells.of(program.options, program.chip)
    if tuned is not None and tuned.law is not None:
        return "write error of the device law"
    return f"write error {percent(None if tuned is None else tuned.error)}"


def survey_text(found: Survey) -> str:
    """Summary of a program, its wire losses, and what stays digital."""
    program, wires = found.program, found.wires
    lines = [program_text(program, [layer.metrics for layer in found.layers])]
    lines[0] += "" if found.levers is None else f"\n{found.levers}"
    if wires is not None:
        lines.append(
            f"tile {wires.tile} ({', '.join(wires.layers)}) loses {percent(wires.lost)} of its "
            f"current to wires, the worst of {count(wires.solved, 'tile')} solved"
        )
    if program.corrections is not None:
        lines.append(f"digital corrections: {program.corrections}")
    if program.graph is not None:
        work = arithmetic(program.graph)
        lines += [str(work)] if work is not None and work.digital else []
        lines += [f"stays digital: {name}: {reason}" for name, reason in program.graph.digital]
        lines += [f"assumed: {note}" for note in program.graph.notes]
    return "\n".join([lines[0], *map(printable, lines[1:])]) + "\n"


def placement_text(report: PlacementReport) -> str:
    """Tile utilisation, in one line."""
    text = (
        f"{percent(report.utilisation)} of the tiles' area used by "
        f"{count(report.blocks, 'block')}; lower bound by area {count(report.bound, 'tile')}; "
        f"packing: {report.method}, {report.status}"
    )
    return text + (f"; {report.dropped} zero weights take no cell" if report.dropped else "")


def unreachable_lines(lost: Sequence[Unreachable]) -> list[str]:
    """Number of weights out of range because of stuck resistors, and the worst of them."""
    if not lost:
        return []
    worst = sorted(lost, key=lambda one: -abs(one.achieved - one.target))[:FEW]
    head = f"{len(lost)} weights are out of range because of stuck or dead resistors; the worst:"
    return [head, *map(_unreachable, worst)]


def _unreachable(one: Unreachable) -> str:
    group = f" group {one.group}," if one.group else ""
    lines = " and ".join(str(device.bit_line) for device in one.devices)
    first = one.devices[0]
    return (
        f"  {one.layer},{group} output {one.output}, input {one.input} · tile {first.tile}, word "
        f"line {first.word_line}, bit lines {lines}: {format_quantity(one.achieved, 'S')} instead "
        f"of {format_quantity(one.target, 'S')}, {one.stuck} resistors stuck"
    )


def _wires(layer: LayerMetrics) -> str:
    if layer.wires_before is None or layer.wires_after is None:
        return "-"
    return f"{100 * layer.wires_before:.3g} -> {100 * layer.wires_after:.3g} %"


def _bits(bits: float | None) -> str:
    return "exact" if bits is None else f"{bits:.1f}"
