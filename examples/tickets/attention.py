"""Tickets in attention: on a small transformer, and how wide a pruned head must be.

    python examples/tickets/attention.py [--widths 4 16 64] [--seeds 3] [--output build/tickets]

A transformer of one block without normalisation classifies scikit-learn's digits as sequences of
eight rows; its query, key and value projections, and all other matrices, are random and only chosen
from. The width is that of keys and values, of each of two heads. (H. Otsuka, D. Chijiwa, Y. Okoshi,
D. Fujiki, S. Takeuchi, M. Motomura, "The strong lottery ticket hypothesis for multi-head attention
mechanisms", arXiv:2511.04217.) The second table is their statement in small: a head with random
projections of some width is pruned to a target head, merged product by merged product, by best
subset sums; the error of its outputs falls exponentially with the width.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from construct_networks import Row, report, spread
from ticket_networks import DIGITS, accuracy
from work import Job, arguments, results, timed, wanted

import xbar
from xbar.cli.demo_networks import Split
from xbar.subset import solve_subset

if TYPE_CHECKING:
    from torch import nn

ROWS, FEATURES, HEADS = 8, 16, 2
INPUTS, LENGTH = 4, 12
"""Entries of a vector, and vectors of a sequence, of the heads that are approximated."""
SAMPLES = (4, 8, 12, 16, 20, 24)
RECIPES = {
    "edge-popup": xbar.pruning.Recipe(rate=0.03),
    "gates": xbar.pruning.Recipe(rate=0.3),
}
"""Chosen by training accuracy, 16 wide: of eight recipes after ten epochs with one seed for gates;
for edge-popup of the best four after all epochs with three, as some did not learn at all."""
METHODS = ("trained", "edge-popup", "gates", "random odds, nothing learned")


def transformer(width: int) -> nn.Module:
    """One block of attention and a feed-forward network over rows of digits, without norms."""
    import torch
    from torch import nn

    class Block(nn.Module):
        """Two heads with keys and values of some width, and a feed-forward network."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(8, FEATURES)
            self.query = nn.Linear(FEATURES, HEADS * width)
            self.key = nn.Linear(FEATURES, HEADS * width)
            self.value = nn.Linear(FEATURES, HEADS * width)
            self.out = nn.Linear(HEADS * width, FEATURES)
            self.up = nn.Linear(FEATURES, 64)
            self.down = nn.Linear(64, FEATURES)
            self.head = nn.Linear(ROWS * FEATURES, 10)
            place = torch.linspace(0, 1, ROWS)[:, None] * torch.arange(1, FEATURES + 1)
            self.register_buffer("places", torch.sin(place * 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x.reshape(-1, ROWS, 8)) + self.places

            def split(y: torch.Tensor) -> torch.Tensor:
                return y.reshape(-1, ROWS, HEADS, width).transpose(1, 2)

            query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
            mixed = torch.softmax(query @ key.transpose(2, 3) / width**0.5, dim=3) @ value
            x = x + self.out(mixed.transpose(1, 2).reshape(-1, ROWS, HEADS * width))
            x = x + self.down(torch.relu(self.up(x)))
            scores: torch.Tensor = self.head(x.reshape(-1, ROWS * FEATURES))
            return scores

    return Block()


def ticket(method: str, width: int, keep: float, seed: int, epochs: int) -> list[float]:
    """Percent of held-out digits named rightly, and the fraction of attention's weights kept."""
    import torch

    data: Split = DIGITS()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformer(width)
    pair = (data.train, data.train_labels)
    recipe = RECIPES.get(method, xbar.pruning.Recipe())
    if method == "trained":
        from xbar.training.loop import check_data, fit, reproducible

        with reproducible(seed) as draw:
            fit(model, check_data(pair), epochs, xbar.pruning.Recipe(), draw)
        return [100 * accuracy(model, data), 1.0]
    if method == "gates":
        found = xbar.pruning.gates(model, pair, keep, epochs=epochs, seed=seed, recipe=recipe)
    else:
        rounds = epochs if method == "edge-popup" else 0
        found = xbar.pruning.edge_popup(model, pair, keep, epochs=rounds, seed=seed, recipe=recipe)
    names = ("query", "key", "value", "out")
    kept = np.mean([found.mask[name].mean() for name in names])
    return [100 * accuracy(found, data), float(kept)]


def head_error(samples: int, seed: int) -> float:
    """Largest error of a pruned random head, relative to the target's largest output.

    The target is softmax(X A X^T) X B with A = W_q W_k^T and B = W_v W_o merged. Each entry of A
    and B is the best subset sum of ``samples`` products of two random weights, one path each
    through a coordinate of the keys or values, so that the head is samples * INPUTS wide: every
    coordinate serves one row of A or B, and its second matrix keeps or drops each entry.
    """
    rng = np.random.default_rng([samples, seed])
    target = rng.uniform(-1, 1, (2, INPUTS, INPUTS)) / np.sqrt(INPUTS)
    first = rng.uniform(-1, 1, (2, INPUTS, samples))
    second = rng.uniform(-1, 1, (2, INPUTS, INPUTS, samples))
    solution = solve_subset(first[:, :, None, :] * second, target)
    found = np.asarray(solution.achieved).reshape(target.shape)
    x = rng.uniform(-1, 1, (200, LENGTH, INPUTS))
    wanted_, got = _attend(x, *target), _attend(x, *found)
    return float(np.abs(got - wanted_).max() / np.abs(wanted_).max())


def _attend(x: Any, scores: Any, values: Any) -> Any:
    odds = np.exp(x @ scores @ x.transpose(0, 2, 1))
    return odds / odds.sum(axis=2, keepdims=True) @ (x @ values)


def heads(seeds: int) -> list[Row]:
    """Error of pruned heads against their width."""
    rows: list[Row] = []
    before = None
    for samples in SAMPLES:
        errors = [head_error(samples, seed) for seed in range(seeds)]
        low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75])
        fall = "" if before is None else f"{np.log2(before / middle) / 4:.2f}"
        row = {"samples of a weight": str(samples), "width of the head": str(samples * INPUTS)}
        rows.append(
            row
            | {
                "median error": f"{middle:.2g}",
                "quartiles": f"{low:.2g} to {high:.2g}",
                "bits a sample": fall,
            }
        )
        before = middle
    return rows


def main() -> None:
    """Both tables."""
    parser: argparse.ArgumentParser = arguments("attention.py")
    parser.add_argument("--widths", nargs="+", type=int, default=[4, 16, 64])
    parser.add_argument("--keep", type=float, default=0.3)
    parsed = parser.parse_args()
    asked = wanted(parsed)
    epochs = asked.epochs or 30
    jobs = {
        (method, width, seed): Job(
            str(Path("attention", f"{method}, {width} wide, {parsed.keep:.0%}, seed {seed}")),
            ticket,
            [method, width, parsed.keep, seed, epochs],
            width**0.5,
        )
        for method in METHODS
        for width in parsed.widths
        for seed in asked.seeds
    }
    with timed("attention"):
        found = results(list(jobs.values()), asked.output / "runs", asked.processes)
    rows: list[Row] = []
    for method in METHODS:
        row: Row = {"method": method}
        for width in parsed.widths:
            values = [found[jobs[method, width, seed].name][0] for seed in asked.seeds]
            row[f"{width} wide"] = spread(values, 1)
        rows.append(row)
    report("attention", asked.output, rows, seeds=asked.seeds, keep=parsed.keep)
    start = time.process_time()
    report("attention_heads", asked.output, heads(40))
    print(f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main()
