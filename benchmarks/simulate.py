"""Claim: converters, wires and noise cost little more than the matrix products themselves.

Three tables from one run, on one thread, medians of processor time:

    read-out    10,000 vectors through the layers of a 784-128-10 network, on tiles of 64 lines and
                more; a ratio is the time relative to plain float64 products in numpy
    network     the same network (PyTorch) with 10,000 images, ``xbar.simulate`` from a compiled
                program without cached solutions: solves, digital run and signal-to-noise included
    peers       the same products in mPimPy (wires) and aihwkit (converters), if installed, with
                the error of both against an exact solution

    python benchmarks/simulate.py [--vectors 10000] [--sizes 64 128 256] [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table
from scipy.sparse.linalg import spsolve

import xbar
from xbar.simulation.calibration import Calibration, calibrate
from xbar.simulation.readout import AnalogProducts, product

Floats: TypeAlias = NDArray[np.float64]

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
SHAPES = {"fc1": (128, 784), "fc2": (10, 128)}
BATCH = 256
CONVERTERS = {"dac": xbar.Converter(bits=8), "adc": xbar.Converter(bits=10)}
DESIGNS: dict[str, dict[str, Any]] = {
    "wires": {},
    "wires, DAC and ADC": CONVERTERS,
    "wires, read noise": {"variation": xbar.Variation(read_noise=0.02)},
    "wires, DAC, ADC, noise": {**CONVERTERS, "variation": xbar.Variation(read_noise=0.02)},
    "wires, 7 one-bit steps, ADC": {**CONVERTERS, "dac": xbar.Converter(bits=8, bit_serial=1)},
}


def hardware(size: int, **changes: Any) -> xbar.Hardware:
    """Design with tiles of ``size`` lines and 1 ohm segments."""
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=8),
        tile=xbar.Tile(word_lines=size, bit_lines=size, word_wire=1.0, bit_wire=1.0),
    )
    return design.model_copy(update=changes)


def median(action: Callable[[], object], repeats: int) -> float:
    """Median processor time in seconds, after one warm-up call."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return float(np.median(times))


def batches(multiply: Callable[[str, Floats], Floats], data: dict[str, Floats]) -> None:
    """All vectors of all layers, in batches."""
    for layer, x in data.items():
        for start in range(0, len(x), BATCH):
            multiply(layer, x[start : start + BATCH])


def plain_product(program: xbar.Program, layer: str, x: Floats) -> Floats:
    """Product with the digital weights in numpy."""
    return np.asarray(product(x, program.weights[layer]))


def read_out(program: xbar.Program, kind: Any, data: dict[str, Floats]) -> None:
    """All vectors through the exact read-out in one precision."""
    batches(AnalogProducts(program, "nodal", 0, precision=kind), data)


def unsolved(program: xbar.Program) -> xbar.Program:
    """The same program without cached solutions."""
    return replace(program, tiles=tuple(tile.fresh() for tile in program.tiles))


def readouts(sizes: list[int], vectors: int, repeats: int) -> Table:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    data = {
        name: np.maximum(rng.standard_normal((vectors, 1, shape[1])), 0.0)
        for name, shape in SHAPES.items()
    }
    head = ["tile", "read-out", "solves", "plain", "float64", "ratio", "float32", "ratio"]
    table = Table(
        *(Column(name, justify="left" if name == "read-out" else "right") for name in head),
        title=f"{vectors} vectors through 784-128-10, milliseconds",
    )
    for size in sizes:
        for name, changes in DESIGNS.items():
            program = xbar.compile(weights, hardware(size, **changes), seed=0)
            start = time.process_time()
            for tile in program.tiles:
                _ = tile.crossbar().transfer
            solves = time.process_time() - start
            plain = median(partial(batches, partial(plain_product, program), data), repeats)
            double, single = (
                median(partial(read_out, program, kind, data), repeats)
                for kind in ("float64", "float32")
            )
            times = [f"{1e3 * t:.0f}" for t in (solves, plain, double, single)]
            ratios = [f"{t / plain:.2f}x" for t in (double, single)]
            row = [*times[:2], times[2], ratios[0], times[3], ratios[1]]
            table.add_row(str(size), name, *row)
            print(size, name, *row, file=sys.stderr)
    return table


