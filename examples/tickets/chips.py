"""Tickets on chips: what proves that the mask is what was learned, and masks for the wires.

    python examples/tickets/chips.py [--tasks perceptron lenet] [--seeds 3] [--output build/tickets]

The perceptron 784-300-100-10 and LeNet-5 on chips of one resistor a cell, 30 % lognormal spread,
on/off 100, half of the weights kept, trained as in curves.py. Accuracies in percent on 1,000
held-out MNIST images: mean and, in brackets, least and greatest over the seeds, which set chip,
scores and order of the data.

    controls   the ticket's own; the compiled chip's, simulated; that of the mask of the largest
               random scores, nothing learned; of the mask moved to another chip of the design
    wires      10 kilohm resistors and 1 or 3 ohm a segment, read with ideal wires and with the
               exact solution, for a mask learned without the wires and one learned with them, in
               batches of 64 and as many epochs as weights are trained for
"""

from __future__ import annotations

from typing import Any

import numpy as np
from construct_networks import Row, report, spread
from ticket_networks import TASKS, TITLES, Task, accuracy, design
from work import Job, Wanted, arguments, results, timed, wanted

import xbar
from xbar.cli.demo_networks import Split

KEEP = 0.5
OHMS = (1.0, 3.0)
READOUTS: tuple[Any, ...] = ("ideal", "nodal")
SHARP = xbar.pruning.Recipe(rate=1.0, sharpen=True)
"""Wires make outputs small, and the loss of small outputs says little."""


def find(task: Task, data: Split, chip: xbar.Chip, seed: int, **options: Any) -> Any:
    """A ticket of a chip."""
    options = {"epochs": task.score_epochs, "recipe": task.scores, **options}
    return xbar.pruning.edge_popup(
        task.model(seed), (data.train, data.train_labels), KEEP, chip, seed=seed, **options
    )


def controls(name: str, size: list[int | None], seed: int) -> dict[str, float]:
    """Own accuracy, the compiled chip's, and what must fail; all in percent."""
    task = TASKS[name].reduced(*size)
    data = task.load()
    chip, other = (xbar.Chip.sample(design(0.3), each) for each in (seed, 1000 + seed))
    ticket = find(task, data, chip, seed)
    program = xbar.compile(ticket, chip, workers=1)
    result = xbar.simulate(program, data.test, data.test_labels)
    answers = np.argmax(program.run(data.test), axis=1)
    values = {
        "the ticket": accuracy(ticket, data),
        "compiled and simulated, ideal read-out": result.accuracy or 0.0,
        "answers of the two that differ": float(np.mean(answers != own_answers(ticket, data))),
        "the mask of the largest random scores, nothing learned": accuracy(
            find(task, data, chip, seed, epochs=0), data
        ),
        "the mask moved to another chip of the design": accuracy(
            xbar.pruning.move(ticket, other), data
        ),
    }
    return {key: 100 * value for key, value in values.items()}


def own_answers(ticket: xbar.pruning.Ticket, data: Split) -> Any:
    """The classes that the ticket's own model gives the held-out images."""
    import torch

    with torch.no_grad():
        return ticket.model(torch.from_numpy(data.test)).argmax(1).numpy()


def wires(name: str, size: list[int | None], learned: Any, ohm: float, seed: int) -> list[float]:
    """Percent with each read-out, for a mask that was learned with one of them."""
    task = TASKS[name].reduced(*size)
    data = task.load()
    hardware = design(0.3, word_wire=ohm, bit_wire=ohm)
    bank = hardware.bank.model_copy(update={"nominal": 10e3})
    chip = xbar.Chip.sample(hardware.model_copy(update={"bank": bank}), seed)
    ticket = find(task, data, chip, seed, readout=learned, recipe=SHARP, epochs=task.epochs)
    program = xbar.compile(ticket, chip, workers=1)
    return [
        100 * (xbar.simulate(program, data.test, data.test_labels, readout=read).accuracy or 0.0)
        for read in READOUTS
    ]


def jobs(tasks: list[str], wanted: Wanted) -> list[Job]:
    """All runs of both tables."""
    made = []
    for task in tasks:
        for seed in wanted.seeds:
            values: list[Any] = [task, wanted.size, seed]
            made.append(Job(f"chips/controls, {task}, seed {seed}", controls, values, 8.0))
            for learned in READOUTS:
                for ohm in OHMS:
                    name = _wires_name(task, learned, ohm, seed)
                    values = [task, wanted.size, learned, ohm, seed]
                    made.append(Job(name, wires, values, 70.0 if learned == "nodal" else 10.0))
    return made


def controls_table(tasks: list[str], wanted: Wanted, found: dict[str, Any]) -> None:
    """What each network's tickets give, and what must fail."""
    each = {
        task: [found[f"chips/controls, {task}, seed {seed}"] for seed in wanted.seeds]
        for task in tasks
    }
    rows: list[Row] = [
        {"accuracy %": key}
        | {TITLES[task]: spread([one[key] for one in values], 1) for task, values in each.items()}
        for key in each[tasks[0]][0]
    ]
    print("\ncontrols")
    report("chips_controls", wanted.output, rows, seeds=wanted.seeds, each=each)


def wires_table(tasks: list[str], wanted: Wanted, found: dict[str, Any]) -> None:
    """Both masks, read both ways."""
    rows: list[Row] = []
    for learned in READOUTS:
        for index, read in enumerate(READOUTS):
            row: Row = {"learned": learned, "read": read}
            for task in tasks:
                for ohm in OHMS:
                    names = [_wires_name(task, learned, ohm, seed) for seed in wanted.seeds]
                    values = [found[name][index] for name in names]
                    row[f"{TITLES[task]}, {ohm:.0f} ohm"] = spread(values, 1)
            rows.append(row)
    print("\nwires")
    each = {name: value for name, value in found.items() if "wires" in name}
    report("chips_wires", wanted.output, rows, seeds=wanted.seeds, each=each)


def main() -> None:
    """Both tables."""
    parser = arguments("chips.py")
    names = ["perceptron", "lenet"]
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=names)
    parsed = parser.parse_args()
    asked = wanted(parsed)
    with timed("chips"):
        found = results(jobs(parsed.tasks, asked), asked.output / "runs", asked.processes)
        controls_table(parsed.tasks, asked, found)
        wires_table(parsed.tasks, asked, found)


def _wires_name(task: str, learned: str, ohm: float, seed: int) -> str:
    return f"chips/wires, {task}, learned {learned}, {ohm:.0f} ohm, seed {seed}"


if __name__ == "__main__":
    main()
