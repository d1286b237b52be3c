"""Accuracy against kept share, of every method on four networks.

    python examples/tickets/curves.py [--tasks digits perceptron lenet conv4] [--seeds 3]

Each entry is the mean over the seeds, with the least and the greatest, of the accuracy on held-out
data in percent. A seed sets the initial weights, the order of the data, the scores and the chip.
Nothing was chosen on the held-out data but the learning rates and epochs, once for all methods'
shares and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from construct_networks import Row, report, spread
from ticket_networks import TASKS, Task, accuracy, dense, logistic, methods, plain_lenet

ALL = (0.05, 0.1, 0.2, 0.3, 0.5, 0.9)
SHARES: dict[str, Iterable[float]] = {
    "digits": ALL,
    "perceptron": ALL,
    "lenet": (0.1, 0.2, 0.3, 0.5),
    "conv4": (0.1, 0.5),
}
ONLY: dict[str, tuple[str, ...]] = {
    "lenet": ("random", "lottery", "normal", "constant", "30 %"),
    "conv4": ("constant", "30 %"),
}
"""Methods, by a part of their name, where not all are run: a convolution takes longer."""


def curve(task: Task, seeds: list[int], output: Path) -> None:
    """All methods on one network."""
    data = task.load()
    pair = (data.train, data.train_labels)
    shares = list(SHARES[task.name])
    chosen = ONLY.get(task.name, ("",))
    each: dict[str, dict[str, list[float]]] = {}
    for name, run in methods(task.epochs).items():
        if not any(part in name for part in chosen):
            continue
        each[name] = {
            f"{share:.0%}": [
                100 * accuracy(run(task.model(seed), pair, share, seed), data) for seed in seeds
            ]
            for share in shares
        }
        print(name, each[name], flush=True)
    whole = {"dense": [100 * dense(task, seed, data) for seed in seeds]}
    if task.name == "lenet":
        plain = Task("lenet", plain_lenet, task.load, task.epochs)
        whole["dense, no batch norm"] = [100 * dense(plain, seed, data) for seed in seeds]
    whole["logistic regression"] = [100 * logistic(data)]
    rows: list[Row] = [
        {"method": name, "100%": spread(values, 1)} for name, values in whole.items()
    ]
    for row in rows:
        row.update(dict.fromkeys((f"{share:.0%}" for share in shares), ""))
    for name, found in each.items():
        line: dict[str, Any] = {"method": name, "100%": ""}
        rows.append(line | {share: spread(values, 1) for share, values in found.items()})
    report(f"curves_{task.name}", output, rows, seeds=seeds, whole=whole, each=each)


def main() -> None:
    """The tasks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("build/tickets"))
    arguments = parser.parse_args()
    for name in arguments.tasks:
        print(f"\n{name}")
        curve(TASKS[name], list(range(arguments.seeds)), arguments.output)


if __name__ == "__main__":
    main()
