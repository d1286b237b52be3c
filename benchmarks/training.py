"""Accuracy of a network trained through a design's wires, beside the same network untrained.

    python benchmarks/training.py --wires 2 10 --chips 5
    python benchmarks/training.py --wires 2 --tile 512 --epochs 3
    python benchmarks/training.py crepe --wires 2 --chips 3

lenet: the LeNet-5-like network of the demo, made of 3,200 of its 4,000 training images. Training
for the design sees the same 3,200; epochs and sizes are chosen among those given by the other 800
on a chip of their own, and the 1,000 held-out images of MNIST are looked at once, at the end.
crepe: the pitch tracker CREPE "tiny" with its published weights, trained by its own answers on
random tones, chosen by others; held out are the 300 tones of benchmarks/wires.py.

Cells of 1 mS full scale, 16 resistors a weight. Programs are compiled with subsets for the wires
and read exactly; means over chips.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wires import crepe, frames_of, pitch_score

import xbar
from xbar.model.graph import Graph
from xbar.training import Trained, Tuning, finetune

CHOICE = 1000
"""Seed of the chip that settings are chosen on."""

Score = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, eq=False)
class Task:
    """A network, what it is trained with, and two sets of inputs with the scoring of outputs."""

    graph: Graph
    train: Any
    valid: tuple[NDArray[np.float32], Score]
    held: tuple[NDArray[np.float32], Score]


def lenet_task() -> Task:
    """The demo's convolutional network, which has not seen the images to choose by."""
    from xbar.cli.demo_networks import networks, split, train
    from xbar.model.read import from_module

    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    part = split(data.train, data.train_labels, one_in=5)
    graph = from_module(train(network, part, 0, lambda *step: None), network.input_shape)

    def score(labels: NDArray[np.int64]) -> Score:
        return lambda y: 100 * float((y.argmax(axis=1) == labels).mean())

    return Task(
        graph,
        (part.train, part.train_labels),
        (part.test, score(part.test_labels)),
        (data.test, score(data.test_labels)),
    )


def crepe_task(count: int) -> Task:
    """CREPE tiny, with random tones to train on and others to choose by."""
    known = crepe()
    frames, _ = random_tones(count, 0)
    valid, pitch = random_tones(200, 7)
    score, held = pitch_score(pitch), known.right
    return Task(
        known.graph,
        frames,
        (valid, lambda y: 100 * score(y)),
        (known.inputs, lambda y: 100 * held(y)),
    )


def random_tones(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Frames of tones over four octaves, with harmonics of random size and phase and some noise."""
    rng = np.random.default_rng(seed)
    pitch = 32.70 * 2.0 ** rng.uniform(1.0, 5.0, count)
    amplitude = rng.uniform(0.5, 1.5, (4, count))
    frames = frames_of(pitch, amplitude, rng.uniform(0.0, 2 * np.pi, (4, count)))
    frames += 0.05 * rng.standard_normal(frames.shape).astype(np.float32)
    return frames, pitch


@dataclass(frozen=True, eq=False)
class OnChips:
    """What chips make of a network: of each chip its score, and means of the rest.

    Attributes:
        right: percent of the inputs, by chip.
        error: percent of the weights, root mean square over tiles and chips.
        seconds: CPU seconds of programming a chip.
    """

    right: list[float]
    error: float
    seconds: float

    def __str__(self) -> str:
        right = self.right
        return (
            f"{np.mean(right):.1f} ({min(right):.1f} to {max(right):.1f}) | {self.error:.1f} % "
            f"| {self.seconds:.0f}"
        )


def on_chips(
    graph: Graph, design: xbar.Hardware, data: tuple[NDArray[np.float32], Score], seeds: range
) -> OnChips | None:
    """Chips of a design, programmed for their wires and read exactly; None for no chips."""
    right: list[float] = []
    errors: list[float] = []
    seconds = 0.0
    for seed in seeds:
        chip, start = xbar.Chip.sample(design, seed), time.process_time()
        program = xbar.compile(graph, chip, wire_aware=True)
        seconds += time.process_time() - start
        errors += [tile.wire_errors[-1] for tile in program.tiles if tile.wire_errors]
        right.append(data[1](program.run(data[0], "nodal")))
    if not right:
        return None
    error = 100 * float(np.sqrt(np.mean(np.square(errors))))
    return OnChips(right, error, seconds / len(seeds))


def chosen(
    task: Task, design: xbar.Hardware, settings: list[tuple[int, Tuning]]
) -> tuple[Trained, str, float]:
    """The best of some settings by the inputs to choose by, its name, its CPU s of training."""
    tries = []
    for epochs, tuning in settings:
        start = time.process_time()
        trained = finetune(task.graph, task.train, design, epochs=epochs, tuning=tuning)
        seconds = time.process_time() - start
        name = f"{epochs} epochs, largest {tuning.largest:g}"
        if len(settings) == 1:
            return trained, name, seconds
        found = on_chips(trained.graph, design, task.valid, range(CHOICE, CHOICE + 1))
        valid = found.right[0] if found else 0.0
        print(f"  {name}: {valid:.2f} % of those to choose by, {seconds:.0f} s", flush=True)
        tries.append((valid, trained, name, seconds))
    _, trained, name, seconds = max(tries, key=lambda one: one[0])
    return trained, name, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("network", nargs="?", choices=["lenet", "crepe"], default="lenet")
    parser.add_argument("--wires", type=float, nargs="*", default=[2.0, 10.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--untrained", type=int, help="chips of the untrained network, if others")
    parser.add_argument("--epochs", type=int, nargs="*", default=[3])
    parser.add_argument("--largest", type=float, nargs="*", default=[Tuning().largest])
    parser.add_argument("--batch", type=int, default=Tuning().batch)
    parser.add_argument("--gradient", choices=["own", "exact"], default="own")
    parser.add_argument("--tones", type=int, default=3200, help="to train CREPE on")
    arguments = parser.parse_args()
    task = lenet_task() if arguments.network == "lenet" else crepe_task(arguments.tones)
    settings = [
        (epochs, Tuning(largest=largest, batch=arguments.batch, gradient=arguments.gradient))
        for epochs, largest in product(arguments.epochs, arguments.largest)
    ]

    def digital(graph: Graph) -> float:
        return task.held[1](np.asarray(graph.run(task.held[0]), dtype=np.float64))

    rows = []
    for wire in arguments.wires:
        design = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=8e3),
            tile=xbar.Tile(
                word_lines=arguments.tile, bit_lines=arguments.tile, word_wire=wire, bit_wire=wire
            ),
        )
        print(f"{wire:g} ohm", flush=True)
        trained, name, seconds = chosen(task, design, settings)
        own, chips = digital(trained.graph), arguments.chips
        after = on_chips(trained.graph, design, task.held, range(chips))
        print(f"  trained: {after}, of {own:.1f} %; {name}", flush=True)
        count = chips if arguments.untrained is None else arguments.untrained
        before = on_chips(task.graph, design, task.held, range(count)) or " |  | "
        rows.append(f"| {wire:g} ohm | {before} | {after} | {own:.1f} | {seconds:.0f} | {name} |")
    print(f"\ndigital: {digital(task.graph):.1f} %\n")
    print(
        "| wire | untrained, on chips | error | CPU s a chip | trained, on chips | error ", end=""
    )
    print("| CPU s a chip | its weights as they were trained | CPU s of training | chosen |")
    print("|--" * 10 + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
