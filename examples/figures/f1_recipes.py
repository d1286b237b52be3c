"""F1 once more: how much the errors depend on how LeNet-5 was trained.

The published networks are not at hand, so `f1_lenet_weights` builds the weights of one of our own.
Here six are trained on the same images by common recipes, fixed rates and 20 epochs each, and
their 2,572 weights and biases are built from 5, 10 and 15 numbers of U(-1, 1). A small target is
never off by more than itself, since every number may be left out; so with 5 numbers the size
of the weights decides, and with 10 or more it hardly matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from drawing import Content, make
from f1_lenet_weights import MEDIANS, SIZES, lenet
from numpy.typing import NDArray

from xbar.cli.demo_networks import Split, mnist
from xbar.sizing.laws import Uniform, draw_banks
from xbar.subset import solve_subset

if TYPE_CHECKING:
    from torch import nn

# activation, optimiser, rate
RECIPES = [
    ("ReLU", "Adam", 1e-3), ("Tanh", "Adam", 1e-3), ("ReLU", "SGD", 1e-2), ("Tanh", "SGD", 1e-1),
    ("ReLU", "Adam", 1e-2), ("Tanh", "Adam", 1e-2),
]  # fmt: skip
BATCH, REPEATS = 64, 3
KNOWN = dict(zip(SIZES, MEDIANS, strict=True))


def train(recipe: tuple[str, str, float], images: Split, epochs: int) -> nn.Module:
    """LeNet-5 by one recipe; SGD with a momentum of 0.9 at rates below 0.1."""
    import torch

    activation, name, rate = recipe
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = lenet(activation)
    momentum = {"momentum": 0.9} if name == "SGD" and rate < 0.1 else {}
    optimiser = getattr(torch.optim, name)(network.parameters(), lr=rate, **momentum)
    inputs, labels = torch.from_numpy(images.train), torch.from_numpy(images.train_labels)
    draw = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs), generator=draw).split(BATCH):
            loss = torch.nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network


def accuracy(network: nn.Module, images: Split) -> float:
    """Share of the held-out images that it recognises."""
    import torch

    with torch.no_grad():
        answers = network(torch.from_numpy(images.test)).argmax(dim=1).numpy()
    return float((answers == images.test_labels).mean())


def weights(network: nn.Module) -> NDArray[np.float64]:
    """The (2572,) weights and biases of both convolutions."""
    state = network.state_dict()
    names = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
    return np.concatenate([state[name].double().numpy().ravel() for name in names])


def data(seed: int, recipes: list[tuple[str, str, float]] = RECIPES, epochs: int = 20) -> Content:
    """Median errors for each recipe."""
    images, rows = mnist(), []
    for recipe in recipes:
        network = train(recipe, images, epochs)
        target = np.tile(weights(network), REPEATS)
        row: Content = dict(zip(("activation", "optimiser", "rate"), recipe, strict=True))
        row |= {"accuracy": accuracy(network, images), "median_weight": np.median(np.abs(target))}
        for n in (5, 10, 15):
            banks = draw_banks(Uniform(-1, 1), n, len(target), seed)
            error = np.abs(solve_subset(banks, target).residual)
            row[f"median_{n}"], row[f"known_{n}"] = float(np.median(error)), KNOWN[n]
        rows.append(row)
    return {"targets": len(target) // REPEATS, "repeats": REPEATS, "rows": rows}


def draw(axis: Any, content: Content) -> None:
    """Median errors over the known ones against the size of the weights."""
    rows = sorted(content["rows"], key=lambda row: row["median_weight"])
    size = [row["median_weight"] for row in rows]
    for n in (5, 10, 15):
        axis.plot(size, [row[f"median_{n}"] / row[f"known_{n}"] for row in rows], "o-", label=n)
    axis.axhspan(0.9, 1.1, color="0.9")
    axis.set(xlabel="median |weight|", ylabel="median error / known one")
    axis.set_title("LeNet-5 by six recipes; grey: within 10 %", fontsize=10)
    axis.legend(title="numbers a weight", fontsize=8)


if __name__ == "__main__":
    make("f1_recipes", data, draw)
