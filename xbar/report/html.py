"""A program's report as one self-contained HTML file.

It is also valid XHTML, so that any XML parser can check it, and its content security policy
forbids scripts and requests. All text from files is made printable and escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xbar.compiler.program import Program
from xbar.compiler.provenance import Unreachable
from xbar.model.arithmetic import arithmetic
from xbar.model.graph import Graph
from xbar.report.levers import Levers
from xbar.report.plots import gain_picture, residual_picture
from xbar.report.survey import LayerSurvey, Survey, WireLoss
from xbar.report.text import placement_text
from xbar.simulation.cost import ProgramCost
from xbar.simulation.cost_tables import cost_lines, cost_table
from xbar.simulation.result import LayerResult, Result
from xbar.simulation.tables import budget_table
from xbar.tables import count, html_table, html_text, percent
from xbar.units import format_quantity
from xbar.version import __version__

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; }
caption { text-align: left; color: #555; padding-bottom: .3rem; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; text-align: right;
  vertical-align: top; font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
th:first-child, td:first-child, .words th, .words td { text-align: left; white-space: normal;
  overflow-wrap: anywhere; min-width: 5rem; }
.wide { overflow-x: auto; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figcaption { color: #555; max-width: 20rem; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
footer { margin-top: 3rem; color: #555; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_UNITS = {
    "bank.nominal": "ohm",
    "bank.series": "ohm",
    "bank.switch.resistance": "ohm",
    "bank.switch.sigma": "V",
    "bank.nonlinearity.sinh": "V",
    "bank.nonlinearity.test": "V",
    "bank.nonlinearity.within": "V",
    "tile.word_wire": "ohm",
    "tile.bit_wire": "ohm",
    "tile.source_wire": "ohm",
    "tile.source": "ohm",
    "tile.load": "ohm",
    "dac.range": "V",
    "adc.range": "A",
}


def html_report(name: str, survey: Survey, results: Sequence[Result] = ()) -> str:
    """Render the page.

    Args:
        name: the program's name.
        survey: the program's survey.
        results: simulations of the program, one per read-out.
    """
    program = survey.program
    parts = [
        f"<h1>{html_text(name)}</h1>",
        _summary(survey),
        _section("Accuracy", _accuracy(results, program.wire_aware)) if results else "",
        *[_section("Cost", _cost(result.cost)) for result in results if result.cost is not None],
        _section("Layers", _layers(survey)),
        _levers(survey.levers),
        _section("Residuals", _residuals(survey.layers)),
        _section("Wires", _wires(survey.wires)),
        _section("Out of reach", _unreachable(survey.unreachable)),
        _section("What stays digital", _digital(program.graph)),
        _section("Design and options", _design(program)),
        f"<footer>written by xbar {__version__}</footer>",
    ]
    body = "\n".join(part for part in parts if part)
    return (
        "<!DOCTYPE html>\n"
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{html_text(name)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def _summary(survey: Survey) -> str:
    program, hardware = survey.program, survey.program.hardware
    chip = "a measured chip" if program.chip.seed is None else f"chip of seed {program.chip.seed}"
    design = f", design {hardware.name}" if hardware.name else ""
    weights = sum(layer.metrics.weights for layer in survey.layers)
    resistors = sum(layer.resistors for layer in survey.layers)
    switched = sum(layer.switched_in for layer in survey.layers)
    word_lines, bit_lines = hardware.tile.word_lines, hardware.tile.bit_lines
    text = (
        f"{weights} weights in {count(len(survey.layers), 'layer')} on "
        f"{count(len(program.tiles), 'tile')} of "
        f"{word_lines} x {bit_lines}, {chip}{design}. "
        f"{hardware.bank.resistors} resistors a cell, {program.resistors_per_weight} a weight: "
        f"{resistors} in all, {switched} of them switched in."
    )
    used = f"Weights use {percent(survey.used)} of the tiles' cells"
    if program.placement is not None:
        used = placement_text(program.placement)
    found = f"<p>{html_text(text)}</p>\n<p>{html_text(used)}.</p>"
    if program.corrections is not None:
        found += f"\n<p>{html_text(f'Digital corrections: {program.corrections}.')}</p>"
    return found


def _layers(survey: Survey) -> str:
    head = (
        "layer,matrix,tiles,weights,resistors,switched in,clipped,worst residual,rms residual,bits"
    )
    rows = []
    for layer in survey.layers:
        found = layer.metrics
        groups, outputs, inputs = layer.shape
        row = [
            found.name,
            f"{outputs} x {inputs}" if groups == 1 else f"{groups} of {outputs} x {inputs}",
            found.tiles,
            found.weights,
            layer.resistors,
            layer.switched_in,
            found.clipped,
            format_quantity(found.worst_residual, "S"),
            format_quantity(found.rms_residual, "S"),
            "exact" if found.bits is None else f"{found.bits:.1f}",
        ]
        if survey.program.wire_aware:
            row += [_share(found.wires_before), _share(found.wires_after)]
        rows.append(row)
    columns = head.split(",")
    note = (
        "Matrices are outputs x inputs. A weight's residual is achieved - target; a weight is "
        "clipped if its target is outside its bank's range."
    )
    if survey.program.wire_aware:
        columns += ["error by wires before", "after"]
        note += " It includes the wires, for which the subsets were chosen."
    return html_table(note, columns, rows)


def _levers(levers: Levers | None) -> str:
    if levers is None:
        return ""
    tables = [html_table(title, head, rows) for title, head, rows in levers.tables]
    return _section("Levers against the wires", "\n".join(tables))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g} %"


def _residuals(layers: Iterable[LayerSurvey]) -> str:
    figures = []
    for number, layer in enumerate(layers):
        found = layer.metrics
        if found.worst_residual == 0:
            picture, note = "", "every target is met exactly"
        else:
            picture = residual_picture(layer, f"r{number}")
            all_ = layer.looked_at == found.tiles
            note = "" if all_ else f"{layer.looked_at} of {found.tiles} tiles"
        caption = f"{found.name} ({note})" if note else found.name
        figures.append(f"<figure>{picture}<figcaption>{html_text(caption)}</figcaption></figure>")
    return '<div class="pictures">\n' + "\n".join(figures) + "\n</div>"


def _wires(wires: WireLoss | None) -> str:
    if wires is None:
        return "<p>Wires, drivers and sense amplifiers of this design are ideal.</p>"
    text = (
        f"Tile {wires.tile} ({', '.join(wires.layers)}) loses {percent(wires.lost)} of its current "
        "to wires, drivers and sense amplifiers when all word lines are driven equally: the worst "
        f"of {count(wires.solved, 'tile')} solved, the most conductive of a sample of "
        f"{wires.looked_at}. "
        "The map shows each cell's effective over its own conductance; grey cells do not conduct, "
        "and cells with all switches open may exceed 1."
    )
    return f"<p>{html_text(text)}</p>\n<figure>{gain_picture(wires, 'w')}</figure>"


def _unreachable(weights: Sequence[Unreachable]) -> str:
    if not weights:
        return "<p>Every target is within its cells' range.</p>"
    rows = [
        [
            weight.layer,
            f"{weight.output}, {weight.input}"
            if weight.group == 0
            else f"{weight.group}: {weight.output}, {weight.input}",
            "; ".join(f"{d.tile}: {d.word_line}, {d.bit_line}" for d in weight.devices),
            weight.stuck,
            format_quantity(weight.target, "S"),
            format_quantity(weight.achieved, "S"),
        ]
        for weight in weights
    ]
    note = (
        "Weights (output, input) whose targets are outside the range of their cells (tile: word "
        "line, bit line), worst first. Stuck or dead resistors can't be chosen; where there are "
        "none, the column's scale, set for all of its weights, clips this one."
    )
    return html_table(note, ["layer", "weight", "cells", "stuck", "target", "achieved"], rows)


def _accuracy(results: Sequence[Result], wire_aware: bool) -> str:
    tables = []
    rows = [
        [
            f"{result.readout} wires" if result.readout == "ideal" else "nodal wires",
            *_score(result),
        ]
        for result in results
        if result.accuracy is not None
    ]
    first = results[0]
    if rows:
        rows.insert(0, ["digital", percent(first.digital_accuracy), ""])
        note = f"{count(first.inputs, 'input')}, {count(first.trials, 'chip')}"
        tables.append(html_table(note, ["", "accuracy", "95 % interval"], rows))
    head = ["layer"]
    for result in results:
        head += [f"{result.readout}: signal/error", "bits", "clipped"]
    lines = [
        [layers[0].name]
        + [text for layer in layers for text in (*_signal(layer), percent(layer.clipped))]
        for layers in zip(*(result.layers for result in results), strict=True)
    ]
    note = "Each layer's products against exact ones, by read-out; share clipped by the ADC."
    if wire_aware:
        note += " The subsets were chosen for the wires and are wrong with ideal ones."
    tables.append(html_table(note, head, lines))
    tables += [html_table(*budget_table(r.budget)) for r in results if r.budget is not None]
    return "\n".join(tables)


def _cost(cost: ProgramCost) -> str:
    notes = "".join(f"\n<p>{html_text(line)}</p>" for line in cost_lines(cost))
    return html_table(*cost_table(cost)) + notes


def _score(result: Result) -> list[str]:
    low, high = result.interval or (0.0, 1.0)
    return [percent(result.accuracy), f"{100 * low:.2f} to {100 * high:.2f} %"]


def _signal(layer: LayerResult) -> tuple[str, str]:
    if layer.snr_db == float("inf"):
        return "exact", "exact"
    return f"{layer.snr_db:.1f} dB", f"{layer.bits:.1f}"


def _digital(graph: Graph | None) -> str:
    digital = () if graph is None else graph.digital
    notes = () if graph is None else graph.notes
    work = None if graph is None else arithmetic(graph)
    rows = [[name, reason] for name, reason in digital]
    parts = [
        html_table("", ["what", "why"], rows, "words")
        if rows
        else "<p>No layer with weights; all other operations run unchanged.</p>"
    ]
    parts += [f"<p>{html_text(str(work))}.</p>"] if work is not None and work.digital else []
    parts += [f"<p>Assumed: {html_text(note)}</p>" for note in notes]
    return "\n".join(parts)


def _design(program: Program) -> str:
    hardware = program.hardware.model_dump(mode="json")
    tables = [
        html_table("design", ["key", "value"], _flat("", hardware), "words"),
        html_table("options", ["key", "value"], _flat("", program.options.model_dump()), "words"),
    ]
    return "\n".join(tables)


def _flat(prefix: str, values: dict[str, Any]) -> list[list[str]]:
    """Rows of dotted keys and values with their units."""
    rows = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += _flat(f"{name}.", value)
        elif isinstance(value, (list, tuple)) and value:
            rows.append([name, ", ".join(_value(name, each) for each in value)])
        else:
            rows.append([name, _value(name, value)])
    return rows


def _value(name: str, value: Any) -> str:
    if isinstance(value, float) and name in _UNITS:
        return format_quantity(value, _UNITS[name])
    return "none" if value is None else f"{value}"
