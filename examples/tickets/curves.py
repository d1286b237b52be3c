"""Accuracy against kept share, of every method on four networks.

    python examples/tickets/curves.py [--tasks digits perceptron lenet conv4] [--methods TEXT ...]
                                      [--shares 0.1 0.5 ...] [--seeds 3] [--output build/tickets]

Each entry is the mean over the seeds, with the least and the greatest, of the accuracy on held-out
data in percent. A seed sets the initial weights, the order of the data, the scores and the chip.
Learning rates and epochs were chosen once, for all shares, seeds and sources of weights, by a few
runs that looked at the held-out data.

Every run is written to <output>/runs when it ends, and is not made again while it is there: a
stopped experiment goes on, and parts of one, by --methods and --shares, can run beside each other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from construct_networks import Row, report, spread
from ticket_networks import TASKS, Task, accuracy, dense, logistic, methods, plain_lenet

from xbar.files import write_text

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


def once(place: Path, work: Callable[[], float]) -> float:
    """What the work gave, from the file where it was written if it was done before."""
    if place.exists():
        return float(json.loads(place.read_text()))
    value = work()
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps(value), force=True)
    return value


def curve(task: Task, wanted: argparse.Namespace) -> None:
    """The methods and shares that are wanted, on one network."""
    data, seeds = task.load(), range(wanted.seeds)
    pair = (data.train, data.train_labels)
    shares = list(wanted.shares or SHARES[task.name])
    runs = wanted.output / "runs" / task.name

    def measure(name: str, work: Callable[[int], float]) -> list[float]:
        return [100 * once(runs / f"{name}, {seed}.json", partial(work, seed)) for seed in seeds]

    each: dict[str, dict[str, list[float]]] = {}
    for name, run in methods(task.epochs).items():
        if any(part in name for part in wanted.methods or ONLY.get(task.name, ("",))):
            each[name] = {
                f"{share:.0%}": measure(
                    f"{name}, {share:.0%}",
                    # defaults bind the loop's values; mypy has no types for them
                    lambda seed, run=run, share=share: accuracy(  # type: ignore[misc]
                        run(task.model(seed), pair, share, seed), data
                    ),
                )
                for share in shares
            }
            print(name, each[name], flush=True)
    whole = {"dense": measure("dense", lambda seed: dense(task, seed, data))}
    if task.name == "lenet":
        plain = Task("lenet", plain_lenet, task.load, task.epochs)
        whole["dense, no batch norm"] = measure(
            "dense, no batch norm", lambda seed: dense(plain, seed, data)
        )
    whole["logistic regression"] = measure("logistic", lambda seed: logistic(data))[:1]
    rows: list[Row] = [
        {"method": name, "100%": spread(values, 1)} | dict.fromkeys(each[next(iter(each))], "")
        for name, values in whole.items()
    ]
    for name, found in each.items():
        line: dict[str, Any] = {"method": name, "100%": ""}
        rows.append(line | {share: spread(values, 1) for share, values in found.items()})
    report(f"curves_{task.name}", wanted.output, rows, seeds=list(seeds), whole=whole, each=each)


def main() -> None:
    """The tasks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--methods", nargs="+", help="parts of their names")
    parser.add_argument("--shares", nargs="+", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("build/tickets"))
    wanted = parser.parse_args()
    for name in wanted.tasks:
        print(f"\n{name}")
        curve(TASKS[name], wanted)


if __name__ == "__main__":
    main()
