"""Layout against netlist: whether the masks hold the netlist's devices on the netlist's nets.

Pins are the same by name. From them the comparison goes inward: a device whose known nets are
unlike those of all others is the same in both, and so are its other nets. What remains differs,
and is told by device and net, at its place in the masks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar.files import check_regular
from xbar.silicon.checks.circuit import Circuit, drawn_circuit, read_netlist
from xbar.silicon.checks.klayout import call
from xbar.silicon.checks.matching import Matching
from xbar.silicon.checks.rules import rule_data
from xbar.tables import Card, Facts, count, table

TOLERANCE = 1e-4
"""Relative, of a device's ohms, length and width: masks and netlist are both exact to the grid."""
MOST = 20
"""Differences of each kind that are kept."""


@dataclass(frozen=True)
class Difference:
    """One difference between masks and netlist.

    Attributes:
        what: kind: "joined", "open", "no label", "extra label", "net", "value", "missing" (in the
            masks) or "extra" (not in the netlist).
        device: name in the netlist, or kind, of the device; empty for nets.
        net: name of the net, if it is about one.
        text: the difference in one line, with its place in micrometres.
    """

    what: str
    device: str
    net: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class Comparison(Card):
    """Masks compared with a netlist.

    Attributes:
        devices: number of devices in the netlist.
        matched: number of those found in the masks.
        nets: number of nets in the netlist.
        differing: number of differences by kind.
        differences: the first of each kind.
    """

    devices: int
    matched: int
    nets: int
    differing: dict[str, int]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether the masks hold the netlist and nothing else."""
        return not self.differing

    def table(self) -> str:
        """One line for each difference that is kept, or that there is none."""
        title = f"{count(self.devices, 'device')} and {count(self.nets, 'net')}: " + (
            "masks and netlist agree"
            if self.ok
            else f"{count(sum(self.differing.values()), 'difference')}, "
            f"{count(self.matched, 'device')} found in the masks"
        )
        if self.ok:
            return title
        return table(title, ("what", "difference"), [(d.what, d.text) for d in self.differences])

    __str__ = table

    def _facts(self) -> Facts:
        shown = ", ".join(f"{kind} {number}" for kind, number in self.differing.items())
        return [
            ("devices", f"{self.devices}, {self.matched} found"),
            ("nets", str(self.nets)),
            ("differences", shown or "none"),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {
            "devices": self.devices,
            "matched": self.matched,
            "nets": self.nets,
            "differing": self.differing,
            "differences": [str(d) for d in self.differences],
        }


def compare_masks(
    path: str | Path,
    netlist: str,
    process: str = "sky130",
    top: str = "",
    timeout: float = 3600.0,
) -> Comparison:
    """Compare the masks of a GDS file with a netlist.

    Args:
        path: the file.
        netlist: SPICE text with a subcircuit of the name of ``top``, whose pins are the labels.
        process: process whose devices are looked for.
        top: cell and subcircuit to compare; the file's top cell and the last subcircuit if empty.
        timeout: time limit in seconds.

    Raises:
        SpecError: devices of this process are unknown.
        FileError: there is no such file, or the netlist can't be read.
        ToolError: klayout is not on PATH.
        EngineError: klayout can't read the file, or did not end in time.
    """
    return compare_files([path], netlist, process, top, timeout)[0]


def compare_files(
    paths: Sequence[str | Path],
    netlist: str,
    process: str = "sky130",
    top: str = "",
    timeout: float = 3600.0,
) -> list[Comparison]:
    """The same for several files, by one run of the program."""
    data = rule_data(process)
    for path in paths:
        check_regular(Path(path))
    library = data["devices"]["library"]
    wanted = read_netlist(netlist, top or _last(netlist), data["models"], library=library)
    job = {
        "files": [str(Path(path).absolute()) for path in paths],
        "top": top,
        "layers": data["layers"],
        **data["devices"],
    }

    def circuits(answers: Any) -> list[Circuit]:
        return [drawn_circuit(answers[n]) for n in range(len(paths))]

    return [compare(each, wanted) for each in call("extract_nets.py", job, circuits, timeout)]


def _last(netlist: str) -> str:
    """Name of the last subcircuit."""
    heads = [line.split() for line in netlist.splitlines() if line.lower().startswith(".subckt")]
    return heads[-1][1] if heads and len(heads[-1]) > 1 else ""


def compare(drawn: Circuit, wanted: Circuit) -> Comparison:
    """Compare a circuit with a netlist's."""
    matching = Matching(drawn, wanted)
    matching.match()
    told = _Told(matching)
    told.names()
    told.wrong_nets()
    told.values()
    told.leftovers()
    return Comparison(
        devices=len(wanted.devices),
        matched=len(matching.pairs),
        nets=len(wanted.nets),
        differing=dict(told.counted),
        differences=tuple(d for kind in told.counted for d in told.kept[kind]),
    )


