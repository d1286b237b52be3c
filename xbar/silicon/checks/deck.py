"""Foundries' decks, run in the klayout program: rules broken, and layout against netlist.

A deck is the foundry's or the community's; it stays where it is and keeps its licence. What it must
be told, it is told as variables: the names that decks of sky130 and gf180mcu use are all set, and
others can be added.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from xbar.circuit.engines.answer import last_line
from xbar.errors import EngineError, SpecError, shown
from xbar.files import check_regular
from xbar.silicon.checks.klayout import call, failure, run, run_anyhow
from xbar.tables import Card, Facts, count, table

RULES = {
    "feol": "true",
    "beol": "true",
    "offgrid": "true",
    "floating_met": "true",
    "seal": "false",
    "sram_exclude": "false",
}
"""Variables of rule decks: all is checked but the seal ring of a chip, which an array has not."""
COMPARISON = {"run_mode": "deep", "convert_subckts": "true", "spice_comments": "false"}
"""Variables of decks that compare with a netlist."""
MOST = 20
"""Places of each rule that are kept."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, repr=False)
class DeckReport(Card):
    """What a foundry's rule deck says about a drawing.

    Attributes:
        deck: file name of the deck.
        rules: number of rules that it has checked.
        broken: number of places by name of the broken rule, the most frequent first.
        words: name of a broken rule -> what the deck says of it.
        places: name of a broken rule -> (x, y) in micrometres of its first places, each in the cell
            that the deck names it in.
    """

    deck: str
    rules: int
    broken: dict[str, int]
    words: dict[str, str]
    places: dict[str, tuple[tuple[float, float], ...]]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.broken

    def table(self) -> str:
        """One line for each broken rule, or that there is none."""
        title = f"{self.deck}, {count(self.rules, 'rule')}: " + (
            "none is broken" if self.ok else f"{count(sum(self.broken.values()), 'violation')}"
        )
        rows = []
        for name, number in self.broken.items():
            spots = "; ".join(f"({x:.3f}, {y:.3f})" for x, y in self.places[name][:2])
            rows.append((name, str(number), spots, self.words[name][:60]))
        head = ("rule", "places", "the first in um", "the deck says")
        return table(title, head, rows) if rows else title

    __str__ = table

    def _facts(self) -> Facts:
        found = ", ".join(f"{name} {number}" for name, number in self.broken.items())
        return [("deck", self.deck), ("rules", str(self.rules)), ("violations", found or "none")]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {
            "deck": self.deck,
            "rules": self.rules,
            "broken": self.broken,
            "places": {name: [list(p) for p in spots] for name, spots in self.places.items()},
        }


