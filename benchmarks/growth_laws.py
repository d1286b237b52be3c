"""Claim: removing neurons needs polynomially many random units, removing weights a logarithm.

One ReLU neuron of two inputs, relu(w . x), is approximated over the unit disc by pruning the random
network relu(sum_i a_i relu(u_i . x)) of n hidden units; a_i and the entries of u_i are from
U(-1, 1), and w has a random direction and length 1/2. Nothing is trained:

- whole neurons: the best of all 2^n sets of kept units, by meeting in the middle;
- weights: every unit keeps one of its two inputs, so that it is one of four ramps, and each ramp of
  the target is the best subset sum of its units (an upper bound on the error of the best mask).

    python benchmarks/growth_laws.py [--most 28] [--networks 200] [--print]

Writes the tables between their marks in docs/tickets_laws.md and docs/figures/growth_laws.svg. The
laws that are compared: D. Ferré, F. Giroire, F. Mallmann-Trenn, E. Natale, "Structured vs.
Unstructured Pruning: An Exponential Gap", arXiv:2603.02234.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pages import write_table

from xbar.arrays import Bools, Floats
from xbar.files import write_bytes
from xbar.jit import jit
from xbar.subset import solve_subset

Scale = Literal["power", "logarithm"]
PAGE = Path(__file__).parent.parent / "docs" / "tickets_laws.md"
LENGTH = 0.5
"""Length of the target's weights."""
UNIFORM = 96
"""Directions at which neurons are compared, besides those where a unit has its kink."""
DENSE = 20_000
"""Directions at which the error of a chosen network is measured."""
HOT, COLD = 0.02, 0.002
"""Temperatures of the annealing, in the target's unit."""
SEARCHED = (36, 48)
"""Sizes beyond exhaustive search, where annealing gives an upper bound."""
SEARCHES = 20
"""Networks of each."""
WEIGHTS = (8, 12, 16, 24, 32, 40, 48, 56, 64, 72, 80)


@dataclass(frozen=True)
class Network:
    """A random network of one hidden layer, and the neuron that it is pruned to.

    Attributes:
        inner: (n, 2) weights of the hidden units.
        outer: (n,) weights of the output.
        target: (2,) weights of the neuron.
    """

    inner: Floats
    outer: Floats
    target: Floats

    @classmethod
    def draw(cls, units: int, seed: int) -> Network:
        """A network of one seed."""
        rng = np.random.default_rng([units, seed])
        angle = rng.uniform(0, 2 * np.pi)
        target = LENGTH * np.array([math.cos(angle), math.sin(angle)])
        return cls(rng.uniform(-1, 1, (units, 2)), rng.uniform(-1, 1, units), target)

    def kinks(self) -> Floats:
        """(2n + 2,) directions in which a unit or the target begins to rise."""
        lines = np.vstack([self.inner, self.target])
        ahead = np.arctan2(lines[:, 1], lines[:, 0])
        return np.concatenate([ahead + np.pi / 2, ahead - np.pi / 2])


