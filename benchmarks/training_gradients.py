"""Training through exact wires by each cell's own attenuation beside the exact adjoint.

    python benchmarks/training_gradients.py --wires 2 20 --tile 64 --seeds 3

The digits network of the demo, 8 resistors of 8 kilohm a cell, one epoch unless said otherwise.
Right answers on held-out inputs of the trained weights behind wires (no chip: programming adds the
same to both), means over seeds of training, and CPU seconds of a training, both in one run. The
cosine is that of the angle between both gradients by the conductances at the first step.
"""

from __future__ import annotations

import argparse
import time
from typing import Literal

import numpy as np
import torch

import xbar
from xbar.model.graph import Graph
from xbar.training import Tuning, finetune

GRADIENTS: tuple[Literal["own", "exact"], ...] = "own", "exact"


def main() -> None:
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", default="digits-mlp", choices=[n.name for n in networks()])
    parser.add_argument("--wires", type=float, nargs="*", default=[2.0, 20.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--gradients", nargs="*", choices=GRADIENTS, default=GRADIENTS)
    arguments = parser.parse_args()
    network = next(n for n in networks() if n.name == arguments.network)
    data = network.load()
    graph = from_module(train(network, data, 0, lambda *step: None), network.input_shape)

    def right(graph: Graph) -> float:
        return 100 * float((graph.run(data.test).argmax(axis=1) == data.test_labels).mean())

    print(f"digital: {right(graph):.2f} %\n")
    names = "".join(f" {name}: right | CPU s |" for name in arguments.gradients)
    print(f"| wire | cosine |{names}\n|--|--|{'--|--|' * len(arguments.gradients)}")
    for wire in arguments.wires:
        design = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=8e3),
            tile=xbar.Tile(
                word_lines=arguments.tile, bit_lines=arguments.tile, word_wire=wire, bit_wire=wire
            ),
        )
        cells = [f"{wire:g} ohm", f"{cosine(graph, design, data.train, data.train_labels):.3f}"]
        for gradient in arguments.gradients:
            tuning = Tuning(gradient=gradient)
            found, start = [], time.process_time()
            for seed in range(arguments.seeds):
                trained = finetune(
                    graph,
                    (data.train, data.train_labels),
                    design,
                    epochs=arguments.epochs,
                    seed=seed,
                    tuning=tuning,
                )
                found.append(right(trained.graph))
            seconds = (time.process_time() - start) / arguments.seeds
            cells.append(f"{np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})")
            cells.append(f"{seconds:.1f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def cosine(graph: Graph, design: xbar.Hardware, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Of the angle between both gradients by the conductances, for 64 inputs and no grain."""
    from xbar.training.behind_wires import BehindWires
    from xbar.training.loop import reproducible

    found = []
    with reproducible(0):
        for gradient in GRADIENTS:
            tuning = Tuning(gradient=gradient, grain=0.0)
            net = BehindWires(graph, design, tuning, wired=True)
            y = net(torch.from_numpy(np.asarray(inputs[:64], np.float32)))
            wanted = torch.from_numpy(np.asarray(labels[:64]).astype(np.int64))
            torch.nn.functional.cross_entropy(y, wanted).backward()
            assert net.v.grad is not None
            found.append(net.v.grad)
    own, exact = found
    return float(own @ exact / (own.norm() * exact.norm()))


if __name__ == "__main__":
    main()
