"""Whole neurons removed, and single paths, beside subsets of single weights, at equal error.

A trained 64-16-10 perceptron of the digits that scikit-learn carries is approximated by

    malach     one path a weight
    pensia     a subset of products a weight
    neurons    a subset of neurons, one mask for d outputs at once (d = 1, 2, 3)

with the samples at which 99 % of the weights come within eps = 0.02. Random numbers to choose from
and hidden neurons a weight are what it costs; freed lines are neurons removed whole: a bit line of
the first layer and a word line of the second each, which an unstructured mask frees only where no
output kept anything of a neuron.

    python examples/tickets/construct_neurons.py [--seeds 3] [--output build/tickets]
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from construct_networks import Row, Trained, report, spread
from work import Job, arguments, results, timed, wanted

from xbar.cli.demo_networks import digits, networks, train
from xbar.pruning import approximate

if TYPE_CHECKING:
    from torch import nn

EPSILON = 0.02
CASES: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("malach", 1, (200, 300, 400, 600, 800)),
    ("pensia", 1, tuple(range(8, 25))),
    ("neurons", 1, tuple(range(8, 25))),
    ("neurons", 2, tuple(range(14, 29, 2))),
    ("neurons", 3, tuple(range(22, 35, 3))),
)


COSTS = (1.0, 5.0, 5.0, 10.0, 15.0)
"""Seconds that each takes, about."""


def perceptron() -> nn.Module:
    """64-16-10 with ReLU."""
    from torch import nn

    return nn.Sequential(OrderedDict(fc1=nn.Linear(64, 16), relu1=nn.ReLU(), fc2=nn.Linear(16, 10)))


@cache
def trained_digits(seed: int, epochs: int | None = None) -> Trained:
    """The perceptron by the demo's recipe, or by fewer epochs."""
    base = next(each for each in networks() if each.name == "digits-mlp")
    epochs = base.epochs if epochs is None else epochs
    network, data = replace(base, build=perceptron, epochs=epochs), digits()
    return Trained(train(network, data, seed, lambda done, total: None), data)


def run(network: Trained, seed: int, cases: Any = CASES) -> list[Row]:
    """For each method the first number of samples at which 99 % of the weights are within eps."""
    images = network.data.test.astype(np.float64)
    rows = []
    for method, group, sizes in cases:
        for samples in sizes:
            ticket = approximate(
                network.model, method, EPSILON, samples, seed, group=group, inputs=images
            )
            account = ticket.certificate
            near = np.concatenate([layer.weight_error.ravel() for layer in account.layers])
            within = float((near <= EPSILON).mean())
            if within >= 0.99:
                break
        neurons = sum(layer.replacement.fixed.size for layer in account.layers)
        used = 0
        for replacement in ticket.replacements:
            second: Any = ticket.model.get_submodule(f"{replacement.target.name}.second")
            used += int(second.weight.numpy().any(axis=0).sum())
        rows.append(
            {
                "method": method,
                "d": group,
                "samples": samples,
                "within": within,
                "neurons": neurons / account.weights,
                "freed": 1 - used / neurons,
                "kept": account.kept_share,
                "measured": account.measured,
                "before": network.accuracy(),
                "after": network.accuracy(ticket.model),
            }
        )
    return rows


def one(seed: int, epochs: int | None, case: int, sizes: int | None) -> Row:
    """One case, of the first sizes only, for the network and the numbers of a seed."""
    method, group, samples = CASES[case]
    return run(trained_digits(seed, epochs), seed, ((method, group, samples[:sizes]),))[0]


def line(same: list[Row]) -> Row:
    """Means and extremes of one case's seeds."""
    return {
        "method": same[0]["method"],
        "outputs that share a mask": same[0]["d"],
        "samples": spread([row["samples"] for row in same], 0),
        "weights within eps %": spread([100 * row["within"] for row in same], 1),
        "neurons a weight": spread([row["neurons"] for row in same], 2),
        "neurons freed %": spread([100 * row["freed"] for row in same], 1),
        "kept %": spread([100 * row["kept"] for row in same], 1),
        "largest output error": max(row["measured"] for row in same),
        "accuracy before %": spread([100 * row["before"] for row in same], 1),
        "after %": spread([100 * row["after"] for row in same], 1),
    }


def main() -> None:
    """All seeds, one table."""
    parser = arguments("construct_neurons.py")
    parser.add_argument("--sizes", type=int, help="try so many sizes of each case only")
    parsed = parser.parse_args()
    asked = wanted(parsed)
    names = {
        (seed, case): f"construct_neurons/{method}, d = {group}, seed {seed}"
        for seed in asked.seeds
        for case, (method, group, _) in enumerate(CASES)
    }
    jobs = [
        Job(name, one, [seed, asked.epochs, case, parsed.sizes], COSTS[case])
        for (seed, case), name in names.items()
    ]
    with timed("construct_neurons"):
        found = results(jobs, asked.output / "runs", asked.processes)
        each = [[found[names[seed, case]] for case in range(len(CASES))] for seed in asked.seeds]
        rows = [line(list(same)) for same in zip(*each, strict=True)]
        report("construct_neurons", asked.output, rows, seeds=asked.seeds, each=each)


if __name__ == "__main__":
    main()
