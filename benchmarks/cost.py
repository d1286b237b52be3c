"""Published chips beside xbar's cost of them, and what a cost takes to compute.

    python benchmarks/cost.py [--network]

A table of every figure of ``cost_published.py``: published, xbar's, their ratio, the factor within
which it must be, and why it differs. It ends with 1 if one is outside.

``--network``: LeNet-5's shapes with random weights on tiles of 64 x 64: what ``xbar cost`` prints
of it at 32 nm and 14 nm, and the processor time of compiling it and of its cost.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from cost_published import compare

import xbar
from xbar.simulation.cost import cost
from xbar.tables import table

LENET = {"conv1": (6, 25), "conv2": (16, 150), "fc1": (120, 400), "fc2": (84, 120), "fc3": (10, 84)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="store_true")
    if parser.parse_args().network:
        return network()
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


def network() -> int:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape) for name, shape in LENET.items()}
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=100e3),
        tile=xbar.Tile(word_wire=1.0, bit_wire=1.0),
        dac=xbar.Converter(bits=8, bit_serial=1),
        adc=xbar.Converter(bits=8, shared=8),
    )
    start = time.process_time()
    program = xbar.compile(weights, hardware, seed=0)
    compiled = time.process_time()
    found = cost(program)
    done = time.process_time()
    print(found)
    print(cost(program, constants=xbar.Cost(node=14e-9)))
    print(f"compile {compiled - start:.2f} s, cost {done - compiled:.2f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
