"""A network's constants that are single numbers come back from a program's folder."""

import numpy as np
import pytest

import xbar
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

torch = pytest.importorskip("torch")


class Scaled(torch.nn.Module):
    """A layer whose outputs are scaled and shifted by single numbers."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)
        self.register_buffer("times", torch.tensor(3))
        self.register_buffer("plus", torch.tensor(0.5))

    def forward(self, x):
        return self.layer(x) * self.times + self.plus


def test_single_numbers_among_the_constants_come_back(tmp_path):
    torch.manual_seed(0)
    hardware = Hardware(bank=Bank(resistors=12), tile=Tile(word_lines=8, bit_lines=8))
    module = Scaled().eval()
    program = xbar.compile(module, Chip.sample(hardware, seed=0), input_shape=(4,))
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert () in {array.shape for array in loaded.graph.constants.values()}
    x = torch.randn(5, 4)
    np.testing.assert_array_equal(loaded.run(x.numpy()), program.run(x.numpy()))
    np.testing.assert_allclose(loaded.graph.run(x), module(x).detach(), atol=1e-5)
