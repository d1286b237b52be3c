from __future__ import annotations

import contextlib
import sys
import zipfile

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError, ToolError, XbarError
from xbar.model import pytorch
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn

NET = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))

def other():
    return nn.Sequential(nn.Linear(5, 6))

def broken():
    raise ArithmeticError("two lines\\nof text")

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with the user's module in it."""
    (tmp_path / "usernet.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("usernet", None)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_is_read_with_the_users_own_code(here, make_net, legacy):
    module, shape = make_net("mlp")
    torch.save(module.state_dict(), "model.pt", _use_new_zipfile_serialization=not legacy)
    path = list(sys.path)
    graph = read_model("model.pt", shape, arch="usernet:net")
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)
    assert sys.path == path


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, SpecError, r"of 0 \(5 to 7\), 2 \(7 to 3\).*--activation relu.*--arch module:call"),
        ({"arch": "usernet:net", "activation": "relu", "input_shape": (5,)}, SpecError, "one of"),
        ({"arch": "usernet:net"}, SpecError, "--input-shape"),
        ({"arch": "usernet"}, SpecError, "must be module:callable"),
        ({"arch": "nowhere:net", "input_shape": (5,)}, SpecError, "No module named 'nowhere'"),
        ({"arch": "usernet:missing", "input_shape": (5,)}, SpecError, "no attribute 'missing'"),
        ({"arch": "usernet:broken", "input_shape": (5,)}, SpecError, "ArithmeticError: two lines"),
        ({"arch": "usernet:number", "input_shape": (5,)}, SpecError, "not callable"),
        ({"arch": "builtins:dict", "input_shape": (5,)}, SpecError, "a torch module, not dict"),
        ({"arch": "usernet:other", "input_shape": (5,)}, ModelError, "does not fit usernet:other"),
        ({"arch": "usernet:net", "input_shape": (4,)}, ModelError, r"inputs \(N, 4\)"),
        ({"arch": "usernet:net", "input_shape": (0,)}, SpecError, "positive whole numbers"),
    ],
)
def test_what_is_missing_for_a_state_dict_is_said(here, make_net, options, kind, message):
    torch.save(make_net("mlp")[0].state_dict(), "model.pt")
    if "arch" in options and "input_shape" not in options and ":" not in options["arch"]:
        options = options | {"input_shape": (5,)}
    with pytest.raises(kind, match=message) as refused:
        read_model("model.pt", **options)
    assert "\n" not in str(refused.value)


