"""Claim: on noisy chips the exact choice of resistors beats heuristics at little extra cost.

Matrices with normal weights on chips of 8 resistors a cell, lognormal spread 0.3, ideal wires,
programmed by two rules and read with noise; the error of the outputs relative to the exact ones,
by chip. *exact*: xbar's rule, the least bias² + variance of all subsets. *guess*: the best of three
choices, the closest subset, the closest of one cell of the pair, and none. Then the time of the
exact rule's kernel relative to the plain closest subset, for the same banks (one per weight, half
of the elements negative) and targets, in one thread.

    python benchmarks/noise.py [--chips 5] [--noise 0.01 0.03] [--elements 8 12 16 20 24 28 32]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.compiler.passes.choose_subsets import choose_on_one_side
from xbar.effects.expected import ExpectedError
from xbar.parallel import one_thread
from xbar.subset import solve_subset
from xbar.subset.variants.robust import quietest_subsets

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

INPUTS, OUTPUTS, READS = 256, 128, 200
LITTLE = 0.001  # low noise, with many candidate subsets: a hard case
PASSES = ("choose_subsets", "set_scales")


def best_of_three(element: Floats, goal: Floats, error: ExpectedError) -> Bools:
    """The former rule."""

    def cost(choice: Bools) -> Floats:
        chosen = np.where(choice, element, 0.0)
        miss = chosen.sum(axis=-1) - goal
        return np.asarray(miss**2 + error.noise**2 * (chosen**2).sum(axis=-1))

    choice: Bools = solve_subset(element, goal).mask & (element != 0.0)
    for other in (choose_on_one_side(element, goal), np.zeros_like(choice)):
        better = cost(other) <= cost(choice)
        choice[better] = other[better]
    return choice


def design(noise: float) -> xbar.Hardware:
    """Design of the chips."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, sigma=0.3),
        tile=xbar.Tile(word_lines=128, bit_lines=128),
        variation=xbar.Variation(read_noise=noise),
    )


def output_error(seed: int, noise: float, *, guess: bool) -> float:
    """Relative root mean square error of the noisy outputs of one matrix on one chip."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((OUTPUTS, INPUTS))
    x = rng.standard_normal((READS, INPUTS))
    with ExitStack() as former:
        for name in PASSES if guess else ():
            where = f"xbar.compiler.passes.{name}.choose_least_error"
            former.enter_context(patch(where, best_of_three))
        program = xbar.compile({"fc": weight}, design(noise), seed=seed)
    y, exact = program.run({"fc": x}, seed=seed)["fc"], x @ weight.T
    return float(np.sqrt(((y - exact) ** 2).mean() / (exact**2).mean()))


def seconds(work: Callable[[], object]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(elements: int, noise: float, repeats: int) -> tuple[float, float]:
    """Microseconds per weight of the plain closest subset, and median ratio of the exact rule."""
    rng = np.random.default_rng(elements)
    count = 1 << min(max(14 - (elements - 16) // 2, 6), 14)
    bank = np.exp(0.3 * rng.standard_normal((count, elements)))
    bank[:, elements // 2 :] *= -1
    target = elements / 8 * rng.standard_normal(count)

    def plain() -> Bools:
        return solve_subset(bank, target).mask

    def exact() -> Bools:
        return quietest_subsets(bank, target, noise)

    with one_thread():
        plain(), exact()
        pairs = [(seconds(plain), seconds(exact)) for _ in range(repeats)]
    own, ratio = np.median([(a / count, b / a) for a, b in pairs], axis=0)
    return float(own * 1e6), float(ratio)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.01, 0.03])
    parser.add_argument("--elements", type=int, nargs="*", default=[8, 12, 16, 20, 24, 28, 32])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    print("| read noise | chip | error, guess | error, exact | ratio |\n|--|--|--|--|--|")
    for noise in arguments.noise:
        for seed in range(arguments.chips):
            guess, exact = (output_error(seed, noise, guess=g) for g in (True, False))
            print(
                f"| {100 * noise:g} % | {seed} | {guess:.5f} | {exact:.5f} | {guess / exact:.2f} |",
                flush=True,
            )
    levels = sorted({LITTLE, *arguments.noise})
    names = [f"exact at {100 * noise:g} %" for noise in levels]
    print(f"\n| K | plain us | {' | '.join(names)} |\n|--|--|{'--|' * len(names)}")
    for elements in arguments.elements:
        found = [speed(elements, noise, arguments.repeats) for noise in levels]
        ratios = " | ".join(f"{ratio:.2g}x" for _, ratio in found)
        print(f"| {elements} | {found[0][0]:.3g} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
