"""The design of a chip: the validated contents of a TOML file.

``Hardware`` combines the specs of the other modules of this package. All are frozen pydantic models
whose errors are one-line ``SpecError`` messages with the key, the requirement and the given value.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from xbar.errors import FileError, SpecError, printable
from xbar.files import read_file
from xbar.hardware.amplifier import Amplifier
from xbar.hardware.bank import Bank
from xbar.hardware.base import Duration, Fraction, Kelvin, Spec, join
from xbar.hardware.converter import DEFAULT_READ_VOLTAGE, KINDS, Converter
from xbar.hardware.cost import Cost
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.facts import (
    amplifier_text,
    bank_text,
    branch_text,
    converter_text,
    law_text,
    selector_text,
    wires_text,
)
from xbar.hardware.law_file import with_table
from xbar.hardware.selector import Selector
from xbar.hardware.selector_file import with_points
from xbar.hardware.silicon import Drawn
from xbar.hardware.temperature import Temperature
from xbar.hardware.tile import Tile
from xbar.hardware.variation import Variation
from xbar.tables import Facts, card, html_card
from xbar.textfiles import decode
from xbar.units import format_temperature, format_time, parse_quantity

_LARGEST, _DOTS = 65_536, 4_000
"""Characters and points of a design."""
_OF_ADC = (
    "step_bits", "shared", "ranging", "comparator", "open_loop", "noise", "offset", "gain_error",
    "capacitance", "swing",
)  # fmt: skip
_REASON = 200
"""Characters of a parser's message that are shown."""


