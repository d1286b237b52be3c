"""Relaxed Bernoulli gates beside edge-popup, on the same random weights.

    python examples/tickets/gates.py [--tasks digits perceptron lenet] [--shares 0.05 0.1 0.2 0.5]
                                     [--seeds 3] [--output build/tickets]

Each entry is the mean over the seeds, with the least and the greatest, of the accuracy on held-out
data in percent, and below the ratio of the CPU times of all runs. Both are trained by the recipe of
edge-popup, for as many epochs.
"""

from __future__ import annotations

import time
from pathlib import Path

from construct_networks import Row, report, spread
from ticket_networks import TASKS, TITLES, accuracy, methods
from work import Job, arguments, results, timed, wanted

PAIR = ("edge-popup, normal", "gates, normal")
SECONDS = {"digits": 1.0, "perceptron": 6.0, "lenet": 20.0}
"""What a run takes, about."""


def point(task: str, method: str, share: float, seed: int, images: int | None) -> list[float]:
    """Percent that one ticket names rightly, and the seconds of CPU that it took."""
    chosen = TASKS[task].reduced(None, images)
    data = chosen.load()
    start = time.process_time()
    ticket = methods(chosen)[method](
        chosen.model(seed), (data.train, data.train_labels), share, seed
    )
    return [100 * accuracy(ticket, data), time.process_time() - start]


def main() -> None:
    """The tasks that the command line names."""
    parser = arguments("gates.py")
    parser.add_argument("--tasks", nargs="+", choices=list(SECONDS), default=list(SECONDS))
    parser.add_argument("--shares", nargs="+", type=float, default=[0.05, 0.1, 0.2, 0.5])
    parsed = parser.parse_args()
    asked = wanted(parsed)
    cases = [(task, method) for task in parsed.tasks for method in PAIR]
    jobs = {
        (task, method, share, seed): Job(
            str(Path("gates", task, f"{method}, {share:.0%}, seed {seed}")),
            point,
            [task, method, share, seed, asked.images],
            SECONDS[task],
        )
        for task, method in cases
        for share in parsed.shares
        for seed in asked.seeds
    }
    with timed("gates"):
        found = results(list(jobs.values()), asked.output / "runs", asked.processes)
    rows: list[Row] = []
    for task, method in cases:
        row: Row = {"network": TITLES[task], "method": method}
        total = 0.0
        for share in parsed.shares:
            pairs = [found[jobs[task, method, share, seed].name] for seed in asked.seeds]
            row[f"{share:.0%}".replace("%", " %")] = spread([pair[0] for pair in pairs], 1)
            total += sum(pair[1] for pair in pairs)
        row["CPU seconds a ticket"] = f"{total / len(parsed.shares) / len(asked.seeds):.1f}"
        rows.append(row)
    report("gates", asked.output, rows, seeds=asked.seeds)


if __name__ == "__main__":
    main()
