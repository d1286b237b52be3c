"""What choosing again, or once for the whole life, recovers of a chip's ageing: accuracy.

    python benchmarks/life.py [lenet crepe] [--chips 5] [--print]

The networks and data of benchmarks/wires.py (of CREPE 60 tones), on banks of six PCM devices of
25 uS (Nandakumar's law: drift with a spread of exponents, 1/f read noise), 64 x 64 tiles, ideal
wires, read noise in every read. What happens to the chips: a year at 60 °C, where ageing is taken
as sped up by 0.5 eV (an assumption: the law has no activation energy); 5 % of the devices dead,
four of five stuck open and one closed; both.

The tables go into docs/results.md. Each number is written to build/life/<network>.jsonl when it is
there, and not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pages import write_table
from wires import Task, crepe, lenet

import xbar
from xbar.compiler.changes import changes
from xbar.compiler.program import Program

ROOT = Path(__file__).parents[1]
BUILD, PAGE = ROOT / "build" / "life", ROOT / "docs" / "results.md"
YEAR = {"time": "1 y", "temperature": "60 C"}
DEAD = {"stuck_open": 0.04, "stuck_closed": 0.01}
TONES = 60
EVENTS: dict[str, dict[str, Any]] = {
    "as programmed": {"time": "20 s"},
    "a year at 60 °C": YEAR,
    "5 % dead": {"time": "20 s", **DEAD},
    "both": {**YEAR, **DEAD},
}
LIFE: dict[str, Any] = {
    "life": ["20 s", "1 h", "1 y"],
    "corners": "60 C",
    "compensate": "gain",
    "over": "mean",
}
WAYS = ("before", "gain", "columns", "batchnorm", "again", "again, lines moved", "law", "devices")
HEADS = {
    "before": "as it was",
    "gain": "gain compensated",
    "columns": "gain and offset a column",
    "batchnorm": "statistics again",
    "again": "chosen again",
    "again, lines moved": "chosen again, lines moved",
    "law": "for the whole life, by the law",
    "devices": "by the devices",
}
KEYS: dict[str, Any] = {
    "bank": {"resistors": 6, "nominal": 40e3, "spread": "normal", "sigma": 0.0422},
    "tile": {"word_lines": 64, "bit_lines": 64},
    "device": {"law": "pcm", "activation": "0.5 eV"},
    "temperature": {"reference": "27 C"},
}
DESIGN = xbar.Hardware(**KEYS)


@dataclass
class Programs:
    """The programs of one chip, each made when it is asked for."""

    task: Task
    chip: xbar.Chip
    made: dict[str, Program] = field(default_factory=dict)

    def get(self, name: str, make: Callable[[], Program]) -> Program:
        """A program by name."""
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @cached_property
    def plain(self) -> Program:
        """The mask for the chip as it is 20 s after programming, with its read noise."""
        return xbar.compile(self.task.graph, self.chip.at(time="20 s"))

    def of(self, event: str, way: str) -> tuple[Program, Any]:
        """The program for a way on the chip of an event, and how it is compensated."""
        later = self.chip.at(**EVENTS[event])
        if way.startswith("again"):
            moved = way != "again"
            return self.get(event + way, lambda: self.plain.reprogram(later, lines=moved)), "none"
        if way in ("law", "devices"):
            how: dict[str, Any] = {**LIFE, "outlook": way}
            mask = self.get(way, lambda: xbar.compile(self.task.graph, self.chip, **how))
            return mask.on(later), "gain"
        now = self.get(event, lambda: self.plain.on(later))  # what its tiles conduct is kept
        return now, "none" if way == "before" else way


@cache
def task_of(network: str) -> Task:
    """The network and its data, made once; CREPE's passes take longest."""
    return lenet() if network == "lenet" else crepe(TONES)


def ways(network: str, event: str) -> tuple[str, ...]:
    """What is tried at an event: choosing again is for chips that changed."""
    if event == "as programmed":
        return ("before", "law") if network == "crepe" else ("before", "law", "devices")
    if network == "crepe":  # whose passes take longest
        return "before", "gain", "again", "law"
    return WAYS if event in ("5 % dead", "both") else tuple(w for w in WAYS if "moved" not in w)


