"""Time to compile and store a large network, and its growth.

    python benchmarks/compile.py                  25 million weights, 6 and 8 resistors a cell
    python benchmarks/compile.py --weights 2      a quick look

A ResNet-50-sized network: layers with the shapes of its convolutions and its classifier, random
weights, ideal wires, 128 x 128 tiles. Each run is a separate process, for its peak memory. The
CPU seconds of the subset solver alone on as many problems of the same size, in the same run, show
the overhead of the rest of the compiler. Growth is the slope of log time against log weights over
three sizes. Last, wire-aware programming of 784-128-10.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xbar

BLOCKS = ((64, 3, 256), (128, 4, 512), (256, 6, 1024), (512, 3, 2048))


def layers(scale: float) -> dict[str, tuple[int, int]]:
    """Shape (outputs, inputs) of each ResNet-50 matrix, widths scaled by the root of ``scale``."""
    factor = scale**0.5
    shapes: dict[str, tuple[int, int]] = {"conv1": (64, 147)}
    inputs = 64
    for stage, (width, count, outputs) in enumerate(BLOCKS):
        for number in range(count):
            name = f"layer{stage + 1}.{number}"
            shapes[f"{name}.conv1"] = (width, inputs)
            shapes[f"{name}.conv2"] = (width, 9 * width)
            shapes[f"{name}.conv3"] = (outputs, width)
            if number == 0:
                shapes[f"{name}.downsample"] = (outputs, inputs)
            inputs = outputs
    shapes["fc"] = (1000, 2048)
    return {
        name: (max(1, round(o * factor)), max(1, round(i * factor)))
        for name, (o, i) in shapes.items()
    }


def weights(scale: float) -> dict[str, NDArray[np.float32]]:
    """Random matrices of those shapes."""
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal(shape, dtype=np.float32) / shape[1] ** 0.5
        for name, shape in layers(scale).items()
    }


def compile_once(scale: float, resistors: int, workers: int) -> dict[str, Any]:
    """Compile and store one network, then solve as many subset problems."""
    matrices = weights(scale)
    count = sum(matrix.size for matrix in matrices.values())
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors), tile=xbar.Tile(word_lines=128, bit_lines=128)
    )
    warm = {"fc": next(iter(matrices.values()))}
    xbar.compile(warm, hardware, seed=0, workers=workers)  # the kernels are loaded
    folder = Path(tempfile.mkdtemp())
    try:
        start, before = time.perf_counter(), cpu_seconds()
        program = xbar.compile(
            matrices, hardware, seed=0, workers=workers, output=folder / "out.xbar"
        )
        seconds, used = time.perf_counter() - start, cpu_seconds() - before
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "weights": int(count),
        "tiles": len(program.tiles),
        "seconds": seconds,
        "cpu_seconds": used,
        "peak_gb": peak,
        "store_mb": size / 1e6,
        "solver_seconds": solver_alone(int(count), 2 * resistors),
    }


def cpu_seconds() -> float:
    """CPU seconds of this process so far, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def solver_alone(count: int, elements: int) -> float:
    """CPU seconds of the subset solver for ``count`` problems, extrapolated from a million."""
    rng = np.random.default_rng(1)
    sample = min(count, 1_000_000)
    bank = rng.uniform(size=(sample, elements)) * np.repeat([1.0, -1.0], elements // 2)
    target = rng.uniform(-1, 1, sample)
    start = cpu_seconds()
    xbar.solve_subset(bank, target)
    return (cpu_seconds() - start) * count / sample


def wire_aware(repeats: int) -> float:
    """Seconds to program 784-128-10 for 1 ohm segments, 64 x 64 tiles, 8 resistors of 100 kohm."""
    rng = np.random.default_rng(2)
    shapes = {"fc1": (128, 784), "fc2": (10, 128)}
    matrices = {name: rng.laplace(size=shape) for name, shape in shapes.items()}
    hardware = xbar.Hardware(tile=xbar.Tile(word_wire=1.0, bit_wire=1.0))
    seconds = []
    for seed in range(repeats + 1):
        start = time.perf_counter()
        xbar.compile(matrices, hardware, seed=seed, wire_aware=True)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))  # the first one loads the kernels


def in_own_process(scale: float, resistors: int, workers: int) -> dict[str, Any]:
    """``compile_once`` in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", json.dumps([scale, resistors, workers])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=float, default=25.5, help="millions")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(compile_once(*json.loads(arguments.one))))
        return
    full = arguments.weights / 25.5
    print("| weights | resistors a weight | workers | s | CPU s | over solver | GB | stored MB |")
    print("|--|--|--|--|--|--|--|--|")
    growth = []
    for scale, resistors, workers in [
        (full / 16, 6, 2),
        (full / 4, 6, 2),
        (full, 6, 2),
        (full, 6, 1),
        (full, 8, 2),
    ]:
        runs = [in_own_process(scale, resistors, workers) for _ in range(arguments.repeats)]
        run = sorted(runs, key=lambda r: float(r["seconds"]))[len(runs) // 2]
        if (resistors, workers) == (6, 2):
            growth.append((run["weights"], run["seconds"]))
        print(
            f"| {run['weights']:,} | {2 * resistors} | {workers} | {run['seconds']:.1f} "
            f"| {run['cpu_seconds']:.1f} | {run['cpu_seconds'] / run['solver_seconds']:.1f} "
            f"| {run['peak_gb']:.2f} "
            f"| {run['store_mb']:.0f} |",
            flush=True,
        )
    size, seconds = np.log(np.array(growth)).T
    print(f"\ntime grows like weights^{np.polyfit(size, seconds, 1)[0]:.2f}")
    print(f"784-128-10 programmed for its wires: {wire_aware(arguments.repeats):.1f} s")


if __name__ == "__main__":
    main()
