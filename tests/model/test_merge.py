"""State dicts that hold a weight in parts, as pruning and norms leave it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.model.checkpoint import Entry
from xbar.model.merge import merge_parts
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn
prune = pytest.importorskip("torch.nn.utils.prune")
parametrizations = nn.utils.parametrizations


def pruned(layer):
    prune.l1_unstructured(layer, "weight", 0.5)
    prune.random_unstructured(layer, "bias", 0.5)
    return layer


KINDS = {
    "pruned": (pruned, "values times a mask: 0.weight"),
    "weight norm as a hook": (nn.utils.weight_norm, "weight norm"),
    "weight norm of columns": (lambda fc: nn.utils.weight_norm(fc, dim=1), "weight norm"),
    "weight norm of all": (lambda fc: nn.utils.weight_norm(fc, dim=None), "weight norm"),
    "weight norm": (parametrizations.weight_norm, "weight norm"),
    "spectral norm as a hook": (nn.utils.spectral_norm, "spectral norm"),
    "spectral norm": (parametrizations.spectral_norm, "spectral norm"),
}
# PyTorch's hooks for norms are deprecated, and still found in files
hooks = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
ARCH = """
from torch import nn

def net():
    return nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
"""


@pytest.fixture(params=KINDS)
def saved(request, tmp_path):
    """A module of square layers with weights in parts, its file, and what is told of them."""
    torch.manual_seed(0)
    make, told = KINDS[request.param]
    module = nn.Sequential(make(nn.Linear(6, 6)), nn.ReLU(), nn.Linear(6, 6)).eval()
    torch.save(module.state_dict(), tmp_path / "state.pth")
    return module, tmp_path / "state.pth", told


def assert_same(graph, module):
    x = torch.randn(5, 6)
    want = module(x).detach().numpy()
    np.testing.assert_allclose(graph.run(x), want, atol=1e-6)
    assert [layer.matrix.shape for layer in graph.layers] == [(1, 6, 6)] * 2


@hooks
def test_without_code_a_weight_in_parts_is_one_layer(saved):
    module, path, told = saved
    graph = read_model(path, activation="relu")
    assert_same(graph, module)
    assert [layer.name for layer in graph.layers] == ["0", "2"]
    assert any(told in note and "0.weight" in note for note in graph.notes)


@hooks
def test_a_module_with_plain_weights_takes_weights_in_parts(saved, monkeypatch):
    module, path, told = saved
    (path.parent / "mergednet.py").write_text(ARCH)
    monkeypatch.chdir(path.parent)
    graph = read_model(path, (6,), arch="mergednet:net")
    assert_same(graph, module)
    assert any(told in note for note in graph.notes)


OWN = """
from torch import nn
from torch.nn.utils import parametrizations, prune

def net():
    first = nn.Linear(6, 6)
    prune.identity(first, "weight")
    return nn.Sequential(first, nn.ReLU(), parametrizations.weight_norm(nn.Linear(6, 6)))
"""


def test_a_module_that_has_the_parts_itself_takes_them_as_they_are(tmp_path, monkeypatch):
    torch.manual_seed(0)
    first = prune.l1_unstructured(nn.Linear(6, 6), "weight", 0.5)
    second = parametrizations.weight_norm(nn.Linear(6, 6))
    module = nn.Sequential(first, nn.ReLU(), second)
    torch.save(module.state_dict(), tmp_path / "state.pth")
    (tmp_path / "ownparts.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    graph = read_model(tmp_path / "state.pth", (6,), arch="ownparts:net")
    assert_same(graph, module)
    assert not [note for note in graph.notes if "mask" in note or "norm" in note]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"parametrizations.weight.original": (6, 6)}, "does not tell how"),
        ({"weight_orig": (6, 6), "weight_mask": (6, 6), "weight_u": (6,)}, "does not tell how"),
        ({"weight_orig": (6, 6), "weight_mask": (6, 5)}, "do not fit"),
        ({"weight_g": (5, 1), "weight_v": (6, 6)}, "do not fit"),
        ({"weight": (6, 6), "mask": (6, 6)}, "is a mask"),
        ({"weight": (6, 6), "lora_A.weight": (2, 6), "lora_B.weight": (6, 2)}, "low rank"),
    ],
)
def test_parts_that_do_not_tell_the_weight_are_refused(state, message, tmp_path):
    tensors = {f"fc.{name}": torch.ones(shape) for name, shape in state.items()}
    torch.save(OrderedDict(tensors), tmp_path / "state.pth")
    with pytest.raises(SpecError, match=message):
        read_model(tmp_path / "state.pth", activation="relu")


def test_other_names_with_the_same_endings_are_left_alone():
    entries = [
        Entry((), key, "float32", lambda: np.ones((2, 2)))
        for key in ("gate_g", "gate_v", "fc.weight", "norm_mask")
    ]
    assert merge_parts(entries) == (entries, ())
