"""One training step through exact wires beside a plain step of PyTorch, and the memory of both.

    python benchmarks/training_step.py --tiles 64 256 --wire 2

LeNet-5-like network of the demo, 64 images a step, an epoch of the 4,000; cells of 1 mS full scale,
16 resistors a weight. A plain step is forward, cross entropy, backward and Adam on the torch
module. Both alternate in one process, on one thread each; a step is the mean of its processor time,
as other work may run on the machine. Peak memory is that of two processes of their own, which do as
many steps. "every step" is the ratio where arrays are solved in each step (``stale=0``); "largest
error" what ``Epoch.stale`` tells otherwise.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

_BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tiles", type=int, nargs="*", default=[64, 256], metavar="LINES")
    parser.add_argument("--wire", type=float, default=2.0, metavar="OHM")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--gradient", choices=["own", "exact"], default="own")
    parser.add_argument("--part", choices=["plain", "step", "memory"], help=argparse.SUPPRESS)
    parser.add_argument("--stale", type=float, default=None, metavar="SHARE")
    given = parser.parse_args()
    if given.part:
        print(one(given, given.tiles[0]))
        return
    plain = float(part(given, 64, "plain"))
    print("| tile | plain step | through the wires | ratio | every step | largest error ", end="")
    print("| memory, plain | memory | ratio |\n|--|--|--|--|--|--|--|--|--|")
    for tile in given.tiles:
        ours, other, error = map(float, part(given, tile, "step").split())
        every, beside, _ = map(float, part(given, tile, "step", "--stale", "0").split())
        memory = float(part(given, tile, "memory"))
        row = [f"{tile} x {tile}", f"{other:.1f} ms", f"{ours:.1f} ms", f"{ours / other:.1f}"]
        row += [f"{every / beside:.1f}", f"{100 * error:.2f} %"]
        row += [f"{plain:.0f} MB", f"{memory:.0f} MB", f"{memory / plain:.1f}"]
        print("|", " | ".join(row), "|", flush=True)


def part(given: argparse.Namespace, tile: int, name: str, *more: str) -> str:
    """What a process of its own prints."""
    line = [sys.executable, __file__, "--part", name, "--tiles", str(tile)]
    line += ["--wire", str(given.wire), "--images", str(given.images), "--gradient", given.gradient]
    if given.stale is not None and not more:
        more = "--stale", str(given.stale)
    return subprocess.run([*line, *more], check=True, capture_output=True, text=True).stdout


def one(given: argparse.Namespace, tile: int) -> str:
    """Mean seconds of a step of each kind and the largest error, or megabytes."""
    import torch

    from xbar.cli.demo_networks import networks

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = next(n for n in networks() if n.name == "mnist-cnn")
    data = network.load()
    images, labels = data.train[: given.images], data.train_labels[: given.images]
    step = plain_step(network.build(), torch.from_numpy(images), torch.from_numpy(labels))
    if given.part == "plain":
        for _ in range(-(-len(images) // _BATCH)):
            step()
        return f"{peak():.1f}"
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    last = [0.0]

    def between(*_: int) -> None:
        """After each step of ours one of the other kind, timed."""
        now = time.process_time()
        times["ours"].append(now - last[0])
        if given.part == "step":
            step()
        last[0] = time.process_time()
        times["plain"].append(last[0] - now)

    trained = tune(network, (images, labels), tile, given, between)
    if given.part == "memory":
        return f"{peak():.1f}"
    # what comes before the first step is no step; the first of each kind is left out
    ours, plain = (1e3 * float(np.mean(times[name][1:])) for name in ("ours", "plain"))
    return f"{ours} {plain} {max(getattr(epoch, 'stale', 0.0) for epoch in trained.history)}"


def plain_step(module: Any, images: Any, labels: Any) -> Any:
    """A function that trains the module with the next images."""
    import torch

    optimiser, done = torch.optim.Adam(module.train().parameters(), 1e-3), [0]

    def step() -> None:
        chosen = (np.arange(_BATCH) + done[0]) % len(images)
        done[0] += _BATCH
        loss = torch.nn.functional.cross_entropy(module(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def tune(network: Any, data: Any, tile: int, given: argparse.Namespace, between: Any) -> Any:
    """Finetune for an epoch the network, trained for five."""
    import torch

    import xbar
    from xbar.model.read import from_module
    from xbar.training import Tuning, finetune

    module = network.build()
    first = plain_step(module, *map(torch.from_numpy, data))
    for _ in range(5 * -(-len(data[0]) // _BATCH)):
        first()
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=8e3),
        tile=xbar.Tile(word_lines=tile, bit_lines=tile, word_wire=given.wire, bit_wire=given.wire),
    )
    stale = {} if given.stale is None else {"stale": given.stale}
    tuning = Tuning(batch=_BATCH, gradient=given.gradient, **stale)
    graph = from_module(module.eval(), network.input_shape)
    return finetune(graph, data, design, epochs=1, tuning=tuning, progress=between)


def peak() -> float:
    """Megabytes that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
