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

from collections.abc import Sequence

import numpy as np
from construct_networks import Row, Trained, report, spread, trained_lenet
from work import Job, Wanted, arguments, results, timed, wanted

from xbar.pruning import approximate
from xbar.pruning.constructions.choosing import Minimise
from xbar.sizing.laws import Uniform, draw_banks
from xbar.subset import solve_subset

SIZES = (5, 10, 15, 20, 25, 30)
EPSILON = 0.01
SUBSETS: tuple[tuple[str, Minimise], ...] = (("best", "error"), ("smallest", "size"))
WEIGHTS = {"conv1": 150, "conv2": 2400, "fc1": 30720, "fc2": 10080, "fc3": 840}
COUNTED = 20_000
"""Instances that the certificate's predictions of failures are counted on."""
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
            weight = layer.replacement.target.weight
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


def _told(same: Sequence[Row]) -> Row:
    """What both constructions' tables say of a row's seeds."""
    return {
        "kept %": spread([100 * row["kept"] for row in same], 1),
        "largest output error": max(row["measured"] for row in same),
        "bound": max(row["bound"] for row in same),
        "accuracy before %": spread([100 * row["before"] for row in same], 1),
        "after %": spread([100 * row["after"] for row in same], 1),
        "answers changed %": spread([100 * row["changed"] for row in same], 1),
    }


def products_table(each: list[list[Row]]) -> list[Row]:
    """All seeds of `products`."""
    return [
        {
            "subsets": same[0]["subsets"],
            "missed 0.01, of 44,190": spread([row["failures"] for row in same], 1),
        }
        | _told(same)
        for same in zip(*each, strict=True)
    ]


def theorem_table(each: list[list[Row]]) -> list[Row]:
    """All seeds of `run`."""
    return [
        {
            "n": same[0]["n"],
            "missed 0.01, of 44,190": spread([row["failures"] for row in same], 0),
            "predicted": spread([row["predicted"] for row in same], 0),
        }
        | _told(same)
        for same in zip(*each, strict=True)
    ]


def layers_table(each: list[list[Row]]) -> list[Row]:
    """The largest error of each layer over its largest weight, median of the seeds."""
    rows = []
    for same in zip(*each, strict=True):
        n = same[0]["n"]
        line: Row = {"n": n, "published, convolutions": PUBLISHED.get(n)}
        for column in ("free", "theorem"):
            for name in same[0]["layers"]:
                values = [row["layers"][name][column] for row in same]
                line[f"{name} {column}"] = f"{np.median(values):.2g}"
        rows.append(line)
    return rows


def deviations(each: list[list[Row]]) -> list[float]:
    """By how many standard errors each layer's failures differ from their prediction."""
    found = []
    for row in (row for rows in each for row in rows):
        for name, layer in row["layers"].items():
            weights = WEIGHTS[name]
            rate, predicted = layer["failures"] / weights, layer["predicted"] / weights
            pooled = (layer["failures"] + predicted * COUNTED) / (weights + COUNTED)
            error = (pooled * (1 - pooled) * (1 / weights + 1 / COUNTED)) ** 0.5
            found.append(abs(rate - predicted) / error if error else 0.0)
    return found


def remarks(each: list[list[Row]]) -> str:
    """What the tables leave out: the layers' scales, and the median errors of the largest n."""
    last = [rows[-1]["layers"] for rows in each]
    parts = []
    for name in last[0]:
        scales = sorted({layers[name]["scale"] for layers in last})
        medians = [layers[name]["median"] for layers in last]
        parts.append(
            f"{name}: scales {', '.join(f'{scale:g}' for scale in scales)}, median error "
            f"{min(medians):.2g} to {max(medians):.2g} at n = {each[0][-1]['n']}"
        )
    return "\n".join(parts)


def theorem(seed: int, size: list[int | None], n: int) -> list[Row]:
    """`run` of one n, for the network and the numbers of a seed."""
    return run(network_of(seed, size), seed, (n,))


def by_products(seed: int, size: list[int | None]) -> list[Row]:
    """`products` for the network and the numbers of a seed."""
    return products(network_of(seed, size), seed)


def network_of(seed: int, size: list[int | None]) -> Trained:
    """A trained LeNet-5, made once in a process."""
    epochs, images = size
    return trained_lenet(seed, 10 if epochs is None else epochs, images)


def jobs(sizes: list[int], wanted: Wanted) -> list[Job]:
    """All runs."""
    made = []
    for seed in wanted.seeds:
        name = f"construct_lenet/products, seed {seed}"
        made.append(Job(name, by_products, [seed, wanted.size], 20.0))
        for n in sizes:
            name = f"construct_lenet/n = {n}, seed {seed}"
            made.append(Job(name, theorem, [seed, wanted.size, n], float(n)))
    return made


def main() -> None:
    """All seeds, three tables: the network, each layer, and the network from 21 products."""
    parser = arguments("construct_lenet.py")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parsed = parser.parse_args()
    asked = wanted(parsed)
    with timed("construct_lenet"):
        todo = jobs(parsed.sizes, asked)
        found = results(todo, asked.output / "runs", asked.processes)
        each = [
            [found[f"construct_lenet/n = {n}, seed {seed}"][0] for n in parsed.sizes]
            for seed in asked.seeds
        ]
        report("construct_lenet", asked.output, theorem_table(each), each=each)
        apart = deviations(each)
        print(
            f"failures of {len(apart)} layers differ from their predictions by {max(apart):.2f} "
            f"standard errors at most, {sum(one > 2 for one in apart)} by more than 2"
        )
        print(remarks(each))
        report("construct_lenet_layers", asked.output, layers_table(each), deviations=apart)
        built = [found[f"construct_lenet/products, seed {seed}"] for seed in asked.seeds]
        report("construct_lenet_products", asked.output, products_table(built), each=built)


if __name__ == "__main__":
    main()
