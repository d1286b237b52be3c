"""Claim: a pass through a chip costs little more than one through the network itself.

The feed-forward half of a small transformer (two blocks of 768-3072-768, 9.4 million weights, tiles
of 128 x 128 with 6 + 6 resistors) takes 256 vectors in one process: first without anything
prepared, then again and again. A ratio is the CPU time of a further pass over that of the network
in PyTorch, whose numbers are float32; it alternates with them.

    python benchmarks/passes.py [--blocks 2] [--repeats 7] [--readout nodal]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

import xbar

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
WIDTH, INNER, VECTORS = 768, 3072, 256
DESIGNS: dict[str, dict[str, Any]] = {
    "wires": {},
    "wires, ADC a tile": {"adc": xbar.Converter(bits=8)},
    "wires, DAC, ADC a tile": {"dac": xbar.Converter(bits=8), "adc": xbar.Converter(bits=8)},
    "wires, noise": {"variation": xbar.Variation(read_noise=0.02)},
    "wires, ADC a tile, noise": {
        "adc": xbar.Converter(bits=8),
        "variation": xbar.Variation(read_noise=0.02),
    },
}


def compiled(blocks: int) -> tuple[xbar.Program, Any]:
    """The program, and the network."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[Any] = []
    for _ in range(blocks):
        layers += [torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, INNER), torch.nn.GELU()]
        layers += [torch.nn.Linear(INNER, WIDTH)]
    network = torch.nn.Sequential(*layers).eval()
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=6),
        tile=xbar.Tile(word_lines=128, bit_lines=128, word_wire=1.0, bit_wire=1.0),
    )
    return xbar.compile(network, design, seed=0, input_shape=(WIDTH,)), network


def with_parts(program: xbar.Program, parts: dict[str, Any]) -> xbar.Program:
    """The same switches on a chip with converters or noise: nothing of them is known yet."""
    chip = replace(program.chip, hardware=program.hardware.model_copy(update=parts))
    tiles = tuple(replace(tile, chip=chip) for tile in program.tiles)
    return replace(program, plan=replace(program.plan, chip=chip), tiles=tiles)


def cpu(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def row(program: xbar.Program, network: Any, given: Any, precision: Any) -> list[str]:
    """Seconds of the first pass, milliseconds of further ones and the network's, and the ratio."""
    import torch

    x = np.random.default_rng(0).standard_normal((VECTORS, WIDTH)).astype(np.float32)
    tensor = torch.from_numpy(x)
    reader = program.reader(given.readout, precision=precision)
    first = cpu(lambda: reader(x))
    with torch.no_grad():
        network(tensor)
        both = [
            (cpu(lambda: reader(x)), cpu(lambda: network(tensor))) for _ in range(given.repeats)
        ]
    ours, theirs = (float(np.median(each)) for each in zip(*both, strict=True))
    return [f"{first:.1f}", f"{1e3 * ours:.0f}", f"{1e3 * theirs:.0f}", f"{ours / theirs:.2f}x"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--readout", default="nodal")
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in _THREADS):
        # thread counts are read when a library is loaded
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept | dict.fromkeys(_THREADS, "1"))
    program, network = compiled(given.blocks)
    heads = ["first pass, s", "further, ms", "PyTorch, ms", "ratio"]
    table = Table(
        "read-out",
        "precision",
        *(Column(name, justify="right") for name in heads),
        title=f"{VECTORS} vectors, {len(program.tiles)} tiles, {given.readout}",
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, parts in DESIGNS.items():
        for precision in ("float64", "float32"):
            cells = row(with_parts(program, parts), network, given, precision)
            table.add_row(name, precision, *cells)
            print(name, precision, *cells, file=sys.stderr)
    console = Console(width=110)
    console.print(table)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    console.print(f"all read-outs together took {more / 1e6:.2f} GB beyond the compiled program")


if __name__ == "__main__":
    main()
