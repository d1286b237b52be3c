"""``xbar prune`` as a user types it, and the compilation of what it writes."""

import json

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")

CHIP = """
[bank]
resistors = 1
on_off_ratio = 100
[tile]
word_lines = 32
bit_lines = 32
"""

NETWORK = """
from torch import nn

def net():
    return nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with a network's code, a design and data of three classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    inputs = (rng.normal(size=(3, 8))[labels] * 2 + rng.normal(size=(240, 8))).astype(np.float32)
    np.savez(tmp_path / "train.npz", inputs=inputs[:180], labels=labels[:180])
    np.savez(tmp_path / "test.npz", inputs=inputs[180:], labels=labels[180:])
    (tmp_path / "prunednet.py").write_text(NETWORK)
    (tmp_path / "chip.toml").write_text(CHIP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prune(call, *more):
    return call(
        *("prune", "--arch", "prunednet:net", "--data", "train.npz", "-o", "ticket.pt2"), *more
    )


@pytest.mark.parametrize("method", ["edge-popup", "gates"])
def test_a_chips_ticket_is_compiled_with_its_switches(work, call, refused, method):
    chosen = ("--method", method, "--hardware", "chip.toml", "--seed", 4, "--epochs", 8)
    code, out, _ = prune(call, *chosen, "--test", "test.npz", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["kept"] == pytest.approx(0.5, abs=0.01)
    assert told["test_accuracy"] > 0.7
    assert told["files"] == ["ticket.pt2", "ticket.switches.npz"]
    compiling = ("compile", "ticket.pt2", "--hardware", "chip.toml", "-o", "out.xbar")
    switched = (*compiling, "--switches", "ticket.switches.npz")
    assert call(*switched, "--seed", 4)[0] == 0
    data = np.load("test.npz")
    program = xbar.Program.load("out.xbar")
    result = xbar.simulate(program, data["inputs"], data["labels"])
    assert result.accuracy == told["test_accuracy"]
    assert "those of another chip" in refused(*switched, "--seed", 5, "--force")


@pytest.mark.parametrize("method", ["edge-popup", "gates", "magnitude", "lottery-ticket", "random"])
def test_every_method_writes_a_network_that_compiles(work, call, method):
    code, out, _ = prune(call, "--method", method, "--keep", 0.25, "--epochs", 1, "--rounds", 1)
    assert code == 0
    assert method.replace("-", " ") in out.replace("-", " ")
    assert sorted(path.name for path in work.glob("ticket*")) == ["ticket.pt2"]
    zeros = [np.mean(layer.matrix == 0) for layer in xbar.read_model("ticket.pt2").layers]
    assert zeros == pytest.approx([0.75, 0.75], abs=0.01)


@pytest.mark.parametrize("kind", ["state dict", "checkpoint", "safetensors"])
def test_a_state_dict_gives_the_weights_to_choose_from(work, call, kind):
    torch.manual_seed(7)
    module = torch.nn.Sequential(
        torch.nn.Linear(8, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU(), torch.nn.Linear(32, 3)
    )
    if kind == "safetensors":
        pytest.importorskip("safetensors.torch").save_file(module.state_dict(), "state.pt")
    else:
        state = module.state_dict()
        torch.save({"model": state, "epoch": 3} if kind == "checkpoint" else state, "state.pt")
    assert prune(call, "state.pt", "--weights", "given", "--epochs", 0)[0] == 0
    last = xbar.read_model("ticket.pt2").layers[-1].matrix[0]
    own = module[3].weight.detach().numpy()
    np.testing.assert_array_equal(last[last != 0], own[last != 0])


def test_bad_arguments_are_one_line(work, refused):
    start = ("prune", "--data", "train.npz", "-o", "t.pt2", "--arch")
    assert "must lie strictly between 0 and 1" in refused(*start, "prunednet:net", "--keep", 1)
    assert "--method must be one of" in refused(*start, "prunednet:net", "--method", "magic")
    assert "it can't be imported" in refused(*start, "prunednet:nothing")
    assert "--hardware is for edge-popup" in refused(
        *start, "prunednet:net", "--method", "random", "--hardware", "chip.toml"
    )
    assert "--measured needs --hardware" in refused(
        *start, "prunednet:net", "--measured", "chip.npz"
    )
    (work / "t.pt2").write_text("mine")
    assert "exists already" in refused(*start, "prunednet:net")


def test_switches_of_another_network_are_refused(work, call, refused):
    assert prune(call, "--hardware", "chip.toml", "--epochs", 0)[0] == 0
    (work / "othernet.py").write_text(NETWORK.replace("32", "24"))
    assert (
        call(
            *("prune", "--arch", "othernet:net", "--data", "train.npz", "--epochs", 0),
            *("-o", "other.pt2"),
        )[0]
        == 0
    )
    compiling = ("compile", "other.pt2", "--hardware", "chip.toml", "-o", "out.xbar")
    line = refused(*compiling, "--switches", "ticket.switches.npz")
    assert "the switches must be bool of shape (1, 24, 8) like the layer" in line
    line = refused(*compiling, "--switches", "train.npz")
    assert "must hold the switches of a ticket" in line
    again = ("prune", "--arch", "prunednet:net", "--data", "train.npz", "-o", "again.pt2")
    assert call(*again, "--hardware", "chip.toml", "--epochs", 1)[0] == 0
    same_shape = ("compile", "again.pt2", "--hardware", "chip.toml", "-o", "out.xbar", "--switches")
    assert "those of another network" in refused(*same_shape, "ticket.switches.npz")
    assert call(*same_shape, "again.switches.npz")[0] == 0
