"""A month after programming: networks as they are, calibrated, trained with noise, trained exactly.

    python benchmarks/training_life.py --chips 5

LeNet-5-like network of the demo on the held-out MNIST images (1,000). Cells of 8 phase-change
devices of 25 uS, 16 a weight, whose conductances drift by the law of `xbar catalog pcm`; 256 x 256
cells, 10 ohm a segment (as much for these cells as 2 ohm for cells of 1 mS); 3 % read noise a
device; 6-bit ADCs, whose ranges are found from training images when the chip is programmed, and
once more when it is calibrated.

All networks are compiled with subsets for the wires and read exactly. "Gaussian noise" is trained
without hardware, with normal noise of 5 % of each layer's largest weight; "exactly" through the
wires, noise and ADCs of this design: for the moment of programming alone, with devices drawn at
both times, or so with a gain a layer that follows them. All train on the 4,000 images that the
network was trained on, with default settings; nothing is chosen by the held-out images. Calibration
takes 500 of the training images without labels, on the chip as it is after the month. Means over
chips, their 95 % intervals, CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import xbar
from xbar.model.graph import Graph
from xbar.statistics import mean_interval
from xbar.training import Tuning, calibrate, finetune
from xbar.training.calibration import WAYS

HEAD = ("network", "20 s", "later", *(f"later, {way}" for way in WAYS), "CPU s: train", "a chip")
NOISE, FEW = 0.05, 500


def design(wire: float, tile: int) -> xbar.Hardware:
    """Phase-change devices in cells of 8, behind wires of so many ohms a segment."""
    pcm = xbar.Hardware.from_catalog("pcm")
    assert pcm.device is not None
    return xbar.Hardware(
        bank=pcm.bank.model_copy(update={"resistors": 8}),
        tile=xbar.Tile(word_lines=tile, bit_lines=tile, word_wire=wire, bit_wire=wire),
        # one number for the read noise, instead of the law's own by conductance and time
        device=pcm.device.model_copy(update={"noise": None}),
        variation=xbar.Variation(read_noise=0.03),
        adc=xbar.Converter(bits=6),
    )


@dataclass(frozen=True, eq=False)
class Bench:
    """What all rows of the table share.

    Attributes:
        data: the demo's images.
        hardware: the design.
        later: time since programming.
        chips: number of chips.
    """

    data: Any
    hardware: xbar.Hardware
    later: str
    chips: int

    def right(self, outputs: object) -> float:
        """Share of the held-out images that are right."""
        return float((np.asarray(outputs).argmax(axis=1) == self.data.test_labels).mean())

    def of_chip(self, graph: Graph, seed: int) -> list[float]:
        """Accuracy when programmed, later, and later calibrated."""
        train, test = self.data.train, self.data.test
        few = train[:: len(train) // FEW][:FEW]
        program = xbar.compile(graph, xbar.Chip.sample(self.hardware, seed), wire_aware=True)
        life = xbar.simulate(
            program,
            test,
            self.data.test_labels,
            readout="nodal",
            calibrate="max",
            calibration=few,
            time=["20 s", self.later],
            seed=seed,
        )
        assert isinstance(life, xbar.Life)
        found = [point.result.score for point in life.points]
        then = program.chip.at(time=self.later)
        for way in WAYS:
            made = calibrate(program, few, way, ranges="max", time=self.later, seed=seed)
            found.append(self.right(made.on(then).run(test, "nodal", seed=seed)))
        return found

    def row(self, name: str, graph: Graph, seconds: float) -> None:
        """Print a line of the table."""
        start = time.process_time()
        chips = np.array([self.of_chip(graph, seed) for seed in range(self.chips)])
        each = (time.process_time() - start) / self.chips
        told = [cell(column) for column in chips.T]
        print("|", " | ".join([name, *told, f"{seconds:.0f}", f"{each:.0f}"]), "|", flush=True)


def cell(scores: np.ndarray) -> str:
    """Mean of chips in percent, and half of its interval."""
    mean = 100 * float(scores.mean())
    if len(scores) < 2:
        return f"{mean:.1f}"
    low, high = mean_interval(tuple(scores.tolist()), share=False)
    return f"{mean:.1f} ± {50 * (high - low):.1f}"


def plans(hardware: xbar.Hardware, later: str) -> dict[str, tuple[xbar.Hardware, Tuning]]:
    """By network, the design and the settings that it is trained with."""
    exact = Tuning(calibrate="max")
    both = replace(exact, times=("20 s", later))
    return {  # without wires, a design is trained for by its resistors alone
        "Gaussian noise": (
            xbar.Hardware(bank=hardware.bank),
            Tuning(weight_noise=NOISE, dead=0.0, grain=0.0),
        ),
        "exactly, as programmed": (hardware.model_copy(update={"device": None}), exact),
        "exactly, for both times": (hardware, both),
        "exactly, for both, gain": (hardware, replace(both, compensate=True)),
    }


def main() -> None:
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wires", type=float, default=10.0, metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--later", default="30 d", metavar="TIME")
    parser.add_argument("--networks", nargs="*", metavar="NAME", help="rows; default: all")
    given = parser.parse_args()
    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    digital = from_module(train(network, data, 0, lambda *step: None), network.input_shape)
    bench = Bench(data, design(given.wires, given.tile), given.later, given.chips)
    print(f"digital: {100 * bench.right(digital.run(data.test)):.1f} %; later: {given.later}\n")
    print("|", " | ".join(HEAD), "|\n" + "|--" * len(HEAD) + "|", flush=True)
    if given.networks is None or "as it is" in given.networks:
        bench.row("as it is", digital, 0.0)
    for name, (goal, tuning) in plans(bench.hardware, given.later).items():
        if given.networks is None or name in given.networks:
            start = time.process_time()
            labelled = data.train, data.train_labels
            trained = finetune(digital, labelled, goal, epochs=given.epochs, tuning=tuning)
            bench.row(name, trained.graph, time.process_time() - start)


if __name__ == "__main__":
    main()
