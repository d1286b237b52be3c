"""Claim: exact subset selection for whole layers takes seconds, not hours.

xbar against OR-Tools CP-SAT, two mixed-integer solvers (SCIP through OR-Tools MathOpt, HiGHS
through SciPy), a vectorised numpy meet-in-the-middle and all 2**K sums in numpy, on the same
instances in the same run: g ~ U(0, 1), targets between a quarter and three quarters of each bank's
sum. Exact methods must agree on the optimum before anything is timed; MILP solvers cannot resolve
it beyond their tolerances, so the worst excess of each method is in the table.

Times are CPU times of one thread; a repeat times a method and xbar in turn, and the ratio is the
median over repeats of the method's time per instance over that of xbar. Growth with
the batch and with threads is in wall time.

    python benchmarks/subset.py [--elements 8 12 16 ...] [--repeats 5] [--stream MILLIONS] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import subset_peers as peers
from numpy.typing import NDArray

from xbar.subset import SchroeppelShamir, get_solver, solve_stream
from xbar.subset.methods.meet_in_the_middle import MeetInTheMiddle
from xbar.subset.registry import choose

Floats = NDArray[np.float64]
Method = Callable[[Floats, Floats], Floats]  # banks (M, K), targets (M,) -> |residual| (M,)


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    Attributes:
        elements: bank size K.
        method: name of the method.
        instances: number of instances per repeat.
        time: median CPU time per instance in microseconds.
        ratio: median ratio to xbar's time on one thread in the same repeat.
        excess: largest excess of |residual| over that of xbar, relative to the bank's sum.
    """

    elements: int
    method: str
    instances: int
    time: float
    ratio: float
    excess: float


@dataclass(frozen=True)
class Growth:
    """Wall time per instance for a batch and a number of threads, in microseconds."""

    elements: int
    instances: int
    threads: int
    time: float


def xbar_method(elements: int, threads: int) -> Method:
    """The method chosen by ``method="auto"``, from float64 banks to masks and residuals."""
    name, _ = choose(elements)
    solvers = {s.name: s for s in (MeetInTheMiddle(threads=threads), SchroeppelShamir(threads))}
    solver = solvers.get(name) or get_solver(name)

    def solve(bank: Floats, target: Floats) -> Floats:
        return np.abs(np.asarray(solver.prepare(bank).solve(target).residual))

    return solve


