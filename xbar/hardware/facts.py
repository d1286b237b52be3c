"""What there is to say of a design's parts, in a few words each."""

from __future__ import annotations

from collections.abc import Sequence

from xbar.hardware.amplifier import Amplifier
from xbar.hardware.bank import Bank
from xbar.hardware.base import values_of
from xbar.hardware.converter import Converter
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.hardware.selector import Selector
from xbar.hardware.tile import Tile
from xbar.units import format_quantity


def bank_text(bank: Bank) -> str:
    """A bank in a few words."""
    nominal = values_of(bank.nominal)
    text = f"{bank.resistors} resistors a cell, {_ohms(nominal)}"
    if bank.ratio != 1:
        text += f", each {bank.ratio:g} times the one before"
    if bank.spread != "none" and max(values_of(bank.sigma)):
        kind = "spread of resistance" if bank.spread == "resistance" else f"{bank.spread} spread"
        text += f", {kind} of {_range([100 * one for one in values_of(bank.sigma)])} %"
    return text if _has_branch(bank) else ", ".join([text, *_on_off(bank)])


def _has_branch(bank: Bank) -> bool:
    """Whether there is more in a branch than its resistor."""
    return bank.switch is not None or max(values_of(bank.series)) > 0


def _on_off(bank: Bank) -> list[str]:
    ratios = values_of(bank.on_off_ratio)
    return [] if min(ratios) == float("inf") else [f"on/off {_range(ratios)}"]


def branch_text(bank: Bank) -> str:
    """What is in series with its resistors; empty if nothing is."""
    if not _has_branch(bank):
        return ""
    parts = []
    if max(values_of(bank.series)):
        parts.append(f"{_ohms(values_of(bank.series))} in series")
    if bank.switch is not None:
        switch = f"switch of {_ohms(values_of(bank.switch.resistance))}"
        if max(values_of(bank.switch.sigma)):
            millivolts = _range([1e3 * one for one in values_of(bank.switch.sigma)])
            switch += f", threshold +-{millivolts} mV"
        parts.append(switch)
    return ", ".join([*parts, *_on_off(bank)])


def _ohms(values: Sequence[float]) -> str:
    low, high = (format_quantity(each, "ohm") for each in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"


def law_text(law: Nonlinearity | None) -> str:
    """The law of nonlinear cells; empty without."""
    if law is None:
        return ""
    if law.sinh is not None:
        return f"sinh law of {format_quantity(law.sinh, 'V')}"
    if law.odd:
        return f"polynomial law of order {2 * len(law.odd) + 1}"
    given = [
        f"{name} {_range(values_of(each))} {unit}"
        for name, each, unit in (("c2", law.c2, "/V"), ("c3", law.c3, "/V²"))
        if each is not None
    ]
    return " and ".join(given)


def amplifier_text(amplifier: Amplifier | None) -> str:
    """What a sense amplifier errs by; empty without."""
    if amplifier is None:
        return ""
    parts = [
        f"{name} {format_quantity(value, unit)}"
        for name, value, unit in (
            ("offset", amplifier.offset, "V"),
            ("noise", amplifier.noise, "A"),
            ("swing", amplifier.swing or 0.0, "V"),
        )
        if value
    ]
    gain = f"gain error {100 * amplifier.gain_error:.4g} %"
    return ", ".join(parts + ([gain] if amplifier.gain_error else []))


def wires_text(tile: Tile, load: float) -> str:
    """The lines' ohms, with those of both ends."""
    kind = "" if tile.topology == "input-source" else f", {tile.topology}"
    along = tile.source_wire if tile.separate else tile.word_wire
    if not max(along, tile.bit_wire, tile.source, load):
        return f"{kind}, ideal wires"
    wires = f"{kind}, {along:g} and {tile.bit_wire:g} ohm a segment"
    return wires + (
        f", driver {tile.source:g} and amplifier {load:g} ohm" if tile.source or load else ""
    )


def selector_text(selector: Selector | None) -> str:
    """The selectors' table; empty without."""
    return "" if selector is None else f"table of {len(selector.voltage)} points"


def converter_text(converter: Converter | None) -> str:
    """A converter's resolution and kind; empty without."""
    if converter is None:
        return ""
    kind = "" if converter.kind == "ideal" else f", {converter.kind}"
    return f"{converter.bits} bits{kind}"