def directions(angles: Floats) -> Floats:
    """(N, 2) unit vectors."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def largest_error(network: Network, inner: Floats, outer: Floats) -> float:
    """Largest error over the disc of the network with these weights left.

    All is homogeneous of degree 1, so the circle suffices; between neighbouring kinks both sides
    are sinusoids, so the directions of kinks and ``DENSE`` others give it within 1e-7 of its size.
    """
    angles = np.linspace(0, 2 * np.pi, DENSE, endpoint=False)
    points = directions(np.concatenate([angles, network.kinks()]))
    found = np.maximum(np.maximum(points @ inner.T, 0.0) @ outer, 0.0)
    return float(np.abs(found - np.maximum(points @ network.target, 0.0)).max())


def _compared(network: Network) -> tuple[Floats, Floats]:
    """(n, points) outputs of each unit, and (points,) those of the target.

    The first direction is the target's own; the others are in random order, so that a comparison
    ends early.
    """
    rng = np.random.default_rng(len(network.outer))
    spread = np.linspace(0, 2 * np.pi, UNIFORM, endpoint=False)
    others = rng.permutation(np.concatenate([spread, network.kinks()]))
    first = np.arctan2(network.target[1], network.target[0])
    points = directions(np.concatenate([[first], others]))
    columns = np.ascontiguousarray((np.maximum(points @ network.inner.T, 0.0) * network.outer).T)
    return columns, np.maximum(points @ network.target, 0.0)


def prune_neurons(network: Network) -> tuple[float, float]:
    """Error of the best set of units, and the least that any set can have.

    The second is the largest error at the compared directions alone: a lower bound.
    """
    columns, wanted = _compared(network)
    half = len(columns) // 2
    low, high = _sums(columns[:half]), _sums(columns[half:])
    order = np.argsort(high[:, 0])
    high = np.ascontiguousarray(high[order])
    bound, i, j = _meet(low, high, np.ascontiguousarray(high[:, 0]), wanted)
    chosen = (i >> np.arange(half)) & 1, (int(order[j]) >> np.arange(len(columns) - half)) & 1
    kept = np.concatenate(chosen).astype(bool)
    return largest_error(network, network.inner[kept], network.outer[kept]), float(bound)


def _sums(columns: Floats) -> Floats:
    """(2^n, points) sums of all subsets; bit i of the index says whether column i is in."""
    sums = np.zeros((1, columns.shape[1]))
    for column in columns:
        sums = np.concatenate([sums, sums + column])
    return sums


@jit
def _meet(low: Floats, high: Floats, first: Floats, wanted: Floats) -> tuple[float, int, int]:
    """Least largest |relu(low_i + high_j) - wanted| over all pairs; high is sorted by point 0."""
    best, chosen_i, chosen_j = wanted.max(), 0, 0
    points = len(wanted)
    for i in range(len(low)):
        start = np.searchsorted(first, wanted[0] - best - low[i, 0])
        for j in range(start, len(high)):
            worst = abs(low[i, 0] + first[j] - wanted[0])
            if low[i, 0] + first[j] - wanted[0] >= best:
                break
            for p in range(1, points):
                worst = max(worst, abs(max(low[i, p] + high[j, p], 0.0) - wanted[p]))
                if worst >= best:
                    break
            if worst < best:
                best, chosen_i, chosen_j = worst, i, j
    return best, chosen_i, chosen_j


def search_neurons(network: Network, steps: int = 1_000_000, tries: int = 4) -> float:
    """Error of the best set of units that annealing finds: an upper bound on that of the best."""
    columns, wanted = _compared(network)
    kept = [np.zeros(len(columns), dtype=bool) for _ in range(tries)]
    for seed, each in enumerate(kept):
        _anneal(columns, wanted, steps, np.random.default_rng(seed), each)
    return min(largest_error(network, network.inner[k], network.outer[k]) for k in kept)


@jit
def _anneal(
    columns: Floats, wanted: Floats, steps: int, rng: np.random.Generator, found: Bools
) -> None:
    """Move one unit or two at a time at a falling temperature; writes the best set."""
    units, points = columns.shape
    kept, sums, trial = np.zeros(units, np.bool_), np.zeros(points), np.empty(points)
    now = best = wanted.max()
    for step in range(steps):
        temperature = HOT * (COLD / HOT) ** (step / steps)
        a = rng.integers(0, units)
        b = rng.integers(0, units) if rng.random() < 0.5 else a
        first = -1.0 if kept[a] else 1.0
        second = 0.0 if a == b else (-1.0 if kept[b] else 1.0)
        limit = now - temperature * np.log(rng.random())
        worst = 0.0
        for p in range(points):
            trial[p] = sums[p] + first * columns[a, p] + second * columns[b, p]
            worst = max(worst, abs(max(trial[p], 0.0) - wanted[p]))
            if worst > limit:
                break
        if worst <= limit:
            sums[:] = trial
            kept[a] = not kept[a]
            if a != b:
                kept[b] = not kept[b]
            now = worst
            if now < best:
                best = now
                found[:] = kept


def prune_weights(network: Network) -> float:
    """Error of the network whose units keep one input each and whose ramps are best subset sums."""
    units = len(network.outer)
    sizes = np.zeros((2, 2), dtype=int)
    group = np.empty((units, 2), dtype=int)
    for i, signs in enumerate((network.inner > 0).astype(int)):
        axis = int(sizes[1, signs[1]] < sizes[0, signs[0]])  # the ramp with fewer units so far
        group[i] = axis, signs[axis]
        sizes[axis, signs[axis]] += 1
    kept, inner = np.zeros(units, dtype=bool), np.zeros((units, 2))
    for axis in (0, 1):
        for sign in (0, 1):
            mine = np.flatnonzero((group == (axis, sign)).all(axis=1))
            inner[mine, axis] = network.inner[mine, axis]
            if mine.size:
                products = network.outer[mine] * network.inner[mine, axis]
                solution = solve_subset(products, network.target[axis])
                kept[mine] = np.asarray(solution.mask, dtype=bool)
    return largest_error(network, inner[kept], network.outer[kept])


@dataclass(frozen=True)
class Law:
    """Errors of one kind of pruning.

    Attributes:
        name: of the kind.
        errors: of each size, one a network.
    """

    name: str
    errors: dict[int, Floats]

    def medians(self) -> tuple[Floats, Floats]:
        """Sizes and median errors."""
        sizes = np.array(list(self.errors), dtype=float)
        return sizes, np.array([np.median(each) for each in self.errors.values()])

    def part(self, least: float, most: float) -> Law:
        """The law at some of its sizes."""
        chosen = {size: each for size, each in self.errors.items() if least <= size <= most}
        return Law(self.name, chosen)

    def fit(self, scale: Scale, seed: int = 0) -> tuple[float, float, float]:
        """Slope of the size, or of its logarithm, against 1/error, with its 95 % interval.

        Networks are resampled 2,000 times within their sizes (percentile bootstrap).

        Args:
            scale: "power" for d ln n / d ln(1/eps), "logarithm" for d n / d log2(1/eps).
            seed: of the resampling.
        """
        rng = np.random.default_rng(seed)
        power = scale == "power"
        x = np.log(list(self.errors)) if power else np.array(list(self.errors), dtype=float)

        def slope(chosen: list[Floats]) -> float:
            y = -np.log([np.median(each) for each in chosen]) / (1 if power else math.log(2))
            # the errors are what scatters: they are fitted as a function of the size
            return 1 / float(np.polyfit(x, y, 1)[0])

        errors = list(self.errors.values())
        again = [slope([rng.choice(each, len(each)) for each in errors]) for _ in range(2000)]
        low, high = np.quantile(again, [0.025, 0.975])
        return slope(errors), float(low), float(high)


def measure(most: int, networks: int) -> list[Law]:
    """Whole neurons, exactly up to ``most`` units; by annealing beyond; and single weights."""
    neurons, found, weights = {}, {}, {}
    for units in range(4, most + 1, 2):
        both = np.array([prune_neurons(Network.draw(units, seed)) for seed in range(networks)])
        neurons[units] = both[:, 0]
        gap = np.median(both[:, 0]) / np.median(both[:, 1]) - 1
        print(f"neurons {units}: median {np.median(both[:, 0]):.4f}, gap {gap:.1e}", flush=True)
    for units in SEARCHED:
        drawn = [Network.draw(units, seed) for seed in range(min(networks, SEARCHES))]
        found[units] = np.array([search_neurons(network) for network in drawn])
        print(f"searched {units}: median {np.median(found[units]):.4f}", flush=True)
    drawn = [Network.draw(most, seed) for seed in range(min(networks, SEARCHES))]
    again = np.array([search_neurons(network) for network in drawn])
    same = np.isclose(again, neurons[most][: len(again)], rtol=1e-3).mean()
    print(f"the search finds the best set of {most} units in {same:.0%} of {len(again)} networks")
    for units in WEIGHTS:
        weights[units] = np.array(
            [prune_weights(Network.draw(units, seed)) for seed in range(networks)]
        )
        print(f"weights {units}: median {np.median(weights[units]):.3g}", flush=True)
    names = ("whole neurons", "whole neurons, annealed", "weights")
    return [Law(*each) for each in zip(names, (neurons, found, weights), strict=True)]


def rows(found: list[Law]) -> str:
    """The figure's data, in Markdown."""
    lines = ["| removed | hidden units | median error | quartiles |", "|--|--|--|--|"]
    for law in found:
        for size, errors in law.errors.items():
            low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
            lines.append(f"| {law.name} | {size} | {middle:.3g} | {low:.3g} to {high:.3g} |")
    return "\n".join(lines)


