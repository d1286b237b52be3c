"""Weights that a network computes from its constants are layers, called after the parameter."""

from __future__ import annotations

import contextlib
import io
from collections import OrderedDict

import numpy as np
import pytest

from xbar.model.constants import evaluate_constants
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
parametrizations = torch.nn.utils.parametrizations
prune = pytest.importorskip("torch.nn.utils.prune")


def through_layers(graph, x):
    """Outputs with each product computed from the layers' matrices."""
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    return graph.run(x, lambda name, v: np.einsum("goi,ngi->ngo", matrices[name], v))


def assert_same_network(graph, module, x):
    want = module(x).detach().numpy()
    np.testing.assert_allclose(through_layers(graph, x), want, atol=1e-5 * np.abs(want).max())


class Computed(nn.Module):
    """A linear layer whose weight is a function of its parameter at each call."""

    def __init__(self, function):
        super().__init__()
        self.fc, self.function = nn.Linear(16, 8), function

    def forward(self, x):
        return functional.linear(x, self.function(self.fc.weight), self.fc.bias)


def pruned(amount=0.5):
    layer = nn.Linear(16, 8)
    prune.l1_unstructured(layer, "weight", amount)
    prune.random_unstructured(layer, "bias", 0.3)
    return layer


def quantised(weight):
    step = weight.abs().max() / 7
    rounded = torch.clamp(torch.round(weight / step), -7, 7) * step
    return weight + (rounded - weight).detach()


def clamped_in_place(weight):
    copy = weight.clone()
    copy.clamp_(-0.1, 0.1)
    copy[0] = 0.25
    return copy


def named(layer):
    return nn.Sequential(OrderedDict(fc=layer))


SAME_SIZE = {
    "pruned": lambda: named(pruned()),
    "weight norm as a hook": lambda: named(nn.utils.weight_norm(nn.Linear(16, 8))),
    "weight norm of columns": lambda: named(parametrizations.weight_norm(nn.Linear(16, 8), dim=1)),
    "weight norm": lambda: named(parametrizations.weight_norm(nn.Linear(16, 8))),
    "spectral norm as a hook": lambda: named(nn.utils.spectral_norm(nn.Linear(16, 8))),
    "spectral norm": lambda: named(parametrizations.spectral_norm(nn.Linear(16, 8))),
    "orthogonal": lambda: named(parametrizations.orthogonal(nn.Linear(16, 8))),
    "signs": lambda: Computed(torch.sign),
    "softmax": lambda: Computed(lambda w: torch.softmax(w, -1)),
    "standardised": lambda: Computed(lambda w: (w - w.mean(1, True)) / w.std(1, keepdim=True)),
    "cast": lambda: Computed(lambda w: w.half().float()),
    "chosen": lambda: Computed(lambda w: torch.where(w > 0, w, torch.zeros_like(w))),
    "the largest": lambda: Computed(lambda w: w * (w.abs() >= w.abs().max() / 2)),
    "fake quantised": lambda: Computed(quantised),
    "reshaped and flipped": lambda: Computed(lambda w: w.view(16, 8).flip(0).view(8, 16)),
    "changed in place": lambda: Computed(clamped_in_place),
    "triangular": lambda: Computed(torch.tril),
    "a gathered order": lambda: Computed(lambda w: w[torch.arange(7, -1, -1)]),
}


# PyTorch's hooks for norms are deprecated, and still found in files
hooks = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")


@hooks
@pytest.mark.parametrize("kind", SAME_SIZE)
def test_a_weight_computed_from_a_parameter_is_a_layer_of_the_parameters_name(kind):
    torch.manual_seed(0)
    module = SAME_SIZE[kind]().eval()
    graph = from_module(module, (16,))
    assert [(layer.name, layer.matrix.shape) for layer in graph.layers] == [("fc", (1, 8, 16))]
    assert graph.digital == ()
    assert "fc.weight" in graph.constants
    assert_same_network(graph, module, torch.randn(5, 16))


class LowRank(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 8)
        self.lora_a, self.lora_b = nn.Parameter(torch.randn(2, 16)), nn.Parameter(torch.randn(8, 2))

    def forward(self, x):
        return functional.linear(x, self.fc.weight + self.lora_b @ self.lora_a * 0.5, self.fc.bias)


def test_a_part_of_low_rank_is_merged_into_its_weight():
    torch.manual_seed(0)
    module = LowRank()
    graph = from_module(module, (16,))
    (layer,) = graph.layers
    assert layer.name == "fc"
    want = module.fc.weight + 0.5 * module.lora_b @ module.lora_a
    np.testing.assert_allclose(layer.matrix[0], want.detach().numpy(), atol=1e-6)
    assert not {"lora_a", "lora_b"} & set(graph.constants)


class Packed(nn.Module):
    """Query, key and value in one parameter."""

    def __init__(self, parts):
        super().__init__()
        self.in_proj, self.parts = nn.Linear(16, 24), parts

    def forward(self, x):
        weights, biases = self.parts(self.in_proj.weight), self.parts(self.in_proj.bias)
        q, k, v = (functional.linear(x, w, b) for w, b in zip(weights, biases, strict=True))
        return torch.softmax(q * k, -1) * v


