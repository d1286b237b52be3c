"""Claim: ADC ranges that nobody gave fit what arrives, and circuits of ADCs cost little time.

    python benchmarks/converters.py ranges
    python benchmarks/converters.py speed

``ranges``: relative error of the outputs, and the largest clipped share of a layer, with ranges by
default and from 256 training inputs by "max" with each vector's own scale: a matrix of 784 x 128
normal weights on normal inputs, and the demo's two networks (cells of 8 resistors of 20 kohm on
tiles of 64 x 64 lines, 8-bit DACs) on 200 held-out images. Against the same products without
converters. It runs on older trees too.

``speed``: processor time of 2,000 vectors through 784 x 128 with ideal 10-bit ADCs and with those
of each kind, in turns, the least of several; and of one conversion.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.simulation.calibration import Calibration, calibrate
from xbar.simulation.readout import AnalogProducts
from xbar.tables import table

Floats = NDArray[np.float64]
FOLDER = Path("build/converters")
KINDS: dict[str, dict[str, Any]] = {
    "ideal": {"kind": "ideal"},
    "sar": {"kind": "sar", "mismatch": 0.01},
    "ramp": {"kind": "ramp", "mismatch": 0.01, "open_loop": 1000},
    "pipeline": {"kind": "pipeline", "mismatch": 0.002, "open_loop": 2000},
    "cyclic": {"kind": "cyclic", "mismatch": 0.002, "open_loop": 2000},
    "flash": {"kind": "flash", "mismatch": 0.01, "comparator": 0.001},
}


def relative(found: Floats, exact: Floats) -> float:
    """Root mean square difference over that of the exact values."""
    return float(np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean()))


def compare(
    program: xbar.Program, readout: Any, run: Callable[[Any], Floats], learn: Callable[[Any], Any]
) -> list[str]:
    """Error and clipped share by default, and with ranges from data."""
    effects = {"selection", "wires"} if readout == "nodal" else {"selection"}
    exact = run(AnalogProducts(program, readout, 0, effects))
    cells = []
    data = calibrate(program, learn, Calibration("max", own_scale=True), readout)
    for ranges in (None, data):
        products = AnalogProducts(program, readout, 0, ranges=ranges)
        error = relative(run(products), exact)
        clipped = max(count.share for count in products.clips.values())
        cells += [f"{error:.2e}", f"{clipped:.1e}"]
    return cells


def matrix_rows() -> list[list[str]]:
    """784 x 128 normal weights on normal inputs."""
    rng = np.random.default_rng(2)
    weights, x = rng.standard_normal((128, 784)), rng.standard_normal((2000, 1, 784))
    rows = []
    for ohms in (0.0, 1.0, 5.0):
        program = xbar.compile({"fc": weights}, hardware(10, ohms), seed=0)
        readout = "nodal" if ohms else "ideal"
        found = compare(program, readout, lambda p: p("fc", x), lambda p: p("fc", x[:256]))
        rows.append(["784 x 128, normal", "10", f"{ohms:g}", *found])
    return rows


def hardware(bits: int, ohms: float) -> xbar.Hardware:
    """The design of all rows."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=20e3),
        tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=ohms, bit_wire=ohms),
        dac=xbar.Converter(bits=8),
        adc=xbar.Converter(bits=bits),
    )


def network_rows() -> list[list[str]]:
    """The demo's networks, trained once and kept."""
    import torch

    from xbar.cli import demo_networks

    rows = []
    for network in demo_networks.networks():
        data, path = network.load(), FOLDER / f"{network.name}.pt"
        module = network.build()
        if path.exists():
            module.load_state_dict(torch.load(path))
        else:
            module = demo_networks.train(network, data, 0, lambda done, total: None)
            FOLDER.mkdir(parents=True, exist_ok=True)
            torch.save(module.state_dict(), path)
        module.eval()
        for bits in (8, 10):
            for ohms in (0.0, 1.0, 5.0):
                program = xbar.compile(
                    module, hardware(bits, ohms), seed=0, input_shape=network.input_shape
                )
                graph = program.graph
                assert graph is not None
                found = compare(
                    program,
                    "nodal" if ohms else "ideal",
                    partial(graph.run, data.test[:200]),
                    partial(graph.run, data.train[:256]),
                )
                rows.append([network.name, str(bits), f"{ohms:g}", *found])
    return rows


def ranges() -> str:
    """Errors by default and from data."""
    head = ["", "ADC bits", "ohm", "default", "clipped", "from data", "clipped"]
    return table("error of the outputs", head, matrix_rows() + network_rows())


def speed(repeats: int) -> str:
    """Time of ADCs by kind, relative to ideal ones."""
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((128, 784))
    x = rng.standard_normal((2000, 1, 784)).astype(np.float32)
    readers = {}
    for kind, keys in KINDS.items():
        adc = xbar.Converter(bits=10, **keys)
        design = hardware(10, 1.0).model_copy(update={"adc": adc})
        program = xbar.compile({"fc": weights}, design, seed=0)
        readers[kind] = AnalogProducts(program, "nodal", 0, precision="float32")
        readers[kind]("fc", x)
    plain = np.ascontiguousarray(weights.T, np.float32)
    least = dict.fromkeys([*readers, "numpy"], np.inf)
    for _ in range(repeats):
        for kind, products in readers.items():
            least[kind] = min(least[kind], seconds(partial(products, "fc", x)))
        least["numpy"] = min(least["numpy"], seconds(lambda: x[:, 0] @ plain))
    conversions = len(x) * 128 * -(-784 // 64)
    rows = [
        [
            kind,
            f"{1e3 * each:.1f}",
            f"{each / least['numpy']:.2f}",
            f"{1e9 * (each - least['ideal']) / conversions:.1f}",
        ]
        for kind, each in least.items()
    ]
    head = ["10-bit ADC", "ms", "times the plain product", "ns more a conversion"]
    return table("2,000 vectors through 784 x 128, 1 ohm, float32", head, rows)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ranges", "speed"))
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(ranges() if arguments.what == "ranges" else speed(arguments.repeats))


if __name__ == "__main__":
    main()
