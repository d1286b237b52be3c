"""Tables of simulation results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.errors import printable
from xbar.simulation.cost_tables import cost_text
from xbar.tables import Table, count, percent, table
from xbar.units import format_temperature, format_time

if TYPE_CHECKING:
    from xbar.simulation.life import Life
    from xbar.simulation.result import Budget, Result
    from xbar.simulation.verify import Verification


def result_text(result: Result) -> str:
    """Simulation results: layers, error budget, cost, accuracy."""
    text = table(*layer_table(result))
    if result.budget is not None:
        text += "\n" + budget_text(result.budget, result.metric)
    if result.cost is not None:
        text += "\n" + cost_text(result.cost)
    told = trim_text(result) + precision_text(result) + accuracy_text(result) + work_text(result)
    return text + told + assumed_text(result)


def life_text(life: Life) -> str:
    """Results over time and temperature: accuracy, its interval, and the least exact layer."""
    text = table(*life_table(life))
    for point in life.points:
        if point.result.budget is not None:
            text += f"\n{_when(point.time, point.temperature)}: "
            text += budget_text(point.result.budget, point.result.metric)
    if life.cost is not None:
        text += "\n" + cost_text(life.cost)
    return text + life_words(life) + assumed_text(life)


def life_words(life: Life) -> str:
    """What is told of all points together: error of the precision, and what stays digital."""
    return precision_text(life) + work_text(life)


def life_table(life: Life) -> Table:
    """Results over time and temperature as a table, one row each."""
    metric = life.metric
    rows = []
    for point in life.points:
        result = point.result
        worst = min(result.layers, key=lambda layer: layer.snr_db)
        rows.append(
            [
                "-" if point.time is None else format_time(point.time),
                "-" if point.temperature is None else format_temperature(point.temperature),
                score(result.accuracy, metric),
                "" if result.interval is None else _range(result.interval, metric),
                f"{worst.snr_db:.1f} dB",
                worst.name,
            ]
        )
    chips, inputs = count(life.trials, "chip"), count(life.inputs, "input")
    title = f"{life.readout} read-out, {chips}, {inputs}"
    if life.digital_accuracy is not None:
        title += f"; digital {metric} {score(life.digital_accuracy, metric)}"
    if life.compensate != "none":
        title += f"; compensated by {life.compensate}"
    head = ["time", "temperature", metric, "95 % interval", "least signal/error", "layer"]
    if life.accuracy is None:
        head, rows = head[:2] + head[4:], [row[:2] + row[4:] for row in rows]
    return title, head, rows


def _when(time: float | None, temperature: float | None) -> str:
    parts = [] if time is None else [format_time(time)]
    return ", ".join(parts + ([] if temperature is None else [format_temperature(temperature)]))


def assumed_text(result: Result) -> str:
    """What was assumed of the data, one line each; empty if nothing was."""
    return "".join(f"assumed: {printable(note)}\n" for note in result.notes)


def layer_table(result: Result) -> Table:
    """Signal-to-error ratio of each layer's products."""
    dac = any(layer.dac_clipped for layer in result.layers)
    swing = any(layer.swing_clipped for layer in result.layers)
    rows = [
        [
            layer.name,
            str(layer.tiles),
            str(layer.weights),
            f"{layer.snr_db:.1f} dB",
            f"{layer.bits:.1f}",
            percent(layer.clipped),
            *([percent(layer.dac_clipped)] if dac else []),
            *([percent(layer.swing_clipped)] if swing else []),
        ]
        for layer in result.layers
    ]
    chips, inputs = count(result.trials, "chip"), count(result.inputs, "input")
    title = f"{result.readout} read-out, {chips}, {inputs}"
    if result.noise_trials > 1:
        title += f", each read {result.noise_trials} times"
    if result.calibration is not None:
        title += f", ranges by {result.calibration}"
    if result.compensate != "none":
        title += f", compensated by {result.compensate}"
    head = ["layer", "tiles", "weights", "signal/error", "bits", "clipped"]
    head += (["DAC clipped"] if dac else []) + (["amplifier clipped"] if swing else [])
    return title, head, rows


def trim_text(result: Result) -> str:
    """Offsets and gains of converters, and what calibration left of them; empty without."""
    if result.trim is None:
        return ""
    before, after = (
        f"offset {percent(result.trim[f'offset{end}'])} of the range, "
        f"gain {percent(result.trim[f'gain{end}'])}"
        for end in ("", "_left")
    )
    return f"\nconverters, rms: {before}; left by calibration: {after}\n"


def precision_text(result: Result) -> str:
    """Output error by float32 products; empty for float64."""
    if result.precision_error is None:
        return ""
    return f"\n{result.precision} products: output error {result.precision_error:.1e}\n"


def work_text(result: Result) -> str:
    """Share of the multiply-adds that stay digital; empty if none do."""
    if not result.digital_work:
        return ""
    return f"{percent(result.digital_work)} of the multiply-adds are products that stay digital\n"


def budget_text(budget: Budget, metric: str = "accuracy") -> str:
    """The error budget as text."""
    return table(*budget_table(budget, metric))


def budget_table(budget: Budget, metric: str = "accuracy") -> Table:
    """The error budget as a table, one row per effect."""
    rows = [
        [
            part.part,
            f"{part.error_without:.3g}",
            score(part.accuracy_without, metric),
            f"{part.error_alone:.3g}",
            score(part.accuracy_alone, metric),
        ]
        for part in budget.parts
    ]
    rows.append(
        [
            "all",
            f"{budget.error_without_all:.3g}",
            score(budget.accuracy_without_all, metric),
            f"{budget.error:.3g}",
            score(budget.accuracy, metric),
        ]
    )
    title = "error budget: relative output error, first chip, with one effect off or alone"
    head = ["effect", "off: error", metric, "alone: error", metric]
    if budget.accuracy is None:
        head, rows = head[:1] + head[1::2], [row[:1] + row[1::2] for row in rows]
    return title, head, rows


def accuracy_text(result: Result) -> str:
    """Analog and digital accuracy, or metric; empty without labels."""
    if result.accuracy is None:
        return ""
    digital = score(result.digital_accuracy, result.metric)
    text = f"\n{result.metric} {score(result.accuracy, result.metric)}"
    remarks = []
    if result.interval is not None:
        remarks.append(f"95 % interval {_range(result.interval, result.metric)}")
    if result.noise_deviation is not None:
        deviation = score(result.noise_deviation, result.metric)
        remarks.append(f"standard deviation between reads {deviation}")
    if remarks:
        text += f" ({'; '.join(remarks)})"
    return f"{text}, digital {digital}\n"


def verification_text(verification: Verification) -> str:
    """Result of the SPICE engine, one line per tile."""
    rows = [
        [check.layer, str(check.tile), f"{check.error:.2e}", "pass" if check.passed else "FAIL"]
        for check in verification.tiles
    ]
    title = f"against {verification.engine}, tolerance {verification.tolerance:g} of full scale"
    return table(title, ["layer", "tile", "worst current error", ""], rows)


def score(value: float | None, metric: str) -> str:
    """An accuracy as a percentage, another metric as a number."""
    if value is None or _is_share(metric):
        return percent(value)
    return f"{value:.5g}"


def _is_share(metric: str) -> bool:
    return metric in ("accuracy", "agreement") or metric.startswith("top-")


def _range(interval: tuple[float, float], metric: str) -> str:
    low, high = interval
    if _is_share(metric):
        return f"{100 * low:.2f} to {100 * high:.2f} %"
    return f"{low:.5g} to {high:.5g}"
