"""Cost of a program or of a design, as a table and as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from xbar.tables import Table, count, percent, table
from xbar.units import format_quantity, format_time

if TYPE_CHECKING:
    from xbar.simulation.cost import ProgramCost
    from xbar.simulation.peak import Peak
    from xbar.simulation.programming_cost import ProgrammingCost


_COMPONENTS = (
    ("arrays", "arrays", "devices"),
    ("switch states", "", "bits"),
    ("DACs", "dac", "dac"),
    ("ADCs", "adc", "adc"),
    ("adders", "adders", "adders"),
    ("registers", "registers", "registers"),
    ("buffers", "buffers", "buffers"),
    ("buses", "buses", "buses"),
    ("routers", "", "routers"),
    ("leakage", "leakage", ""),
)
"""Name, key of its energy and key of its area."""


def cost_text(cost: ProgramCost) -> str:
    """Cost of a program, by layer and in total, as text."""
    return table(*cost_table(cost)) + "".join(f"{line}\n" for line in cost_lines(cost))


def cost_table(cost: ProgramCost) -> Table:
    """Cost of a program, by layer and in total, as a table."""
    rows = [
        [
            layer.name,
            str(layer.products),
            str(layer.devices),
            f"{layer.area * 1e6:.3g}",
            *(
                format_quantity(value, "J")
                for value in (layer.read_energy, layer.dac_energy, layer.adc_energy)
            ),
            format_quantity(sum(layer.move_energy.values()), "J"),
            format_quantity(layer.energy, "J"),
            format_quantity(layer.latency + layer.transfer, "s"),
        ]
        for layer in cost.layers
    ]
    moved = sum(sum(layer.move_energy.values()) for layer in cost.layers)
    rows.append(
        [
            "all",
            "",
            str(cost.devices),
            f"{cost.total_area * 1e6:.3g}",
            *(
                format_quantity(sum(getattr(layer, key) for layer in cost.layers), "J")
                for key in ("read_energy", "dac_energy", "adc_energy")
            ),
            format_quantity(moved, "J"),
            format_quantity(cost.energy, "J"),
            format_quantity(cost.latency, "s"),
        ]
    )
    title = (
        f"cost of one input ({cost.activity}): {count(cost.tiles, 'tile')}, "
        f"{cost.configuration_bits} configuration bits, "
        f"one input every {format_quantity(cost.interval, 's')} at most"
    )
    head = ["layer", "products", "devices", "mm²", "read", "DAC", "ADC", "moves"]
    return title, [*head, "energy", "latency"], rows


def cost_lines(cost: ProgramCost) -> list[str]:
    """What stands below the table: area, leakage, operations, peak, programming, what is not in."""
    words = f"{cost.peak.input_bits or 'unlimited'} and {cost.peak.output_bits or 'unlimited'}"
    leak = f"{format_quantity(cost.leakage, 'W')}, {format_quantity(cost.leakage_energy, 'J')}"
    operations = f"{format_quantity(cost.operations)} operations an input, two a multiply-add"
    return [
        f"area: {area_line(cost.area)}",
        f"leakage: {leak} an input with layers pipelined, counted in all",
        f"this network: {operations}; layers pipelined {_figures(cost)}",
        f"inputs and outputs of {words} bits, to which operations are not normalised",
        peak_line(cost.peak),
        programming_line(cost.programming),
        *cost.notes,
        f"left out: {'; '.join(cost.left_out)}",
    ]


def peak_text(peak: Peak) -> str:
    """The peak of a design's chip: a table of its components, and lines."""
    total, area = sum(peak.energy.values()), sum(peak.area.values())
    rows = [
        [
            name,
            format_quantity(peak.energy.get(key, 0.0), "J"),
            percent(peak.energy.get(key, 0.0) / total if total else 0.0),
            f"{peak.area.get(of, 0.0) * 1e6:.3g}",
            percent(peak.area.get(of, 0.0) / area if area else 0.0),
        ]
        for name, key, of in _COMPONENTS
    ]
    time = format_quantity(peak.time, "s")
    title = f"{format_quantity(peak.operations)} operations every {time}, two a multiply-add"
    words = f"{peak.input_bits or 'unlimited'} and {peak.output_bits or 'unlimited'}"
    lines = [
        peak_line(peak),
        f"inputs and outputs of {words} bits, to which operations are not normalised",
        *peak.notes,
        f"left out: {'; '.join(peak.left_out)}",
    ]
    head = ["component", "energy", "", "mm²", ""]
    return table(title, head, rows) + "".join(f"{line}\n" for line in lines)


def peak_line(peak: Peak) -> str:
    """The peak of a chip, in one line."""
    line = (
        f"peak of {count(peak.tiles, 'tile')}: {_figures(peak)}, {format_quantity(peak.power, 'W')}"
    )
    return line if peak.fed == 1 else f"{line}; its buses can feed {percent(peak.fed)} of it"


def area_line(area: Mapping[str, float]) -> str:
    """Areas by component in mm²; those of nothing are left out."""
    parts = [f"{name} {value * 1e6:.3g}" for name, value in area.items() if value]
    return f"{', '.join(parts)} mm²" if parts else "0 mm²"


def programming_line(programming: ProgrammingCost) -> str:
    """What it takes to measure and write a chip, in one line."""
    parts = []
    if programming.measured:
        parts.append(
            f"{programming.measured:,} measurements in "
            f"{format_time(programming.measuring_time)} and "
            f"{format_quantity(programming.measuring_energy, 'J')}"
        )
    parts.append(
        f"{programming.written:,} writes in {format_time(programming.writing_time)} and "
        f"{format_quantity(programming.writing_energy, 'J')}"
    )
    line = f"programming: {', '.join(parts)}"
    if programming.every is None:
        return line
    return (
        f"{line}; every {format_time(programming.every)} that is "
        f"{format_quantity(programming.power, 'W')} and {percent(programming.busy)} of the time"
    )


def _figures(of: ProgramCost | Peak) -> str:
    return f"{of.tops:.3g} TOPS, {of.tops_per_watt:.3g} TOPS/W, {of.tops_per_mm2:.3g} TOPS/mm²"