def measured(task: Task, programs: Programs, event: str, way: str) -> dict[str, Any]:
    """One row: the accuracy of one chip."""
    start = time.process_time()
    program, compensate = programs.of(event, way)
    compiled = time.process_time()
    found = xbar.simulate(
        program, task.inputs, metric=lambda outputs, labels: task.right(outputs),
        compensate=compensate, precision="float32",
    )  # fmt: skip
    row: dict[str, Any] = {"accuracy": found.accuracy, "compile": compiled - start}
    row["read"] = time.process_time() - compiled
    if way == "again":
        told = changes(programs.plain, program)
        row["changed"] = told.changed / told.switches
        row["errors"] = [
            float(np.sqrt(np.mean([getattr(layer, name) ** 2 for layer in told.layers])))
            for name in ("before", "compensated", "after")
        ]
    return row


@dataclass
class Rows:
    """The rows of a network, kept in a file."""

    network: str
    file: Path
    known: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        for row in map(json.loads, lines):
            if row["design"] == KEYS and row["life"] == LIFE:
                self.known[row["event"], row["way"], row["chip"]] = row

    def of_chip(self, seed: int) -> None:
        """Measure what is missing of one chip."""
        programs = None
        for event in EVENTS:
            for way in ways(self.network, event):
                if (event, way, seed) in self.known:
                    continue
                task = task_of(self.network)
                programs = programs or Programs(task, xbar.Chip.sample(DESIGN, seed))
                row = {
                    "design": KEYS, "life": LIFE,
                    "event": event, "way": way, "chip": seed,
                    **measured(task, programs, event, way),
                }  # fmt: skip
                with self.file.open("a") as stream:
                    stream.write(json.dumps(row) + "\n")
                self.known[event, way, seed] = row
                told = {key: row[key] for key in ("accuracy", "compile", "read")}
                print(f"{self.network}, chip {seed}, {event}, {way}: {told}", file=sys.stderr)

    def cell(self, event: str, way: str, chips: Sequence[int]) -> str:
        """Mean and standard deviation over chips, in percent."""
        found = [self.known.get((event, way, seed)) for seed in chips]
        each = [100 * row["accuracy"] for row in found if row is not None]
        if len(each) < len(chips):
            return ""
        spread = f" ± {np.std(each, ddof=1):.1f}" if len(each) > 1 else ""
        return f"{np.mean(each):.1f}{spread}"

    def table(self, chips: Sequence[int]) -> str:
        """The page's table: ways by events."""
        head = ["", *EVENTS]
        lines = [head, ["--"] * len(head)]
        for way in WAYS:
            cells = [self.cell(event, way, chips) for event in EVENTS]
            if any(cells):
                lines.append([HEADS[way], *cells])
        again = [[self.known.get((event, "again", seed)) for seed in chips] for event in EVENTS]
        found = [[row for row in rows if row is not None] for rows in again]
        share = [
            f"{100 * np.mean([r['changed'] for r in rows]):.0f} %" if rows else "" for rows in found
        ]
        lines.append(["switches that choosing again changes", *share])
        for place, name in enumerate(("as it was", "gain compensated", "chosen again")):
            off = [
                100 * np.mean([r["errors"][place] for r in rows]) if rows else None
                for rows in found
            ]
            told = ["" if each is None else f"{each:.1f} %" for each in off]
            lines.append([f"error of the weights, {name}", *told])
        return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("networks", nargs="*", default=["lenet", "crepe"])
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="leave docs/results.md as it is")
    given = parser.parse_args()
    for network in given.networks:
        task, rows = task_of(network), Rows(network, BUILD / f"{network}.jsonl")
        for seed in range(given.chips):
            rows.of_chip(seed)
        digital = task.right(np.asarray(task.graph.run(task.inputs), dtype=np.float64))
        told = f"{given.chips} chips; digital {100 * digital:.1f} %."
        text = f"{told}\n\n{rows.table(range(given.chips))}"
        print(f"{network}, {given.chips} chips\n{text}")
        if not given.print:
            write_table(PAGE, f"life {network}", text)


if __name__ == "__main__":
    main()
