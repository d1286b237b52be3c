"""Networks inferred from weights alone, against the modules that the weights are from."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError, XbarError
from xbar.model import safetensors as reader
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn


def mlp(activation, *sizes, dtype=torch.float32):
    torch.manual_seed(5)
    parts = []
    for a, b in pairwise(sizes):
        parts += [nn.Linear(a, b, dtype=dtype), activation()]
    return nn.Sequential(*parts[:-1])


def write(path, header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + body)
    return path


ACTIVATIONS = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU, "none": nn.Identity,
}  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_chain_with_the_given_activation_is_the_module(tmp_path, activation):
    module = mlp(ACTIVATIONS[activation], 5, 7, 7, 3)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", activation=activation)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)
    assert [layer.name for layer in graph.layers] == ["0", "2", "4"]
    assert [layer.positions for layer in graph.layers] == [1, 1, 1]


def test_what_a_chain_assumes_is_in_its_notes(tmp_path):
    torch.save(mlp(nn.ReLU, 4, 6, 2).state_dict(), tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", (2, 2), activation="relu")
    assert graph.notes == (
        "the network is 0 (4 to 6), relu, 2 (6 to 2), inferred from the shapes of the weights",
        "each input is flattened",
    )
    assert graph.run(np.ones((3, 2, 2))).shape == (3, 2)
    assert type(graph).from_json(graph.to_json(), graph.constants).notes == graph.notes


def test_one_layer_needs_no_activation_and_may_lack_its_bias(tmp_path):
    module = nn.Linear(4, 3, bias=False)
    torch.save(module.state_dict(), tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", (6, 4))
    x = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)
    assert graph.layers[0].positions == 6


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (
            {"a.weight": (3, 5), "b.weight": (2, 4)},
            {},
            "b takes 4 inputs, a has 3 outputs; give the",
        ),
        ({"c.weight": (3, 5, 2, 2)}, {}, r"'c.weight' has shape \(3, 5, 2, 2\)"),
        ({"n.bias": (3,)}, {}, r"'n.bias' has shape \(3,\)"),
        ({"a.weight": (3, 5), "a.bias": (4,)}, {}, r"with a bias \(4,\)"),
        ({"a.weight": (3, 5), "b.weight": (2, 3)}, {"activation": "swish"}, "must be one of relu"),
        ({"a.weight": (3, 5)}, {"input_shape": (4,)}, r"a takes 5 features, not inputs of.*\(4,\)"),
    ],
)
def test_weights_that_are_no_chain_say_why_and_what_to_do(tmp_path, state, options, message):
    torch.save({name: torch.ones(shape) for name, shape in state.items()}, tmp_path / "model.pt")
    with pytest.raises(SpecError, match=message) as refused:
        read_model(tmp_path / "model.pt", **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("option", [{"arch": "a:b"}, {"activation": "relu"}])
def test_options_of_a_state_dict_are_refused_for_an_archive(make_net, save_export, option):
    with pytest.raises(SpecError, match=r"describes a state dict, but this is a torch.export"):
        read_model(save_export(*make_net("mlp")), **option)


def test_safetensors_of_the_formats_own_library_are_read(tmp_path):
    library = pytest.importorskip("safetensors.torch")
    module = mlp(nn.Tanh, *[6] * 12)  # eleven layers: "10" sorts before "2" as text
    library.save_file(module.state_dict(), tmp_path / "model.st", metadata={"format": "pt"})
    graph = read_model(tmp_path / "model.st", activation="tanh")
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


@pytest.mark.parametrize(
    "dtype",
    [
        *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
        *("float8_e8m0fnu", "int64", "int32", "int8", "uint8", "bool"),
    ],
)
def test_every_type_of_number_is_what_the_library_reads(tmp_path, dtype):
    library = pytest.importorskip("safetensors.torch")
    torch.manual_seed(2)
    tensor = (torch.randn(3, 4) * 5).to(getattr(torch, dtype))
    data = library.save({"t": tensor, "none": torch.zeros(0, 2)})
    got = reader.read_safetensors(data, "model").tensors
    want = tensor.float() if dtype.startswith(("bfloat", "float8")) else tensor
    np.testing.assert_array_equal(got["t"], want.numpy())
    assert got["t"].dtype == want.numpy().dtype
    assert got["none"].shape == (0, 2)


def test_safetensors_are_read_with_the_users_own_code(tmp_path, monkeypatch):
    library = pytest.importorskip("safetensors.torch")
    (tmp_path / "convnet.py").write_text(
        "from torch import nn\n"
        "def net(): return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2))\n"
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2))
    library.save_file(module.state_dict(), "model.safetensors")
    graph = read_model("model.safetensors", (1, 5, 5), arch="convnet:net")
    sys.modules.pop("convnet")
    x = torch.randn(2, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)
    with pytest.raises(SpecError, match=r"not a sequence of linear layers: '0.weight' has shape"):
        read_model("model.safetensors", activation="relu")


def test_layers_that_are_not_numbered_must_have_one_order_by_their_sizes(tmp_path):
    library = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    state = {"out.weight": torch.ones(2, 3), "enter.weight": torch.ones(3, 5)}
    library.save_file(state, path)
    graph = read_model(path, activation="relu")
    assert [layer.name for layer in graph.layers] == ["enter", "out"]
    library.save_file({name: torch.ones(3, 3) for name in ("up", "down")}, path)
    with pytest.raises(SpecError, match=r"does not preserve order.*several orders"):
        read_model(path, activation="relu")


def test_reading_a_chain_of_safetensors_needs_no_pytorch(tmp_path):
    entry = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    path = write(tmp_path / "model.safetensors", {"fc.weight": entry}, bytes(24))
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['safetensors'] = None\n"
        "from xbar.model.read import read_model\n"
        f"print([layer.matrix.shape for layer in read_model({str(path)!r}).layers])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[(1, 2, 3)]"


ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("header", "kind", "message"),
    [
        ({"w": ENTRY | {"shape": [10**9, 10**9]}}, FileError, "needs 4000000000000000000 bytes"),
        ({"w": ENTRY | {"shape": [2**62, 2**62]}}, FileError, "needs"),
        ({"w": ENTRY | {"shape": [-2, -3]}}, FileError, "entry 'w' is damaged"),
        ({"w": ENTRY | {"shape": [2.0, 3]}}, FileError, "entry 'w' is damaged"),
        ({"w": ENTRY | {"data_offsets": [0, 24, 48]}}, FileError, "entry 'w' is damaged"),
        ({"w": ENTRY | {"data_offsets": [24, 0]}}, FileError, "gives -24"),
        ({"w": ENTRY | {"data_offsets": [24, 48]}}, FileError, "leaves a gap"),
        ({"w": ENTRY, "v": ENTRY}, FileError, "overlaps another"),
        ({"w": ENTRY | {"dtype": "F4"}}, ModelError, "type F4"),
        ({"w": ENTRY | {"dtype": "O"}}, ModelError, "type O"),
        ({"w": ENTRY | {"shape": [1] * 65}}, FileError, "damaged"),
        ({"w": 3}, FileError, "entry 'w' is damaged"),
        ({"w": ENTRY, "\x1b[2J\n": 3}, FileError, "damaged"),
        ({}, FileError, "24 bytes belong to no tensor"),
        (b'{"w": 1, "w": 2}', FileError, "duplicate name"),
        (b'{"w"', FileError, "header is damaged"),
        (b'{"w": "\xff"}', FileError, "header is damaged"),
        (b'{"a":' * 100_000, FileError, "header is damaged"),
    ],
)
def test_a_header_that_does_not_describe_its_file_is_refused(tmp_path, header, kind, message):
    path = write(tmp_path / "model.safetensors", header, bytes(24))
    with pytest.raises(kind, match=message):
        read_model(path)


@pytest.mark.parametrize("length", [25, 10**6, 1 << 40, (1 << 64) - 1])
def test_a_header_can_not_be_longer_than_the_file(tmp_path, length):
    path = write(tmp_path / "model.safetensors", b"{}", bytes(18), length)
    with pytest.raises(FileError, match=f"the header claims {length} bytes, but the file has 28"):
        read_model(path)


def test_an_oversized_header_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "MOST_HEADER", 1000)
    path = write(tmp_path / "model.safetensors", b"{" + b" " * 2000 + b"}")
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(FileError, match="claims 2002 bytes"):
        read_model(path)


def test_safetensors_cut_or_changed_anywhere_give_a_network_or_one_line(tmp_path):
    good = write(tmp_path / "good", {"fc.weight": ENTRY}, np.ones(6, "<f4").tobytes()).read_bytes()
    assert len(read_model(tmp_path / "good").layers) == 1
    path = tmp_path / "bad"
    for cut in range(len(good)):
        path.write_bytes(good[:cut])
        with pytest.raises(XbarError) as refused:
            read_model(path)
        assert "\n" not in str(refused.value)
    for position in range(len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x15]) + good[position + 1 :])
        try:
            read_model(path)
        except XbarError as error:
            assert "\n" not in str(error)
