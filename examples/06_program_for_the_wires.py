"""Where wires ruin the accuracy, tell them to the compiler; needs the extras torch, examples."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import xbar

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
test = np.arange(len(images)) % 4 == 0

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
x, y = torch.from_numpy(images[~test]), torch.from_numpy(labels[~test])
for _ in range(150):
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimiser.step()

# cells of up to 0.8 mS behind 4 ohm segments: most of the voltage is lost on the way
hardware = xbar.Hardware(
    bank=xbar.Bank(resistors=8, nominal=10e3, sigma=0.3),
    tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=4.0, bit_wire=4.0),
)
chip = xbar.Chip.sample(hardware, seed=0)
found = {}
for wire_aware in (False, True):
    program = xbar.compile(model, chip, input_shape=(64,), wire_aware=wire_aware)
    result = xbar.simulate(program, images[test], labels[test], readout="nodal")
    found[wire_aware] = result.score
    print(f"wire-aware {wire_aware!s:5}: accuracy {result.score:.4f} ", end="")
    print(f"(digital {result.digital_score:.4f})")
assert found[True] > 0.95 > 0.8 > found[False]