def fits(found: list[Law]) -> str:
    """The fitted laws, in Markdown."""
    neurons, searched, weights = found
    most = max(neurons.errors)
    beyond = Law("", {most: neurons.errors[most]} | searched.errors)
    lines = [
        ("whole neurons, 12 units and more", neurons.part(12, most)),
        (f"whole neurons, {most} to {max(beyond.errors)} units, annealed", beyond),
        ("weights, 16 to 32 units", weights.part(16, 32)),
        ("weights, 48 units and more", weights.part(48, 1000)),
    ]
    head = ["| removed | exponent of 1/eps | hidden units a bit of 1/eps |", "|--|--|--|"]
    for name, law in lines:
        power, bit = law.fit("power"), law.fit("logarithm")
        head.append(f"| {name} | {shown(power)} | {shown(bit, 1)} |")
    return "\n".join(head)


def shown(slope: tuple[float, float, float], digits: int = 2) -> str:
    """A slope with its interval."""
    middle, low, high = (f"{each:.{digits}f}" for each in slope)
    return f"{middle} [{low}, {high}]"


def draw(found: list[Law]) -> bytes:
    """Units against 1/eps, both axes logarithmic, an SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6.4, 4.0), layout="constrained")
    panel = picture.subplots()
    neurons, _, weights = found
    looks = (("o", "#cc3311", "#cc3311"), ("o", "#cc3311", "white"), ("s", "#0077bb", "#0077bb"))
    for law, (mark, colour, face) in zip(found, looks, strict=True):
        sizes, medians = law.medians()
        edges = np.array([np.quantile(each, [0.25, 0.75]) for each in law.errors.values()])
        bars = np.abs(1 / edges - 1 / medians[:, None]).T[::-1]
        panel.errorbar(
            1 / medians, sizes, xerr=bars, fmt=mark, color=colour, mfc=face, label=law.name
        )
    tail = neurons.part(12, 1000)
    power, (sizes, medians) = tail.fit("power"), tail.medians()
    x = np.geomspace(1 / medians[0], 1e3, 50)
    level = np.exp(np.mean(np.log(sizes) + power[0] * np.log(medians)))
    panel.plot(x, level * x ** power[0], "--", color="#cc3311", label=f"(1/eps)^{shown(power)}")
    tail = weights.part(16, 1000)
    bit, (sizes, medians) = tail.fit("logarithm"), tail.medians()
    start = np.mean(sizes + bit[0] * np.log2(medians))
    x = np.geomspace(4, 1 / medians[-1], 50)
    y = start + bit[0] * np.log2(x)
    panel.plot(x, y, "--", color="#0077bb", label=f"{shown(bit, 1)} log2(1/eps) + const")
    panel.set(xscale="log", yscale="log", xlabel="1/eps", ylabel="hidden units to start from")
    panel.set_ylim(3, 200)
    panel.legend(fontsize=8)
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "xbar"}):
        picture.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=28, help="units of the largest exact search")
    parser.add_argument("--networks", type=int, default=200, help="a size")
    parser.add_argument("--print", action="store_true", help="leave the page as it is")
    given = parser.parse_args()
    start = time.process_time()
    found = measure(given.most, given.networks)
    print(rows(found), fits(found), sep="\n\n")
    print(f"\n{time.process_time() - start:.0f} s of CPU")
    if not given.print:
        write_table(PAGE, "growth_laws", f"\n{rows(found)}\n")
        write_table(PAGE, "growth_laws_fits", f"\n{fits(found)}\n")
        write_bytes(PAGE.parent / "figures" / "growth_laws.svg", draw(found), force=True)


if __name__ == "__main__":
    main()
