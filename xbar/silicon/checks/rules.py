"""Own rules of the masks that xbar draws: widths, spaces, enclosures, contacts, grids.

The values are data (``sky130.toml``), the klayout program measures, and a report tells each place.
This is no sign-off: a foundry's deck holds many more rules; ``deck.py`` runs it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from xbar.errors import SpecError
from xbar.files import check_regular
from xbar.silicon.checks.klayout import call
from xbar.tables import Card, Facts, count, table

_WORDS = {
    "width": "width of {of}",
    "space": "space within {of}",
    "clearance": "space from {of} to {by}",
    "separation": "space from {of} to {by}",
    "enclosure": "{by} around {of}",
    "extension": "{by} beyond {of}",
    "two sides": "{by} around {of} on one of two adjacent sides",
    "inside": "{of} outside {by}",
    "overlap": "overlap of {of} and {by}",
    "area": "area of {of}",
    "hole": "area of holes in {of}",
    "square": "side of {of}",
    "exact width": "width of {of}",
    "exact length": "length of {of}",
    "count": "{by} in each {of}",
    "some": "{by} in each {of}",
    "grid": "corners of {of} off the grid",
    "right angle": "angle of edges of {of} to x or y",
}
_UNITS = {"inside": "um2", "overlap": "um2", "area": "um2", "hole": "um2", "right angle": "degrees"}
_COUNTS = ("count", "some")
_EXACT = ("square", "exact width", "exact length", "count")
_NONE = ("inside", "overlap", "grid", "right angle")
_IN_CELLS = ("wires", "grids")
"""Families that standard cells keep as well; in others they have exceptions of their own."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: name in the published tables.
        what: kind of measurement.
        of: name of the mask that is measured.
        by: name of the other mask, or nothing.
        least: least value, the only one if the rule is ``exact``: micrometres, square micrometres,
            degrees or a count.
        source: where the value was published.
        in_cells: whether the rule holds within the foundry's standard cells, too.
    """

    name: str
    what: str
    of: str
    by: str
    least: float
    source: str
    in_cells: bool

    @property
    def exact(self) -> bool:
        """Whether a larger value breaks the rule as well."""
        return self.what in _EXACT

    @property
    def text(self) -> str:
        """What is measured, in words."""
        words = _WORDS[self.what].format(of=self.of, by=self.by)
        return words.replace("_", " ")

    @property
    def limit(self) -> str:
        """The allowed values, in words."""
        if self.what in _NONE:
            return f"multiples of {self.least:g} um" if self.what == "grid" else "none"
        return f"{'' if self.exact else 'at least '}{self.value(self.least)}"

    def value(self, number: float) -> str:
        """A measured value with its unit."""
        if self.what in _COUNTS:
            return f"{number:.0f}"
        return f"{number:.5g} {_UNITS.get(self.what, 'um')}"


@dataclass(frozen=True)
class Violation:
    """One place where a rule is broken.

    Attributes:
        rule: the rule.
        x: micrometres from the origin of the drawing to the middle of the place.
        y: likewise.
        measured: what was found there, in the rule's unit.
    """

    rule: Rule
    x: float
    y: float
    measured: float

    def __str__(self) -> str:
        return (
            f"{self.rule.name} at ({self.x:.3f}, {self.y:.3f}) um: {self.rule.text} is "
            f"{self.rule.value(self.measured)}, allowed: {self.rule.limit}"
        )


@dataclass(frozen=True, repr=False)
class RuleReport(Card):
    """What own rules say about a drawing.

    Attributes:
        rules: all rules that were checked.
        broken: number of places by name of the broken rule, the most frequent first.
        violations: the first places of each broken rule.
    """

    rules: tuple[Rule, ...]
    broken: dict[str, int]
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.broken

    def table(self) -> str:
        """One line for each violation that is kept, or that there is none."""
        title = f"{count(len(self.rules), 'rule')}: " + (
            "none is broken" if self.ok else f"{count(sum(self.broken.values()), 'violation')}"
        )
        rows = [
            (
                v.rule.name,
                f"({v.x:.3f}, {v.y:.3f})",
                v.rule.text,
                v.rule.value(v.measured),
                v.rule.limit,
            )
            for v in self.violations
        ]
        if not rows:
            return title
        return table(title, ("rule", "place in um", "what", "measured", "allowed"), rows)

    __str__ = table

    def _facts(self) -> Facts:
        shown = ", ".join(f"{name} {number}" for name, number in self.broken.items())
        return [("rules", str(len(self.rules))), ("violations", shown or "none")]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        places = [
            {
                "rule": v.rule.name,
                "x": v.x,
                "y": v.y,
                "measured": v.measured,
                "allowed": v.rule.least,
            }
            for v in self.violations
        ]
        return {"rules": len(self.rules), "broken": self.broken, "violations": places}


@cache
def rule_data(process: str) -> dict[str, Any]:
    """The file of a process: layers, masks made from them, rules.

    Raises:
        SpecError: there is none for this process.
    """
    path = Path(__file__).parent / f"{process}.toml"
    if not process.isidentifier() or not path.is_file():
        raise SpecError(f"own rules must be of sky130, not of {process!r}: run the foundry's deck")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def rules_of(process: str = "sky130") -> tuple[Rule, ...]:
    """All own rules of a process.

    Raises:
        SpecError: there are none for this process.
    """
    data = rule_data(process)
    source = f"{data['source']}, read {data['date']}"
    rules = []
    for family, rows in data["rules"].items():
        for name, what, masks, by, least in rows:
            every = [mask for mask in data["layers"] if not mask.endswith("_text")]
            for of in every if masks == "*" else masks.split():
                rules.append(Rule(name, what, of, by, least, source, family in _IN_CELLS))
    return tuple(rules)


def check_rules(
    path: str | Path, process: str = "sky130", top: str = "", timeout: float = 3600.0
) -> RuleReport:
    """Check the masks of a GDS file against own rules.

    Args:
        path: the file.
        process: process whose rules apply.
        top: cell to check; the top cell if empty.
        timeout: time limit in seconds.

    Raises:
        SpecError: there are no rules for this process.
        FileError: there is no such file.
        ToolError: klayout is not on PATH.
        EngineError: klayout can't read the file, or did not end in time.
    """
    return check_files([path], process, top, timeout)[0]


def check_files(
    paths: Sequence[str | Path], process: str = "sky130", top: str = "", timeout: float = 3600.0
) -> list[RuleReport]:
    """The same for several files, by one run of the program."""
    data, rules = rule_data(process), rules_of(process)
    for path in paths:
        check_regular(Path(path))
    job = {
        "files": [str(Path(path).absolute()) for path in paths],
        "top": top,
        "layers": data["layers"],
        "made": data["made"],
        "standard": data["standard"],
        "rules": [(r.name, r.what, r.of, r.by, r.least, r.in_cells) for r in rules],
    }

    def reports(answers: Any) -> list[RuleReport]:
        return [_report(rules, answers[n]) for n in range(len(paths))]

    return call("measure_rules.py", job, reports, timeout)


def _report(rules: tuple[Rule, ...], answer: list[Any]) -> RuleReport:
    broken: dict[str, int] = {}
    violations = []
    for rule, (number, places) in zip(rules, answer, strict=True):
        if number:
            broken[rule.name] = broken.get(rule.name, 0) + number
        violations += [Violation(rule, *place) for place in places]
    ordered = dict(sorted(broken.items(), key=lambda item: -item[1]))
    return RuleReport(rules, ordered, tuple(violations))
