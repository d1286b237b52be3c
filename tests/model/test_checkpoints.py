"""Checkpoints as people save them, each held to the module that the weights are from."""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import sys
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError, UntrustedFileError
from xbar.model.read import read_model
from xbar.model.tensors import FLOAT8, float8

torch = pytest.importorskip("torch")
nn = torch.nn

ARCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU())
        self.head = nn.Linear(7, 3)
        self.register_buffer("positions", torch.arange(3.0), persistent=False)

    def forward(self, x):
        return self.head(self.body(x)) + self.positions

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(5, 5, bias=False), nn.ReLU())
        self.head = nn.Linear(5, 5, bias=False)
        self.head.weight = self.inner[0].weight

    def forward(self, x):
        return self.head(self.inner(x))

class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.module = Net()

    def forward(self, x):
        return self.module(x)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "usernet.py").write_text(ARCH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("usernet", None)
    yield tmp_path
    sys.modules.pop("usernet", None)


@pytest.fixture
def net(here):
    import usernet

    torch.manual_seed(3)
    module = usernet.Net()
    module(torch.randn(32, 5))  # batch norm's statistics
    return module.eval()


def behind(prefix, state):
    return OrderedDict((prefix + key, value) for key, value in state.items())


def holds(module, graph, x=None):
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)) if x is None else x
    with torch.no_grad():
        want = module(x).numpy()
    np.testing.assert_allclose(graph.run(x.numpy()), want, atol=1e-5)


def other_weights(module):
    return {key: value + 1 for key, value in module.state_dict().items()}


KINDS = {
    "under a name": lambda s, m: {"epoch": 3, "state_dict": s, "best": 0.5},
    "under another name": lambda s, m: {"model_state_dict": s, "loss": torch.tensor(0.5)},
    "two deep": lambda s, m: {"checkpoint": {"net": s, "arch": "resnet"}},
    "in a tuple": lambda s, m: (s, 3),
    "wrapped inside": lambda s, m: {k.replace("body.", "body.module."): v for k, v in s.items()},
    "compiled and parallel": lambda s, m: {"model": behind("_orig_mod.module.", s)},
    "sharded data parallel": lambda s, m: behind("_fsdp_wrapped_module.", s),
    "of a larger module": lambda s, m: {
        "state_dict": behind("net.", s) | {"criterion.weight": torch.ones(3)}
    },
    "in two dictionaries": lambda s, m: {
        part: {k.removeprefix(f"{part}."): v for k, v in s.items() if k.startswith(part)}
        for part in ("body", "head")
    },
    "beside an optimiser": lambda s, m: {
        "model": s,
        "optimizer": {"state": {0: {"exp_avg": torch.ones(7, 5)}}, "param_groups": [{"lr": 0.1}]},
    },
    "beside an average": lambda s, m: {"ema": other_weights(m), "model": s},
    "averaged": lambda s, m: {"n_averaged": torch.tensor(4), **behind("module.", s)},
    "without counters": lambda s, m: {k: v for k, v in s.items() if "num_batches" not in k},
    "with profilers' counters": lambda s, m: s | {"total_ops": torch.zeros(1), "epoch": 4},
    "with a computed buffer": lambda s, m: s | {"positions": m.positions},
    "as parameters": lambda s, m: {
        k: nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()
    },
    "beside plain objects": lambda s, m: {
        "hyper_parameters": argparse.Namespace(lr=0.1, path=pathlib.Path("a")),
        "when": datetime.datetime(2020, 1, 1),
        "seen": defaultdict(list, {"a": [1]}),
        "accuracy": np.float64(0.5),
        "names": {"a", "b"},
        "curve": np.arange(3.0),
        "state_dict": s,
    },
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_are_found_in(here, net, kind, legacy):
    content = KINDS[kind](net.state_dict(), net)
    torch.save(content, "model.pt", _use_new_zipfile_serialization=not legacy)
    holds(net, read_model("model.pt", (5,), arch="usernet:Net"))


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_pickle_protocol_is_read(here, net, protocol):
    torch.save({"state_dict": net.state_dict()}, "model.pt", pickle_protocol=protocol)
    holds(net, read_model("model.pt", (5,), arch="usernet:Net"))


def test_what_was_assumed_is_told(here, net):
    content = {
        "state_dict": behind("net.", net.state_dict()) | {"criterion.weight": torch.ones(3)},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(7, 5)}}},
    }
    torch.save(content, "model.pt")
    assert read_model("model.pt", (5,), arch="usernet:Net").notes == (
        (
            "the weights have other names in the file: body.0.weight is "
            "state_dict.net.body.0.weight there"
        ),
        "tensors of the file that are not used: state_dict.criterion.weight",
    )
    torch.save({"ema": other_weights(net), "model": net.state_dict()}, "model.pt")
    assert (
        "the weights under 'ema' are not used"
        in read_model("model.pt", (5,), arch="usernet:Net").notes
    )
    torch.save(net.state_dict(), "model.pt")
    assert read_model("model.pt", (5,), arch="usernet:Net").notes == ()


