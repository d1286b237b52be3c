"""Number of tiles of networks, and time for placement.

    python benchmarks/placement.py          a few minutes

ResNet-50's matrices (25.5 million weights) on 128 x 128 tiles, dense and with random or structured
zeros, and MobileNet's depthwise layers (17,408 matrices of 1 x 9): tiles under each packing rule,
compared with one block per tile without compaction and with the lower bound by area. Then random
rectangles: first fit alone, and with CP-SAT.
"""

from __future__ import annotations

import time
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import Options
from xbar.compiler.packing.pack import pack
from xbar.compiler.packing.rules import Rule, lower_bound
from xbar.compiler.placement import cut, place
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

HARDWARE = Hardware(tile=Tile(word_lines=128, bit_lines=128))
RULES: tuple[Rule, ...] = get_args(Rule)
Matrices = dict[str, NDArray[np.float64]]


def dense() -> Matrices:
    """ResNet-50's matrices without zeros."""
    shapes, inputs = [(64, 147)], 64
    for width, count, outputs in ((64, 3, 256), (128, 4, 512), (256, 6, 1024), (512, 3, 2048)):
        for number in range(count):
            shapes += [(width, inputs), (width, 9 * width), (outputs, width)]
            if number == 0:
                shapes.append((outputs, inputs))
            inputs = outputs
    shapes.append((1000, 2048))
    result: Matrices = {}
    for number, shape in enumerate(shapes):
        result[f"layer{number}"] = np.ones((1, *shape))
    return result


def scattered(share: float) -> Matrices:
    """The same with a fraction of random zeros."""
    rng = np.random.default_rng(0)
    result = dense()
    for matrix in result.values():
        matrix[rng.random(matrix.shape) < share] = 0.0
    return result


def structured(share: float) -> Matrices:
    """The same with a fraction of each layer's outputs removed."""
    rng = np.random.default_rng(0)
    result = dense()
    for matrix in result.values():
        matrix[0, rng.random(matrix.shape[1]) < share] = 0.0
    return result


def depthwise() -> Matrices:
    """34 layers of 512 groups of 9 weights."""
    return {f"depthwise{number}": np.ones((512, 1, 9)) for number in range(34)}


def networks() -> None:
    """Tiles and seconds by network and rule."""
    mapping = get_mapping("pair")
    head = " ".join(f"{rule:>16}" for rule in RULES)
    print(f"{'network':24}{'plain':>8}{'bound':>8} {head}  (tiles, seconds)")
    for name, matrices in (
        ("dense", dense()),
        ("90 % scattered zeros", scattered(0.9)),
        ("98 % scattered zeros", scattered(0.98)),
        ("half of the outputs zero", structured(0.5)),
        ("depthwise", depthwise()),
    ):
        plain, bound, cells = len(cut(matrices, HARDWARE, mapping)), 0, []
        for rule in RULES:
            start = time.perf_counter()
            report = place(matrices, HARDWARE, mapping, Options(pack=rule)).report
            cells.append(f"{report.tiles:>8} {time.perf_counter() - start:>6.2f}s")
            bound = report.bound
        print(f"{name:24}{plain:>8}{bound:>8} {' '.join(cells)}", flush=True)


def rectangles() -> None:
    """First fit and CP-SAT on random rectangles of up to 50 x 32 on tiles of 64 x 32."""
    rng = np.random.default_rng(0)
    print(f"\n{'rectangles':>10}{'bound':>8}{'first fit':>16}{'CP-SAT':>16}  (tiles, seconds)")
    for count in (15, 30, 120, 400, 2000):
        shapes = np.minimum(rng.integers(3, 51, (count, 2)), [50, 32])
        row = f"{count:>10}{lower_bound(shapes, (64, 32), 'any'):>8}"
        for effort in (0.0, 0.8):
            start = time.perf_counter()
            found = pack(shapes, (64, 32), "any", effort)
            row += f"{found.packing.tiles:>8} {time.perf_counter() - start:>6.2f}s"
        print(row, flush=True)


if __name__ == "__main__":
    networks()
    rectangles()
