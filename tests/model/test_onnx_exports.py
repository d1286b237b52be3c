"""A hundred exports of ten networks by both of PyTorch's exporters, against ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import pytest

from xbar.model.read import read_model

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
nn = torch.nn
functional = nn.functional
OLD = range(9, 19)
NEW = {"attention": 18, "mixer": 19, "unet": 20, "lstm": 21}
"""Versions of the operator set: of all networks by the older exporter, and by the newer one."""


class Residual(nn.Module):
    """Batch norms around a shortcut, a pool of uneven windows, global means."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(2))
        self.conv = nn.Conv2d(6, 6, 3, padding=1, stride=1)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = self.pool(functional.relu(self.norms[0](self.stem(x))))
        x = functional.relu(x + self.norms[1](self.conv(x)))
        return functional.log_softmax(self.fc(x.mean((2, 3))), 1)


class Mobile(nn.Module):
    """Depthwise convolution with squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.expand, self.depth = nn.Conv2d(2, 8, 1), nn.Conv2d(8, 8, 3, 2, 1, groups=8)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = functional.hardtanh(self.depth(functional.relu6(self.expand(x))), -2, 3)
        weight = functional.adaptive_avg_pool2d(x, 1)
        weight = torch.sigmoid(self.excite(functional.elu(self.squeeze(weight))))
        return self.fc((x * weight).flatten(2).amax(2))


class Unet(nn.Module):
    """Down and up again, with a concatenation; transposed convolution and resampling."""

    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, padding=1)
        self.up = nn.ConvTranspose2d(6, 3, 4, 2, 1)
        self.out = nn.Conv2d(11, 1, 1)

    def forward(self, x):
        deep = functional.leaky_relu(self.deep(functional.relu(self.down(x))), 0.2)
        wide = functional.interpolate(deep, scale_factor=2.0, mode="nearest")
        return torch.tanh(self.out(torch.cat([x, self.up(deep), wide], 1)))


class Recurrent(nn.Module):
    """A recurrent layer, its last output and its last state."""

    def __init__(self, kind, **more):
        super().__init__()
        self.layer = kind(4, 5, batch_first=True, **more)
        self.fc = nn.Linear(5 * (2 if more.get("bidirectional") else 1), 3)

    def forward(self, x):
        return self.fc(self.layer(x)[0][:, -1])


class Attention(nn.Module):
    """Attention with a causal mask written out, and a gated feed-forward part."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv = nn.LayerNorm(8), nn.Linear(8, 24)
        self.out, self.gate, self.down = nn.Linear(8, 8), nn.Linear(8, 24), nn.Linear(12, 8)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / 2.0
        hidden = torch.ones(6, 6, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(hidden, -1e9).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, 8))
        a, b = self.gate(x).chunk(2, -1)
        return (x + self.down(functional.gelu(a) * b)).mean(1)


class Waves(nn.Module):
    """Dilated convolutions over time with gates and group norm."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(2, 8, 3, padding=2, dilation=2)
        self.norm = nn.GroupNorm(2, 4)
        self.second = nn.Conv1d(4, 6, 4, stride=2)

    def forward(self, x):
        x = functional.glu(self.first(x), 1)
        x = functional.avg_pool1d(functional.silu(self.norm(x)), 3, 2, 1, count_include_pad=False)
        return functional.softplus(self.second(functional.pad(x, (2, 1))))


class Shuffled(nn.Module):
    """Mirrored padding, pixels from channels, slices, and numbers chosen by a test."""

    def __init__(self):
        super().__init__()
        self.conv, self.slope = nn.Conv2d(2, 8, 3), nn.PReLU(2)

    def forward(self, x):
        x = self.conv(functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        x = self.slope(functional.pixel_shuffle(x, 2))
        x = torch.where(x > 0.5, x[:, :1] * 2, x.clamp(-1.0, 0.3))
        return torch.cat([x[:, :, :5], x[:, :, -4:].abs().sqrt()], 2)


class Mixer(nn.Module):
    """Products over both axes, instance norm, and sums of powers."""

    def __init__(self):
        super().__init__()
        self.tokens, self.channels = nn.Linear(6, 6), nn.Linear(4, 4)
        self.norm = nn.InstanceNorm1d(6, affine=True)

    def forward(self, x):
        x = x + self.tokens(x.transpose(1, 2)).transpose(1, 2)
        x = functional.softmax(self.channels(self.norm(x)), 1)
        return torch.cat([x.pow(2).sum(1), x.max(1)[0], x.argmax(1).float()], 1)


NETWORKS = {
    "plain": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 5, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, 1, ceil_mode=True),
            nn.Conv2d(5, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 6), nn.Sigmoid(),
            nn.Dropout(), nn.Linear(6, 3),
        ),
        (2, 12, 12),
    ),
    "residual": (Residual, (2, 8, 8)),
    "mobile": (Mobile, (2, 8, 8)),
    "unet": (Unet, (2, 8, 8)),
    "lstm": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), (5, 4)),
    "gru": (lambda: Recurrent(nn.GRU), (5, 4)),
    "attention": (Attention, (6, 8)),
    "waves": (Waves, (2, 12)),
    "shuffled": (Shuffled, (2, 6, 6)),
    "mixer": (Mixer, (6, 4)),
}  # fmt: skip
"""Ten networks, and the shape of one input."""


def network(name):
    torch.manual_seed(3)
    build, shape = NETWORKS[name]
    module = build()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return module.eval(), shape


@contextlib.contextmanager
def silence():
    """Without the exporters' remarks on their own insides."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def export(name, version, path, new=False):
    """Write a network at a version of the operator set by one of PyTorch's exporters."""
    module, shape = network(name)
    options = {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
    if new:
        dynamic = ({0: torch.export.Dim.DYNAMIC},)
        options = {"dynamo": True, "dynamic_shapes": dynamic, "external_data": False}
    with silence():
        torch.onnx.export(module, (torch.zeros(2, *shape),), path, opset_version=version, **options)
    return shape


def check(path, shape, exact):
    """Xbar's output, its products done as its layers have them, is ONNX Runtime's."""
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = runtime.InferenceSession(str(path), options)
    want = session.run(None, {session.get_inputs()[0].name: x})[0]
    graph = read_model(path)
    for got in (graph.run(x), graph.run(x, exact(graph))):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-5)
    assert graph.batch is None
    assert graph.layers


@pytest.mark.parametrize("name", NETWORKS)
def test_every_version_of_an_export_gives_what_onnxruntime_gives(name, tmp_path, exact):
    for version in OLD:
        path = tmp_path / f"{version}.onnx"
        check(path, export(name, version, path), exact)


@pytest.mark.parametrize("name", NEW)
def test_an_export_of_the_newer_exporter_gives_what_onnxruntime_gives(name, tmp_path, exact):
    pytest.importorskip("onnxscript")
    path = tmp_path / "new.onnx"
    check(path, export(name, NEW[name], path, new=True), exact)


def test_these_are_a_hundred_exports():
    assert len(NETWORKS) * len(OLD) + len(NEW) >= 100
