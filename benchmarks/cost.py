"""Published chips beside xbar's cost of them, and what a cost takes to compute.

    python benchmarks/cost.py [--network | --time]

A table of every figure of ``cost_published.py``: published, xbar's, their ratio, the factor within
which it must be, and why it differs. It ends with 1 if one is outside.

``--network``: LeNet-5's shapes with random weights on tiles of 64 x 64: what ``xbar cost`` prints
of it at 32 nm and 14 nm. ``--time``: the processor time of its cost, the least of three; an older
tree's interpreter can run it, too.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

import xbar
from xbar.simulation.cost import cost
from xbar.tables import table

LENET = {"conv1": (6, 25), "conv2": (16, 150), "fc1": (120, 400), "fc2": (84, 120), "fc3": (10, 84)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--time", action="store_true")
    given = parser.parse_args()
    if given.time:
        return timed()
    return network() if given.network else published()


def published() -> int:
    from cost_published import compare

    rows, outside = [], 0
    for row in compare():
        ratio = row.found / row.published
        inside = 1 / row.factor < ratio < row.factor
        outside += not inside
        values = [f"{row.published:.4g}", f"{row.found:.4g}", f"{ratio:.2f}", f"{row.factor:g}"]
        rows.append([f"{row.chip}: {row.figure}", *values, "" if inside else "OUTSIDE"])
    head = ["figure", "published", "xbar", "ratio", "within", ""]
    print(table("published chips", head, rows))
    reasons = {f"{row.chip}: {row.why}": None for row in compare()}
    print("\n".join(["why they differ", *reasons]))
    return int(bool(outside))


def lenet() -> xbar.Program:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape) for name, shape in LENET.items()}
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=100e3),
        tile=xbar.Tile(word_wire=1.0, bit_wire=1.0),
        dac=xbar.Converter(bits=8, bit_serial=1),
        adc=xbar.Converter(bits=8, shared=8),
    )
    return xbar.compile(weights, hardware, seed=0)


def network() -> int:
    program = lenet()
    print(cost(program))
    print(cost(program, constants=xbar.Cost(node=14e-9)))
    return 0


def timed() -> int:
    times = []
    for _ in range(4):  # the first compiles kernels
        program = lenet()
        start = time.process_time()
        cost(program)
        times.append(time.process_time() - start)
    print(f"{min(times[1:]):.2f} s of processor time, the least of three")
    return 0


if __name__ == "__main__":
    sys.exit(main())