def network(vectors: int, repeats: int) -> str:
    """Seconds of ``xbar.simulate`` for a program without cached solutions."""
    if find_spec("torch") is None:
        return "PyTorch is not installed: the whole network is left out"
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    ).eval()
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(module, (torch.zeros(2, 784),), dynamic_shapes=(batch,))
    with tempfile.TemporaryDirectory() as folder:
        torch.export.save(exported, Path(folder) / "model.pt2")
        graph = xbar.read_model(Path(folder) / "model.pt2")
    rng = np.random.default_rng(0)
    images = rng.random((vectors, 784), dtype=np.float32)
    labels = rng.integers(0, 10, vectors)
    lines = []
    for name, changes in DESIGNS.items():
        program = xbar.compile(graph, hardware(64, **changes), seed=0)

        def run(program: xbar.Program = program) -> object:
            return xbar.simulate(unsolved(program), images, labels, readout="nodal")

        lines.append(f"  {name}: {median(run, repeats):.2f} s")
        print(lines[-1], file=sys.stderr)
    return f"{vectors} images, 784-128-10, 64x64 tiles, solves included\n" + "\n".join(lines)


def exact_currents(conductance: Floats, wire: float, voltage: Floats) -> Floats:
    """(N, B) currents of a crossbar by sparse LU of its nodal equations, implemented here."""
    w, b = conductance.shape
    word = np.arange(w * b).reshape(w, b)
    bit = word + w * b
    ground = 2 * w * b
    drivers = np.arange(ground + 1, ground + 1 + w)
    ends: list[tuple[Any, Any, Any]] = [
        (word, bit, conductance),
        (word[:, :-1], word[:, 1:], 1 / wire),
        (bit[:-1], bit[1:], 1 / wire),
        (drivers, word[:, 0], 1 / wire),
        (bit[-1], np.full(b, ground), 1 / wire),
    ]
    tail = np.concatenate([np.ravel(t) for t, _, _ in ends])
    head = np.concatenate([np.ravel(h) for _, h, _ in ends])
    g = np.concatenate([np.broadcast_to(v, np.shape(t)).ravel() for t, _, v in ends])
    rows, columns = (
        np.concatenate([tail, head, tail, head]),
        np.concatenate([tail, head, head, tail]),
    )
    laplacian = sp.csc_array(
        (np.concatenate([g, g, -g, -g]), (rows, columns)), shape=(ground + 1 + w,) * 2
    )
    free = np.arange(ground)
    feed = -laplacian[free][:, drivers] @ voltage.T
    potential = spsolve(laplacian[free][:, free], feed).reshape(ground, -1)
    current: Floats = potential[bit[-1]].T / wire
    return current


def largest(found: Floats, exact: Floats) -> str:
    """Largest difference over the largest value."""
    return f"largest {np.abs(found - exact).max() / np.abs(exact).max():.1e}"


def typical(found: Floats, exact: Floats) -> str:
    """Root mean square of the difference, relative to the exact solution's."""
    return f"typical {np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean()):.1e}"


def by_transfer(cells: Floats, voltage: Floats) -> Floats:
    """Currents of an array with 1 ohm segments by xbar."""
    return np.asarray(voltage @ xbar.Crossbar(cells, 1.0, 1.0).transfer.T)


def by_mpimpy(cells: Floats, voltage: Floats) -> Floats:
    """The same by mPimPy."""
    from mpimpy.crossbar import crossbar

    return np.asarray(crossbar.hdot(voltage, 1 / cells, 1.0))


def wires(repeats: int) -> list[list[str]]:
    """One 64 x 64 array with 1 ohm segments: xbar and mPimPy against sparse LU."""
    rows = []
    rng = np.random.default_rng(1)
    for case, low, high in (("1-100 uS", -6, -4), ("0.1-1 mS", -4, -3)):
        cells = 10 ** rng.uniform(low, high, (64, 64))
        voltage = rng.uniform(0.0, 1.0, (10, 64))
        exact = exact_currents(cells, 1.0, voltage)
        methods: dict[str, Callable[[], Floats]] = {"xbar": partial(by_transfer, cells, voltage)}
        if find_spec("mpimpy") is not None:
            methods["mPimPy"] = partial(by_mpimpy, cells, voltage)
        times = {
            name: median(run, 1 if name != "xbar" else repeats) for name, run in methods.items()
        }
        for name, run in methods.items():
            ratio = f"{times[name] / times['xbar']:.3g}x"
            what = f"64 x 64 tile with wires, {case}, 10 vectors"
            rows.append([what, name, f"{1e3 * times[name]:.3g}", ratio, largest(run(), exact)])
    return rows