class _Told:
    """Differences in words.

    Attributes:
        counted: number by kind.
        kept: the first of each kind.
    """

    def __init__(self, matching: Matching) -> None:
        self.m = matching
        self.counted: Counter[str] = Counter()
        self.kept: dict[str, list[Difference]] = defaultdict(list)
        self._places = defaultdict(list)
        for name, _, x, y in matching.drawn.labels:
            self._places[name].append((x, y))

    def _more(self, what: str) -> bool:
        """Count a difference; whether it is one of those that are kept."""
        self.counted[what] += 1
        return self.counted[what] <= MOST

    def _tell(self, what: str, device: str, net: str, text: str) -> None:
        if self._more(what):
            self._keep(what, device, net, text)

    def _keep(self, what: str, device: str, net: str, text: str) -> None:
        self.kept[what].append(Difference(what, device, net, text))

    def _at(self, name: str) -> str:
        return _place(self._places[name][0]) if self._places[name] else ""

    def names(self) -> None:
        """Nets whose names say that they are joined, open or missing."""
        for names in self.m.joined:
            where = ", ".join(f"{name}{self._at(name)}" for name in names)
            self._tell("joined", "", names[0], f"nets {' and '.join(names)} are joined: {where}")
        for name, pieces in self.m.opened.items():
            spots = " and".join(_place(spot) for spot in self._places[name][:4])
            self._tell("open", "", name, f"net {name} is in {pieces} pieces, labelled{spots}")
        for net, (drawn, wanted) in self.m.uneven.items():
            if self._more("net"):
                name = self.m.wanted_name(net)
                named = f"net {name}{self._at(name)}" if self.m.wanted.nets[net] else name
                text = f"{named} must join {count(wanted, 'terminal')}, joins {drawn}"
                self._keep("net", "", name, text)
        for name in self.m.absent:
            self._tell("no label", "", name, f"net {name} has no label in the masks")
        for name in self.m.unknown:
            text = f"label {name}{self._at(name)} is no pin of the netlist"
            self._tell("extra label", "", name, text)

    def wrong_nets(self) -> None:
        """Devices that are there, on another net."""
        for d, w, terminal in self.m.rewired:
            if not self._more("net"):
                continue
            drawn, wanted = self.m.drawn.devices[d], self.m.wanted.devices[w]
            should = self.m.wanted_name(wanted.nets[terminal[1]])
            does = self.m.drawn_name(drawn.nets[terminal[0]])
            self._keep(
                "net",
                wanted.name,
                should,
                f"{wanted.name}, {_kind(wanted.kind)}{_place(drawn.place)}: "
                f"{terminal[1]} must be on {should}, is on {does}",
            )

    def values(self) -> None:
        """Devices that are there, with other sizes."""
        for d, w in self.m.pairs.items():
            drawn, wanted = self.m.drawn.devices[d], self.m.wanted.devices[w]
            for key, value in wanted.values.items():
                found = drawn.values.get(key)
                if found is not None and abs(found - value) > TOLERANCE * abs(value):
                    unit = "ohm" if key == "R" else "um"
                    self._tell(
                        "value",
                        wanted.name,
                        "",
                        f"{wanted.name}, {_kind(wanted.kind)}{_place(drawn.place)}: {key} must be "
                        f"{value:.6g} {unit}, is {found:.6g} {unit}",
                    )

    def leftovers(self) -> None:
        """Devices that only masks or netlist hold."""
        for w in self.m.open_wanted:
            if not self._more("missing"):
                continue
            wanted = self.m.wanted.devices[w]
            nets = {t: self.m.wanted_name(n) for t, n in wanted.nets.items()}
            self._keep(
                "missing",
                wanted.name,
                "",
                f"{wanted.name}, {_kind(wanted.kind)} on {_nets(nets)}: not in the masks",
            )
        for d in self.m.open_drawn:
            if not self._more("extra"):
                continue
            drawn = self.m.drawn.devices[d]
            nets = {t: self.m.drawn_name(n) for t, n in drawn.nets.items()}
            self._keep(
                "extra",
                drawn.kind,
                "",
                f"{_kind(drawn.kind)}{_place(drawn.place)} on {_nets(nets)}: not in the netlist",
            )


def _place(place: tuple[float, float] | None) -> str:
    return "" if place is None else f" at ({place[0]:.3f}, {place[1]:.3f}) um"


def _kind(kind: str) -> str:
    words = {"nmos": "NMOS transistor", "pmos": "PMOS transistor"}
    bare, _, high = kind.partition("_high")
    if bare in words:
        return words[bare] + (" with thick oxide" if high or kind.endswith("_high") else "")
    return kind


def _nets(nets: dict[str, str]) -> str:
    return ", ".join(f"{terminal} {net}" for terminal, net in nets.items())
