"""A network trained further through the exact wires of a design, for any of its chips."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import xbar

images, labels = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(images))
x, y = (images[order] / 16).astype(np.float32), labels[order]
train, test = (x[:1300], y[:1300]), (x[1300:], y[1300:])

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
optimiser = torch.optim.Adam(network.parameters(), 0.01)
for _ in range(150):
    optimiser.zero_grad()
    scores = network(torch.from_numpy(train[0]))
    nn.functional.cross_entropy(scores, torch.from_numpy(train[1])).backward()
    optimiser.step()

# a segment of wire has 200 ohm, the resistors of a cell together 1 kilohm
design = xbar.Hardware(
    bank=xbar.Bank(resistors=8, nominal=8e3),
    tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=200.0, bit_wire=200.0),
)
chip = xbar.Chip.sample(design, seed=1)


def right(program: xbar.Program) -> float:
    """Share of right answers of the chip, wires included."""
    return float((program.run(test[0], "nodal").argmax(axis=1) == test[1]).mean())


# a fifth of the training images is held apart and chooses the epoch; the chip is not known yet
trained = xbar.training.finetune(
    network, train, design, input_shape=(64,), epochs=3, validation=0.2
)
for number, epoch in enumerate(trained.history, 1):
    mark = "kept" if number == trained.kept else ""
    print(f"epoch {number}: {epoch.validation_accuracy:6.1%} of what is held apart right {mark}")

# subsets chosen for the chip's wires, for the network as it was and as it is trained
before = right(xbar.compile(network, chip, wire_aware=True, input_shape=(64,)))
after = right(xbar.compile(trained.graph, chip, wire_aware=True))
print(f"digital {trained.digital:.1%}; the chip, untrained {before:.1%}, trained {after:.1%}")
assert after > before + 0.2
