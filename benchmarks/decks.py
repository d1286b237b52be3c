"""How much of a folder of foreign SPICE decks is read, and whether ngspice finds the same.

    python benchmarks/decks.py FOLDER... [--dialect xyce] [--gold FOLDER] [--list]

A deck counts if it consists of R, C, L, V, I, E, F, G, H, K and X elements alone, its included
files too. Decks that make no circuit by themselves (no element, a file that is missing) are counted
apart. With --gold only decks count that have a reference result there, or that ngspice solves: a
suite also has decks that are wrong on purpose.

Agreement: a copy without analyses, sweeps and scripts is solved by ngspice and, as a deck of
ngspice, by xbar. Decks that ngspice refuses or finds singular are not compared, nor those with a
resistor of 0 ohm, for which it takes 1 mohm. Every voltage, and every current of a voltage source,
must be within 1e-6 of the largest of its kind in the deck.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import xbar
from xbar.circuit.deck.text import read_text
from xbar.circuit.engines.rawfile import read_raw
from xbar.errors import XbarError

ALLOWED = set("rclviefghkx")
SECONDS = 20
TOLERANCE = 1e-6
NOTHING = 1e-12  # volts or amperes that are rounding
COPY = "xbar_copy.cir"
INCLUDE = re.compile(r"""\.(?:inc|incl|include|lib)\s+["']?([^"'\s]+)""", re.I)
RUNS = re.compile(
    r"\.(op|ac|dc|tran|noise|print|plot|probe|save|meas|measure|four|fft|tf|sens|pz|disto|end|step|hb"
    r"|sampling|embeddedsampling|pce|preprocess|result|lin|mpde|data|opt|option|options)\b",
    re.I,
)
KEPT = re.compile(r"\.opt\w*\b.*\b(temp|tnom|rshunt)\b", re.I)
FAILED = re.compile(r"\berror\b|singular matrix|doanalyses|gmin stepping|fatal")


class LateError(Exception):
    """A deck took too long."""


def statements(path: Path, depth: int = 0) -> Iterator[str]:
    """Continued lines joined; comments, scripts and titles left out; files included."""
    for line in statements_of(path, titled=depth == 0):
        match = INCLUDE.match(line)
        if match is None:
            yield line
        elif depth < 8:
            yield from statements(path.parent / match[1], depth + 1)


def statements_of(path: Path, *, titled: bool = True) -> list[str]:
    """The same of one file, the included ones not looked at."""
    found: list[str] = []
    for number, line in enumerate(outside_scripts(read_text(path).split("\n"))):
        if not line or line[0] in "*;$" or (number == 0 and titled):
            continue
        if re.fullmatch(r"\.end\s*", line, re.I):
            break
        if line[0] == "+" and found:
            found[-1] += f" {line[1:]}"
        else:
            found.append(line)
    return found


def outside_scripts(lines: list[str]) -> Iterator[str]:
    """Stripped lines outside of control blocks and tables."""
    closing = ""
    for raw in lines:
        line = raw.strip()
        low = line.lower()
        if closing:
            closing = "" if low.startswith(closing) else closing
        elif low.startswith((".control", ".data")):
            closing = ".endc" if low.startswith(".c") else ".enddata"
        else:
            yield line


def kind_of(path: Path) -> str:
    """The kind of a deck: linear, or why it doesn't count."""
    try:
        letters = {line[0].lower() for line in statements(path) if line[0] != "."}
    except (XbarError, OSError):
        return "a file is missing or no text"
    if not letters:
        return "no element"
    return "linear" if letters <= ALLOWED else "other elements"


def read(path: Path, dialect: str | None) -> tuple[xbar.Circuit, xbar.OperatingPoint]:
    """The circuit that xbar reads, and its operating point.

    Raises:
        XbarError: it is refused.
        LateError: it took too long.
    """
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            circuit = xbar.read_spice(path, dialect)
            return circuit, circuit.solve()
    finally:
        signal.alarm(0)


def bare(path: Path, *, titled: bool = True) -> str:
    """A deck, or an included file, without analyses, sweeps, output and scripts."""
    kept: list[str] = []
    dropped = False
    for number, line in enumerate(outside_scripts(read_text(path).split("\n"))):
        if not line.startswith("+"):
            title = titled and number == 0
            dropped = not (title or RUNS.match(line) is None or KEPT.match(line) is not None)
        if not dropped:
            kept.append(line)
    return "\n".join([*kept, ""])


def by_ngspice(folder: Path) -> dict[str, float] | None:
    """What ngspice finds by name for the copy in a folder; None if it doesn't solve it."""
    try:
        done = subprocess.run(
            ["ngspice", "-n", "-b", "-r", "xbar_copy.raw", COPY],
            cwd=folder,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if FAILED.search((done.stdout + done.stderr).decode("latin-1").lower()):
            return None
        vectors = read_raw(Path(folder, "xbar_copy.raw").read_bytes())
    except (OSError, subprocess.TimeoutExpired, XbarError, ValueError):
        return None
    return {re.sub(r"(?<=\.)[a-z]\.(?=x)", "", n): float(v[0]) for n, v in vectors.items()}


def compared(path: Path) -> tuple[bool, str]:
    """Whether ngspice solves a deck, and what differs, or why xbar refuses it as ngspice's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for entry in path.parent.iterdir():
            if entry.stat().st_size < 1e7 and entry.is_file():
                Path(folder, entry.name).write_bytes(entry.read_bytes())
        for line in statements_of(path):
            match = INCLUDE.match(line)
            if match is not None and (path.parent / match[1]).is_file() and "/" not in match[1]:
                Path(folder, match[1]).write_text(bare(path.parent / match[1], titled=False))
        Path(folder, COPY).write_text(f"{bare(path)}.op\n.end\n")
        theirs = by_ngspice(folder)
        if theirs is None:
            return False, ""
        try:
            circuit, op = read(folder / COPY, "ngspice")
        except (XbarError, LateError) as error:
            return True, f"refused: {error or 'took too long'}"
        if any(e.form == "r" and e.value == 0 for e in circuit.elements):
            return False, ""  # ngspice takes 1 mohm for 0
        return True, disagreement(op, theirs)


def disagreement(op: xbar.OperatingPoint, theirs: dict[str, float]) -> str:
    """The worst quantity, if it is beyond the tolerance."""
    worst, largest = "", TOLERANCE
    for kind, ours in (("v", op.voltage), ("i", op.current)):
        names = [n for n in theirs if n.startswith(f"{kind}(") and n[2:-1] in ours]
        scale = max((abs(theirs[n]) for n in names), default=0.0)
        for n in names:
            off = abs(ours[n[2:-1]] - theirs[n])
            error = off / scale if off > NOTHING else 0.0
            if error > largest:
                worst, largest = f"{n} = {ours[n[2:-1]]:.9g}, ngspice {theirs[n]:.9g}", error
    return worst


def plain(message: str) -> str:
    """A message without its place and names, as a kind."""
    message = re.sub(r"^[^:]*:(\d+:)? ?", "", message)
    return re.sub(r"'[^']*'|\"[^\"]*\"|[-+]?\d[\w.+-]*", "_", message)[:90]


@dataclass
class Tally:
    """What was found."""

    count: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def add(self, path: Path, dialect: str | None, gold: bool | None) -> None:
        """Read and compare one deck."""
        kind = kind_of(path)
        self.count["files"] += 1
        if kind != "linear":
            self.count[kind] += 1
            return
        solved, worst = compared(path)
        why = ""
        try:
            read(path, dialect)
        except (XbarError, LateError) as error:
            why = str(error) or "took too long"
        if not why:
            self.lines += [f"differs {path}: {worst}"] if worst else []
            self.count["solved by ngspice too"] += solved
            self.count["not ngspice's dialect"] += worst.startswith("refused")
            self.count["differ"] += bool(worst) and not worst.startswith("refused")
        elif gold is False and not solved:
            self.count["no reference, not solved by ngspice, refused"] += 1
            self.lines.append(f"left out {path}: {why}")
            return
        self.count["decks"] += 1
        self.count["read"] += not why
        if why:
            self.refused[plain(why)] += 1
            self.lines.append(f"refused {path}: {why}")


def main() -> None:
    """Walk folders, print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--dialect")
    parser.add_argument("--gold", type=Path, help="folder of reference results, NAME.prn")
    parser.add_argument("--suffix", nargs="*", default=[".cir", ".sp", ".spi", ".ckt", ".net"])
    parser.add_argument("--list", action="store_true", help="a line for each deck that falls short")
    given = parser.parse_args()

    def late(*_: object) -> None:
        raise LateError

    signal.signal(signal.SIGALRM, late)
    results = {p.name for p in given.gold.rglob("*.prn")} if given.gold else set()
    tally = Tally()
    for folder in given.folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in given.suffix and path.is_file():
                gold = f"{path.name}.prn" in results if given.gold else None
                tally.add(path, given.dialect, gold)
    if given.list:
        print("\n".join(tally.lines))
    for what, number in tally.count.items():
        print(f"{number:6d}  {what}")
    share = tally.count["read"] / max(tally.count["decks"], 1)
    print(f"{share:7.1%}  of the decks are read; refused:")
    for why, number in tally.refused.most_common():
        print(f"{number:6d}  {why}")


if __name__ == "__main__":
    main()
