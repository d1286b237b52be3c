"""Claim: exact subset selection for whole layers takes seconds, not hours.

Meet-in-the-middle of xbar against OR-Tools CP-SAT, a vectorised numpy meet-in-the-middle and all
2**K sums in numpy, on the same instances in the same run: g ~ U(0, 1), targets between a quarter
and three quarters of each bank's sum. All must agree on the optimum before anything is timed.
Everything but the last column uses one thread. Times are medians; a ratio is the other method's
time per instance over that of xbar on one thread.

    python benchmarks/subset.py [--elements 8 12 16 20] [--repeats 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table

from xbar.subset import MeetInTheMiddle

Floats = NDArray[np.float64]
Method = Callable[[Floats, Floats], Floats]  # banks (M, K), targets (M,) -> |residual| (M,)

_CP_SAT_BITS = 40


@dataclass(frozen=True)
class Row:
    """One line of the table; times in microseconds per instance.

    Attributes:
        elements: K.
        method: whose time it is.
        threads: threads used.
        instances: how many were solved in each repeat.
        time: median time per instance.
        ratio: that time over the time of xbar on one thread.
    """

    elements: int
    method: str
    threads: int
    instances: int
    time: float
    ratio: float


def xbar_method(threads: int) -> Method:
    """The solver of xbar, from float64 banks to masks and residuals."""

    def solve(bank: Floats, target: Floats) -> Floats:
        solver = MeetInTheMiddle(threads=threads)
        return np.abs(np.asarray(solver.prepare(bank).solve(target).residual))

    return solve


def all_sums(bank: Floats) -> Floats:
    """(M, 2**K) subset sums in the order of masks."""
    sums = np.zeros((len(bank), 1))
    for g in bank.T:
        sums = np.concatenate([sums, sums + g[:, None]], axis=1)
    return sums


def numpy_meet_in_the_middle(bank: Floats, target: Floats) -> Floats:
    """Both halves' sums sorted together for blocks of instances; the closest mixed neighbours."""
    half = bank.shape[1] // 2
    block = max((1 << 18) >> half, 1)
    best = np.empty(len(target))
    for start in range(0, len(target), block):
        part = slice(start, start + block)
        first, rest = all_sums(bank[part, :half]), target[part, None] - all_sums(bank[part, half:])
        both = np.concatenate([first, rest], axis=1)
        order = np.argsort(both, axis=1)
        gap = np.diff(np.take_along_axis(both, order, axis=1), axis=1)
        mixed = np.diff(order < first.shape[1], axis=1)
        at = np.where(mixed, gap, np.inf).argmin(axis=1)[:, None]
        pair = np.sort(np.take_along_axis(order, np.hstack([at, at + 1]), axis=1), axis=1)
        mask = pair[:, 0] | ((pair[:, 1] - first.shape[1]) << half)
        chosen = (mask[:, None] >> np.arange(bank.shape[1])) & 1
        best[part] = np.abs((chosen * bank[part]).sum(axis=1) - target[part])
    return best


def numpy_all_subsets(bank: Floats, target: Floats) -> Floats:
    """All 2**K sums of one instance after the other."""
    pairs = zip(bank, target, strict=True)
    return np.array([np.abs(all_sums(g[None])[0] - t).min() for g, t in pairs])


def cp_sat(bank: Floats, target: Floats) -> Floats:
    """OR-Tools CP-SAT with one worker on integers of 40 bits."""
    return np.array([_cp_sat_one(g, t) for g, t in zip(bank, target, strict=True)])


def _cp_sat_one(bank: Floats, target: float) -> float:
    from ortools.sat.python import cp_model

    scale = 2.0**_CP_SAT_BITS / bank.sum()
    model = cp_model.CpModel()
    chosen = [model.new_bool_var(f"x{i}") for i in range(len(bank))]
    excess = sum(round(g * scale) * x for g, x in zip(bank.tolist(), chosen, strict=True))
    excess -= round(target * scale)
    distance = model.new_int_var(0, 2**_CP_SAT_BITS, "distance")
    model.add(distance >= excess)
    model.add(distance >= -excess)
    model.minimize(distance)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise SystemExit("CP-SAT did not prove its optimum")
    mask = np.array([solver.value(x) for x in chosen])
    return float(abs((mask * bank).sum() - target))


def peers(elements: int) -> dict[str, tuple[Method, int]]:
    """Each method and the number of instances that takes a second at most or so."""
    return {
        "numpy meet-in-the-middle": (numpy_meet_in_the_middle, max(1 << (18 - elements // 2), 64)),
        "numpy, all 2^K sums": (numpy_all_subsets, 200 if elements <= 16 else 20),
        "OR-Tools CP-SAT": (cp_sat, 20 if elements <= 12 else 8 if elements <= 16 else 4),
    }


def median_time(method: Method, bank: Floats, target: Floats, repeats: int) -> float:
    """Seconds per instance."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        method(bank, target)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) / len(target)


def check_agreement(name: str, ours: Floats, theirs: Floats, bank: Floats) -> None:
    """Stops if two methods differ by more than their rounding."""
    elements = bank.shape[1]
    digits = _CP_SAT_BITS - 1 if "CP-SAT" in name else 51
    allowed = (elements + 1) * 2.0**-digits * bank.sum(axis=1)
    worst = np.abs(ours - theirs) / allowed
    if (worst > 1).any():
        raise SystemExit(f"K = {elements}: {name} and xbar disagree on instance {worst.argmax()}")


def compare(elements: int, repeats: int, rng: np.random.Generator) -> list[Row]:
    """Checks and times every method at one length of bank."""
    count = 1 << max(min(26 - elements // 2 - 2, 18), 12)
    bank = rng.random((count, elements))
    target = bank.sum(axis=1) * rng.uniform(0.25, 0.75, count)
    threads = os.cpu_count() or 1
    ours = xbar_method(1)
    residual = ours(bank, target)
    for name, (method, few) in peers(elements).items():
        check_agreement(name, residual[:few], method(bank[:few], target[:few]), bank[:few])
    own = median_time(ours, bank, target, repeats)
    rows = [Row(elements, "xbar meet-in-the-middle", 1, count, own * 1e6, 1.0)]
    for name, (method, few) in peers(elements).items():
        peer = median_time(method, bank[:few], target[:few], repeats)
        rows.append(Row(elements, name, 1, few, peer * 1e6, peer / own))
    every = median_time(xbar_method(threads), bank, target, repeats)
    rows.append(Row(elements, "xbar meet-in-the-middle", threads, count, every * 1e6, every / own))
    return rows


def show(rows: list[Row]) -> None:
    """Prints the table."""
    table = Table("K", Column("method", no_wrap=True), "threads", "us each", "million/s", "ratio")
    for row in rows:
        table.add_row(
            str(row.elements),
            row.method,
            str(row.threads),
            f"{row.time:.4g}",
            f"{1 / row.time:.3g}",
            f"{row.ratio:.3g}",
            end_section=row.threads > 1,
        )
    Console().print(table)


def main() -> None:
    """Reads the arguments, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--elements", type=int, nargs="+", default=[8, 12, 16, 20], metavar="K")
    parser.add_argument("--repeats", type=int, default=5, help="runs that the median is taken of")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    rows = [row for k in arguments.elements for row in compare(k, arguments.repeats, rng)]
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)


if __name__ == "__main__":
    main()
