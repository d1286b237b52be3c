"""Structured against unstructured pruning: what each takes of a chip.

    python examples/tickets/structure.py [--seeds 3] [--output build/tickets]

The perceptron 784-300-100-10, magnitude pruning with fine-tuning, and edge-popup; compiled to tiles
of 64 x 64 with 8 resistors a cell. "outputs" removes whole neurons, and with them their bit lines
and the next layer's word lines. Means over the seeds; accuracy in percent on 1,000 held-out MNIST
images, with the least and the greatest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from construct_networks import Row, report, seeds_and_output, spread
from ticket_networks import TASKS, accuracy

import xbar

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=8, sigma=0.3, on_off_ratio=1e4),
    tile=xbar.Tile(word_lines=64, bit_lines=64),
)
CASES: tuple[tuple[str, Any, float], ...] = (
    ("magnitude", "weights", 0.5),
    ("magnitude", "weights", 0.2),
    ("magnitude", "weights", 0.1),
    ("magnitude", "outputs", 0.5),
    ("magnitude", "outputs", 0.2),
    ("magnitude", "outputs", 0.1),
    ("edge-popup", "weights", 0.2),
    ("edge-popup", "inputs", 0.5),
    ("edge-popup", "outputs", 0.5),
)


def measure(method: str, structure: Any, keep: float, seed: int) -> dict[str, float]:
    """One ticket, compiled."""
    task = TASKS["perceptron"]
    data = task.load()
    pair = (data.train, data.train_labels)
    model = task.model(seed)
    if method == "magnitude":
        ticket = xbar.pruning.magnitude(
            model, pair, keep, task.epochs, seed, rounds=3, tune=5, structure=structure
        )
    else:
        ticket = xbar.pruning.edge_popup(
            model, pair, keep, "constant", task.epochs, seed, structure=structure
        )
    program = xbar.compile(ticket, HARDWARE, seed=seed)
    result = xbar.simulate(program, data.test, data.test_labels)
    blocks = [part.block for tile in program.tiles for part in tile.blocks]
    return {
        "kept": ticket.kept,
        "accuracy": accuracy(ticket, data),
        "chip": result.accuracy or 0.0,
        "tiles": len(program.tiles),
        "word": sum(len(block.inputs) for block in blocks),
        "bit": 2 * sum(len(block.outputs) for block in blocks),
        "cells": 2 * sum(len(block.inputs) * len(block.outputs) for block in blocks),
        "switches": sum(int(tile.mask.sum()) for tile in program.tiles),
    }


def main() -> None:
    """One row a case."""
    seeds, output = seeds_and_output("structure.py")
    rows: list[Row] = []
    for method, structure, keep in CASES:
        each = [measure(method, structure, keep, seed) for seed in seeds]
        mean = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
        rows.append(
            {
                "method": f"{method}, {structure} {keep:.0%}",
                "kept %": f"{100 * mean['kept']:.1f}",
                "accuracy %": spread([100 * one["accuracy"] for one in each], 1),
                "on the chip %": spread([100 * one["chip"] for one in each], 1),
                "tiles": f"{mean['tiles']:.0f}",
                "word lines": f"{mean['word']:.0f}",
                "bit lines": f"{mean['bit']:.0f}",
                "devices": f"{mean['cells'] * HARDWARE.bank.resistors:,.0f}",
                "switched in": f"{mean['switches']:,.0f}",
            }
        )
        print(rows[-1], flush=True)
    report("structure", output, rows, seeds=seeds)


if __name__ == "__main__":
    main()
