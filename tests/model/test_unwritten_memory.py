"""New memory, complex constants, and numbers beside integers, from every kind of file."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


class Filled(nn.Module):
    """Fills a new tensor part by part."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        out = torch.empty(x.shape[0], 3, 4)
        for k in range(3):
            out[:, k] = self.fc(x) * (k + 1)
        out[:, 1] += x.new_empty(4).fill_(2.0)
        return out


class Filtered(nn.Module):
    """Multiplies a spectrum by a complex constant and by a complex buffer."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)
        self.register_buffer("gain", torch.tensor([2.0, 1 - 1j, 0.25]))

    def forward(self, x):
        spectrum = torch.fft.rfft(self.fc(x)) * torch.tensor([1 + 1j, 2.0, 0.5])
        return torch.fft.irfft(spectrum * self.gain)


class Positions(nn.Module):
    """Attention with a bias by distance: integers times a number are float32, not float64."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        y = self.fc(x)[:, None].expand(-1, 3, -1)
        place = torch.arange(3)
        bias = (place[:, None] - place).abs() * -0.5 + place / 3
        precise = place * torch.tensor(0.1, dtype=torch.float64)
        y = nn.functional.scaled_dot_product_attention(y, y, y, attn_mask=bias)
        return y * (1 + precise.to(y.dtype))[:, None] + bias.sum()


@pytest.mark.parametrize("how", ["export", "trace"])
@pytest.mark.parametrize("kind", [Filled, Filtered, Positions])
def test_new_memory_complex_constants_and_numbers_give_pytorchs_numbers(tmp_path, kind, how):
    torch.manual_seed(0)
    module, x = kind().eval(), torch.randn(5, 6)
    if how == "export":
        path, batch = tmp_path / "net.pt2", torch.export.Dim("batch", max=64)
        made = torch.export.export(module, (x,), dynamic_shapes=({0: batch},))
        torch.export.save(made, path)
    else:
        path = tmp_path / "net.pt"
        torch.jit.save(torch.jit.trace(module, (x,)), path)
    graph = read_model(path, (6,))
    assert [layer.matrix.shape[-2:] for layer in graph.layers] == [(4, 6)] * len(graph.layers)
    with torch.no_grad():
        np.testing.assert_allclose(graph.run(x.numpy()), module(x).numpy(), rtol=1e-5, atol=1e-6)
