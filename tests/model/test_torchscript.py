"""TorchScript is followed as text: what it computes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.errors import ModelError, SpecError
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn

# torch.jit has been deprecated; archives that it wrote are still about
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
]
PLAIN = [
    "depthwise", "lenet", "mlp", "mlp with batch norm", "residual", "sequence", "transposed",
    "volume",
]  # fmt: skip


def script(module, shape, how):
    if how == "trace":
        return torch.jit.trace(module, torch.zeros(2, *shape))
    scripted = torch.jit.script(module)
    return torch.jit.freeze(scripted) if how == "frozen" else scripted


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("how", ["trace", "script", "frozen"])
def test_a_plain_network_gives_what_its_module_gives(tmp_path, make_net, name, how):
    module, shape = make_net(name)
    path = tmp_path / "model.pt"
    script(module, shape, how).save(path)
    graph = read_model(path, shape)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    want = module(x).detach().numpy()
    np.testing.assert_allclose(graph.run(x), want, atol=2e-6)
    exported = from_module(module, shape)
    assert [(a.kind, a.positions) for a in graph.layers] == [
        (a.kind, a.positions) for a in exported.layers
    ]
    for mine, theirs in zip(graph.layers, exported.layers, strict=True):
        np.testing.assert_allclose(mine.matrix, theirs.matrix, atol=1e-6)
        assert how == "frozen" or mine.name == theirs.name
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    got = graph.run(x, lambda layer, v: np.einsum("goi,ngi->ngo", matrices[layer], v))
    np.testing.assert_allclose(got, want, atol=2e-6)


class Twice(nn.Module):
    """One weight used twice, in double precision."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4).double()
        self.same = nn.Linear(4, 4)
        self.same.weight = self.fc.weight

    def forward(self, x):
        return torch.nn.functional.linear(self.fc(x), self.same.weight)


def test_weights_of_double_precision_and_shared_weights_are_kept(tmp_path):
    torch.manual_seed(0)
    module, path = Twice(), tmp_path / "model.pt"
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.jit.trace(module, x).save(path)
    graph = read_model(path, (4,))
    assert [(layer.name, layer.positions) for layer in graph.layers] == [("fc", 2)]
    assert graph.notes == ("the network takes float64, the type of its weights",)
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-13)


class OnlyOne(nn.Module):
    """Its shape is written into it as numbers."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        return self.fc(x.view(1, 6))


def test_a_network_for_one_input_is_run_once_for_each(tmp_path):
    torch.manual_seed(0)
    module, path = OnlyOne(), tmp_path / "model.pt"
    torch.jit.trace(module, torch.zeros(1, 2, 3)).save(path)
    graph = read_model(path, (2, 3))
    assert graph.batch == 1
    x = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    want = torch.cat([module(each[None]) for each in x]).detach()
    np.testing.assert_allclose(graph.run(x), want, atol=1e-6)


# the tracer says that a batch norm in training looks at the batch's size
@pytest.mark.filterwarnings("ignore:Converting a tensor:torch.jit.TracerWarning")
@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Dropout2d(0.5)])
def test_a_model_saved_for_training_is_refused(tmp_path, layer):
    shape = (3, 4, 4) if isinstance(layer, nn.Dropout2d) else (3,)
    traced = torch.jit.trace(layer.train(), torch.zeros(2, *shape), check_trace=False)
    traced.save(tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"call model.eval\(\)"):
        read_model(tmp_path / "model.pt", shape)


def test_constants_and_attributes_of_one_name_are_two_weights(tmp_path):
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("c0", torch.tensor([5.0]))

        def forward(self, x):
            return x * self.c0

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.constants = nn.Sequential(Inner())

        def forward(self, x):
            return self.constants(x) + torch.full((1,), 7.0)

    traced = torch.jit.trace(Outer(), torch.zeros(2, 3))
    traced.save(tmp_path / "model.pt")
    got = read_model(tmp_path / "model.pt", (3,)).run([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(got, [[12.0, 17.0, 22.0]])


class Branches(nn.Module):
    def forward(self, x):
        return x if bool(x.sum() > 0) else -x


class Loops(nn.Module):
    def forward(self, x):
        for _ in range(x.size(0)):
            x = x + 1
        return x


class Strict(nn.Module):
    def forward(self, x):
        if x.dim() != 5:
            raise ValueError("five axes")
        return x


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Branches, "converts a tensor to a number"),
        (Loops, "length of a loop depends on computed values or on the batch"),
        (Strict, "refuses such inputs: .*five axes"),
    ],
)
def test_a_program_that_is_no_plain_network_is_refused_with_the_way_out(tmp_path, module, message):
    torch.jit.script(module()).save(tmp_path / "model.pt")
    with pytest.raises(ModelError, match=rf"{message}.*torch.export.save") as refused:
        read_model(tmp_path / "model.pt", (3,))
    assert "\n" not in str(refused.value)


def test_the_shape_of_an_input_is_needed_and_must_fit(tmp_path, make_net):
    module, shape = make_net("lenet")
    path = tmp_path / "model.pt"
    torch.jit.trace(module, torch.zeros(2, *shape)).save(path)
    with pytest.raises(SpecError, match="TorchScript needs the shape of one input"):
        read_model(path)
    with pytest.raises(ModelError, match=r"aten.linear.default can't be applied"):
        read_model(path, (1, 28, 28))
    with pytest.raises(SpecError, match="--activation describes a state dict"):
        read_model(path, shape, activation="relu")
