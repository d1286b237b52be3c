"""Accuracy of a network trained for one chip, beside what is cheaper and what suits all chips.

    python benchmarks/training_chip.py --wires 10 40 --chips 5

LeNet-5-like network of the demo, trained on 3,200 of its training images; cells of 1 mS full scale,
16 resistors a weight, subsets for the wires, read exactly. All rows learn from the same 3,200
images, those of calibration from 512 of them without labels; the 1,000 held-out ones are only read
at the end. Settings are the defaults. Means over chips, with the least and the most.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import xbar
from xbar.training import calibrate, finetune

_IMAGES = 3200


def main() -> None:
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wires", type=float, nargs="*", default=[10.0, 40.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first chip")
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    network = next(n for n in networks() if n.name == "mnist-cnn")
    whole = network.load()
    some = np.sort(np.random.default_rng(0).permutation(len(whole.train))[:_IMAGES])
    data = replace(whole, train=whole.train[some], train_labels=whole.train_labels[some])
    graph = from_module(train(network, data, 0, lambda *step: None), network.input_shape)

    def right(outputs: Any) -> float:
        return 100 * float((np.asarray(outputs).argmax(axis=1) == data.test_labels).mean())

    print(f"digital: {right(graph.run(data.test)):.1f} %\n")
    print("| wire | weights | on chips | CPU s a chip |\n|--|--|--|--|", flush=True)
    for wire in given.wires:
        lines = {"word_lines": given.tile, "bit_lines": given.tile}
        tile = xbar.Tile(**lines, word_wire=wire, bit_wire=wire)
        design = xbar.Hardware(bank=xbar.Bank(resistors=8, nominal=8e3), tile=tile)
        rows(graph, design, (data.train, data.train_labels), given, lambda p: right(p(data.test)))


def rows(
    graph: xbar.Graph, design: xbar.Hardware, data: Any, given: Any, judge: Callable[..., float]
) -> None:
    """Print the rows of one design."""
    start = time.process_time()
    tuned = finetune(graph, data, design, epochs=given.epochs).graph
    seconds = time.process_time() - start

    def compiled(source: xbar.Graph) -> Callable[[xbar.Chip], xbar.Program]:
        return lambda chip: xbar.compile(source, chip, wire_aware=True)

    def for_chip(source: xbar.Graph) -> Callable[[xbar.Chip], Any]:
        return lambda chip: finetune(source, data, chip, epochs=given.epochs).program

    ways = {
        "the network's own": compiled(graph),
        "the same, columns calibrated": lambda c: calibrate(compiled(graph)(c), data[0]),
        "trained for this chip": for_chip(graph),
        f"trained for the design ({seconds:.0f} s)": compiled(tuned),
        "the same, then for this chip": for_chip(tuned),
    }
    for name, make in ways.items():
        found, start = [], time.process_time()
        for seed in range(given.first, given.first + given.chips):
            program = make(xbar.Chip.sample(design, seed))
            found.append(judge(lambda x, p=program: p.run(x, "nodal")))
        each = (time.process_time() - start) / given.chips
        row = [f"{design.tile.word_wire:g} ohm", name]
        row += [f"{np.mean(found):.1f} ({min(found):.1f} to {max(found):.1f})", f"{each:.0f}"]
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
