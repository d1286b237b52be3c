"""Accuracy against kept share, of every method on four networks.

    python examples/tickets/curves.py [--tasks digits perceptron lenet conv4] [--methods TEXT ...]
                                      [--shares 0.1 0.5 ...] [--seeds 3] [--output build/tickets]

Each entry is the mean over the seeds, with the least and the greatest, of the accuracy on held-out
data in percent. A seed sets the initial weights, the order of the data, the scores and the chip.
Learning rates and epochs were chosen once, for all shares, seeds and sources of weights, by a few
runs that looked at the held-out data.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from construct_networks import Row, report, spread
from ticket_networks import TASKS, accuracy, dense, logistic, methods, plain_lenet
from work import Job, Wanted, arguments, results, timed, wanted

Size = list[int | None]

ALL = (0.05, 0.1, 0.2, 0.3, 0.5, 0.9)
SHARES: dict[str, Iterable[float]] = {
    "digits": ALL,
    "perceptron": ALL,
    "lenet": ALL,
    "conv4": (0.1, 0.3, 0.5),
}
EPOCH = {"digits": 0.02, "perceptron": 0.18, "lenet": 0.5, "conv4": 3.5}
"""Seconds that an epoch takes, about."""


def whole(task: str, size: Size, kind: str, seed: int) -> float:
    """Percent that the whole network, or logistic regression, names rightly."""
    chosen = TASKS[task].reduced(*size)
    data = chosen.load()
    if kind == "logistic regression":
        return 100 * logistic(data)
    if kind == "dense, no batch norm":
        chosen = replace(chosen, build=plain_lenet)
    return 100 * dense(chosen, seed, data)


def point(task: str, size: Size, method: str, share: float, seed: int) -> float:
    """Percent that one ticket names rightly."""
    chosen = TASKS[task].reduced(*size)
    data = chosen.load()
    pair = (data.train, data.train_labels)
    ticket = methods(chosen)[method](chosen.model(seed), pair, share, seed)
    return 100 * accuracy(ticket, data)


def wholes(task: str, wanted: Wanted) -> dict[str, list[int]]:
    """What a task's whole networks are, and the seeds of each."""
    names = ["dense"] + ["dense, no batch norm"] * (task == "lenet")
    return dict.fromkeys(names, wanted.seeds) | {"logistic regression": wanted.seeds[:1]}


def found_of(parsed: Namespace, task: str) -> tuple[list[str], list[float]]:
    """The methods and shares that are wanted of a task."""
    parts = parsed.methods or ("",)
    names = [name for name in methods(TASKS[task]) if any(part in name for part in parts)]
    return names, list(parsed.shares or SHARES[task])


def jobs(parsed: Namespace, wanted: Wanted) -> list[Job]:
    """All runs of all tasks."""
    made = []
    for task in parsed.tasks:
        chosen = TASKS[task].reduced(*wanted.size)
        one = EPOCH[task] * chosen.epochs
        for kind, seeds in wholes(task, wanted).items():
            for seed in seeds:
                name, values = _name(task, kind, seed), [task, wanted.size, kind, seed]
                made.append(Job(name, whole, values, one))
        names, shares = found_of(parsed, task)
        for method in names:
            popup = 1.4 * chosen.score_epochs / chosen.epochs
            times = {"lottery": 3.0, "magnitude,": 2.0, "random": 1.0}.get(method.split()[0], popup)
            for share in shares:
                for seed in wanted.seeds:
                    name = _name(task, f"{method}, {share:.0%}", seed)
                    values = [task, wanted.size, method, share, seed]
                    made.append(Job(name, point, values, one * times))
    return made


def table(task: str, parsed: Namespace, wanted: Wanted, found: dict[str, Any]) -> None:
    """A task's methods against its shares."""
    names, shares = found_of(parsed, task)
    each = {
        method: {
            f"{share:.0%}": [found[_name(task, f"{method}, {share:.0%}", s)] for s in wanted.seeds]
            for share in shares
        }
        for method in names
    }
    kinds = {
        kind: [found[_name(task, kind, seed)] for seed in seeds]
        for kind, seeds in wholes(task, wanted).items()
    }
    heads = [f"{share:.0%}".replace("%", " %") for share in shares]
    rows: list[Row] = [
        {"method": kind} | dict.fromkeys(heads, "") | {"100 %": spread(values, 1)}
        for kind, values in kinds.items()
    ]
    for method, values in each.items():
        line = [spread(one, 1) for one in values.values()]
        rows.append({"method": method, **dict(zip(heads, line, strict=True)), "100 %": ""})
    print(f"\n{task}")
    report(f"curves_{task}", wanted.output, rows, seeds=wanted.seeds, whole=kinds, each=each)


def main() -> None:
    """The tasks that the command line names."""
    parser = arguments("curves.py")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--methods", nargs="+", help="parts of their names")
    parser.add_argument("--shares", nargs="+", type=float)
    parsed = parser.parse_args()
    asked = wanted(parsed)
    with timed("curves"):
        found = results(jobs(parsed, asked), asked.output / "runs", asked.processes)
        for task in parsed.tasks:
            table(task, parsed, asked, found)


def _name(task: str, what: str, seed: int) -> str:
    return str(Path("curves", task, f"{what}, seed {seed}"))


if __name__ == "__main__":
    main()
