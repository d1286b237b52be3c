"""Weights stored in parts, and modules inside files, each held to the module itself."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from xbar.errors import ModelError, SpecError, UntrustedFileError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

ARCH = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU())
        self.head = nn.Linear(7, 3)

    def forward(self, x):
        return self.head(self.body(x))
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    (tmp_path / "partsnet.py").write_text(ARCH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("partsnet", None)
    import partsnet

    torch.manual_seed(3)
    module = partsnet.Net()
    module(torch.randn(32, 5))  # batch norm's statistics
    yield module.eval()
    sys.modules.pop("partsnet", None)


def holds(module, graph, inputs=5):
    x = torch.randn(4, inputs, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(graph.run(x.numpy()), module(x).numpy(), atol=1e-5)


def pruned(*parts):
    from torch.nn.utils import prune

    for part in parts:
        prune.l1_unstructured(part, "weight", amount=0.5)


def normalised(*parts, newer):
    from torch.nn.utils import parametrizations, weight_norm

    for axis, part in enumerate(parts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the older form is deprecated
            (parametrizations.weight_norm if newer else weight_norm)(part, dim=axis)
        with torch.no_grad():
            for name, value in part.named_parameters():
                if name.endswith(("_g", "original0")):
                    value.mul_(1.7)


FORMS = {
    "pruned": pruned,
    "older norm": lambda *parts: normalised(*parts, newer=False),
    "newer norm": lambda *parts: normalised(*parts, newer=True),
}


@pytest.mark.parametrize("kind", FORMS)
def test_weights_in_parts_are_put_together_for_a_module(net, kind):
    FORMS[kind](net.body[0], net.head)
    torch.save({"model": net.state_dict()}, "model.pt")
    graph = read_model("model.pt", (5,), arch="partsnet:Net")
    holds(net, graph)
    assert any("made of their parts in the file" in note for note in graph.notes)


@pytest.mark.parametrize("kind", FORMS)
def test_weights_in_parts_are_put_together_in_a_chain(tmp_path, kind):
    """All parts are matrices of one size: nothing else would show that they are no layers."""
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Linear(7, 7), nn.ReLU(), nn.Linear(7, 7))
    FORMS[kind](chain[0], chain[2])
    torch.save(chain.state_dict(), tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", activation="relu")
    holds(chain, graph, 7)
    assert any("made of their parts in the file" in note for note in graph.notes)


SCALES = {
    "one": ("weight_scale", (), torch.float8_e4m3fn),
    "one of each row": ("weight_scale", (300, 1), torch.float8_e4m3fn),
    "one of each row of whole numbers": ("weight_scale", (300,), torch.int8),
    "one of each block": ("weight_scale_inv", (3, 2), torch.float8_e5m2),
}


@pytest.mark.parametrize("kind", SCALES)
def test_weights_of_8_bits_are_multiplied_by_the_scales_beside_them(tmp_path, kind):
    name, shape, dtype = SCALES[kind]
    torch.manual_seed(0)
    steps = (torch.randn(300, 200) * 20).to(dtype)
    scale = torch.rand(shape) + 0.5
    torch.save({"fc.weight": steps, f"fc.{name}": scale}, tmp_path / "model.pt")
    if shape == (3, 2):
        whole = torch.kron(scale, torch.ones(128, 128))[:300, :200]
    else:
        whole = scale.reshape(-1, 1) * torch.ones(300, 200)
    graph = read_model(tmp_path / "model.pt")
    x = torch.randn(4, 200)
    want = torch.nn.functional.linear(x, steps.float() * whole).numpy()
    np.testing.assert_allclose(graph.run(x.numpy()), want, atol=1e-4 * np.abs(want).max())
    assert any("8 bits times the scales in the file: fc.weight" in note for note in graph.notes)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"fc.weight_scale": torch.ones(5)}, "not one, one of each row"),
        ({"fc.weight_scale": torch.ones(3), "fc.weight_zero_point": torch.ones(3)}, "has shape"),
    ],
)
def test_scales_that_do_not_tell_the_weight_are_refused(tmp_path, extra, message):
    torch.save({"fc.weight": torch.ones(3, 2, dtype=torch.int8)} | extra, tmp_path / "model.pt")
    with pytest.raises(SpecError, match=message):
        read_model(tmp_path / "model.pt")


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path):
    state = {"fc.weight_orig": torch.ones(3, 2), "fc.weight_mask": torch.ones(3, 4)}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(SpecError, match=r"fc\.weight_mask do not fit"):
        read_model(tmp_path / "model.pt", activation="relu")


PICKLED = {
    "in a dictionary": lambda m: {"epoch": 3, "model": m, "optimizer": None},
    "beside its average": lambda m: {"ema": nn.Sequential(m, nn.ReLU()), "model": m},
    "wrapped": lambda m: nn.DataParallel(m),
    "in 16 bits": lambda m: {"model": m.bfloat16()},
    "in halves of 16 bits": lambda m: {"model": m.half()},
}


@pytest.mark.parametrize("kind", PICKLED)
def test_a_trusted_module_is_found(net, kind):
    torch.save(PICKLED[kind](net), "model.pt")
    with pytest.raises(UntrustedFileError, match="--trust-pickle"):
        read_model("model.pt", (5,))
    graph = read_model("model.pt", (5,), trust_pickle=True)
    holds(net.float(), graph)
    assert ("the module is 'model' in the file" in graph.notes) == (kind != "wrapped")
    assert any("16-bit" in note for note in graph.notes) == ("16 bits" in kind)


def test_several_modules_in_a_file_are_refused(net):
    torch.save({"encoder": net, "decoder": net}, "model.pt")
    with pytest.raises(ModelError, match="several modules, encoder, decoder"):
        read_model("model.pt", (5,), trust_pickle=True)