PARTS = {
    "slices": lambda p: [p[i : i + 8] for i in (0, 8, 16)],
    "narrow": lambda p: [p.narrow(0, i, 8) for i in (0, 8, 16)],
    "selections": lambda p: [p.unflatten(0, (3, 8))[i] for i in range(3)],
    "unbind": lambda p: p.unflatten(0, (3, 8)).unbind(0),
    "split": lambda p: p.split(8),
    "chunks of what is computed": lambda p: (p * 2).chunk(3),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_of_one_parameter_are_numbered_layers(kind):
    torch.manual_seed(0)
    module = Packed(PARTS[kind])
    graph = from_module(module, (16,))
    assert [layer.name for layer in graph.layers] == ["in_proj.0", "in_proj.1", "in_proj.2"]
    assert_same_network(graph, module, torch.randn(5, 16))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        for _ in range(2):
            x = torch.tanh(functional.linear(x, torch.sign(self.fc.weight), self.fc.bias))
        return x @ self.fc.weight


def test_equal_values_are_one_layer_and_the_parameter_itself_keeps_its_name():
    torch.manual_seed(0)
    module = Twice()
    graph = from_module(module, (8,))
    assert [(layer.name, len(layer.nodes)) for layer in graph.layers] == [
        ("fc.weight'", 2),
        ("fc", 1),
    ]
    assert_same_network(graph, module, torch.randn(5, 8))


class MaskedConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2.0)
        self.register_buffer("mask", (torch.rand(4, 2, 3, 3) > 0.5).float())

    def forward(self, x):
        weight = self.conv.weight * self.mask
        return torch.relu(self.norm(functional.conv2d(x, weight)))


def test_a_batch_norm_is_folded_into_a_masked_convolution():
    torch.manual_seed(0)
    module = MaskedConvolution().eval()
    graph = from_module(module, (2, 6, 6))
    assert [(layer.name, layer.kind) for layer in graph.layers] == [("conv", "conv2d")]
    assert not [node.op for node in graph.nodes if "batch_norm" in node.op]
    assert_same_network(graph, module, torch.randn(3, 2, 6, 6))


class NormedRecurrence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.utils.weight_norm(nn.LSTM(4, 6, batch_first=True), "weight_hh_l0")

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


@hooks
def test_a_normed_weight_of_an_lstm_is_a_layer():
    torch.manual_seed(0)
    module = NormedRecurrence().eval()
    graph = from_module(module, (5, 4))
    assert [layer.name for layer in graph.layers] == ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]
    assert_same_network(graph, module, torch.randn(3, 5, 4))


class Dequantised(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("codes", torch.randint(-127, 127, (8, 16), dtype=torch.int8))
        self.register_buffer("scale", torch.rand(8, 1))

    def forward(self, x):
        return functional.linear(x, self.codes.float() * self.scale)


def test_integers_times_a_scale_are_a_layer_called_after_the_integers():
    torch.manual_seed(0)
    module = Dequantised()
    graph = from_module(module, (16,))
    assert [layer.name for layer in graph.layers] == ["codes"]
    assert_same_network(graph, module, torch.randn(5, 16))


def traced(module, path):
    torch.jit.trace(module, torch.zeros(2, 16), check_trace=False).save(str(path))


def written_as_onnx(module, path):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            module, (torch.zeros(2, 16),), str(path), dynamo=False, do_constant_folding=False,
            input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=17,
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@hooks
@pytest.mark.parametrize("write", [traced, written_as_onnx])
@pytest.mark.parametrize("kind", ["pruned", "weight norm", "spectral norm as a hook", "cast"])
def test_every_reader_finds_the_same_layer(write, kind, tmp_path):
    torch.manual_seed(0)
    module = SAME_SIZE[kind]().eval()
    write(module, tmp_path / "model")
    graph = read_model(tmp_path / "model", (16,))
    assert [(layer.name, layer.matrix.shape) for layer in graph.layers] == [("fc", (1, 8, 16))]
    assert_same_network(graph, module, torch.randn(5, 16))


def test_values_do_not_depend_on_the_number_of_threads():
    torch.manual_seed(0)
    module = Computed(lambda w: (w @ w.T / w.std()).softmax(-1) @ w)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 4):
            torch.set_num_threads(count)
            found.append(from_module(module, (16,)).constants["fc.weight"].tobytes())
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["lenet", "encoder", "cross attention", "residual"])
def test_a_network_without_such_weights_is_left_as_it_is(make_net, name):
    graph = from_module(*make_net(name))
    assert evaluate_constants(graph) is graph


class SmallConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.register_buffer("mask", (torch.rand(4, 1, 3, 3) > 0.5).float())

    def forward(self, x):
        weight = self.conv.weight * self.mask
        return functional.conv2d(x.view(-1, 1, 4, 4), weight, self.conv.bias).flatten(1)


class NormedOverTime(NormedRecurrence):
    def forward(self, x):
        return super().forward(x.view(-1, 4, 4))


@pytest.mark.filterwarnings("ignore")  # PyTorch's older exporter warns of itself and of its LSTM
@pytest.mark.parametrize(
    ("kind", "name"), [(SmallConvolution, "conv"), (Dequantised, "codes"), (NormedOverTime, None)]
)
def test_weights_that_onnx_computes_from_few_numbers_keep_their_names(kind, name, tmp_path):
    torch.manual_seed(0)
    module = kind().eval()
    written_as_onnx(module, tmp_path / "model")
    graph = read_model(tmp_path / "model")
    names = [layer.name for layer in graph.layers]
    assert names == [name] if name else not any("constant" in each for each in names)
    assert_same_network(graph, module, torch.randn(5, 16))
