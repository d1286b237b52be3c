"""Tickets on chips: what proves that the mask is what was learned, and masks for the wires.

    python examples/tickets/chips.py [--seeds 3] [--output build/tickets]

The perceptron 784-300-100-10 on chips of one resistor a cell, 30 % lognormal spread, on/off 100,
half of the weights kept, 15 epochs. Accuracies in percent on 1,000 held-out MNIST images: mean and,
in brackets, least and greatest over the seeds, which set chip, scores and order of the data.

    controls   the ticket's own; the compiled chip's, simulated; that of the mask of the largest
               random scores, nothing learned; of the mask moved to another chip of the design
    wires      10 kilohm resistors and 1 ohm a segment, read with ideal wires and with the exact
               solution, for a mask learned without the wires and one learned with them
"""

from __future__ import annotations

from typing import Any

import numpy as np
from construct_networks import Row, report, seeds_and_output, spread
from ticket_networks import TASKS, Task, accuracy, design

import xbar
from xbar.cli.demo_networks import Split

KEEP = 0.5
SHARP = xbar.pruning.Recipe(rate=1.0, sharpen=True)
"""Wires make outputs small, and the loss of small outputs says little."""


def find(task: Task, data: Split, chip: xbar.Chip, seed: int, **options: Any) -> Any:
    """A ticket of a chip."""
    options = {"epochs": task.epochs, **options}
    return xbar.pruning.edge_popup(
        task.model(seed), (data.train, data.train_labels), KEEP, chip, seed=seed, **options
    )


def controls(task: Task, data: Split, seed: int) -> dict[str, float]:
    """Own accuracy, the compiled chip's, and what must fail."""
    chip, other = (xbar.Chip.sample(design(0.3), each) for each in (seed, 1000 + seed))
    ticket = find(task, data, chip, seed)
    program = xbar.compile(ticket, chip)
    result = xbar.simulate(program, data.test, data.test_labels)
    answers = np.argmax(program.run(data.test), axis=1)
    return {
        "ticket": accuracy(ticket, data),
        "compiled, ideal read-out": result.accuracy or 0.0,
        "answers that differ": float(np.mean(answers != own_answers(ticket, data))),
        "nothing learned": accuracy(find(task, data, chip, seed, epochs=0), data),
        "moved to another chip": accuracy(xbar.pruning.move(ticket, other), data),
    }


def own_answers(ticket: xbar.pruning.Ticket, data: Split) -> Any:
    """The classes that the ticket's own model gives the held-out images."""
    import torch

    with torch.no_grad():
        return ticket.model(torch.from_numpy(data.test)).argmax(1).numpy()


def wires(task: Task, data: Split, seed: int) -> dict[str, float]:
    """Both masks, read both ways."""
    hardware = design(0.3, word_wire=1.0, bit_wire=1.0)
    bank = hardware.bank.model_copy(update={"nominal": 10e3})
    chip = xbar.Chip.sample(hardware.model_copy(update={"bank": bank}), seed)
    found = {}
    for learned in ("ideal", "nodal"):
        ticket = find(task, data, chip, seed, readout=learned, recipe=SHARP)
        program = xbar.compile(ticket, chip)
        for read in ("ideal", "nodal"):
            result = xbar.simulate(program, data.test, data.test_labels, readout=read)
            found[f"learned {learned}, read {read}"] = result.accuracy or 0.0
    return found


def main() -> None:
    """Both tables."""
    seeds, output = seeds_and_output("chips.py")
    task = TASKS["perceptron"]
    data = task.load()
    for name, measure in (("controls", controls), ("wires", wires)):
        each = [measure(task, data, seed) for seed in seeds]
        rows: list[Row] = [
            {name: key, "accuracy %": spread([100 * found[key] for found in each], 1)}
            for key in each[0]
        ]
        print()
        report(f"chips_{name}", output, rows, seeds=seeds, each=each)


if __name__ == "__main__":
    main()