def test_a_module_that_is_itself_wrapped_takes_plain_weights(here, net):
    torch.save(net.state_dict(), "model.pt")
    holds(net, read_model("model.pt", (5,), arch="usernet:Wrapped"))


MISFITS = {
    "a weight too many": (lambda s: s | {"tail.weight": torch.ones(3, 3)}, "tail.weight"),
    "a weight too many behind the prefix": (
        lambda s: behind("net.", s | {"tail.weight": torch.ones(3, 3)}),
        "tail.weight",
    ),
    "a weight missing": (
        lambda s: {k: v for k, v in s.items() if k != "head.bias"},
        'Missing key.*"head.bias"',
    ),
    "another shape": (lambda s: s | {"head.bias": torch.ones(4)}, "size mismatch"),
    "the last and the best": (lambda s: {"last": s, "best": s}, "under 'best', 'last'"),
    "two sets of weights": (lambda s: {"first": s, "second": s}, "several times, under 'first'"),
    "another computed buffer": (lambda s: s | {"positions": torch.ones(3)}, "positions"),
    "whole numbers as weights": (
        lambda s: s | {"head.weight": torch.ones(3, 7, dtype=torch.int8)},
        "head.weight is int8 in the file and float32 in the module",
    ),
    "complex weights": (
        lambda s: s | {"head.weight": torch.ones(3, 7, dtype=torch.complex64)},
        "head.weight is complex64",
    ),
    "sparse weights": (lambda s: s | {"head.weight": torch.ones(3, 7).to_sparse()}, "no dense"),
    "conjugate weights": (
        lambda s: s | {"head.weight": torch.ones(3, 7, dtype=torch.complex64).conj()},
        "conjugate",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_what_does_not_fit_the_module_is_refused(here, net, kind):
    change, message = MISFITS[kind]
    torch.save(change(net.state_dict()), "model.pt")
    with pytest.raises(ModelError, match=message) as refused:
        read_model("model.pt", (5,), arch="usernet:Net")
    assert "\n" not in str(refused.value)


def test_a_chain_is_inferred_inside_a_checkpoint(tmp_path):
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 5)).sum().backward()
    optimizer.step()
    path = tmp_path / "model.pt"
    for state in (module.state_dict(), behind("module.", module.state_dict())):
        torch.save({"optim": optimizer.state_dict(), "weights": state, "epoch": 3}, path)
        graph = read_model(path, activation="relu")
        holds(module, graph)
        assert [layer.name for layer in graph.layers] == ["0", "2"]
        assert any("weights." in note for note in graph.notes)
    torch.save({"a": module.state_dict(), "b": module.state_dict()}, path)
    with pytest.raises(SpecError, match="several times, under 'a', 'b'"):
        read_model(path, activation="relu")


@pytest.fixture
def tied(here):
    import usernet

    torch.manual_seed(4)
    return usernet.Tied().eval()


@pytest.mark.parametrize("kept", ["inner.0.weight", "head.weight"])
def test_a_weight_that_the_module_uses_twice_may_be_stored_once(here, tied, kept):
    library = pytest.importorskip("safetensors.torch")
    library.save_file({kept: tied.head.weight.detach()}, "model.safetensors")
    graph = read_model("model.safetensors", (5,), arch="usernet:Tied")
    holds(tied, graph)
    assert any("in the file once: " in note for note in graph.notes)
    torch.save(tied.state_dict(), "model.pt")
    assert read_model("model.pt", (5,), arch="usernet:Tied").notes == ()


def test_names_may_lack_what_all_of_the_modules_have(here, tied):
    torch.save({"0.weight": tied.head.weight}, "model.pt")
    graph = read_model("model.pt", (5,), arch="usernet:Tied")
    holds(tied, graph)
    assert "the weights have other names in the file" in graph.notes[0]


def test_a_tied_weight_that_differs_in_the_file_is_refused(here, tied):
    torch.save(tied.state_dict() | {"head.weight": torch.ones(5, 5)}, "model.pt")
    with pytest.raises(ModelError, match=r"inner\.0\.weight are one tensor in the module, but"):
        read_model("model.pt", (5,), arch="usernet:Tied")


