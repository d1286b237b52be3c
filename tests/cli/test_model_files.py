"""Every kind of model file through `xbar compile`, whole and damaged."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")
nn = torch.nn

# torch.jit has been deprecated; archives that it wrote are still about
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
]

CHIP = """
[bank]
resistors = 8
nominal = "50k"
[tile]
word_lines = 32
bit_lines = 32
"""
ARCH = """
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2, dilation=2), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 2, stride=2), nn.Flatten(), nn.Linear(128, 5),
    )
"""
SHAPE = (2, 8, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One network in each kind of file, and the design."""
    path = tmp_path_factory.mktemp("models")
    (path / "chip.toml").write_text(CHIP)
    (path / "filesnet.py").write_text(ARCH)
    space: dict = {}
    exec(ARCH, space)
    torch.manual_seed(2)
    net = space["net"]()
    nn.init.uniform_(net[1].running_var, 0.5, 2.0)
    net.eval()
    example = torch.zeros(2, *SHAPE)
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=batch), path / "net.pt2")
    torch.jit.trace(net, example).save(path / "traced.pt")
    torch.save(net.state_dict(), path / "state.pt")
    torch.save(net.state_dict(), path / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(net, path / "pickled.pt")
    _save_onnx(net, example, batch, path / "net.onnx")
    _save_safetensors(net.state_dict(), path / "net.safetensors")
    return path, net


def _save_onnx(net, example, batch, path):
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter
        torch.onnx.export(net, (example,), path, dynamic_shapes=batch, verbose=False)


def _save_safetensors(state, path):
    library = pytest.importorskip("safetensors.torch")
    library.save_file({k: v for k, v in state.items() if v.ndim}, path)


SAYS = {
    "net.pt2": (),
    "net.onnx": (),
    "traced.pt": ("--input-shape", "2,8,8"),
    "state.pt": ("--arch", "filesnet:net", "--input-shape", "2,8,8"),
    "legacy.pt": ("--arch", "filesnet:net", "--input-shape", "2,8,8"),
    "pickled.pt": ("--trust-pickle", "--input-shape", "2,8,8"),
}


@pytest.mark.parametrize("name", SAYS)
def test_each_kind_of_file_is_the_same_network(name, folder, call, tmp_path, monkeypatch):
    """Grouped, dilated and transposed convolutions, batch norm folded, whatever the file."""
    path, net = folder
    monkeypatch.chdir(path)
    code, out, _ = call(
        *("compile", path / name, "--hardware", path / "chip.toml", *SAYS[name]),
        *("-o", tmp_path / "out.xbar", "--json"),
    )
    assert code == 0
    content = json.loads(out)
    assert [layer["weights"] for layer in content["layers"]] == [36, 32, 640]
    assert content["digital"] == []
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net(x).numpy()
    outputs = xbar.Program.load(tmp_path / "out.xbar").run(x.numpy())
    assert np.abs(outputs - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", [*SAYS, "net.safetensors"])
def test_a_file_cut_anywhere_is_refused_and_nothing_is_written(
    name, folder, refused, tmp_path, monkeypatch
):
    path, _ = folder
    monkeypatch.chdir(path)
    whole = (path / name).read_bytes()
    for share in (0.0, 0.01, 0.3, 0.6, 0.9, 0.999):
        (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
        line = refused(
            *("compile", tmp_path / "cut.pt", "--hardware", path / "chip.toml"),
            *(*SAYS.get(name, ()), "-o", tmp_path / "out.xbar"),
        )
        assert "cut.pt" in line
        assert [each.name for each in tmp_path.iterdir()] == ["cut.pt"]


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os

        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("how", ["zip", "legacy", "bare pickle"])
def test_code_in_a_pickle_is_refused_and_does_not_run(how, folder, refused, tmp_path):
    marker, path = tmp_path / "it-ran", tmp_path / "hostile.pt"
    if how == "bare pickle":
        path.write_bytes(pickle.dumps(Payload(str(marker))))
    else:
        torch.save(Payload(str(marker)), path, _use_new_zipfile_serialization=how == "zip")
    given = ("compile", path, "--hardware", folder[0] / "chip.toml", "-o", tmp_path / "o.xbar")
    refused(*given)
    refused(*given, "--arch", "torch.nn:Identity", "--input-shape", "3")
    assert [each.name for each in tmp_path.iterdir()] == ["hostile.pt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((1 << 40).to_bytes(8, "little") + b"{}", "the header claims"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "not a model format that xbar reads"),
        (b"%PDF-1.7 a report", "not a model format that xbar reads"),
        (b"[bank]\nresistors = 8\n", "not a model format that xbar reads"),
    ],
)
def test_a_file_of_another_kind_is_refused(content, message, folder, refused, tmp_path):
    (tmp_path / "model.pt").write_bytes(content)
    line = refused(
        *("compile", tmp_path / "model.pt", "--hardware", folder[0] / "chip.toml"),
        *("-o", tmp_path / "o.xbar"),
    )
    assert message in line


class Loops(nn.Module):
    """A program that is more than a list of operations."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(int(x.shape[1])):
            if bool(x.sum() > 0):
                x = self.fc(x)
        return x


def test_the_lines_that_a_refused_torchscript_is_told_to_run_work(
    folder, refused, tmp_path, monkeypatch
):
    path = tmp_path / "scripted.pt"
    torch.jit.script(Loops()).save(path)
    given = ("--hardware", folder[0] / "chip.toml", "-o", tmp_path / "o.xbar")
    line = refused("compile", path, *given, "--input-shape", "4")
    lines = line.split("write a torch.export archive: ")[1].split("; ")
    assert len(lines) == 3
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(4, 2)
    exec("\n".join(lines), {"torch": torch, "model": model, "example": torch.zeros(2, 4)})
    (layer,) = xbar.read_model("model.pt2", (4,)).layers
    np.testing.assert_array_equal(layer.matrix[0], model.weight.detach().numpy())


class Reads(nn.Module):
    """Tokens through an embedding, attention and a bilinear form."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.pair = nn.Bilinear(8, 8, 3)

    def forward(self, x):
        x = self.encoder(self.embedding(x))
        return self.pair(x[:, 0], x[:, 1])


def test_what_can_not_be_mapped_stays_digital_and_is_listed_with_its_reason(folder, call, tmp_path):
    torch.manual_seed(0)
    module = Reads().eval()
    tokens = torch.randint(0, 11, (4, 5), generator=torch.Generator().manual_seed(1))
    program = torch.export.export(
        module, (tokens,), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False
    )
    torch.export.save(program, tmp_path / "reads.pt2")
    given = ("compile", tmp_path / "reads.pt2", "--hardware", folder[0] / "chip.toml")
    code, out, _ = call(*given, "-o", tmp_path / "a.xbar")
    assert code == 0
    for reason in (
        "stays digital: embedding: it is a table look-up",
        "stays digital: scaled_dot_product_attention: both factors are activations",
        "stays digital: bilinear: a bilinear form is not a matrix product",
    ):
        assert reason in out
    outputs = xbar.Program.load(tmp_path / "a.xbar").run(tokens.numpy())
    with torch.no_grad():
        expected = module(tokens).numpy()
    assert np.abs(outputs - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.full((2, *SHAPE), np.nan)}, "inputs must be finite"),
        ({"inputs": np.zeros((2, 1, 8, 8))}, "(N, 2, 8, 8)"),
        ({"inputs": np.zeros((2, *SHAPE)) + 1j}, "complex"),
        ({"inputs": np.array([["a"]])}, "real numbers"),
        ({"inputs": np.zeros((0, *SHAPE))}, "at least one input"),
        ({"inputs": np.zeros((2, *SHAPE)), "labels": [0, 5]}, "labels must be under 5"),
        ({"inputs": np.zeros((2, *SHAPE)), "labels": [0, -1]}, "class numbers from 0"),
        ({"inputs": np.zeros((2, *SHAPE)), "labels": [0, np.nan]}, "class numbers from 0"),
        ({"inputs": np.zeros((2, *SHAPE)), "labels": [0]}, "labels must have shape (2,)"),
        ({"a": np.zeros((2, *SHAPE)), "b": np.zeros((2, *SHAPE))}, "must have an array 'inputs'"),
    ],
)
def test_data_that_do_not_fit_are_refused(arrays, message, folder, call, refused, tmp_path):
    path = folder[0]
    program = path / "data.xbar"
    if not program.exists():
        given = ("--hardware", path / "chip.toml", "-o", program)
        assert call("compile", path / "net.pt2", *given)[0] == 0
    np.savez(tmp_path / "data.npz", **arrays)
    assert message in refused("simulate", program, "--data", tmp_path / "data.npz")


