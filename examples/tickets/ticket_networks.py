"""What the experiments on tickets share: networks, data, chips, and how a method is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import xbar
from xbar.cli.demo_networks import Split, digits, mnist

if TYPE_CHECKING:
    from torch import nn

Run = Callable[["nn.Module", tuple[Any, Any], float, int], xbar.pruning.Ticket]

SCORES = xbar.pruning.Recipe(rate=1.0)


@dataclass(frozen=True)
class Task:
    """A network, its data, and how long it is trained.

    Attributes:
        name: on the command line.
        build: makes the network.
        load: gives the data.
        epochs: of weights.
        score_epochs: of edge-popup's scores.
        scores: how they are trained.
    """

    name: str
    build: Callable[[], nn.Module]
    load: Callable[[], Split]
    epochs: int
    score_epochs: int
    scores: xbar.pruning.Recipe = SCORES

    def model(self, seed: int) -> nn.Module:
        """The network with the initial weights of a seed."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build()

    def reduced(self, epochs: int | None, images: int | None) -> Task:
        """The task with fewer epochs and images of each set; None leaves them as they are."""
        load = self.load if images is None else lambda: thinned(self.load(), images)
        if epochs is None:
            return replace(self, load=load)
        return replace(self, epochs=epochs, score_epochs=epochs, load=load)


def thinned(data: Split, images: int) -> Split:
    """At most so many images of each set, taken evenly: they are sorted by class."""

    def some(array: Any) -> Any:
        return array[:: -(-len(array) // images)]

    return Split(some(data.train), some(data.train_labels), some(data.test), some(data.test_labels))


def small() -> nn.Module:
    """64-128-64-10."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def perceptron(width: int = 1) -> nn.Module:
    """784-300-100-10, the one of the lottery ticket hypothesis; or so many times as wide."""
    from torch import nn

    first, second = 300 * width, 100 * width
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, first), nn.ReLU(),
        nn.Linear(first, second), nn.ReLU(),
        nn.Linear(second, 10),
    )  # fmt: skip


def lenet(norms: bool = True) -> nn.Module:
    """LeNet-5 with max pooling, and batch norms without learned scale and shift."""
    from torch import nn

    def norm(channels: int, kind: Any) -> list[Any]:
        return [kind(channels, affine=False)] if norms else []

    return nn.Sequential(
        nn.Conv2d(1, 6, 5), *norm(6, nn.BatchNorm2d), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), *norm(16, nn.BatchNorm2d), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120), *norm(120, nn.BatchNorm1d), nn.ReLU(),
        nn.Linear(120, 84), *norm(84, nn.BatchNorm1d), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def plain_lenet() -> nn.Module:
    """LeNet-5 without batch norms."""
    return lenet(norms=False)


def conv4() -> nn.Module:
    """Conv4 of edge-popup's paper at a quarter of its width."""
    from torch import nn

    def block(a: int, b: int) -> list[Any]:
        return [
            nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b, affine=False), nn.ReLU(),
            nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b, affine=False), nn.ReLU(),
            nn.MaxPool2d(2),
        ]  # fmt: skip

    return nn.Sequential(
        *block(1, 16), *block(16, 32), nn.Flatten(),
        nn.Linear(32 * 49, 64), nn.BatchNorm1d(64, affine=False), nn.ReLU(),
        nn.Linear(64, 64), nn.BatchNorm1d(64, affine=False), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip


DIGITS, MNIST = cache(digits), cache(mnist)
TASKS = {
    task.name: task
    for task in (
        Task("digits", small, DIGITS, 30, 30),
        Task("perceptron", perceptron, MNIST, 15, 15),
        Task("lenet", lenet, MNIST, 12, 20, xbar.pruning.Recipe(rate=1.0, batch=32)),
        Task("conv4", conv4, MNIST, 6, 6),
    )
}
TITLES = {
    "digits": "64-128-64-10",
    "perceptron": "784-300-100-10",
    "lenet": "LeNet-5",
    "conv4": "Conv4",
}


def design(sigma: float, **tile: Any) -> xbar.Hardware:
    """One resistor a cell of 100 kilohm with a lognormal spread, on/off 100, tiles of 128 x 128."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=1, nominal=100e3, sigma=sigma, on_off_ratio=100),
        tile=xbar.Tile(word_lines=128, bit_lines=128, **tile),
    )


def accuracy(ticket: xbar.pruning.Ticket | nn.Module, data: Split) -> float:
    """Share of the held-out images that are named rightly, by the ticket's own weights."""
    from xbar.training.loop import accuracy

    model = ticket.model if isinstance(ticket, xbar.pruning.Ticket) else ticket
    return accuracy(model, data.test, data.test_labels)


def dense(task: Task, seed: int, data: Split) -> float:
    """Accuracy of the whole network, trained by the recipe that the baselines have."""
    from xbar.training.loop import check_data, fit, reproducible
    from xbar.training.recipe import WEIGHTS

    model = task.model(seed)
    with reproducible(seed) as draw:
        fit(model, check_data((data.train, data.train_labels)), task.epochs, WEIGHTS, draw)
    return accuracy(model, data)


def logistic(data: Split) -> float:
    """Accuracy of logistic regression on the pixels."""
    from sklearn.linear_model import LogisticRegression

    flat = data.train.reshape(len(data.train), -1)
    model = LogisticRegression(max_iter=1000).fit(flat, data.train_labels)
    held = data.test.reshape(len(data.test), -1)
    return float(np.mean(model.predict(held) == data.test_labels))


def methods(task: Task) -> dict[str, Run]:
    """Every method as a function of network, data, kept share and seed."""
    pruning, epochs = xbar.pruning, task.epochs

    def popup(weights: Any) -> Run:
        def run(model: nn.Module, data: Any, keep: float, seed: int) -> xbar.pruning.Ticket:
            source = weights(seed) if callable(weights) else weights
            return pruning.edge_popup(
                model, data, keep, source, task.score_epochs, seed, recipe=task.scores
            )

        return run

    def chip(sigma: float) -> Run:
        return popup(lambda seed: xbar.Chip.sample(design(sigma), seed))

    return {
        "random mask, trained": lambda m, d, k, s: pruning.random(m, d, k, epochs, s),
        "magnitude, 3 rounds": lambda m, d, k, s: pruning.magnitude(
            m, d, k, epochs, s, rounds=3, tune=epochs // 3
        ),
        "lottery ticket, rewound to epoch 1": lambda m, d, k, s: pruning.lottery_ticket(
            m, d, k, epochs, s, rounds=2, rewind=min(1, epochs - 1)
        ),
        "edge-popup, normal": popup("kaiming"),
        "edge-popup, constant": popup("constant"),
        "gates, normal": lambda m, d, k, s: pruning.gates(
            m, d, k, "kaiming", task.score_epochs, s, recipe=task.scores
        ),
        "edge-popup, chip of 20 %": chip(0.2),
        "edge-popup, chip of 30 %": chip(0.3),
        "edge-popup, chip of 50 %": chip(0.5),
    }
