"""Claim: one formula says from where on a bank of equal nominals reaches every whole number.

Banks of n whole numbers around a nominal of 1,000 with a uniform spread: the fewest elements for
which half of the banks have a subset with exactly a target on a tier (n/2 nominals), and midway to
the next one, by exact enumeration of all sums, by the formula of ``xbar.sizing.lattice`` and by the
design formula of ``xbar.sizing.density``, which knows no tiers. Then the perfect partitions of
U{1, ..., 2^m} against the window of Borgs, Chayes and Pittel.

    python benchmarks/lattice.py [--banks 100] [--print]

Writes the tables between their marks in docs/tickets_laws.md.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from growth_laws import PAGE
from pages import write_table

from xbar.sizing.density import density
from xbar.sizing.lattice import exact_chance, partition_chance, reachable, threshold_bits
from xbar.statistics import wilson_interval

NOMINAL = 1000
REACHES = (9, 17, 35, 87, 173, 346)
"""Largest deviations, for spreads of 0.5 to 20 %."""
MOST = 512

Hits = Callable[[np.ndarray, int], float]


def enumerated(bank: np.ndarray, target: int) -> float:
    """1 if a subset has exactly this sum."""
    sums = reachable(bank)
    return float(target < len(sums) and sums[target])


def tiered(bank: np.ndarray, target: int) -> float:
    """The chance by the formula with tiers."""
    return float(exact_chance(bank, [target])[0])


def smeared(bank: np.ndarray, target: int) -> float:
    """The chance by the design formula."""
    return float(-np.expm1(-density(bank, float(target))))


def chance(hits: Hits, elements: int, reach: int, between: bool, banks: int) -> float:
    """Mean over banks that are the same for each way."""
    target = elements // 2 * NOMINAL + between * NOMINAL // 2
    found = []
    for seed in range(banks):
        rng = np.random.default_rng([elements, reach, seed])
        found.append(hits(NOMINAL + rng.integers(-reach, reach + 1, elements), target))
    return float(np.mean(found))


def fewest(hits: Hits, reach: int, between: bool, banks: int) -> int:
    """The smallest even number of elements with a chance of at least a half, by bisection."""
    low, high = 0, MOST
    while high - low > 2:
        middle = (low + high) // 4 * 2
        enough = chance(hits, middle, reach, between, banks) >= 0.5 if middle else False
        low, high = (low, middle) if enough else (middle, high)
    return high


def tiers(banks: int) -> str:
    """Fewest elements by each way, in Markdown."""
    heads = ["spread", "target", "enumerated", "with tiers", "design formula", "times spread"]
    lines = [f"| {' | '.join(heads)} |", "|--" * len(heads) + "|"]
    for reach in REACHES:
        sigma = math.sqrt(reach * (reach + 1) / 3) / NOMINAL
        for between in (False, True):
            exact, ours, old = (
                fewest(hits, reach, between, banks) for hits in (enumerated, tiered, smeared)
            )
            place = "between tiers" if between else "on a tier"
            product = f"{exact * sigma:.2f}" if between else ""
            cells = [f"{sigma:.1%}".replace("%", " %"), place, exact, ours, old, product]
            lines.append(f"| {' | '.join(map(str, cells))} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def partitions(banks: int) -> str:
    """Shares of perfect partitions against the window, in Markdown."""
    heads = ["n", "bits", "bits - threshold", "even sums: enumerated", "window", "odd", "window"]
    lines = [f"| {' | '.join(heads)} |", "|--" * len(heads) + "|"]
    for elements in (12, 16, 20):
        for shift in (-3, -1, 0, 1, 3):
            bits = round(threshold_bits(elements)) + shift
            found: list[list[float]] = [[], []]
            for seed in range(banks):
                rng = np.random.default_rng([elements, bits, seed])
                bank = rng.integers(1, 2**bits + 1, elements)
                total = int(bank.sum())
                found[total % 2].append(enumerated(bank, total // 2))
            expected = partition_chance(elements, bits)
            cells = [str(elements), str(bits), f"{bits - threshold_bits(elements):+.1f}"]
            for share, formula in zip(found, expected, strict=True):
                cells += [interval(share), f"{formula:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(hits: list[float]) -> str:
    """A share with its 95 % interval."""
    low, high = wilson_interval(sum(hits), len(hits))
    return f"{np.mean(hits):.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--banks", type=int, default=100)
    parser.add_argument("--print", action="store_true", help="leave the page as it is")
    given = parser.parse_args()
    start = time.process_time()
    first, second = tiers(given.banks), partitions(10 * given.banks)
    print(second)
    print(f"{time.process_time() - start:.0f} s of CPU")
    if not given.print:
        write_table(PAGE, "lattice_tiers", f"\n{first}\n")
        write_table(PAGE, "lattice_partitions", f"\n{second}\n")


if __name__ == "__main__":
    main()