class Hardware(Spec):
    """The design of a chip.

    Attributes:
        name: free text for reports.
        bank: the K resistors of one cell.
        tile: size and wires of one array.
        dac: converter that drives the word lines; None for an ideal driver.
        adc: converter that reads the bit lines; None for an ideal read-out.
        amplifier: sense amplifier between a column and its converter; None for an ideal one.
        selector: I-V curve of a selector in series with each cell; None for cells without.
        variation: read-to-read variation.
        cost: energy, time and area of its components.
        silicon: process and drawn sizes of the bank's devices; None if they are not known.
        device: how far the resistors land from their targets and where they go with time; None for
            resistors that stay.
        temperature: how parts depend on temperature; None for parts that don't.
        later: time and temperature at which these values hold (``Chip.at``); None as designed.

    >>> hardware = Hardware(bank=Bank(resistors=8, nominal=100e3), tile=Tile(word_lines=64))
    >>> hardware.model_copy(update={"dac": Converter(bits=8)}).dac.bits
    8
    """

    name: str = ""
    bank: Bank = Field(default_factory=Bank)
    tile: Tile = Field(default_factory=Tile)
    dac: Converter | None = None
    adc: Converter | None = None
    amplifier: Amplifier | None = None
    selector: Selector | None = None
    variation: Variation = Field(default_factory=Variation)
    cost: Cost = Field(default_factory=Cost)
    silicon: Drawn | None = None
    device: DeviceLaw | None = None
    temperature: Temperature | None = None
    later: Later | None = None

    @model_validator(mode="before")
    @classmethod
    def _values_of_the_law(cls, given: Any) -> Any:
        """Bank and temperature have their law's values where they state none of their own."""
        law = given.get("device") if isinstance(given, Mapping) else None
        if not law:
            return given
        bank, heat = given.get("bank", {}), given.get("temperature", {})
        try:
            law = law if isinstance(law, DeviceLaw) else DeviceLaw(**law)
            _ = bank if isinstance(bank, Bank) else Bank(**bank)
            _ = heat if heat is None or isinstance(heat, Temperature) else Temperature(**heat)
        except (SpecError, TypeError):
            return given  # its own field says why
        parts: dict[str, Any] = {"device": law, "bank": law.filled(bank)}
        if law.temperature is not None and isinstance(heat, Mapping):
            parts["temperature"] = law.temperature.filled(heat)
        return {**given, **parts}

    @field_validator("adc", mode="before")
    @classmethod
    def _range_in_amperes(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("range"), str):
            try:
                return {**value, "range": parse_quantity(value["range"], "A")}
            except SpecError as error:
                raise SpecError(join("range", str(error))) from None
        return value

    @model_validator(mode="after")
    def _tile_holds_a_bank(self) -> Self:
        high, wide, _ = self.lines_of_a_cell
        if min(self.cells) < 1:
            lines, least = ("bit", wide) if self.cells[1] < 1 else ("word", high)
            raise SpecError(
                f"tile.{lines}_lines must be at least {least}, the lines of one "
                f"bank in layout {self.bank.layout!r}, not {getattr(self.tile, f'{lines}_lines')}"
            )
        return self

    @model_validator(mode="after")
    def _gates_get_bits(self) -> Self:
        dac = self.dac
        bits = dac is not None and dac.bit_serial == 1 and dac.code == "twos-complement"
        if self.tile.separate and not bits:
            raise SpecError(
                f"tile.topology {self.tile.topology!r} needs a DAC of bits, as its word lines are "
                'gates that are on or off: set dac.bit_serial = 1 and dac.code = "twos-complement"'
            )
        if self.tile.separate and self.amplifier is not None and self.amplifier.offset:
            raise SpecError(
                f"amplifier.offset must be 0 with tile.topology {self.tile.topology!r}: what it "
                "drives through a bit line depends on the cells that the input switches on"
            )
        return self

    @model_validator(mode="after")
    def _all_resistors_are_drawn(self) -> Self:
        if self.silicon is not None and len(self.silicon.lengths) != self.bank.resistors:
            raise SpecError(
                f"silicon.lengths must be of {self.bank.resistors} resistors, as many as the bank "
                f"has, not {len(self.silicon.lengths)}"
            )
        return self

    @model_validator(mode="after")
    def _spare_lines_leave_some(self) -> Self:
        for name, left in zip(("word", "bit"), self.usable_cells, strict=True):
            if left < 1:
                raise SpecError(
                    f"tile.spare_{name}_lines must leave a line for weights, not "
                    f"{getattr(self.tile, f'spare_{name}_lines')} of "
                    f"{getattr(self.tile, f'{name}_lines')}"
                )
        return self

    @model_validator(mode="after")
    def _law_has_their_data(self) -> Self:
        if self.device is not None:
            self.device.check_data(1.0 / self.bank.ohms)
        if self.temperature is not None and self.temperature.switches and self.bank.switch is None:
            raise SpecError("temperature.switches needs bank.switch, whose on-resistance it scales")
        return self

    @model_validator(mode="after")
    def _currents_grow(self) -> Self:
        law, volts = self.bank.nonlinearity, self.read_voltage
        if law is None or not law.by_resistor:
            return self
        if law.within is not None and law.within < volts:
            raise SpecError(
                f"bank.nonlinearity.within must be at least {volts:g} V, the largest voltage of a "
                f"word line, not {law.within:g} V; lower dac.range, or fit the law further"
            )
        try:
            law.check_growth(law.within or volts, self.bank.resistors)
        except SpecError as error:
            raise SpecError(f"bank.nonlinearity: {error}") from None
        return self

    @model_validator(mode="after")
    def _converters_go_together(self) -> Self:
        for name, converter, foreign, other in (
            ("dac", self.dac, _OF_ADC, "an ADC"),
            ("adc", self.adc, ("bit_serial", "code"), "a DAC"),
        ):
            if converter is None:
                continue
            for key in foreign:
                if getattr(converter, key) != Converter.model_fields[key].default:
                    raise SpecError(f"{name}.{key} is for {other}; leave it out")
            if converter.kind not in KINDS[name]:
                known = ", ".join(map(repr, KINDS[name]))
                raise SpecError(f"{name}.kind must be one of {known}, not {converter.kind!r}")
        listed = None if self.adc is None else self.adc.step_bits
        if listed is not None and len(listed) != self.steps:
            raise SpecError(
                f"adc.step_bits must list {self.steps} values, one a step of the DAC, "
                f"not {len(listed)}"
            )
        return self

    def __repr__(self) -> str:
        return card("Hardware", self.facts())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_card("Hardware", self.facts())

    def facts(self) -> Facts:
        """What there is to say of the design, in a few lines: (name, text)."""
        tile, noise = self.tile, self.variation.read_noise
        return [
            ("design", self.name),
            ("bank", bank_text(self.bank)),
            ("branch", branch_text(self.bank)),
            ("I-V curve", law_text(self.bank.nonlinearity)),
            ("selector", selector_text(self.selector)),
            (
                "tile",
                f"{tile.word_lines} x {tile.bit_lines} lines{wires_text(tile, self.sense_load)}",
            ),
            ("DAC", converter_text(self.dac)),
            ("amplifier", amplifier_text(self.amplifier)),
            ("ADC", converter_text(self.adc)),
            ("read noise", f"{100 * noise:.4g} %" if noise else ""),
            ("device law", "" if self.device is None else self.device.law or "its own"),
            ("now", "" if self.later is None else str(self.later)),
        ]

    @property
    def wired(self) -> bool:
        """Whether a line, driver or amplifier has any resistance."""
        tile = self.tile
        return any((tile.word_wire, tile.bit_wire, tile.source_wire, tile.source, self.sense_load))

    @property
    def sense_load(self) -> float:
        """Ohms between a bit line and 0 V: ``tile.load`` and the amplifier's input."""
        return self.tile.load + (0.0 if self.amplifier is None else self.amplifier.resistance)

    @property
    def kelvin(self) -> float:
        """Temperature of the chip: of later, else the design's reference, else 300 K."""
        if self.later is not None and self.later.temperature is not None:
            return self.later.temperature
        return (self.temperature or Temperature()).reference

    @property
    def steps(self) -> int:
        """Number of reads of the array per input vector: more than one if bit-serial."""
        return 1 if self.dac is None else self.dac.steps

    @property
    def cells(self) -> tuple[int, int]:
        """Cells (W, B) of a tile: its lines, divided by K where a bank takes K of them."""
        high, wide, shared = self.lines_of_a_cell
        return self.tile.word_lines // high, self.tile.bit_lines // wide * shared

    @property
    def lines_of_a_cell(self) -> tuple[int, int, int]:
        """Word lines and bit lines that a row and a column of cells take, and columns on these."""
        k, layout = self.bank.resistors, self.bank.layout
        return (
            (k if layout == "rows" else 1) * self.tile.word_lines_per_row,
            k if layout == "columns" else 1,
            2 if self.tile.interleaved else 1,
        )

    @property
    def usable_cells(self) -> tuple[int, int]:
        """``cells`` without spare lines, of which a line of cells takes K too."""
        high, wide, shared = self.lines_of_a_cell
        rows, columns = self.cells
        return (
            rows - -(-self.tile.spare_word_lines // high),
            columns - -(-self.tile.spare_bit_lines // wide) * shared,
        )

    @property
    def read_voltage(self) -> float:
        """Word-line voltage of the largest input: the DAC's range."""
        if self.dac is None or self.dac.range is None:
            return DEFAULT_READ_VOLTAGE
        return self.dac.range

    @classmethod
    def from_catalog(cls, name: str, wires: str | None = None) -> Hardware:
        """A published technology as a design; ``xbar catalog`` lists them with their sources.

        Args:
            name: name such as "pcm" or "rram-wan-2022".
            wires: node and cell type of the tile's wires, such as "22nm-1t1r"; None for ideal.

        Raises:
            SpecError: the name, node or cell type is unknown.

        >>> Hardware.from_catalog("rram-milo-2021").bank.on_off_ratio
        4.5
        """
        from xbar.hardware.catalog import find_technology, with_wires

        hardware = find_technology(name).hardware
        return hardware if wires is None else with_wires(hardware, wires)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a design from a TOML file; numbers may have units, as in ``nominal = "4.7k"``.

        Raises:
            FileError: the file, or the law that its ``device.table`` names, can't be read or is
                not what it must be.
            SpecError: a key is unknown, missing or out of range.
        """
        path = Path(path)
        try:
            text = decode(read_file(path))
            # a key of many dots takes the parser time and memory in the square of their number
            if len(text) > _LARGEST or text.count(".") > _DOTS:
                raise FileError(
                    f"{path}: must be a design of at most {_LARGEST:,} characters and {_DOTS:,} "
                    f"points, not {len(text):,} and {text.count('.'):,}"
                )
            content = tomllib.loads(text)
        # ValueError: also of integers of thousands of digits, which Python refuses to convert
        except (ValueError, RecursionError) as error:
            reason = printable(" ".join(str(error).split()))[:_REASON]
            raise FileError(f"{path}: must be a TOML file: {reason}") from error
        if "later" in content:
            raise SpecError(f"{path}: later must be left out: it is a chip's, see Chip.at, --time")
        try:
            return cls(**with_points(with_table(content, path), path))
        except SpecError as error:
            raise SpecError(f"{path}: {error}") from error


class Moment(Spec):
    """Time and temperature of a chip, and which of its devices have died by then.

    Attributes:
        time: seconds since programming; None for devices as programmed.
        temperature: kelvin, all the time; None for the reference of the design.
        seed: seed of what happens to the devices.
        stuck_open: fraction of sound devices that are stuck open since.
        stuck_closed: fraction that is stuck closed since.
        path: standard normal numbers that all devices have for what time and temperature do to
            them, as in ``hardware/outlook.py``; None for those drawn for each of them.
    """

    time: Duration | None = None
    temperature: Kelvin | None = None
    seed: int = 0
    stuck_open: Fraction = Field(default=0.0, ge=0)
    stuck_closed: Fraction = Field(default=0.0, ge=0)
    path: tuple[float, float] | None = None

    @property
    def died(self) -> bool:
        """Whether devices have died since the chip was programmed."""
        return self.stuck_open > 0 or self.stuck_closed > 0

    def __str__(self) -> str:
        parts = [] if self.time is None else [f"{format_time(self.time)} after programming"]
        if self.temperature is not None:
            parts.append(f"at {format_temperature(self.temperature)}")
        shares = {"open": self.stuck_open, "closed": self.stuck_closed}
        died = [f"{100 * share:g} % more stuck {how}" for how, share in shares.items() if share]
        return ", ".join([" ".join(parts), *died] if parts else died)


class Later(Moment):
    """The moment of a chip of later, and what it was.

    Attributes:
        design: the design as programmed and at its reference temperature.
    """

    design: Hardware

    @property
    def moment(self) -> Moment:
        """The moment alone."""
        return Moment(**{key: getattr(self, key) for key in Moment.model_fields})


Hardware.model_rebuild()