@dataclass(frozen=True, repr=False)
class DeckComparison(Card):
    """What a foundry's deck says about a drawing and its netlist.

    Attributes:
        deck: file name of the deck.
        circuits: name of each circuit that was compared -> its status: "match" (or "match with a
            warning", where symmetry leaves a choice) or otherwise.
        differing: number of devices, nets, pins and parts that do not match.
        differences: the first of them, in one line each.
    """

    deck: str
    circuits: dict[str, str]
    differing: dict[str, int]
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all circuits match."""
        matching = all(status.startswith("match") for status in self.circuits.values())
        return matching and not self.differing

    def table(self) -> str:
        """One line for each difference that is kept, or that there is none."""
        title = f"{self.deck}, {count(len(self.circuits), 'circuit')}: " + (
            "masks and netlist agree"
            if self.ok
            else f"{sum(self.differing.values())} devices, nets and pins do not match"
        )
        if self.ok:
            return title
        rows = [(name, status) for name, status in self.circuits.items() if status[:5] != "match"]
        rows += [(line, "") for line in self.differences]
        return table(title, ("circuit or part", "status"), rows)

    __str__ = table

    def _facts(self) -> Facts:
        found = ", ".join(f"{kind} {number}" for kind, number in self.differing.items())
        return [
            ("deck", self.deck),
            ("circuits", str(len(self.circuits))),
            ("differences", found or ("none" if self.ok else "a circuit does not match")),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {
            "deck": self.deck,
            "circuits": self.circuits,
            "differing": self.differing,
            "differences": list(self.differences),
        }


def run_rule_deck(
    path: str | Path,
    deck: str | Path,
    top: str,
    values: Mapping[str, str] | None = None,
    timeout: float = 3600.0,
) -> DeckReport:
    """Check the masks of a GDS file with a deck of rules for the klayout program.

    Args:
        path: the file.
        deck: the deck.
        top: cell to check.
        values: variables to set beside the usual ones, or instead of them.
        timeout: time limit in seconds.

    Raises:
        FileError: there is no such file or deck.
        SpecError: a variable's name is none.
        ToolError: klayout is not on PATH.
        EngineError: the deck failed, did not end in time, or wrote no report.
    """
    with tempfile.TemporaryDirectory(prefix="xbar-deck-") as folder:
        report = Path(folder) / "report.lyrdb"
        told = {**_common(path, deck, top, report), **RULES, **_checked(values)}
        log = run(Path(deck).absolute(), told, Path(folder), timeout)
        if not report.is_file():
            raise _no_report(deck, log)
        return _read_report(report, Path(deck).name)


def run_netlist_deck(
    path: str | Path,
    netlist: str,
    deck: str | Path,
    top: str,
    values: Mapping[str, str] | None = None,
    timeout: float = 3600.0,
) -> DeckComparison:
    """Compare the masks of a GDS file with a netlist by a deck for the klayout program.

    Args:
        path: the file.
        netlist: SPICE text, as the deck wants it.
        deck: the deck.
        top: cell and subcircuit to compare.
        values: variables to set beside the usual ones, or instead of them.
        timeout: time limit in seconds.

    Raises:
        FileError: there is no such file or deck.
        SpecError: a variable's name is none.
        ToolError: klayout is not on PATH.
        EngineError: the deck failed, did not end in time, or wrote no report.
    """
    with tempfile.TemporaryDirectory(prefix="xbar-deck-") as folder:
        report, schematic = Path(folder) / "report.lvsdb", Path(folder) / f"{top}.cir"
        schematic.write_text(netlist, encoding="ascii")
        told = {**_common(path, deck, top, report), **COMPARISON, **_checked(values)}
        told |= {"schematic": str(schematic), "target_netlist": str(Path(folder) / "found.cir")}
        code, log = run_anyhow(Path(deck).absolute(), told, Path(folder), timeout)
        if not report.is_file():  # some decks end with an error where the netlists differ
            raise failure(Path(deck), log) if code else _no_report(deck, log)
        job = {"report": str(report), "most": MOST}

        def comparison(found: Any) -> DeckComparison:
            counts = found["circuits"], found["differing"]
            return DeckComparison(Path(deck).name, *counts, tuple(found["differences"]))

        found = call("read_comparison.py", job, comparison, timeout)
    if not found.circuits:
        raise EngineError(f"{Path(deck).name} compared no circuit: {last_line(log)}")
    return found


def for_decks(netlist: str) -> str:
    """A netlist of subcircuit calls as decks read it.

    Sizes are in metres, resistors are named by their width, and the subcircuit ``cell`` of arrays
    with a memory is written out: its supply is in pieces there, which the array joins.

    >>> for_decks("XR0 w m0 VSS sky130_fd_pr__res_xhigh_po l=4.4 w=0.35")
    'XR0 w m0 VSS sky130_fd_pr__res_xhigh_po_0p35 l=4.4u w=0.35u'
    """
    named = re.sub(r"(__res_x?high_po) (.*\bw=)(\d+)\.(\d+)\b", _named, netlist)
    return _inlined(re.sub(r"\b([lw]=\d+(?:\.\d+)?)(?=\s|$)", r"\1u", named), "cell")


def _inlined(netlist: str, name: str) -> str:
    """A netlist with one subcircuit's elements in place of its calls."""
    head = re.search(rf"^\.SUBCKT {name} (.*)\n((?:[^.].*\n)*)\.ENDS\n", netlist, re.MULTILINE)
    if head is None:
        return netlist
    pins, elements = head[1].split(), [line.split() for line in head[2].splitlines()]

    def written_out(call: re.Match[str]) -> str:
        nets = dict(zip(pins, call[2].split(), strict=True))
        lines = []
        for element, *words, model in elements:
            on = " ".join(nets.get(word, f"{word}_{call[1]}") for word in words)
            lines.append(f"{element}_{call[1]} {on} {model}")
        return "\n".join(lines)

    rest = netlist.replace(head[0], "")
    return re.sub(rf"^X(\S+) (.*) {name}$", written_out, rest, flags=re.MULTILINE)


def _named(match: re.Match[str]) -> str:
    model, rest, whole, part = match.groups()
    return f"{model}_{whole}p{part} {rest}{whole}.{part}"


def _no_report(deck: str | Path, log: str) -> EngineError:
    return EngineError(f"{Path(deck).name} wrote no report: {last_line(log)}")


def _common(path: str | Path, deck: str | Path, top: str, report: Path) -> dict[str, str]:
    """Variables of every deck."""
    check_regular(Path(path))
    check_regular(Path(deck))
    return {
        "input": str(Path(path).absolute()),
        "top_cell": top,
        "topcell": top,
        "report": str(report),
        "thr": "2",
    }


def _checked(values: Mapping[str, str] | None) -> Mapping[str, str]:
    for name in values or {}:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise SpecError(
                f"a deck's variable must have a name of [A-Za-z0-9_], not {shown(name)}"
            )
    return values or {}


def _read_report(report: Path, deck: str) -> DeckReport:
    """A report in the form of KLayout's markers."""
    try:
        root = ElementTree.fromstring(report.read_bytes())
    except ElementTree.ParseError as error:
        raise EngineError(f"{deck} wrote a report that can't be read: {error}") from error
    words = {
        _text(category, "name"): _text(category, "description")
        for category in root.iter("category")
        if category.find("name") is not None
    }
    numbers: Counter[str] = Counter()
    places: dict[str, list[tuple[float, float]]] = {}
    for item in root.iter("item"):
        name = _text(item, "category")
        numbers[name] += int(_text(item, "multiplicity") or 1)
        spots = places.setdefault(name, [])
        if len(spots) < MOST:
            spots.append(_middle(_text(item, "values/value")))
    broken = dict(sorted(numbers.items(), key=lambda pair: -pair[1]))
    return DeckReport(
        deck=deck,
        rules=len(words),
        broken=broken,
        words={name: words.get(name, "") for name in broken},
        places={name: tuple(spots) for name, spots in places.items()},
    )


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip().strip("'")


def _middle(value: str) -> tuple[float, float]:
    """The middle of a marker's coordinates, in micrometres."""
    numbers = [float(number) for number in _NUMBER.findall(value.partition(":")[2])]
    xs, ys = numbers[::2], numbers[1::2]
    if not xs or len(xs) != len(ys):
        return float("nan"), float("nan")
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
