"""Claim: CP-SAT without a hint finds the optimum of meet-in-the-middle, K = 16 to 28.

200 instances, X ~ U(-1, 1), targets within a quarter of sum|x| of 0. A proof takes CP-SAT minutes
for K above about 24; there most numbers are multiples of 1/2000, whose sums meet the target
exactly. Every result must be reported optimal, and both must agree up to float64 rounding.

    python benchmarks/subset_agreement.py [--seed 0]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from xbar.subset import Milp, solve_subset

# K: instances with real numbers, instances with multiples of 1/2000
PLAN = {16: (60, 5), 18: (45, 5), 20: (30, 5), 22: (12, 8), 24: (4, 8), 26: (1, 8), 28: (1, 8)}
EPSILON = float(np.finfo(np.float64).eps)


def instances(
    rng: np.random.Generator, elements: int, real: int, whole: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Banks (real + whole, K) and targets."""
    bank = rng.uniform(-1, 1, (real + whole, elements))
    bank[real:] = np.rint(bank[real:] * 2000)
    target = rng.uniform(-0.25, 0.25, len(bank)) * np.abs(bank).sum(axis=1)
    some = (bank * (rng.random(bank.shape) < 0.5)).sum(axis=1)
    target[real:] = some[real:]
    return bank, target


def main() -> None:
    """Solve all instances by both and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    rng = np.random.default_rng(parser.parse_args().seed)
    print("| K | instances | agree | largest difference / rounding | CP-SAT s |")
    print("|--|--|--|--|--|")
    total = agreed = 0
    for elements, (real, whole) in PLAN.items():
        bank, target = instances(rng, elements, real, whole)
        rounding = EPSILON * (elements * np.abs(bank).sum(axis=1) + np.abs(target))
        began = time.process_time()
        slow = [
            Milp(hint=False, time_limit=3600).prepare(g).solve(t)
            for g, t in zip(bank, target, strict=True)
        ]
        spent = time.process_time() - began
        fast = np.abs(solve_subset(bank, target, "meet-in-the-middle").residual)
        apart = np.abs(np.abs([one.residual for one in slow]) - fast) / rounding
        same = (apart <= 1) & np.array([one.status == "optimal" for one in slow])
        total, agreed = total + len(bank), agreed + int(same.sum())
        row = f"| {elements} | {len(bank)} | {same.sum()} | {apart.max():.2g} | {spent:.3g} |"
        print(row, flush=True)
    print(f"{agreed} of {total} agree")
    if agreed < total:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
