"""Claim: where subsets of imprecise resistors beat conventional programming, and where they don't.

The demo's convolutional network (5,000 MNIST images, a fifth held out) is programmed by each method
with the same number of devices per weight, K in each cell of a differential pair, and run on the
held-out images with ideal wires and no converters. The tables have the rms error of the outputs
relative to their rms, averaged over chips, and the accuracy. sigma is the spread of untuned
resistors for the first four methods, and the write error relative to full scale for the other
three.

    python benchmarks/rivals.py [--devices 4 8] [--sigmas 0.01 ... 0.3] [--read-noise 0] [--chips 1]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.cli.demo_networks import export, networks, train
from xbar.model.graph import Graph

Floats = NDArray[np.float64]

UNTUNED: dict[str, dict[str, Any]] = {
    "subset, equal nominals": {},
    "subset, geometric nominals": {"ratio": "contiguous"},
    "unary code": {},
    "binary code": {"ratio": 2.0},
}
TUNED = ("write-verify", "bit-slice", "residual")


def network() -> tuple[Graph, Floats, NDArray[np.int64]]:
    """The trained network, and held-out images with their labels."""
    demo = networks()[1]
    data = demo.load()
    module = train(demo, data, 0, lambda done, whole: None)
    with tempfile.TemporaryDirectory() as folder:
        export(module, demo, Path(folder) / "cnn.pt2")
        graph = xbar.read_model(Path(folder) / "cnn.pt2")
    return graph, data.test.astype(np.float64), data.test_labels


def design(devices: int, sigma: float, ratio: float | str, read_noise: float) -> xbar.Hardware:
    """Tiles of 128 x 128 cells; ratio "contiguous" is 1 + 1/(1 + 4 sigma), see docs/theory.md."""
    step = 1.0 + 1.0 / (1.0 + 4.0 * sigma) if ratio == "contiguous" else float(ratio)
    return xbar.Hardware(
        bank=xbar.Bank(resistors=devices, sigma=sigma, ratio=step),
        tile=xbar.Tile(word_lines=128, bit_lines=128),
        variation=xbar.Variation(read_noise=read_noise),
    )


def ways(devices: int, sigma: float, read_noise: float) -> dict[str, tuple[Any, xbar.Options]]:
    """Design and options of each programming method, by name."""
    found: dict[str, tuple[Any, xbar.Options]] = {}
    for name, bank in UNTUNED.items():
        kind: Any = "subset" if name.startswith("subset") else "nominal"
        hardware = design(devices, sigma, bank.get("ratio", 1.0), read_noise)
        found[name] = hardware, xbar.Options(programming=kind)
    for method in TUNED:
        word: Any = method
        options = xbar.Options(programming=word, write_error=sigma)
        found[method] = design(devices, 0.0, 1.0, read_noise), options
    return found


def measure(
    graph: Graph, images: Floats, labels: NDArray[np.int64], way: Any, chips: int
) -> tuple[float, float]:
    """Relative error of the outputs, and accuracy, averaged over chips."""
    hardware, options = way
    exact = np.asarray(graph.run(images))
    errors, right = [], []
    for seed in range(chips):
        program = xbar.compile(graph, hardware, seed=seed, options=options)
        outputs = program.run(images, seed=seed)
        errors.append(np.sqrt(((outputs - exact) ** 2).mean() / (exact**2).mean()))
        right.append((outputs.argmax(axis=1) == labels).mean())
    return float(np.mean(errors)), float(np.mean(right))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print a table for each number of devices: error of the outputs, accuracy in brackets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[4, 8])
    parser.add_argument(
        "--sigmas", type=float, nargs="+", default=[0.01, 0.02, 0.05, 0.1, 0.2, 0.3]
    )
    parser.add_argument("--read-noise", type=float, nargs="+", default=[0.0])
    parser.add_argument("--chips", type=int, default=1)
    arguments = parser.parse_args()
    graph, images, labels = network()
    digital = (np.asarray(graph.run(images)).argmax(axis=1) == labels).mean()
    print(f"digital accuracy {100 * digital:.2f} %, {len(images)} images, {arguments.chips} chips")
    for devices in arguments.devices:
        for noise in arguments.read_noise:
            rows: dict[str, list[str]] = {}
            for sigma in arguments.sigmas:
                for name, way in ways(devices, sigma, noise).items():
                    error, accuracy = measure(graph, images, labels, way, arguments.chips)
                    text = f"{100 * error:.2g} % ({100 * accuracy:.1f})"
                    rows.setdefault(name, []).append(text)
            print(
                f"\n{devices} devices a cell, read noise {100 * noise:g} %: error · accuracy in %\n"
            )
            head = ["programming", *(f"sigma {100 * sigma:g} %" for sigma in arguments.sigmas)]
            print(table(head, [[name, *row] for name, row in rows.items()]), flush=True)


if __name__ == "__main__":
    main()
