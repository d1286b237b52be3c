from __future__ import annotations

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.pruning.dead import drop_dead
from xbar.training.layers import apply_masks, prunable


def masked(model, gone):
    """The model without some outputs of some layers, and its masks."""
    masks = {name: np.ones(tuple(m.weight.shape), bool) for name, m in prunable(model).items()}
    for name, outputs in gone.items():
        masks[name][outputs] = False
        with torch.no_grad():
            prunable(model)[name].bias[outputs] = 0.0
    apply_masks(model, masks)
    return masks


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.pool = nn.MaxPool2d(2)
        self.c = nn.Linear(16, 3)

    def forward(self, x):
        x = torch.relu(self.a(x))
        x = x + torch.relu(self.b(x))
        return self.c(self.pool(x).flatten(1))


def test_what_depends_on_removed_filters_alone_goes_and_nothing_changes():
    torch.manual_seed(0)
    model = Residual().eval()
    masks = masked(model, {"a": [1, 2], "b": [1]})
    x = torch.randn(5, 2, 4, 4)
    before = model(x)
    found = drop_dead(model, masks, (2, 4, 4))
    apply_masks(model, found)
    torch.testing.assert_close(model(x), before)
    # group 0 of b reads channels 0, 1 of a, group 1 channels 2, 3; pixel 4 c of the last is channel
    expected = np.ones((4, 2), bool)
    expected[:2, 1], expected[2:, 0], expected[1] = False, False, False
    np.testing.assert_array_equal(found["b"].any((2, 3)), expected)
    columns = np.repeat([True, False, True, True], 4)  # channel 2 has b's part, channel 1 nothing
    np.testing.assert_array_equal(found["c"], np.tile(columns, (3, 1)))


def test_a_batch_norm_that_shifts_zero_keeps_what_follows():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)).eval()
    masks = masked(model, {"0": [2, 3]})
    with torch.no_grad():
        model[1].bias[2] = 0.5
    found = drop_dead(model, masks, (4,))
    assert found["3"].all(0).tolist() == [True, True, True, False, True, True]


def test_structured_pruning_frees_lines_that_unstructured_does_not(digits):
    data = (digits.train, digits.train_labels)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=4), tile=xbar.Tile(word_lines=32, bit_lines=32)
    )
    tiles = {}
    for structure in ("weights", "outputs"):
        ticket = xbar.pruning.magnitude(model, data, 0.25, 5, structure=structure, tune=5)
        tiles[structure] = len(xbar.compile(ticket, hardware).tiles)
        accuracy = xbar.training.loop.accuracy(ticket.model, digits.test, digits.test_labels)
        assert accuracy > 0.9
    assert tiles["outputs"] <= tiles["weights"] / 3
