"""A step of edge-popup, and of gates, compared with a plain training step, in one run.

    python benchmarks/pruning.py [--repeats 9] [--steps 20]

Prints milliseconds of all steps for each network (minimum of the repeats, one thread, batches of
64, CPU time) and their ratios; that of edge-popup should stay below 1.5.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from xbar.pruning.initial import random_states
from xbar.pruning.masked import Scores
from xbar.pruning.select import Choice, structures
from xbar.training.layers import own_copy, prunable, without_learned_offsets

BATCH = 64


def perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.BatchNorm1d(120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.BatchNorm1d(84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def trainer(model: nn.Module, after_step: Callable[[], None]) -> Callable[[], None]:
    inputs, labels = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learned, 1e-3, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        after_step()

    return step


def plain(build: Callable[[], nn.Module]) -> Callable[[], None]:
    return trainer(build().train(), lambda: None)


def masked(build: Callable[[], nn.Module], keep: float, choice: Choice) -> Callable[[], None]:
    model = without_learned_offsets(own_copy(build()))
    layers, draw = prunable(model), torch.Generator().manual_seed(0)
    states = random_states(model, layers, "kaiming", keep, (1, 28, 28), draw)
    scored = structures(list(layers), "weights")
    scores = Scores(layers, states, "layer", scored, draw, choice=choice)
    scores.keep = keep
    scores.update()
    return trainer(model.train(), scores.update)


def best(steps: list[Callable[[], None]], count: int, repeats: int) -> list[float]:
    """CPU milliseconds of each step, the minimum of interleaved repeats."""
    found = [float("inf")] * len(steps)
    for _ in range(repeats):
        for i, step in enumerate(steps):
            begin = time.process_time()
            for _ in range(count):
                step()
            found[i] = min(found[i], (time.process_time() - begin) / count * 1e3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'network':<14}{'plain':>10}{'edge-popup':>12}{'ratio':>8}{'gates':>11}{'ratio':>8}")
    for name, build in (("784-300-100-10", perceptron), ("LeNet-5", lenet)):
        steps = [plain(build), masked(build, 0.5, "largest"), masked(build, 0.5, "relaxed")]
        base, *ours = best(steps, arguments.steps, arguments.repeats)
        shown = "".join(f"{each:>9.2f} ms{each / base:>8.2f}" for each in ours)
        print(f"{name:<14}{base:>7.2f} ms{shown}")


if __name__ == "__main__":
    main()
