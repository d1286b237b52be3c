from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import ModelError
from xbar.model.read import from_module
from xbar.model.unfold import Window

torch = pytest.importorskip("torch")
nn = torch.nn


@st.composite
def convolutions(draw):
    """A convolution of one to three axes: (arguments, x, weight)."""
    dims = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    groups = draw(st.integers(1, 3))
    given_ = {
        "stride": each(1, 3),
        "padding": each(0, 2),
        "dilation": each(1, 2),
        "groups": groups,
    }
    kernel = each(1, 3)
    size = tuple(
        (k - 1) * d + 1 + draw(st.integers(0, 3))
        for k, d in zip(kernel, given_["dilation"], strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    batch, into, out = (draw(st.integers(1, 2)) for _ in range(3))
    x = rng.normal(size=(batch, groups * into, *size))
    return given_, x, rng.normal(size=(groups * out, into, *kernel))


@settings(max_examples=80, deadline=None)
@given(convolutions())
def test_an_unfolded_convolution_is_pytorchs(case):
    arguments, x, weight = case
    dims, groups = x.ndim - 2, arguments["groups"]
    window = Window.read(arguments, weight.shape, dims)
    matrix = weight.reshape(groups, len(weight) // groups, -1)
    got = window.fold(np.einsum("goi,ngi->ngo", matrix, window.unfold(x)), x.shape)
    conv = getattr(nn.functional, f"conv{dims}d")
    want = conv(torch.from_numpy(x), torch.from_numpy(weight), **arguments)
    np.testing.assert_allclose(got, want.numpy(), atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(convolutions(), st.data())
def test_a_scattered_transposed_convolution_is_pytorchs(case, data):
    arguments, x, weight = case
    dims, groups = x.ndim - 2, arguments["groups"]
    weight = np.swapaxes(weight.reshape(groups, -1, *weight.shape[1:]), 1, 2)
    weight = weight.reshape(x.shape[1], -1, *weight.shape[3:])
    most = [max(s, d) - 1 for s, d in zip(arguments["stride"], arguments["dilation"], strict=True)]
    extra = tuple(data.draw(st.integers(0, m)) for m in most)
    arguments |= {"output_padding": extra}
    full = [
        (n - 1) * s - 2 * p + (k - 1) * d + 1 + e
        for n, s, p, k, d, e in zip(
            x.shape[2:],
            arguments["stride"],
            arguments["padding"],
            weight.shape[2:],
            arguments["dilation"],
            extra,
            strict=True,
        )
    ]
    if min(full) < 1:
        return
    window = Window.read(arguments, weight.shape, dims)
    matrix = np.swapaxes(weight.reshape(groups, len(weight) // groups, -1), 1, 2)
    got = window.scatter(np.einsum("goi,ngi->ngo", matrix, window.pixels(x)), x.shape)
    conv = getattr(nn.functional, f"conv_transpose{dims}d")
    want = conv(torch.from_numpy(x), torch.from_numpy(weight), **arguments)
    np.testing.assert_allclose(got, want.numpy(), atol=1e-12)


def layers_of(module, shape):
    return {layer.name: layer for layer in from_module(module, shape).layers}


def test_a_batch_norm_alone_after_a_layer_disappears(make_net):
    graph = from_module(*make_net("residual"))
    assert not [node.op for node in graph.nodes if "batch_norm" in node.op]
    module = make_net("residual")[0]
    scale = module.norm.weight / torch.sqrt(module.norm.running_var + module.norm.eps)
    want = (module.stem.weight * scale[:, None, None, None]).detach().numpy().reshape(1, 6, 9)
    layer = next(layer for layer in graph.layers if layer.name == "stem")
    np.testing.assert_allclose(layer.matrix, want, rtol=1e-6)


class NormOfAUsedValue(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)

    def forward(self, x):
        y = self.conv(x)
        return y + self.norm(y)


class NormOverTheSequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(5)

    def forward(self, x):
        return self.norm(self.fc(x))


@pytest.mark.parametrize(
    ("module", "shape"), [(NormOfAUsedValue, (1, 5, 5)), (NormOverTheSequence, (5, 3))]
)
def test_a_batch_norm_that_can_not_be_folded_stays(module, shape):
    torch.manual_seed(1)
    net = module().eval()
    net.norm.running_var.fill_(3.0)
    graph = from_module(net, shape)
    assert [node.op for node in graph.nodes if "batch_norm" in node.op]
    x = torch.randn(3, *shape)
    np.testing.assert_allclose(graph.run(x), net(x).detach(), atol=1e-6)


def test_a_weight_used_twice_is_one_layer(make_net):
    module, shape = make_net("shared")
    layers = layers_of(module, shape)
    assert list(layers) == ["fc", "mix"]
    assert len(layers["fc"].nodes) == layers["fc"].positions == 2
    np.testing.assert_array_equal(layers["mix"].matrix[0], module.mix.detach().numpy().T)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


def test_tied_weights_are_one_layer():
    assert list(layers_of(Tied(), (3,))) == ["a"]


def test_a_grouped_convolution_has_a_matrix_per_group(make_net):
    layers = layers_of(*make_net("depthwise"))
    assert layers["0"].matrix.shape == (4, 2, 6)
    assert layers["0"].positions == 5 * 9
    assert (layers["3"].kind, layers["3"].matrix.shape) == ("conv2d", (1, 3, 8))


def test_the_projections_of_attention_are_layers(make_net):
    layers = layers_of(*make_net("encoder"))
    assert {name: layer.positions for name, layer in layers.items()} == dict.fromkeys(
        ["self_attn.in_proj", "self_attn.out_proj", "linear1", "linear2"], 5
    )


def test_the_parts_of_a_packed_projection_are_layers(make_net):
    module, shape = make_net("cross attention")
    layers = layers_of(module, shape)
    assert {name: layer.positions for name, layer in layers.items()} == {
        "attention.in_proj.0": 5,
        "attention.in_proj.1": 2,
        "attention.in_proj.2": 2,
        "attention.out_proj": 5,
    }
    want = module.attention.in_proj_weight.detach().numpy()[8:16]
    np.testing.assert_array_equal(layers["attention.in_proj.1"].matrix[0], want)


def test_a_graph_of_core_operations_has_the_same_layers(make_net, tmp_path):
    from xbar.model.read import read_model

    for name in ("residual", "transposed", "mlp with batch norm"):
        module, shape = make_net(name)
        dynamic = ({0: torch.export.Dim.AUTO},)
        program = torch.export.export(module, (torch.zeros(2, *shape),), dynamic_shapes=dynamic)
        path = tmp_path / "core.pt2"
        # PyTorch copies its own deprecated tree specifications
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            torch.export.save(program.run_decompositions(), path)
        graph = read_model(path)
        found = {
            layer.name: (layer.kind, layer.matrix.shape, layer.positions) for layer in graph.layers
        }
        want = {
            layer.name: (layer.kind, layer.matrix.shape, layer.positions)
            for layer in layers_of(module, shape).values()
        }
        assert found == want, name
        x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
        matrices = {layer.name: layer.matrix for layer in graph.layers}
        got = graph.run(x, lambda layer, v, m=matrices: np.einsum("goi,ngi->ngo", m[layer], v))
        np.testing.assert_allclose(got, module(x).detach(), atol=2e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_weight_that_is_not_finite_is_named(value, part):
    module = nn.Sequential(nn.Linear(3, 2), nn.Conv1d(1, 2, 3))
    module = nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3))
    getattr(module[1], part).data.view(-1)[1] = value
    with pytest.raises(
        ModelError, match=rf"^1: every {part} must be finite, not {value} at \[[0-9, ]+\]; train"
    ):
        from_module(module, (6,))


def test_infinities_that_are_no_weights_are_allowed():
    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))

        def forward(self, x):
            return torch.softmax(x + self.mask, -1)

    graph = from_module(Causal(), (3, 3))
    assert graph.layers == ()
    np.testing.assert_allclose(graph.run(np.zeros((1, 3, 3)))[0, 1], [0.5, 0.5, 0], atol=1e-7)