def instances(elements: int, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Banks and targets."""
    bank = rng.random((count, elements))
    return bank, bank.sum(axis=1) * rng.uniform(0.25, 0.75, count)


def own_count(elements: int) -> int:
    """Number of instances that take xbar about a tenth of a second."""
    few = 3 if elements > 32 else 32
    return max(min(1 << max(26 - elements // 2 - elements // 4, 0), 1 << 17), few)


def cpu_time(method: Method, bank: Floats, target: Floats) -> float:
    """CPU seconds per instance."""
    start = time.process_time()
    method(bank, target)
    return (time.process_time() - start) / len(target)


def wall_time(method: Method, bank: Floats, target: Floats, repeats: int) -> float:
    """Median seconds per instance."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        method(bank, target)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) / len(target)


def compare(elements: int, repeats: int, rng: np.random.Generator) -> list[Row]:
    """Check and time every method for one bank size."""
    bank, target = instances(elements, own_count(elements), rng)
    ours = xbar_method(elements, 1)
    residual = ours(bank, target)
    own: list[float] = []
    rows: list[Row] = []
    for name, peer in peers.METHODS.items():
        few = min(peer.instances(elements), len(target))
        if few == 0:
            continue
        g, t = bank[:few], target[:few]
        theirs = peer.solve(g, t)
        excess = float(((theirs - residual[:few]) / g.sum(axis=1)).max())
        if peer.exact and abs(excess) > (elements + 1) * peer.resolution:
            raise SystemExit(f"K = {elements}: {name} and xbar disagree by {excess}")
        times = [(cpu_time(peer.solve, g, t), cpu_time(ours, bank, target)) for _ in range(repeats)]
        own += [mine for _, mine in times]
        each = float(np.median([his for his, _ in times])) * 1e6
        ratio = float(np.median([his / mine for his, mine in times]))
        rows.append(Row(elements, name, few, each, ratio, max(excess, 0.0)))
    own = own or [cpu_time(ours, bank, target) for _ in range(repeats)]
    first = Row(elements, f"xbar {choose(elements)[0]}", len(target), 0.0, 1.0, 0.0)
    return [Row(**{**asdict(first), "time": float(np.median(own)) * 1e6}), *rows]


def batches(elements: int, repeats: int, rng: np.random.Generator) -> Iterator[Growth]:
    """Wall time by batch size, and by threads for the largest batch."""
    threads = os.cpu_count() or 1
    for count in (1, 10, 100, 1000, 10_000, 100_000):
        bank, target = instances(elements, count, rng)
        for used in sorted({1, threads} if count == 100_000 else {1}):
            method = xbar_method(elements, used)
            method(bank, target)
            each = wall_time(method, bank, target, max(repeats, 5))
            yield Growth(elements, count, used, each * 1e6)


def stream(millions: float, rng: np.random.Generator) -> str:
    """Solve millions of instances of K = 12 in chunks; reports time and memory."""
    chunk, elements = 250_000, 12
    bank = rng.random((chunk, elements)).astype(np.float32)
    span = bank.sum(axis=1)
    count = max(round(millions * 1e6 / chunk), 1)
    chunks = ((bank, span * np.float32(rng.uniform(0.25, 0.75))) for _ in range(count))
    wall, cpu, done = time.perf_counter(), time.process_time(), [0]
    for solution in solve_stream(chunks, progress=done.append):
        np.packbits(solution.mask, axis=-1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{done[-1] / 1e6:g} million instances of K = {elements} in chunks of {chunk}: "
        f"{wall:.1f} s wall, {cpu:.1f} s CPU, at most {peak:.0f} MB resident"
    )


def machine() -> str:
    """Description of the machine."""
    from xbar.subset.kernels.vectors import LANES

    parts = [f"{os.cpu_count()} CPUs, {platform.machine()}, vectors of {LANES} x 64 bits"]
    parts += [f"Python {platform.python_version()}", f"numpy {np.__version__}"]
    return ", ".join(parts)


def show(rows: list[Row], growth: list[Growth]) -> None:
    """Prints tables in Markdown."""
    print(f"Machine: {machine()}\n")
    print("| K | method | instances | CPU us each | over xbar | worst excess |")
    print("|--|--|--|--|--|--|")
    for r in rows:
        excess = f"{r.excess:.0e}" if r.excess > 1e-13 else "-"
        cells = (r.elements, r.method, r.instances, f"{r.time:.4g}", f"{r.ratio:,.3g}", excess)
        print("|", " | ".join(map(str, cells)), "|")
    if growth:
        print("\n| K | batch | threads | wall us each |\n|--|--|--|--|")
        for g in growth:
            print(f"| {g.elements} | {g.instances} | {g.threads} | {g.time:.4g} |")


def main() -> None:
    """Reads the arguments, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--elements", type=int, nargs="+", default=[8, 12, 16, 20], metavar="K")
    parser.add_argument("--repeats", type=int, default=5, help="runs that the median is taken of")
    parser.add_argument("--batch", type=int, nargs="*", default=[16], metavar="K")
    parser.add_argument("--stream", type=float, default=0.0, metavar="MILLIONS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    rows = [row for k in arguments.elements for row in compare(k, arguments.repeats, rng)]
    growth = [g for k in arguments.batch for g in batches(k, arguments.repeats, rng)]
    if arguments.json:
        tables = {"compare": [asdict(r) for r in rows], "growth": [asdict(g) for g in growth]}
        print(json.dumps(tables, indent=2))
    else:
        show(rows, growth)
    if arguments.stream:
        print("\n" + stream(arguments.stream, rng))


if __name__ == "__main__":
    main()
