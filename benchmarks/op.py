"""Claim: ``xbar op`` solves a deck of 200,000 resistors in seconds, ngspice far later.

Both commands run on the same decks, one after the other in every round: a square grid of resistors
with a source at one corner and a load at the other, flat, and built from subcircuits of four
resistors. Times are processor time of the whole command, reading and printing included. Both must
agree on the voltage of the load to 1e-6. The first line of xbar's is a run before, in which numba
may compile.

    python benchmarks/op.py [--resistors 2000 20000 200000] [--limit 120]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

import numpy as np


def grid(resistors: int, nested: bool) -> str:
    """A deck of about this many resistors."""
    side = round((resistors / 2) ** 0.5) + 1
    value = np.random.default_rng(0).uniform(1.0, 10.0, (side, side, 2)).round(4).tolist()
    lines = ["* grid of resistors", "V1 n0_0 0 1"]
    if nested:
        lines += [".subckt cell a b c r=1 s=1", "R1 a b {r}", "R2 a c {s}", ".ends"]
    for i in range(side):
        for j in range(side):
            here, right, below = f"n{i}_{j}", f"n{i}_{j + 1}", f"n{i + 1}_{j}"
            r, s = value[i][j]
            if nested and i + 1 < side and j + 1 < side:
                lines.append(f"X{i}_{j} {here} {right} {below} cell r={r} s={s}")
                continue
            if j + 1 < side:
                lines.append(f"Rr{i}_{j} {here} {right} {r}")
            if i + 1 < side:
                lines.append(f"Rb{i}_{j} {here} {below} {s}")
    load = f"n{side - 1}_{side - 1}"
    return "\n".join([*lines, f"Rload {load} out 1", "Rout out 0 10", ".end", ""])


def timed(command: list[str], limit: float) -> tuple[float, str] | None:
    """Processor time and output; None beyond the limit."""
    before = os.times()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, check=True, env=_one_thread()
        )
    except subprocess.TimeoutExpired:
        return None
    after = os.times()
    used = after.children_user - before.children_user
    return used + after.children_system - before.children_system, done.stdout


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def by_xbar(deck: Path, limit: float) -> tuple[float, float] | None:
    """Seconds, and volts across the load."""
    code = "from xbar.cli.main import main; main()"
    found = timed([sys.executable, "-c", code, "op", str(deck), "--json"], limit)
    return None if found is None else (found[0], json.loads(found[1])["voltage"]["out"])


def by_ngspice(deck: Path, limit: float) -> tuple[float, float] | None:
    """The same, asked for the load's voltage only."""
    asked = deck.with_suffix(".ng")
    text = deck.read_text().removesuffix(".end\n")
    asked.write_text(text + ".control\nop\nprint v(out)\nquit\n.endc\n.end\n")
    found = timed(["ngspice", "-b", str(asked)], limit)
    if found is None:
        return None
    match = re.search(r"v\(out\) = (\S+)", found[1])
    return found[0], float(match[1]) if match else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resistors", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for one command")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    peers = {"xbar": by_xbar} | ({"ngspice": by_ngspice} if which("ngspice") else {})
    with tempfile.TemporaryDirectory() as folder:
        for nested in (False, True):
            for count in given.resistors:
                deck = Path(folder, "deck.cir")
                deck.write_text(grid(count, nested))
                first = by_xbar(deck, given.limit)
                seconds: dict[str, list[float]] = {name: [] for name in peers}
                volts: dict[str, float] = {}
                for _ in range(given.repeats):
                    for name, peer in peers.items():
                        found = peer(deck, given.limit) if None not in seconds[name] else None
                        seconds[name].append(np.inf if found is None else found[0])
                        if found is not None:
                            volts[name] = found[1]
                if len(volts) > 1 and abs(volts["xbar"] / volts["ngspice"] - 1) > 1e-6:
                    raise SystemExit(f"they differ: {volts}")
                shown = {name: f"{np.median(times):.2f} s" for name, times in seconds.items()}
                kind = "subcircuits" if nested else "flat"
                begun = "-" if first is None else f"{first[0]:.2f} s"
                print(f"{count:7d} resistors, {kind}: {shown}, first run {begun}", flush=True)


if __name__ == "__main__":
    main()
