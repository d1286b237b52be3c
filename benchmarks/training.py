"""Accuracy of a network trained through a design's wires, beside the same network untrained.

    python benchmarks/training.py --wires 10 --chips 2

LeNet-5-like network of the demo on the held-out MNIST images (1,000), cells of 1 mS full scale, 16
resistors a weight. Both are compiled with subsets for the wires and read exactly; means over chips.
Training sees the 4,000 images that the network was trained on. Settings are the defaults.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import xbar
from xbar.model.graph import Graph
from xbar.training import Tuning, finetune


def main() -> None:
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wires", type=float, nargs="*", default=[2.0, 10.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--gradient", choices=["own", "exact"], default="own")
    arguments = parser.parse_args()
    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    graph = from_module(train(network, data, 0, lambda *step: None), network.input_shape)

    def right(outputs: object) -> float:
        return 100 * float((np.asarray(outputs).argmax(axis=1) == data.test_labels).mean())

    def on_chips(graph: Graph, design: xbar.Hardware) -> str:
        found, start = [], time.process_time()
        for seed in range(arguments.chips):
            program = xbar.compile(graph, xbar.Chip.sample(design, seed), wire_aware=True)
            found.append(right(program.run(data.test, "nodal")))
        seconds = (time.process_time() - start) / arguments.chips
        return f"{np.mean(found):.1f} ({min(found):.1f} to {max(found):.1f}) | {seconds:.0f}"

    print(f"digital: {right(graph.run(data.test)):.1f} %\n")
    print("| wire | untrained, on chips | CPU s a chip | trained, on chips | CPU s a chip ", end="")
    print("| its weights as they were trained | CPU s of training |\n|--|--|--|--|--|--|--|")
    for wire in arguments.wires:
        design = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=8e3),
            tile=xbar.Tile(
                word_lines=arguments.tile, bit_lines=arguments.tile, word_wire=wire, bit_wire=wire
            ),
        )
        before, start = on_chips(graph, design), time.process_time()
        trained = finetune(
            graph,
            (data.train, data.train_labels),
            design,
            epochs=arguments.epochs,
            tuning=Tuning(gradient=arguments.gradient),
        )
        seconds = time.process_time() - start
        after = on_chips(trained.graph, design)
        own = right(trained.graph.run(data.test))
        print(f"| {wire:g} ohm | {before} | {after} | {own:.1f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