TOKENS = """
from torch import nn

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(20, 8), nn.Linear(8, 4)

    def forward(self, t):
        return self.head(self.table(t).mean(1))
"""


@pytest.mark.parametrize("said", [(), ("--input-dtype", "int64")])
def test_a_network_of_tokens_is_compiled_and_simulated(said, call, tmp_path, monkeypatch):
    (tmp_path / "tokencli.py").write_text(TOKENS)
    (tmp_path / "chip.toml").write_text(CHIP)
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    exec(TOKENS, space)
    torch.manual_seed(1)
    net = space["Tokens"]()
    torch.save({"epoch": 3, "model": net.state_dict()}, "tokens.pt")
    arguments = ("--arch", "tokencli:Tokens", "--input-shape", "6", *said)
    code, out, _ = call(
        *("compile", "tokens.pt", "--hardware", "chip.toml", *arguments, "-o", "out.xbar", "--json")
    )
    assert code == 0
    assert any("takes int64" in note for note in json.loads(out)["notes"]) == (not said)
    tokens = np.random.default_rng(0).integers(0, 20, (40, 6))
    with torch.no_grad():
        labels = net(torch.from_numpy(tokens)).numpy().argmax(1)
    np.savez("data.npz", inputs=tokens, labels=labels)
    code, out, _ = call("simulate", "out.xbar", "--data", "data.npz", "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] > 0.9