class FixedToItsExample(nn.Module):
    """The size of its batch becomes a number when it is exported."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.ones(1, 1, 6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(torch.cat([self.token.expand(len(x), -1, -1), x], 1))


def test_a_module_that_export_fixes_to_one_batch_size_runs_for_any():
    module = FixedToItsExample()
    graph = from_module(module, (4, 6))
    assert graph.batch == 2
    x = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


def test_a_state_dict_of_an_old_format_is_read_or_refused_in_silence(tmp_path, saved_bytes):
    """PyTorch warns of storages and pickle protocols of its past: warnings are errors here."""
    data = saved_bytes({"fc.weight": torch.eye(3)}, _use_new_zipfile_serialization=False)
    path = tmp_path / "model.pt"
    for position in range(len(data)):
        for value in (0, 99, data[position] ^ 1):
            path.write_bytes(data[:position] + bytes([value]) + data[position + 1 :])
            with contextlib.suppress(XbarError):
                read_model(path, activation="relu")


def test_a_file_without_weights_says_what_it_holds(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"args": {"layers": 3}, "epoch": 3}, path)
    with pytest.raises(ModelError, match=r"keys \['args', 'epoch'\].*save model.state_dict\(\)"):
        read_model(path)


def test_the_kind_is_told_by_content_not_by_name(make_net, save_export):
    module, shape = make_net("mlp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logging.Logger.warning", lambda *_: None)  # PyTorch's remark on the suffix
        path = save_export(module, shape)
    renamed = path.rename(path.with_name("weights.jpg"))
    assert len(read_model(renamed).layers) == 2


def test_an_input_shape_that_does_not_match_the_archive_is_refused(make_net, save_export):
    path = save_export(*make_net("lenet"))
    assert read_model(path, (1, 12, 12)).inputs[0].shape == (None, 1, 12, 12)
    with pytest.raises(SpecError, match=r"shape \(1, 12, 12\), not \(1, 28, 28\)"):
        read_model(path, (1, 28, 28))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a model format that xbar reads"),
        (b"PK\x03\x04", "damaged or cut short"),
        (b"\x80\x04K\x01.", "bare pickle"),
        (b"\x08\x07\x12\x04onnx", "ONNX"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content, message):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(FileError, match=message) as refused:
        read_model(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_directory_are_refused(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        read_model(tmp_path / "nothing.pt2")
    with pytest.raises(FileError, match="a directory; the folder of a language model has a config"):
        read_model(tmp_path)
    with pytest.raises(FileError, match="can't be read"):
        read_model("a\0b")


def test_a_zip_of_something_else_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/readme.txt", "hello")
    with pytest.raises(FileError, match="not a PyTorch model"):
        read_model(path)


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x + 1


def test_a_model_of_two_inputs_or_outputs_says_what_to_do(tmp_path):
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(TwoInputs(), (torch.zeros(2), torch.zeros(2))), path)
    with pytest.raises(ModelError, match="take one tensor, not 2"):
        read_model(path)
    with pytest.raises(ModelError, match="return one tensor, not 2"):
        from_module(TwoOutputs(), (3,))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.Dropout(0.5)])
def test_a_model_exported_for_training_is_refused(tmp_path, layer):
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(layer.train(), (torch.zeros(2, 3),)), path)
    with pytest.raises(ModelError, match=r"model.eval\(\)"):
        read_model(path)


def test_a_module_that_does_not_export_is_an_error_of_one_line():
    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="Branches: PyTorch can't export") as refused:
        from_module(Branches(), (3,))
    assert "\n" not in str(refused.value)


def test_a_module_is_left_in_its_mode():
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    module[0].eval()
    from_module(module, (3,))
    assert [part.training for part in module.modules()] == [True, False, True]


def test_numbers_of_half_precision_are_read(tmp_path):
    torch.manual_seed(0)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        module = (
            nn.Linear(3, 2).to(dtype).float()
            if dtype != torch.float64
            else nn.Linear(3, 2).double()
        )
        module.register_buffer("scale", torch.tensor([1.5, -2.0], dtype=dtype))
        program = torch.export.export(
            _Scaled(module), (torch.zeros(2, 3, dtype=module.weight.dtype),)
        )
        path = tmp_path / "model.pt2"
        torch.export.save(program, path)
        x = torch.randn(2, 3).to(module.weight.dtype)
        want = (module(x) * module.scale).detach()
        np.testing.assert_allclose(read_model(path).run(x), want.float(), rtol=1e-6)


class _Scaled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) * self.inner.scale


def test_an_archive_of_an_early_torch_export_is_read(tmp_path, make_net):
    """PyTorch 2.6 wrote other members, with the same graph."""
    from torch._export.serde.serialize import serialize

    module, shape = make_net("residual")
    program = torch.export.export(
        module, (torch.zeros(2, *shape),), dynamic_shapes=({0: torch.export.Dim.AUTO},)
    )
    artifact = serialize(program)
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.4")
        archive.writestr("serialized_exported_program.json", artifact.exported_program)
        archive.writestr("serialized_state_dict.pt", artifact.state_dict)
        archive.writestr("serialized_constants.pt", artifact.constants)
        archive.writestr("serialized_example_inputs.pt", artifact.example_inputs)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(read_model(path).run(x), module(x).detach(), atol=1e-6)


def test_without_pytorch_the_error_says_how_to_install_it(tmp_path, make_net, monkeypatch):
    module, shape = make_net("mlp")
    path = tmp_path / "model.pt"
    torch.save(module.state_dict(), path)
    graph = from_module(module, shape)
    monkeypatch.setattr(pytorch, "find_spec", lambda _: None)
    for use in (
        lambda: read_model(path, shape, arch="torch.nn:Identity"),
        lambda: from_module(module, shape),
        lambda: graph.run(np.zeros((1, 5))),
    ):
        with pytest.raises(ToolError, match=r"pip install 'xbar\[torch\]'"):
            use()
