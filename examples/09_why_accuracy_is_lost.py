"""Which part of a chip costs the accuracy, and what an input costs; needs torch, examples."""

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

hardware = xbar.Hardware(
    bank=xbar.Bank(resistors=6, nominal=20e3),
    tile=xbar.Tile(word_lines=64, bit_lines=64, word_wire=2.0, bit_wire=2.0),
    dac=xbar.Converter(bits=5, bit_serial=1),  # 4 bits of magnitude, one a step
    adc=xbar.Converter(bits=5, shared=8),
    variation=xbar.Variation(read_noise=0.03),
)
program = xbar.compile(model, hardware, input_shape=(64,), seed=0)
result = xbar.simulate(
    program,
    images[test],
    labels[test],
    readout="nodal",
    calibrate="least-squares",
    noise_trials=4,
    budget=True,
    cost=True,
)
print(result)
budget = result.budget
assert budget is not None
assert budget.accuracy_without_all == result.digital_accuracy  # nothing else is lost
worst = max(budget.parts, key=lambda part: part.error_alone)
assert worst.part == "wires"  # so: --wire-aware, or smaller tiles
