from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):
    """Two convolutions with batch norms and a shortcut, then a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.conv = nn.Conv2d(6, 6, 3, padding="same")
        self.norm2 = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(6 * 6 * 6, 4)

    def forward(self, x):
        y = torch.relu(self.norm(self.stem(x)))
        y = torch.relu(y + self.norm2(self.conv(y)))
        return torch.softmax(self.fc(self.drop(y.view(y.size(0), -1))), -1)


class Recurrent(nn.Module):
    """An LSTM over a sequence, and a classifier of its last state."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class CrossAttention(nn.Module):
    """Attention from a sequence to its beginning: the packed projection is used in parts."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x[:, :2], x[:, :2], need_weights=False)[0]


class Shared(nn.Module):
    """One weight used twice, a parameter multiplied from the left, and results of a chunk."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.mix = nn.Parameter(torch.randn(2, 5))
        self.register_buffer("offset", torch.arange(5.0))

    def forward(self, x):
        left, _ = self.fc(torch.tanh(self.fc(x))).chunk(2, dim=-1)
        return left @ self.mix + self.offset + torch.tensor([0.5])


def _with_used_norms(net):
    """Batch norms whose statistics are those of a trained network, not 0 and 1."""
    for part in net.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            part.weight.data.normal_()
            part.bias.data.normal_()
    return net.eval()


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)), (5,)),
    "mlp with batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)),
        (5,),
    ),
    "lenet": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(6, 3),
        ),
        (1, 12, 12),
    ),
    "residual": (Residual, (1, 6, 6)),
    "depthwise": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 1), groups=4),
            nn.BatchNorm2d(8),
            nn.Hardswish(),
            nn.Conv2d(8, 3, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        (4, 9, 8),
    ),
    "transposed": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
            nn.ReLU(),
            nn.ConvTranspose2d(6, 2, (2, 3), dilation=(1, 2)),
        ),
        (4, 3, 4),
    ),
    "sequence": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 3, padding="same", dilation=2), nn.PReLU(), nn.Conv1d(4, 2, 2, stride=2)
        ),
        (3, 10),
    ),
    "volume": (lambda: nn.Conv3d(2, 4, (1, 2, 3), groups=2), (2, 3, 4, 5)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True),
        (5, 8),
    ),
    "cross attention": (CrossAttention, (5, 8)),
    "recurrent": (Recurrent, (5, 4)),
    "shared": (Shared, (4,)),
}


@pytest.fixture(scope="session")
def make_net():
    """Build a net of NETS in evaluation mode: (module, shape of one input)."""

    def make(name):
        torch.manual_seed(7)
        build, shape = NETS[name]
        return _with_used_norms(build()), shape

    return make


@pytest.fixture(params=sorted(NETS), scope="session")
def net(request, make_net):
    """Each net in turn: (module, shape of one input)."""
    return make_net(request.param)


@pytest.fixture(scope="session")
def graph(net):
    """The graph of each net in turn."""
    return from_module(*net)


@pytest.fixture
def save_export(tmp_path):
    """Write a module as a torch.export archive, with any batch size unless told otherwise."""

    def save(module, shape, batch=None, name="model.pt2"):
        dynamic = None if batch else ({0: torch.export.Dim.AUTO},)
        example = torch.zeros((batch or 2, *shape))
        with pytest.warns() if isinstance(module, Recurrent) else Nothing():
            program = torch.export.export(module, (example,), dynamic_shapes=dynamic)
        path = tmp_path / name
        torch.export.save(program, path)
        return path

    return save


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture
def rewrite():
    """Copy a zip file with members changed: change(name without folder, bytes) -> bytes or None."""

    def rewrite(source, target, change=lambda _, data: data, extra=()):
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            root = old.namelist()[0].split("/")[0]
            for info in old.infolist():
                data = change(info.filename.removeprefix(root + "/"), old.read(info))
                if data is not None:
                    new.writestr(info.filename, data)
            for name, data in extra:
                new.writestr(f"{root}/{name}", data)
        return target

    return rewrite


@pytest.fixture
def saved_bytes():
    """An object as torch.save writes it."""

    def save(value, **options):
        buffer = io.BytesIO()
        torch.save(value, buffer, **options)
        return buffer.getvalue()

    return save


@pytest.fixture
def make_model():
    """An ONNX model of these nodes from "x" (N, *shape) to "y"."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper

    def make(nodes, shape, constants=None, version=20):
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", *shape])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
            [
                onnx.numpy_helper.from_array(array, name)
                for name, array in (constants or {}).items()
            ],
        )
        opset = helper.make_opsetid("", version)
        return helper.make_model(graph, opset_imports=[opset], ir_version=10)

    return make


@pytest.fixture
def read_onnx(tmp_path):
    """Write an ONNX model and read it."""

    def read(model, shape=None):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return read_model(path, shape)

    return read


@pytest.fixture
def honest(make_net, save_export):
    """A sound torch.export archive."""
    return save_export(*make_net("residual"), name="honest.pt2")


@pytest.fixture(scope="session")
def reference():
    """What ONNX's reference evaluator gives a model for one input."""
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator

    def outputs(model, x):
        return evaluator(model).run(None, {model.graph.input[0].name: x})[0]

    return outputs


@pytest.fixture(scope="session")
def exact():
    """Products with a graph's own matrices, as its layers ask for them."""

    def products(graph):
        matrices = {layer.name: layer.matrix for layer in graph.layers}
        return lambda layer, x: np.einsum("goi,ngi->ngo", matrices[layer], x)

    return products
