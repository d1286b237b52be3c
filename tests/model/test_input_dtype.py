"""Networks whose inputs are whole numbers or of another type than float32."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

ARCH = """
from torch import nn

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(20, 5), nn.Linear(5, 3)

    def forward(self, t):
        return self.head(self.table(t).mean(1))

def doubles():
    return nn.Linear(5, 3).double()
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "tokensnet.py").write_text(ARCH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("tokensnet", None)
    yield tmp_path
    sys.modules.pop("tokensnet", None)


@pytest.mark.parametrize("how", ["state dict", "pickled", "traced", "told"])
def test_an_embedding_that_comes_first_takes_whole_numbers(here, how):
    import tokensnet

    torch.manual_seed(2)
    module, tokens = tokensnet.Tokens().eval(), torch.tensor([[1, 2, 19, 3], [4, 4, 4, 0]])
    options = {"arch": "tokensnet:Tokens"} if how in ("state dict", "told") else {}
    if how == "pickled":
        torch.save(module, "model.pt")
        options = {"trust_pickle": True}
    elif how == "traced":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that tracing is deprecated
            torch.jit.trace(module, tokens).save("model.pt")
    else:
        torch.save(module.state_dict(), "model.pt")
    if how == "told":
        options |= {"input_dtype": "int64"}
    graph = read_model("model.pt", (4,), **options)
    assert graph.inputs[0].dtype == "int64"
    assert any("takes int64" in note for note in graph.notes) == (how != "told")
    with torch.no_grad():
        want = module(tokens).numpy()
    np.testing.assert_allclose(graph.run(tokens.numpy()), want, atol=1e-6)
    with pytest.raises(SpecError, match="type int64, not float64"):
        graph.run(tokens.numpy() + 0.5)


def test_the_type_of_the_inputs_can_be_said(here, save_export, make_net):
    net = nn.Linear(5, 3).double()
    torch.save(net.state_dict(), "model.pt")
    graph = read_model("model.pt", (5,), arch="tokensnet:doubles", input_dtype="float64")
    assert graph.inputs[0].dtype == "float64"
    x = torch.randn(4, 5, dtype=torch.float64)
    np.testing.assert_allclose(graph.run(x.numpy()), net(x).detach().numpy(), rtol=1e-12)
    with pytest.raises(SpecError, match=r"must be one of float32, .*not 'int63'"):
        read_model("model.pt", (5,), arch="tokensnet:Net", input_dtype="int63")
    with pytest.raises(SpecError, match="takes inputs of type float32, not int64"):
        read_model(save_export(*make_net("mlp")), input_dtype="int64")
