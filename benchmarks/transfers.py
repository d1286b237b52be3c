"""Claim: tile-sized transfer matrices come near what a core can do, whatever the wires.

Milliseconds of processor time on one thread: `xbar.circuit.transfers` for each of a batch,
`Crossbar.transfer` and one `Crossbar.read` of a new crossbar. With ``--before``, the Python of
another checkout (its virtual environment), each round runs both trees, one after the other, each in
a process of its own; the least of all rounds counts. Results of both must agree.

    mild:  cells log-uniform from 1e-6 to 1e-4 S
    harsh: 20 ohm a segment, cells 1e-9 or 1e-3 S

    python benchmarks/transfers.py [--before ../before/.venv/bin/python] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table

from xbar.circuit import Crossbar, transfers
from xbar.parallel import one_thread

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = dict[str, tuple[float, float]]
"""By name, milliseconds and a checksum of the result."""

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_BATCH = 16
_WARM = 0.15  # seconds of repetitions
_WIRES = {"1 ohm": (1.0, 1.0), "1 uohm": (1e-6, 1e-6), "0 ohm": (0.0, 0.0)}
_ONE_IDEAL = {"word lines 0 ohm": (0.0, 1.0), "bit lines 0 ohm": (1.0, 0.0)}


def least(run: Callable[[], Floats], each: int = 1) -> tuple[float, float]:
    """Least processor time of a run, for each of its crossbars, and the sum of the result."""
    total = float(np.abs(run()).sum())  # compiles, too
    times: list[float] = []
    end = time.process_time() + _WARM
    while not times or time.process_time() < end:
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e3 * min(times) / each, total


def transfer(cells: Floats, wires: dict[str, Any]) -> Floats:
    return Crossbar(cells, **wires).transfer


def read(cells: Floats, volts: Floats) -> Floats:
    return Crossbar(cells, 20.0, 20.0).read(volts)


def measure(largest: int) -> Rows:
    """All rows on the installed tree."""
    rows: Rows = {}
    ends = {"source": 5.0, "load": 5.0}
    for n in (64, 128, 256):
        cells = 10 ** np.random.default_rng(n).uniform(-6, -4, (_BATCH, n, n))
        for name, (word, bit) in (_WIRES | _ONE_IDEAL).items():
            wires: dict[str, Any] = {"word_wire": word, "bit_wire": bit, **ends}
            batch = partial(transfers, cells, **wires)
            rows[f"{n}, each of a batch, {name}"] = least(batch, _BATCH)
            rows[f"{n}, a crossbar, {name}"] = least(partial(transfer, cells[0], wires))
    n = 64
    while n <= largest:
        rng = np.random.default_rng(n)
        harsh, volts = rng.choice([1e-9, 1e-3], (n, n)), rng.uniform(0, 1, (1, n))
        rows[f"{n}, one read, harsh"] = least(partial(read, harsh, volts))
        n *= 2
    return rows


def alternate(before: str, rounds: int, largest: int) -> tuple[Rows, Rows]:
    """Least times of both trees over rounds; exits where they disagree."""
    found: list[Rows] = [{}, {}]
    for _ in range(rounds):
        for rows, python in zip(found, (before, sys.executable), strict=True):
            command = [python, __file__, "--json", "--largest", str(largest)]
            for name, (ms, total) in json.loads(subprocess.check_output(command)).items():
                rows[name] = (min(ms, rows.get(name, (np.inf,))[0]), total)
    for name, (_, total) in found[1].items():
        other = found[0][name][1]
        if abs(total - other) > 1e-9 * other:
            raise SystemExit(f"{name}: the results sum up to {other} before and {total} now")
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", help="Python of the tree before")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest", type=int, default=1024, help="side of the largest read")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in _THREADS):
        os.execve(
            sys.executable, [sys.executable, *sys.argv], os.environ | dict.fromkeys(_THREADS, "1")
        )
    old: Rows = {}
    with one_thread():
        if given.json:
            print(json.dumps(measure(given.largest)))
            return
        if given.before:
            old, new = alternate(given.before, given.rounds, given.largest)
        else:
            new = measure(given.largest)
    table = Table("n, task, wires", *(Column(c, justify="right") for c in ("before", "now", "x")))
    for name, (ms, _) in new.items():
        was = old[name][0] if name in old else np.nan
        table.add_row(name, f"{was:.3g}", f"{ms:.3g}", f"{was / ms:.2f}")
    Console(width=100).print(table)
    reads = {int(k.split(",")[0]): v[0] for k, v in new.items() if "harsh" in k}
    grown = np.log(reads[max(reads)] / reads[64]) / np.log(max(reads) / 64)
    print(f"harsh read from 64 to {max(reads)}: n^{grown:.2f}")


if __name__ == "__main__":
    main()
