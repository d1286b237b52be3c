"""CPU time of digital corrections: finding them, and reading a corrected program.

    OMP_NUM_THREADS=1 python benchmarks/calibration.py

LeNet-5-like network of the demo on 64 x 64 tiles behind 2 ohm a segment, nodal read-out of 1,000
images, least of five runs. In a tree without calibration only its plain read is timed, so that the
tree before can be put beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

import xbar


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of five runs, after one that is not counted."""
    work()
    found = []
    for _ in range(5):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    from xbar.cli.demo_networks import networks, train
    from xbar.model.read import from_module

    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    graph = from_module(train(network, data, 0, lambda *step: None), network.input_shape)
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=8e3),
        tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=2.0, bit_wire=2.0),
    )
    program = xbar.compile(graph, xbar.Chip.sample(design, 0))
    plain = program.reader("nodal")
    print(f"a read of 1,000 images: {seconds(partial(plain, data.test)):.4f} s")
    if not hasattr(xbar.training, "calibrate"):
        return
    some = data.train[:: len(data.train) // 500][:500]
    for what in ("gain", "columns", "batchnorm"):
        made = xbar.training.calibrate(program, some, what)
        ours, bare = (seconds(partial(each, data.test)) for each in (made.reader("nodal"), plain))
        start = time.process_time()
        xbar.training.calibrate(program, some, what)
        found = time.process_time() - start
        right = float((np.argmax(made.run(data.test, "nodal"), axis=1) == data.test_labels).mean())
        print(
            f"{what}: found in {found:.3f} s from 500 images, {found / bare:.2f} reads; "
            f"a corrected read {ours / bare:.3f} of a plain one; {100 * right:.1f} % right"
        )


if __name__ == "__main__":
    main()
