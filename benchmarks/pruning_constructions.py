"""Claim: constructions run at the subset kernels' rate.

Each construction of one layer (drawing random numbers, choosing subsets, storing masks and errors)
compared with `solve_subset` on as many pre-sampled banks of the same size, in the same run. Times
are CPU times of all threads, each repeat times both in turn, and the ratio is the median over
repeats.

    python benchmarks/pruning_constructions.py [--weights 100000] [--samples 21] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from xbar.pruning.constructions import convolution, malach, pensia
from xbar.pruning.constructions.choosing import Minimise
from xbar.pruning.constructions.replacement import Order, Replacement, TargetLayer
from xbar.subset import solve_subset

CASES: tuple[tuple[str, Callable[[TargetLayer, Order], Replacement], Minimise], ...] = (
    ("pensia, best subsets", pensia.construct, "error"),
    ("pensia, smallest within 0.01", pensia.construct, "size"),
    ("cnn, best subsets", convolution.construct, "error"),
    ("malach, nearest path", malach.construct, "error"),
)


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=21)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    inputs = 500
    outputs = max(arguments.weights // inputs, 1)
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.03, (outputs, inputs, 1))
    channel = np.broadcast_to(np.arange(inputs), (outputs, inputs))
    banks = rng.uniform(-1, 1, (weight.size, arguments.samples))
    banks *= rng.random(banks.shape)

    def plain() -> None:
        solve_subset(banks, weight.ravel())

    def build(
        construct: Callable[[TargetLayer, Order], Replacement], minimise: Minimise, part: int
    ) -> None:
        target = TargetLayer("layer", 0, weight[:part], channel[:part], inputs)
        construct(target, Order(0.01, arguments.samples, minimise))

    print(f"{weight.size:,} weights, {arguments.samples} samples, {arguments.repeats} repeats")
    print(f"{'':<30}{'weights/s':>12}{'time over solve_subset':>24}{'least':>8}{'most':>8}")
    solve_subset(banks[:1000], weight.ravel()[:1000])
    for name, construct, minimise in CASES:
        build(construct, minimise, 2)
        ratios, times = [], []
        for _ in range(arguments.repeats):
            base = cpu(plain)
            times.append(cpu(partial(build, construct, minimise, outputs)))
            ratios.append(times[-1] / base)
        rate = weight.size / statistics.median(times)
        middle = statistics.median(ratios)
        print(f"{name:<30}{rate:>12,.0f}{middle:>24.2f}{min(ratios):>8.2f}{max(ratios):>8.2f}")


if __name__ == "__main__":
    main()
