"""How wide a random layer must be: simulation, design formula and theorem side by side.

Random numbers for each weight so that all m weights of a network are within eps, with a
probability of 95 %: for one weight of U(-1, 1), and for all weights of the trained 784-500-10
and LeNet-5. `confirmed` is simulated, with 97.5 % confidence; `extrapolated` goes on where
misses are too rare to count.

    python examples/tickets/construct_sizes.py [--output build/tickets]
"""

from __future__ import annotations

import copy

import numpy as np
from construct_networks import Floats, Row, report, trained_lenet, trained_perceptron
from work import Job, arguments, results, timed, wanted

from xbar.pruning import width
from xbar.pruning.constructions.sequence import read_sequence

DELTA = 0.05


def rows(pools: dict[str, Floats | None], samples: int = 20_000, seed: int = 0) -> list[Row]:
    """A row for each pool of weights, error and law."""
    found = []
    for name, pool in pools.items():
        weights = 1 if pool is None else pool.size
        for epsilon in (0.1, 0.03, 0.01, 0.003):
            for law in ("uniform", "products"):
                size = width(epsilon, DELTA, weights, law, pool, samples, seed=seed)
                found.append(
                    {
                        "weights": name,
                        "eps": epsilon,
                        "law": law,
                        "chance each": size.failure,
                        "counting": size.counting,
                        "formula": size.formula,
                        "confirmed": size.simulated,
                        "extrapolated": size.extrapolated,
                        "theorem": size.theorem,
                    }
                )
    return found


def weights_of(model: object, shape: tuple[int, ...]) -> Floats:
    """All weights of a network's layers, divided by the power of two that brings them within 1."""
    from torch import nn

    assert isinstance(model, nn.Module)
    sequence = read_sequence(copy.deepcopy(model).double(), shape, (0.0, 1.0))
    pool = np.concatenate([target.weight.ravel() for target in sequence.targets])
    return np.asarray(pool / 2.0 ** max(np.ceil(np.log2(np.abs(pool).max())), 0.0))


NAMES = ("one of U(-1, 1)", "784-500-10", "LeNet-5")


def pooled(name: str, epochs: int | None, targets: int) -> list[Row]:
    """The rows of one pool."""
    pool = None
    if name == "784-500-10":
        pool = weights_of(trained_perceptron(0, 15 if epochs is None else epochs).model, (784,))
    elif name == "LeNet-5":
        model = trained_lenet(0, 10 if epochs is None else epochs).model
        pool = weights_of(model, (1, 28, 28))
    return rows({name: pool}, targets)


def main() -> None:
    """One table."""
    parser = arguments("construct_sizes.py", seeds=1)
    parser.add_argument("--targets", type=int, default=20_000)
    parsed = parser.parse_args()
    asked = wanted(parsed)
    jobs = [
        Job(f"construct_sizes/{name}", pooled, [name, asked.epochs, parsed.targets])
        for name in NAMES
    ]
    with timed("construct_sizes"):
        found = results(jobs, asked.output / "runs", asked.processes)
        report("construct_sizes", asked.output, [row for each in found.values() for row in each])


if __name__ == "__main__":
    main()
