"""Find a network in the random conductances of one measured chip, and program it.

One resistor a cell, 30 % spread, nothing written and no subset solved: which pairs of cells are
switched in is all that is learned, so the spread that other methods fight is what is used.
"""

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

import xbar

images, labels = load_digits(return_X_y=True)
images, labels = (images / 16).astype(np.float32), labels.astype(np.int64)
model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))

# the measurement of a chip of 8 tiles; here it is sampled, and written as a measurement would be
design = xbar.Hardware(bank=xbar.Bank(resistors=1, sigma=0.3, on_off_ratio=100))
made = xbar.Chip.sample(design, seed=7)
np.savez("chip.npz", on=np.stack([made.on(tile) for tile in range(8)]))

chip = xbar.Chip.from_measurement("chip.npz", design)
ticket = xbar.pruning.edge_popup(model, (images[:1400], labels[:1400]), weights=chip, epochs=15)
program = xbar.compile(ticket, chip)
result = xbar.simulate(program, images[1400:], labels[1400:])

print(ticket)
print(program)
print(f"accuracy on the chip: {result.score:.1%}")
assert result.score > 0.85
