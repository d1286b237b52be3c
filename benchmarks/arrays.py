"""Read margins of arrays by size, scheme and selector, and the speed of arrays with source lines.

    python benchmarks/arrays.py [--speed | --topologies]

Cells of 100 uS on and 1 uS off, 1 ohm a segment. For docs/arrays.md and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import xbar
from xbar.circuit import Crossbar, SourceLines, TableCell, read_margins
from xbar.hardware.tile import Tile, Topology

SIZES = (8, 32, 128)
SELECTOR = TableCell([0.2, 0.4, 0.6, 0.8, 1.2], [1e-9, 2e-8, 1e-6, 4e-5, 4e-4])


def margins() -> None:
    """Margins and sneak currents at 0.8 V."""
    tile = Tile(word_wire=1.0, bit_wire=1.0)
    print("| scheme | selector | " + " | ".join(f"{n} x {n}" for n in SIZES) + " |")
    print("|---|---|" + "---|" * len(SIZES))
    for scheme in ("float", "V/2", "V/3", "5V/12", "ground"):
        for name, selector in (
            ("none", None),
            ("table", TableCell),
        ):
            law = None if selector is None else SELECTOR
            found = read_margins(tile, 1e-4, 1e-6, SIZES, volts=0.8, scheme=scheme, selector=law)
            cells = [
                f"{100 * margin:.1f} %, {1e6 * sneak:.3g} uA"
                for margin, sneak in zip(found.margin, found.sneak_current, strict=True)
            ]
            print(f"| `{scheme}` | {name} | " + " | ".join(cells) + " |", flush=True)


def speed() -> None:
    """Seconds of CPU for reads of 128 x 128 arrays: with source lines, by the general solver."""
    rng = np.random.default_rng(0)
    cells = rng.uniform(1e-6, 1e-4, (128, 128))
    volts = 0.2 * rng.integers(0, 2, (256, 128))
    for paired in (False, True):
        array = SourceLines(cells, 1.0, 1.0, 10.0, 10.0, paired=paired)
        array.read(volts[:1])
        start = time.process_time()
        fast = array.read(volts)
        each = (time.process_time() - start) / len(volts)
        start = time.process_time()
        exact = array.solve(volts[:4]).current
        general = (time.process_time() - start) / 4
        error = np.abs(fast[:4] - exact).max() / np.abs(exact).max()
        print(
            f"{'paired' if paired else 'single'} source lines: {1e3 * each:.2f} ms an input, "
            f"general solver {1e3 * general:.0f} ms, largest difference {error:.1e}"
        )
    pairs = np.where(np.arange(256) % 2, 1.0, 0.0)[:, None] * np.ones(128)
    plain = Crossbar(cells, 1.0, 1.0, 10.0, 10.0)
    interleaved = Crossbar(np.repeat(cells, 2, axis=0), 1.0, pairs, 10.0, 10.0)
    for name, crossbar in (("plain", plain), ("interleaved", interleaved)):
        crossbar.update(0, 0, 2e-6).transfer.sum()  # compiles the kernels
        start = time.process_time()
        crossbar.transfer.sum()
        print(f"transfer matrix, {name}: {1e3 * (time.process_time() - start):.0f} ms")


def topologies() -> None:
    """What wires change of a matrix's outputs by topology: root mean square, relative."""
    dac = xbar.Converter(bits=8, bit_serial=1, code="twos-complement")
    bank = xbar.Bank(resistors=4, nominal=40e3, on_off_ratio=100)
    ohms = (0.5, 1.0, 2.0, 4.0)
    print("| topology | " + " | ".join(f"{each:g} ohm" for each in ohms) + " |")
    print("|---|" + "---|" * len(ohms))
    lines: dict[Topology, tuple[int, int]] = {
        "input-source": (64, 64),
        "interleaved-input-source": (128, 32),
    }
    lines |= {"separate-source": (64, 64), "interleaved-separate-source": (64, 32)}
    for name, (words, bits) in lines.items():
        cells = []
        for each in ohms:
            key = "source_wire" if name.endswith("separate-source") else "word_wire"
            size: dict[str, Any] = {"bit_wire": each, key: each}
            hardware = xbar.Hardware(
                bank=bank,
                dac=dac,
                tile=xbar.Tile(word_lines=words, bit_lines=bits, topology=name, **size),
            )
            found = [_changed(hardware, seed) for seed in range(5)]
            cells.append(
                f"{100 * np.mean(found):.2f} % ({100 * min(found):.2f}-{100 * max(found):.2f})"
            )
        print(f"| `{name}` | " + " | ".join(cells) + " |", flush=True)


def _changed(hardware: xbar.Hardware, seed: int) -> float:
    rng = np.random.default_rng(seed)
    program = xbar.compile({"fc": rng.normal(size=(32, 64))}, hardware, seed=seed)
    inputs = {"fc": rng.uniform(0, 1, (16, 64))}
    ideal, wired = (program.run(inputs, readout=each)["fc"] for each in ("ideal", "nodal"))
    return float(np.linalg.norm(wired - ideal) / np.linalg.norm(ideal))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", action="store_true", help="speed instead of margins")
    parser.add_argument("--topologies", action="store_true", help="what wires change by topology")
    options = parser.parse_args()
    if options.speed:
        speed()
    elif options.topologies:
        topologies()
    else:
        margins()
