"""Accuracy of chips with converters and read noise, of networks trained through them or without.

    python benchmarks/training_effects.py --wires 2 10 --chips 5
    python benchmarks/training_effects.py crepe --wires 2 --epochs 1 --largest 4 --batch 32

The networks of training.py and their data: of several methods of calibration one is
chosen by images that neither the digital network nor training has seen, on a chip of their own.
Each chip is programmed for its wires, its converters' ranges are found from 256 training images,
and it is read exactly. Means over chips, of held-out images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from training import CHOICE, Task, crepe_task, lenet_task

import xbar
from xbar.model.graph import Graph
from xbar.training import Tuning, finetune

KNOWN = 256
"""Training inputs from which ranges are found."""
TONES = 3200
"""Random tones that CREPE is trained on."""
WAYS = "without", "through"


def scores(
    graph: Graph, task: Task, design: xbar.Hardware, seeds: Sequence[int], how: Any
) -> list[float]:
    """Percent of right answers of chips: of held-out images, or of those to choose by."""
    inputs, score = task.valid if seeds == [CHOICE] else task.held
    found = []
    for seed in seeds:
        program = xbar.compile(graph, xbar.Chip.sample(design, seed), wire_aware=True)
        result = xbar.simulate(
            program,
            inputs,
            metric=lambda outputs, _: score(np.asarray(outputs)),
            readout="nodal",
            calibrate=how,
            calibration=known(task),
            seed=seed,
        )
        assert result.accuracy is not None
        found.append(result.accuracy)
    return found


def known(task: Task) -> Any:
    """Some of the inputs to train on."""
    return (task.train[0] if isinstance(task.train, tuple) else task.train)[:KNOWN]


def trained(
    task: Task, design: xbar.Hardware, how: Any, arguments: argparse.Namespace
) -> tuple[Graph, float]:
    """The network trained for a design, and CPU seconds of it."""
    tuning = Tuning(
        calibrate=how if design.adc else None, largest=arguments.largest, batch=arguments.batch
    )
    start = time.process_time()
    found = finetune(task.graph, task.train, design, epochs=arguments.epochs, tuning=tuning)
    return found.graph, time.process_time() - start


def chosen(
    task: Task, design: xbar.Hardware, full: xbar.Hardware, arguments: argparse.Namespace
) -> tuple[Graph, Any, float]:
    """The network trained for a design, with the best of the given methods of calibration."""
    tries = []
    for how in arguments.calibrate:
        graph, seconds = trained(task, design, how, arguments)
        alone = len(arguments.calibrate) == 1
        valid = 0.0 if alone else scores(graph, task, full, [CHOICE], how)[0]
        tries.append((valid, graph, how, seconds))
    return max(tries, key=lambda one: one[0])[1:]


def mean(graph: Graph, task: Task, design: xbar.Hardware | None, chips: int, how: Any) -> str:
    """Mean of chips, with the least and the most; nothing without a design."""
    if design is None:
        return ""
    row = scores(graph, task, design, list(range(chips)), how)
    return f"{np.mean(row):.1f} ({min(row):.1f} to {max(row):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("network", nargs="?", choices=["lenet", "crepe"], default="lenet")
    parser.add_argument("--trained", nargs="*", choices=WAYS, default=WAYS, help="rows")
    parser.add_argument("--largest", type=float, default=Tuning().largest)
    parser.add_argument("--batch", type=int, default=Tuning().batch)
    parser.add_argument("--wires", type=float, nargs="*", default=[2.0, 10.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dac", type=int, default=8, help="bits")
    parser.add_argument("--adc", type=int, default=6, help="bits")
    parser.add_argument("--noise", type=float, default=0.05, help="of a resistor in a read")
    parser.add_argument("--calibrate", nargs="*", default=["percentile"])
    arguments = parser.parse_args()
    task = lenet_task() if arguments.network == "lenet" else crepe_task(TONES)
    digital = task.held[1](np.asarray(task.graph.run(task.held[0]), dtype=np.float64))
    print(f"digital: {digital:.1f} %\n")
    print("| wire | trained | CPU s | chips without converters and noise | chips with them |")
    print("|--|--|--|--|--|", flush=True)
    for wire in arguments.wires:
        bare = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=8e3),
            tile=xbar.Tile(
                word_lines=arguments.tile, bit_lines=arguments.tile, word_wire=wire, bit_wire=wire
            ),
        )
        full = bare.model_copy(
            update={
                "dac": xbar.Converter(bits=arguments.dac),
                "adc": xbar.Converter(bits=arguments.adc),
                "variation": xbar.Variation(read_noise=arguments.noise),
            }
        )
        rows = {"without": (bare, (bare, full)), "through": (full, (None, full))}
        for name in arguments.trained:
            design, reads = rows[name]
            graph, how, seconds = chosen(task, design, full, arguments)
            told = [mean(graph, task, each, arguments.chips, how) for each in reads]
            parts = [f"{wire:g} ohm", f"{name} them, {how}", f"{seconds:.0f}", *told]
            print(f"| {' | '.join(parts)} |", flush=True)


if __name__ == "__main__":
    main()
