"""The convolutional theorem on LeNet-5: error of each layer and accuracy against n.

A. da Cunha, E. Natale, L. Viennot (ICLR 2022). Every layer of a trained LeNet-5, fully connected
ones as kernels of one tap, becomes V * s(U * X) with n random kernels an output; negative entries
of U are pruned and a subset of the rest is kept. The figure is theirs: the largest error of a
layer's weights over its largest weight, n = 5 to 30. Their experiment left out the theorem's own
setting: it drew n numbers of U(-1, 1) for each weight (column "free"), where the theorem has
products of two numbers, half of them pruned for their sign, of kernels scaled to l1 norm 1 (column
"theorem", and everything that is run). So the theorem's n buys about as much as half as many free
numbers, less what scaling costs.

    python examples/tickets/construct_lenet.py [--seeds 3] [--output build/tickets]
"""

from __future__ import annotations

import numpy as np
from construct_networks import Row, Trained, report, seeds_and_output, spread, trained_lenet

from xbar.pruning import approximate
from xbar.pruning.choosing import Minimise
from xbar.subset import solve_subset
from xbar.subset.laws import Uniform, draw_banks

SIZES = (5, 10, 15, 20, 25, 30)
EPSILON = 0.01
SUBSETS: tuple[tuple[str, Minimise], ...] = (("best", "error"), ("smallest", "size"))
PUBLISHED = {5: 0.892, 10: 0.566, 15: 0.0179, 20: 7.3e-4, 25: 7.7e-5, 30: 7.7e-6}


def free(weight: np.ndarray, n: int, seed: int) -> float:
    """The published protocol: n numbers of U(-1, 1) for each weight."""
    flat = weight.ravel()
    residual = solve_subset(draw_banks(Uniform(-1, 1), n, flat.size, seed), flat).residual
    return float(np.abs(residual).max() / np.abs(flat).max())


def run(network: Trained, seed: int, sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """One row for each n."""
    images = network.data.test.astype(np.float64)
    answers, before = network.answers(), network.accuracy()
    rows = []
    for n in sizes:
        ticket = approximate(network.model, "cnn", EPSILON, n, seed, inputs=images)
        account = ticket.certificate
        layers = {}
        for layer in account.layers:
            weight = layer.pair.target.weight
            layers[layer.name] = {
                "theorem": float(layer.weight_error.max() / np.abs(weight).max()),
                "free": free(weight, n, seed),
                "median": float(np.median(layer.weight_error)),
                "failures": layer.failures,
                "predicted": layer.prediction.counted.value * layer.instances,
                "scale": layer.scale,
                "bound": layer.bound,
                "measured": layer.measured,
            }
        rows.append(
            {
                "n": n,
                "layers": layers,
                "failures": account.failures,
                "predicted": account.predicted_failures,
                "bound": account.bound,
                "measured": account.measured,
                "kept": account.kept_share,
                "factor": account.over_parameterisation,
                "before": before,
                "after": network.accuracy(ticket.model),
                "changed": float((network.answers(ticket.model) != answers).mean()),
            }
        )
    return rows


def products(network: Trained, seed: int) -> list[Row]:
    """The same network by subsets of 21 products a weight, which no sign prunes and none scales."""
    images = network.data.test.astype(np.float64)
    rows = []
    for name, minimise in SUBSETS:
        ticket = approximate(
            network.model, "pensia", EPSILON, 21, seed, minimise=minimise, inputs=images
        )
        account = ticket.certificate
        rows.append(
            {
                "subsets": name,
                "failures": account.failures,
                "kept": account.kept_share,
                "measured": account.measured,
                "bound": account.bound,
                "before": network.accuracy(),
                "after": network.accuracy(ticket.model),
                "changed": float((network.answers(ticket.model) != network.answers()).mean()),
            }
        )
    return rows


def products_table(each: list[list[Row]]) -> list[Row]:
    """All seeds of `products`."""
    return [
        {
            "subsets": same[0]["subsets"],
            "missed 0.01": spread([row["failures"] for row in same], 0),
            "kept %": spread([100 * row["kept"] for row in same], 1),
            "output error": max(row["measured"] for row in same),
            "bound": max(row["bound"] for row in same),
            "accuracy before %": spread([100 * row["before"] for row in same], 1),
            "after %": spread([100 * row["after"] for row in same], 1),
            "changed %": spread([100 * row["changed"] for row in same], 1),
        }
        for same in zip(*each, strict=True)
    ]


def main() -> None:
    """All seeds, three tables: the network, each layer, and the network from 21 products."""
    seeds, output = seeds_and_output("construct_lenet.py")
    trained = [trained_lenet(seed) for seed in seeds]
    each = [run(network, seed) for network, seed in zip(trained, seeds, strict=True)]
    rows, layers = [], []
    for same in zip(*each, strict=True):
        n = same[0]["n"]
        rows.append(
            {
                "n": n,
                "missed 0.01": spread([row["failures"] for row in same], 0),
                "predicted": spread([row["predicted"] for row in same], 0),
                "kept %": spread([100 * row["kept"] for row in same], 1),
                "output error": max(row["measured"] for row in same),
                "bound": max(row["bound"] for row in same),
                "accuracy before %": spread([100 * row["before"] for row in same], 1),
                "after %": spread([100 * row["after"] for row in same], 1),
                "changed %": spread([100 * row["changed"] for row in same], 1),
            }
        )
        line: Row = {"n": n, "published, convolutions": PUBLISHED[n]}
        for column in ("free", "theorem"):
            for name in same[0]["layers"]:
                values = [row["layers"][name][column] for row in same]
                line[f"{name} {column}"] = float(np.median(values))
        layers.append(line)
    report("construct_lenet", output, rows, layers=layers, seeds=seeds, each=each)
    report("construct_lenet_layers", output, layers)
    found = [products(network, seed) for network, seed in zip(trained, seeds, strict=True)]
    report("construct_lenet_products", output, products_table(found), each=found)


if __name__ == "__main__":
    main()
