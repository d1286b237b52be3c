"""``xbar train``: a network's file in, a network trained for a design out."""

import json
import runpy

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")

CHIP = """
[bank]
resistors = 8
nominal = "8k"
[tile]
word_lines = 32
bit_lines = 32
word_wire = "400 ohm"
bit_wire = "400 ohm"
"""


NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 10)
        self.out = nn.Linear(10, 3)

    def forward(self, x):
        return self.out(nn.functional.relu(self.hidden(x)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, blobs):
    """A folder with model.pt2, state.pt, train.npz, inputs.npy and chip.toml."""
    path = tmp_path_factory.mktemp("train")
    inputs, labels = blobs
    (path / "netfile.py").write_text(NET)
    torch.manual_seed(1)
    net = runpy.run_path(str(path / "netfile.py"))["Net"]()
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    for _ in range(80):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (x[:2],), dynamic_shapes=batch), path / "model.pt2")
    torch.save(net.state_dict(), path / "state.pt")
    np.savez(path / "train.npz", inputs=inputs[:200], labels=labels[:200])
    np.savez(path / "test.npz", inputs=inputs[200:], labels=labels[200:])
    np.save(path / "inputs.npy", inputs[:200])
    (path / "chip.toml").write_text(CHIP)
    return path


def typed(folder, model="model.pt2", data="train.npz", output="tuned.pt2", **options):
    more = [part for name, each in options.items() for part in (f"--{name}", each)]
    base = ["train", folder / model, "--data", folder / data, "--hardware", folder / "chip.toml"]
    return [*base, "-o", folder / output, *more]


def right(outputs, labels):
    return float((np.asarray(outputs).argmax(axis=1) == labels).mean())


@pytest.fixture(scope="module")
def tuned(call, folder):
    """What the verb tells of a network that it has trained, and the network's file."""
    code, out, err = call(*typed(folder, validation=0.2, epochs=4, batch=16), "--json")
    assert code == 0, err
    return json.loads(out), folder / "tuned.pt2"


def test_trained_compiled_and_simulated_as_typed_a_chip_answers_as_the_network_did(
    call, folder, tuned
):
    _, network = tuned
    program, design = folder / "out.xbar", folder / "chip.toml"
    code, _, err = call("compile", network, "--hardware", design, "--wire-aware", "-o", program)
    assert code == 0, err
    options = ("--data", folder / "test.npz", "--readout", "nodal", "--json")
    code, out, err = call("simulate", program, *options)
    assert code == 0, err
    with np.load(folder / "test.npz") as data, torch.no_grad():
        module = torch.export.load(network).module()
        own = right(module(torch.from_numpy(data["inputs"])), data["labels"])
    told = json.loads(out)
    assert told["digital_accuracy"] == pytest.approx(own)
    assert min(told["accuracy"], own) > 0.95


def test_the_trained_file_is_read_by_pytorch_too_and_answers_the_same(folder, tuned):
    _, network = tuned
    inputs = np.load(folder / "inputs.npy")
    module = torch.export.load(network).module()
    with torch.no_grad():
        wanted = module(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(xbar.read_model(network).run(inputs), wanted, rtol=1e-6, atol=1e-6)


def test_the_epoch_of_least_loss_of_what_is_held_apart_is_kept(folder, tuned):
    told, _ = tuned
    losses = [epoch["validation_loss"] for epoch in told["epochs"]]
    assert told["kept_epoch"] == int(np.argmin(losses)) + 1
    assert len(losses) == 4
    with np.load(folder / "train.npz") as data:
        digital = right(xbar.read_model(folder / "model.pt2").run(data["inputs"]), data["labels"])
    assert told["digital_accuracy"] == pytest.approx(digital, abs=0.03)
    assert told["layers"] == ["hidden", "out"]


def test_labels_are_taken_as_people_save_them_or_left_out(call, folder):
    with np.load(folder / "train.npz") as data:
        x, y = data["inputs"], data["labels"]
    np.savez(folder / "hot.npz", x_train=x, y_train=np.eye(3)[y])
    np.savez(folder / "column.npz", inputs=x, labels=y[:, None].astype(float))

    def history(data, **options):
        output = f"{data}-{len(options)}.pt2"
        code, out, err = call(
            *typed(folder, data=data, output=output, epochs=1, batch=50, **options), "--json"
        )
        assert code == 0, err
        return json.loads(out)["epochs"]

    plain = history("train.npz")
    assert history("hot.npz") == history("column.npz") == plain
    own = history("inputs.npy")
    assert history("train.npz", labels="none") == own != plain


def test_a_state_dict_is_trained_with_its_class(call, folder, tuned, monkeypatch):
    monkeypatch.chdir(folder)
    arguments = typed(folder, model="state.pt", output="state.pt2", validation=0.2, epochs=4)
    status, out, err = call(
        *arguments, "--batch", 16, "--arch", "netfile:Net", "--input-shape", "8", "--json"
    )
    assert status == 0, err
    assert json.loads(out)["epochs"] == tuned[0]["epochs"]


def test_what_does_not_fit_is_told_in_one_line(refused, folder):
    with np.load(folder / "train.npz") as data:
        x, y = data["inputs"], data["labels"]
    np.savez(folder / "few.npz", inputs=x, labels=y[:5])
    np.savez(folder / "half.npz", inputs=x, labels=y + 0.5)
    np.savez(folder / "many.npz", inputs=x, labels=y + 1)
    new = {"output": "none.pt2"}
    assert "labels must have shape (200,)" in refused(*typed(folder, data="few.npz", **new))
    assert "class numbers from 0" in refused(*typed(folder, data="half.npz", **new))
    assert "not up to 3" in refused(*typed(folder, data="many.npz", **new))
    assert "--labels must be none" in refused(*typed(folder, labels="some", **new))
    assert "patience needs" in refused(*typed(folder, patience=2, **new))
    assert "validation must be" in refused(*typed(folder, validation=1, **new))
    assert "validation must leave" in refused(*typed(folder, validation=1e-4, **new))
    assert "gradient must be" in refused(*typed(folder, gradient="none", **new))
    assert "no layer is left for the crossbars" in refused(*typed(folder, skip="*", **new))
    assert "exists already" in refused(*typed(folder, model="model.pt2", output="model.pt2"))
    assert not (folder / "none.pt2").exists()
