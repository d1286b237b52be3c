"""A trained network on a chip, from its file to its accuracy; needs the extras torch, examples."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import xbar

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
test = np.arange(len(images)) % 4 == 0
train = ~test

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
x, y = torch.from_numpy(images[train]), torch.from_numpy(labels[train])
for _ in range(150):
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimiser.step()

path = Path(tempfile.mkdtemp()) / "model.pt2"
batch = {0: torch.export.Dim("batch")}
torch.export.save(torch.export.export(model.eval(), (x[:2],), dynamic_shapes=(batch,)), path)

hardware = xbar.Hardware.load(Path(__file__).with_name("chip.toml"))
program = xbar.compile(xbar.read_model(path), xbar.Chip.sample(hardware, seed=0))
result = xbar.simulate(program, images[test], labels[test], readout="nodal", trials=3)
print(program)
print(result)  # layer by layer, then the accuracy and its 95 % interval over three chips
assert abs(result.score - result.digital_score) < 0.01
