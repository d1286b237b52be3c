"""Claim: side constraints on a subset cost meet-in-the-middle little, and other methods much.

Each variant of xbar against all 2**K subsets in numpy (their sums are precomputed and not timed: a
lower bound for that method) and, if it can express the constraint, OR-Tools CP-SAT. Same
instances, same run: g ~ U(0.2, 1), targets 0.47 of each bank's sum. All must agree before
anything is timed. xbar uses all CPUs, the others one thread. Times are medians; a ratio is the
other method's time over that of xbar.

    python benchmarks/subset_variants.py [--elements 16 20] [--repeats 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from xbar.subset import (
    Constraints,
    best_subsets,
    solve_constrained,
    solve_fixed_size,
    solve_robust,
    solve_smallest,
)

Floats = NDArray[np.float64]
NOISE, TOLERANCE, COUNT = 0.02, 3e-3, 32


def median_time(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after one warm-up call."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def all_sums(values: Floats) -> Floats:
    """The 2**K subset sums of values (K,), in the order of masks."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def variants(
    bank: Floats, target: Floats
) -> dict[str, tuple[Callable[[], Floats], Callable[[], Floats], Callable[[], Floats] | None]]:
    """By name: xbar on all banks (M, K), numpy and CP-SAT on the first; each its optimum."""
    elements = bank.shape[1]
    size, one, goal = elements // 2, bank[0], target[0]
    sums, sizes = all_sums(one), all_sums(np.ones(elements))
    noise = all_sums((one * NOISE) ** 2)
    exactly = Constraints(at_least=size, at_most=size)

    def smallest_by_numpy() -> Floats:
        return np.asarray(sizes[np.abs(sums - goal) <= TOLERANCE].min())

    return {
        "fixed size": (
            lambda: np.abs(solve_fixed_size(bank, target, size).residual),
            lambda: np.where(sizes == size, np.abs(sums - goal), np.inf).min(),
            lambda: np.abs(solve_constrained(one, goal, exactly).residual),
        ),
        "fewest": (
            lambda: np.asarray(solve_smallest(bank, target, TOLERANCE).size, np.float64),
            smallest_by_numpy,
            None,
        ),
        f"best {COUNT}": (
            lambda: np.abs(np.asarray(best_subsets(bank, target, COUNT).residual)[:, -1]),
            lambda: np.partition(np.abs(sums - goal), COUNT - 1)[COUNT - 1],
            None,
        ),
        "robust": (
            lambda: np.asarray(solve_robust(bank, target, NOISE).expected_error),
            lambda: np.sqrt(((sums - goal) ** 2 + noise).min()),
            None,
        ),
    }


def main() -> None:
    """Checks that the methods agree, times them and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, nargs="+", default=[16, 20])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    table = Table("K", "variant", "xbar µs", "numpy", "CP-SAT")
    for elements in arguments.elements:
        count = max(4096 >> ((elements - 12) // 2), 4)
        bank = np.random.default_rng(elements).uniform(0.2, 1, (count, elements))
        target = 0.47 * bank.sum(axis=1)
        for name, (ours, numpy, cp_sat) in variants(bank, target).items():
            peers = [peer for peer in (numpy, cp_sat) if peer is not None]
            for peer in peers:
                assert abs(ours()[0] - peer()) < 1e-12, f"{name}: the methods do not agree"
            mine = median_time(ours, arguments.repeats) / count
            ratios = [f"{median_time(peer, arguments.repeats) / mine:,.0f}x" for peer in peers]
            table.add_row(str(elements), name, f"{mine * 1e6:.1f}", *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
