"""A process as data: its devices in a netlist, its corners, and where its models are.

Nothing of a PDK is shipped; ``processes/`` holds what netlists need to know, with source and date.
The models are looked for, in this order, in a folder that the user names (``--pdk``), below the
roots in ``PDK_ROOT`` (a tree as open_pdks installs it), and in an installed Python package, which
is only searched for and never imported.

Lengths are in metres, voltages in volts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from xbar.arrays import one_of
from xbar.errors import FileError, SpecError, printable
from xbar.silicon.discovery import Models, Place, find_models
from xbar.units import parse_quantity

_DATA = Path(__file__).parent / "processes"
FOLDER = "models"
"""Name by which a netlist finds the models; ``ngspice.simulate`` links it to their folder."""


@dataclass(frozen=True)
class ResistorDevice:
    """The resistor of a process.

    Attributes:
        text: element line of a netlist, with places for names and sizes.
        unit: metres of 1 in that line.
        width: metres; the narrowest that the process makes.
        least_length: metres.
        sheet: ohms a square.
        mismatch: whether the models draw a deviation for each resistor.
    """

    text: str
    unit: float
    width: float
    least_length: float
    sheet: float
    mismatch: bool

    def line(self, name: str, a: str, b: str, length: float, bulk: str = "0") -> str:
        """The element line of a resistor of ``length`` metres between nodes a and b."""
        sizes = {"width": _number(self.width, self.unit), "length": _number(length, self.unit)}
        return self.text.format(name=name, a=a, b=b, bulk=bulk, **sizes)


@dataclass(frozen=True)
class SwitchDevice:
    """The transistors of a switch, and the voltages that they are used at.

    Attributes:
        name: "1v8" or "3v3".
        nmos: element line of a netlist, with places for names and sizes.
        pmos: likewise.
        unit: metres of 1 in those lines.
        supply: volts at the gate of a closed NMOS switch.
        common: volts of the word and bit lines at rest: low, so that an NMOS conducts well; above
            0, so that the gate of an open one at 0 V lies below its source.
        length: metres, the least of a gate.
        least_width: metres.
    """

    name: str
    nmos: str
    pmos: str
    unit: float
    supply: float
    common: float
    length: float
    least_width: float

    def nmos_line(
        self, name: str, nodes: tuple[str, str, str], width: float, bulk: str = "0"
    ) -> str:
        """The element line of an NMOS of ``width`` metres; nodes: drain, gate, source."""
        return self._line(self.nmos, name, nodes, width, bulk)

    def pmos_line(
        self, name: str, nodes: tuple[str, str, str], width: float, bulk: str = "vdd"
    ) -> str:
        """The element line of a PMOS of ``width`` metres; nodes: drain, gate, source."""
        return self._line(self.pmos, name, nodes, width, bulk)

    def _line(
        self, text: str, name: str, nodes: tuple[str, str, str], width: float, bulk: str
    ) -> str:
        drain, gate, source = nodes
        sizes = {"width": _number(width, self.unit), "length": _number(self.length, self.unit)}
        return text.format(name=name, drain=drain, gate=gate, source=source, bulk=bulk, **sizes)


@dataclass(frozen=True, eq=False)
class Process:
    """A semiconductor process, and its models if they were found.

    ``Process.find("sky130")`` looks for the models at once; ``Process.named("sky130")`` knows the
    devices only, which is enough to draw.

    Attributes:
        name: "sky130", "gf180mcu" or "sg13g2".
        title: the name that people use.
        source: where the values are from.
        date: when they were taken from there.
        grid: metres of the masks' grid.
        temperature: celsius at which a branch is characterised if nothing else is said.
        typical: name of the typical corner.
        skewed: names of the corners that a characterisation visits.
        resistor: its resistor.
        switches: its switches by name; the first is the default.
        corners: sections of the models' libraries, by corner.
        place: where its models may be, and how a netlist loads them.
        models: where they were found; None if they were not looked for.
    """

    name: str
    title: str
    source: str
    date: str
    grid: float
    temperature: float
    typical: str
    skewed: tuple[str, ...]
    resistor: ResistorDevice
    switches: Mapping[str, SwitchDevice]
    corners: Mapping[str, tuple[str, ...]]
    place: Place
    models: Models | None = None

    @classmethod
    def names(cls) -> list[str]:
        """The processes that xbar has data of."""
        return sorted(path.stem for path in _DATA.glob("*.toml"))

    @classmethod
    def named(cls, name: str) -> Process:
        """A process without its models.

        Raises:
            SpecError: the name is unknown.

        >>> Process.named("sky130").resistor.sheet
        2000.0
        """
        return _read(_DATA / f"{one_of(name, 'process', cls.names())}.toml")

    @classmethod
    def find(cls, name: str, pdk: str | Path | None = None) -> Process:
        """A process with its models.

        Args:
            name: name of the process.
            pdk: the only folder to look in: a PDK's root, one of its variants, or the folder of the
                models. None: the roots in the environment variable PDK_ROOT, then the installed
                package.

        Raises:
            SpecError: the name is unknown.
            FileError: ``pdk`` is no folder.
            ToolError: the models are not there, or not all of them.
        """
        return cls.named(name).located(pdk)

    def located(self, pdk: str | Path | None = None) -> Process:
        """The process with its models, which are looked for unless they were found already.

        Raises:
            FileError: ``pdk`` is no folder.
            ToolError: the models are not there, or not all of them.
        """
        if self.models is not None and pdk is None:
            return self
        return replace(self, models=find_models(self.place, self.name, pdk))

    @property
    def folder(self) -> Path:
        """The folder of the models.

        Raises:
            ToolError: they are not there.
        """
        found = self.located().models
        assert found is not None
        return found.folder

    def switch(self, name: str | None = None) -> SwitchDevice:
        """A switch by name, the first one by default.

        Raises:
            SpecError: the process has no such switch.
        """
        if name is None:
            return next(iter(self.switches.values()))
        return self.switches[one_of(name, f"switch of {self.name}", list(self.switches))]

    def load(
        self, corner: str | None = None, mismatch: bool = False, folder: str = FOLDER
    ) -> list[str]:
        """The lines that load the models of a corner.

        Args:
            corner: name of the corner; None for the typical one.
            mismatch: whether each device deviates by a random amount, drawn by the models.
            folder: how the netlist calls the models' folder. ngspice reads no quoted path: it must
                be without spaces.

        Raises:
            SpecError: the process has no such corner.
            ToolError: the models are not there.
            FileError: the models that were found lack the corner.
        """
        name = one_of(corner or self.typical, f"corner of {self.name}", list(self.corners))
        texts = self.place.load_mismatch if mismatch else self.place.load
        lines = [text.format(*self.corners[name], folder=FOLDER) for text in texts]
        for line in lines:
            self._check_section(line, name, mismatch)
        return [line.replace(FOLDER, folder, 1) for line in lines]

    def _check_section(self, line: str, corner: str, mismatch: bool) -> None:
        words = line.split()
        if words[0] != ".lib":
            return
        path = self.folder / words[1].removeprefix(f"{FOLDER}/")
        if words[2].lower() not in _sections(path, path.stat().st_mtime_ns):
            kind = "corner with mismatch" if mismatch else "corner"
            raise FileError(
                f"{path}: lacks the section {words[2]} of {self.name}'s {kind} {corner!r}; take "
                f"models that have it ({self.place.install}), or another corner"
            )

    def length(self, value: str | float, what: str) -> float:
        """A length in metres, rounded to the grid of the masks.

        Raises:
            SpecError: it is not a length.
        """
        metres = parse_quantity(value, "m")
        if not 0 < metres < 1:
            raise SpecError(
                f"{what} must be a length such as '4u', in metres, not {printable(str(value))}"
            )
        return round(metres / self.grid) * round(self.grid * 1e9) / 1e9

    def __repr__(self) -> str:
        where = "" if self.models is None else f", models from {self.models.origin}"
        return f"Process({self.name}: {self.title}{where})"


def _number(length: float, unit: float) -> str:
    # lengths lie on a grid of nanometres: 12 digits show them exactly
    return format(length / unit, ".12g")


@lru_cache
def _sections(path: Path, changed: int) -> frozenset[str]:
    """The sections of a library, in lower case: ``.lib NAME`` opens one."""
    del changed  # part of the key: another file by that name is read anew
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"^\s*\.lib\s+(\S+)\s*(?:[*;$].*)?$", text, re.IGNORECASE | re.MULTILINE)
    return frozenset(name.lower() for name in found)


@lru_cache
def _read(path: Path) -> Process:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    resistor, models = content["resistor"], content["models"]
    return Process(
        name=content["name"],
        title=content["title"],
        source=content["source"],
        date=content["date"],
        grid=parse_quantity(content["grid"], "m"),
        temperature=content["temperature"],
        typical=content["typical"],
        skewed=tuple(content["skewed"]),
        resistor=ResistorDevice(
            text=resistor["line"],
            unit=parse_quantity(resistor["unit"], "m"),
            width=parse_quantity(resistor["width"], "m"),
            least_length=parse_quantity(resistor["least_length"], "m"),
            sheet=parse_quantity(resistor["sheet"], "ohm"),
            mismatch=resistor["mismatch"],
        ),
        switches={name: _switch(name, each) for name, each in content["switch"].items()},
        corners={name: tuple(each) for name, each in content["corners"].items()},
        place=Place(**{key: _frozen(value) for key, value in models.items()}),
    )


def _switch(name: str, content: Mapping[str, Any]) -> SwitchDevice:
    lengths = {key: parse_quantity(content[key], "m") for key in ("unit", "length", "least_width")}
    return SwitchDevice(
        name=name,
        nmos=content["nmos"],
        pmos=content["pmos"],
        supply=content["supply"],
        common=content["common"],
        **lengths,
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
