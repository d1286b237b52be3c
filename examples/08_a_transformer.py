"""A transformer on untuned ReRAM with the wires of 22 nm; needs the extras torch, examples."""

from typing import cast

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import xbar

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32).reshape(-1, 8, 8)  # a digit is a sequence of 8 rows
test = np.arange(len(images)) % 4 == 0


class Reader(nn.Module):
    """Rows of 8 pixels, one encoder layer, and a classifier of their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.place = nn.Parameter(0.1 * torch.randn(1, 8, 32))
        self.encoder = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores (N, 10) of images (N, 8, 8)."""
        return cast(torch.Tensor, self.head(self.encoder(self.embed(x) + self.place).mean(1)))


torch.manual_seed(0)
torch.set_num_threads(1)  # small batches gain nothing from more
model = Reader()
optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
x, y = torch.from_numpy(images[~test]), torch.from_numpy(labels[~test])
for _ in range(12):
    for chosen in torch.randperm(len(x)).split(64):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimiser.step()

graph = xbar.model.from_module(model, (8, 8))
print("on tiles:", ", ".join(layer.name for layer in graph.layers))
for name, reason in graph.digital:
    print(f"digital: {name}, because {reason}")

hardware = xbar.Hardware.from_catalog("reram-untuned", wires="22nm-1t1r")
accuracy = []
for wire_aware in (False, True):
    program = xbar.compile(graph, hardware, seed=0, wire_aware=wire_aware)
    result = xbar.simulate(program, images[test], labels[test], readout="nodal")
    accuracy.append(result.score)
digital = result.digital_score
print(f"digital {digital:.4f}; with wires {accuracy[0]:.4f}, wire-aware {accuracy[1]:.4f}")
assert [name for name, _ in graph.digital] == ["scaled_dot_product_attention"]
assert digital > 0.9
assert accuracy[1] > digital - 0.01 > accuracy[0]