def test_a_weight_that_the_writer_left_out_is_the_one_it_names(tmp_path):
    """As ``safetensors.torch.save_model`` writes a layer that is used twice."""
    library = pytest.importorskip("safetensors.torch")
    module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 4, bias=False))
    module[2].weight = module[0].weight
    path = tmp_path / "model.safetensors"
    library.save_model(module, path)
    graph = read_model(path, activation="relu")
    holds(module, graph, torch.randn(3, 4))
    assert len(graph.layers) == 2 or graph.layers[0].nodes == ("linear_0", "linear_1")
    assert any("as the file says" in note for note in graph.notes)


def split(state, folder, save, suffix, change=None):
    names = [*state]
    parts = {}
    for number, chosen in enumerate((names[:3], names[3:]), 1):
        file = f"model-0000{number}-of-00002.{suffix}"
        save({name: state[name] for name in chosen}, folder / file)
        parts |= dict.fromkeys(chosen, file)
    index = {"metadata": {"total_size": 0}, "weight_map": parts}
    if change:
        change(index["weight_map"])
    (folder / f"model.{suffix}.index.json").write_text(json.dumps(index))
    return folder / f"model.{suffix}.index.json"


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_weights_in_several_files_are_read_by_their_index(here, net, suffix):
    library = pytest.importorskip("safetensors.torch")
    save = library.save_file if suffix == "safetensors" else torch.save
    index = split(net.state_dict(), here, save, suffix)
    holds(net, read_model(index, (5,), arch="usernet:Net"))
    with pytest.raises(ModelError, match=r"one of several parts.*\.index\.json"):
        read_model(here / f"model-00001-of-00002.{suffix}", (5,), arch="usernet:Net")
    with pytest.raises(FileError, match=r"directory; give .*index\.json"):
        read_model(here)
    (here / f"model-00002-of-00002.{suffix}").unlink()
    with pytest.raises(FileError, match=r"model-00002-of-00002.* must be beside it, 1 of its 2"):
        read_model(index, (5,), arch="usernet:Net")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"head.bias": "../model-00002-of-00002.bin"}), "no file beside it"),
        (lambda m: m.update({"head.bias": "/etc/passwd"}), "no file beside it"),
        (lambda m: m.update({"head.bias": ".."}), "no file beside it"),
        (lambda m: m.update({"head.bias": 3}), "no file beside it"),
        (lambda m: m.update({"more": "model-00002-of-00002.bin"}), "more stands in one of them"),
        (lambda m: m.pop("head.bias"), "head.bias stands in one of them only"),
        (lambda m: m.clear(), "must give each tensor's file"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_refused(here, net, change, message):
    index = split(net.state_dict(), here, torch.save, "bin", change)
    with pytest.raises(FileError, match=message):
        read_model(index, (5,), arch="usernet:Net")


@pytest.mark.parametrize("dtype", FLOAT8)
def test_every_code_of_an_eight_bit_float_is_the_number_that_pytorch_gives(dtype):
    codes = torch.arange(256, dtype=torch.uint8).view(getattr(torch, dtype))
    np.testing.assert_array_equal(float8(dtype), codes.float().numpy())


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float16"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_weights_of_fewer_bits_are_used_as_they_are(here, net, dtype, kind):
    state = {
        k: v.to(getattr(torch, dtype)) if v.is_floating_point() else v
        for k, v in net.state_dict().items()
    }
    if kind == "safetensors":
        pytest.importorskip("safetensors.torch").save_file(state, "model.pt")
    else:
        torch.save(state, "model.pt", _use_new_zipfile_serialization=kind == "zip")
    graph = read_model("model.pt", (5,), arch="usernet:Net")
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    holds(net, graph)
    told = [note for note in graph.notes if dtype in note]
    assert told == (
        [] if dtype == "float16" else [f"8 tensors stored as {dtype}: computed as float32"]
    )


class Config:
    """A class of the user's own."""


@pytest.mark.parametrize("legacy", [False, True])
def test_objects_of_other_kinds_beside_the_weights_need_trust(here, net, legacy):
    content = {"cfg": Config(), "state_dict": net.state_dict()}
    torch.save(content, "model.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UntrustedFileError, match=r"Config.*--trust-pickle"):
        read_model("model.pt", (5,), arch="usernet:Net")
    holds(net, read_model("model.pt", (5,), arch="usernet:Net", trust_pickle=True))