def converters(vectors: int, repeats: int) -> list[list[str]]:
    """784 x 128 on tiles of 64 inputs and 32 outputs: exact weights, 8-bit DAC, 10-bit ADC."""
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((128, 784))
    x = rng.standard_normal((vectors, 784))
    exact = x @ weights.T
    design = hardware(64, **CONVERTERS)
    program = xbar.compile({"fc": weights}, design, seed=0)
    analog = AnalogProducts(program, "ideal", 0, frozenset({"dac", "adc"}))
    ranges = calibrate(
        program,
        lambda products: products("fc", x[:BATCH, None]),
        Calibration("max", own_scale=True),  # inputs scaled as aihwkit does
    )
    fitted = AnalogProducts(program, "ideal", 0, frozenset({"dac", "adc"}), ranges)
    methods: dict[str, Callable[[], Floats]] = {
        "xbar": lambda: analog("fc", x[:, None])[:, 0],
        "xbar, ADC ranges from data": lambda: fitted("fc", x[:, None])[:, 0],
    }
    if find_spec("aihwkit") is not None:
        methods["aihwkit (torch tile)"] = aihwkit(weights, x)
    times = {name: median(run, repeats) for name, run in methods.items()}
    what = f"784 x 128 on 64-input tiles, 8-bit DAC, 10-bit ADC, {vectors} vectors"
    return [
        [
            what,
            name,
            f"{1e3 * times[name]:.3g}",
            f"{times[name] / times['xbar']:.3g}x",
            typical(run(), exact),
        ]
        for name, run in methods.items()
    ]


def aihwkit(weights: Floats, x: Floats) -> Callable[[], Floats]:
    """The same product in aihwkit: no noise, inputs scaled by their largest value, like ours."""
    import torch
    from aihwkit.nn.conversion import convert_to_analog
    from aihwkit.simulator.configs import TorchInferenceRPUConfig
    from aihwkit.simulator.parameters import (
        BoundManagementType,
        MappingParameter,
        NoiseManagementType,
    )

    torch.set_num_threads(1)
    config = TorchInferenceRPUConfig()
    config.mapping = MappingParameter(
        max_input_size=64,
        max_output_size=32,
        weight_scaling_omega=1.0,
        weight_scaling_columnwise=True,
    )
    forward = config.forward
    forward.inp_res, forward.out_res = 1 / 254, 1 / 1022
    forward.out_noise = forward.w_noise = 0.0
    forward.noise_management = NoiseManagementType.ABS_MAX
    forward.bound_management = BoundManagementType.NONE
    layer = torch.nn.Linear(784, 128, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32)
    analog = convert_to_analog(layer, config).eval()
    inputs = torch.tensor(x, dtype=torch.float32)

    def run() -> Floats:
        with torch.no_grad():
            return np.asarray(analog(inputs), dtype=np.float64)

    return run


def peers(vectors: int, repeats: int) -> Table:
    missing = [name for name in ("mpimpy", "aihwkit") if find_spec(name) is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}", file=sys.stderr)
    table = Table(
        "workload",
        "simulator",
        Column("ms", justify="right"),
        Column("ratio", justify="right"),
        Column("error", justify="right"),
        title="peers; errors against the exact solution",
    )
    for row in [*wires(repeats), *converters(vectors, repeats)]:
        table.add_row(*row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--vectors", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in _THREADS):
        # thread counts are read when a library is loaded
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept | dict.fromkeys(_THREADS, "1"))
    console = Console(width=130)
    console.print(readouts(given.sizes, given.vectors, given.repeats))
    console.print(network(given.vectors, given.repeats))
    console.print(peers(min(given.vectors, 2000), given.repeats))


if __name__ == "__main__":
    main()
