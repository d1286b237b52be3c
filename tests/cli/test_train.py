"""``xbar train``: a network's file in, a network trained for a design out."""

import contextlib
import json
import os
import runpy
import signal

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")

from xbar.cli.main import app
from xbar.training import checkpoint

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


def test_an_onnx_file_is_trained_like_any_other(call, folder, tuned):
    onnx = pytest.importorskip("onnx")
    state = torch.load(folder / "state.pt")
    weights = [onnx.numpy_helper.from_array(each.numpy(), name) for name, each in state.items()]
    gemm, relu = ("Gemm", {"transB": 1}), ("Relu", {})
    chain = [
        (*gemm, ["x", "hidden.weight", "hidden.bias"], "h"),
        (*relu, ["h"], "r"),
        (*gemm, ["r", "out.weight", "out.bias"], "y"),
    ]
    nodes = [onnx.helper.make_node(op, names, [to], **more) for op, more, names, to in chain]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", size])
        for name, size in (("x", 8), ("y", 3))
    ]
    graph = onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    onnx.save(onnx.helper.make_model(graph), folder / "model.onnx")
    arguments = typed(folder, model="model.onnx", output="onnx.pt2", validation=0.2, epochs=4)
    code, out, err = call(*arguments, "--batch", 16, "--json")
    assert code == 0, err
    found, wanted = json.loads(out)["epochs"][-1], tuned[0]["epochs"][-1]
    assert found["validation_loss"] == pytest.approx(wanted["validation_loss"], rel=1e-3)
    assert xbar.read_model(folder / "onnx.pt2").run(np.zeros((5, 8), np.float32)).shape == (5, 3)


def test_a_card_leads_to_the_same_network_and_a_missing_one_is_told(
    call, folder, plain_card, tuned, monkeypatch
):
    arguments = typed(folder, output="card.pt2", validation=0.2, epochs=4, batch=16)
    code, out, err = call(*arguments, "--device", "cuda", "--json")
    assert code == 0, err
    assert "leaves" in plain_card.launches
    inputs = np.load(folder / "inputs.npy")
    found, wanted = (xbar.read_model(p).run(inputs) for p in (folder / "card.pt2", tuned[1]))
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (None, "there is none"))
    code, out, err = call(*arguments, "--force", "--device", "cuda")
    assert (code, out) == (3, "")
    assert (
        err == "error: device 'cuda' needs an NVIDIA card: there is none; device 'cpu' needs none\n"
    )


def test_for_one_chip_its_program_is_written_and_answers_better(call, refused, folder):
    harsh = CHIP.replace("400 ohm", "3000 ohm")
    (folder / "harsh.toml").write_text(harsh)
    found = {}
    for name, chip in (("seed", 4), ("measured", folder / "measured.npz")):
        design = xbar.Hardware.load(folder / "harsh.toml")
        if name == "measured":
            same = xbar.Chip.sample(design, 4)
            np.savez(chip, on=[same.on(0)], off=[same.off(0)])
        arguments = typed(folder, output=f"{name}.xbar", epochs=3, chip=chip)
        arguments[arguments.index(folder / "chip.toml")] = folder / "harsh.toml"
        code, out, err = call(*arguments, "--json")
        assert code == 0, err
        found[name] = xbar.Program.load(folder / f"{name}.xbar")
        assert json.loads(out)["checkpoint"] is None
        assert "exists already" in refused(*arguments)
    with np.load(folder / "test.npz") as data:
        inputs, labels = data["inputs"], data["labels"]
    answers = {name: program.run(inputs, "nodal") for name, program in found.items()}
    np.testing.assert_allclose(answers["measured"], answers["seed"], rtol=1e-6, atol=1e-9)
    plain = xbar.compile(xbar.read_model(folder / "model.pt2"), found["seed"].chip, wire_aware=True)
    assert right(answers["seed"], labels) >= right(plain.run(inputs, "nodal"), labels)
    more = typed(folder, output="none.xbar")
    assert "no effect without --chip" in refused(*more, "--measured-unit", "uS")


def test_settings_are_those_of_tuning_each_once(call, refused, folder):
    new = typed(folder, output="set.pt2", epochs=1, batch=100)
    code, out, err = call(*new, "--tuning", "grain=0", "--tuning", "dead=0", "--json")
    assert code == 0, err
    assert json.loads(out)["epochs"][0]["nonzero"] > 0.999
    more = typed(folder, output="none.pt2")
    assert "a name of rate, batch, largest" in refused(*more, "--tuning", "grains=0")
    assert "rate is given twice" in refused(*more, "--rate", 0.1, "--tuning", "rate=0.2")
    twice = ("--tuning", "grain=0", "--tuning", "grain=1")
    assert (
        refused(*more, *twice).strip().endswith("grain is given twice; give it once, by --tuning")
    )
    assert "dead must be a finite number from 0" in refused(*more, "--tuning", "dead=none")
    assert "device law" in refused(*more, "--tuning", "times=1 h, 30 d")
    assert "compensate must be true or false" in refused(*more, "--tuning", "compensate=1")


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


def test_an_output_that_would_end_what_the_run_needs_is_refused_before_it(refused, folder):
    before = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    for name in ("model.pt2", "train.npz", "chip.toml"):
        assert "is read by this run" in refused(*typed(folder, output=name), "--force")
    kept = {"checkpoint": folder / "keeps"}
    assert "lies in the checkpoint" in refused(*typed(folder, output="keeps", **kept))
    (folder / "keeps").mkdir()
    assert "lies in the checkpoint" in refused(*typed(folder, output="keeps/tuned.pt2", **kept))
    assert "is a folder" in refused(*typed(folder, output="keeps"), "--force")
    assert "does not exist" in refused(*typed(folder, output="none/tuned.pt2"))
    assert before == {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def interrupted(arguments, told):
    """Run the verb in a process of its own, which presses Ctrl-C once step 5 is written.

    Returns its exit code; its messages are in the file ``told``.
    """
    child = os.fork()
    if child == 0:
        write = checkpoint._Folder.save

        def save(folder, state, step):
            write(folder, state, step)
            if step == 5:
                signal.raise_signal(signal.SIGINT)

        checkpoint._Folder.save = save
        try:
            with told.open("w") as file, contextlib.redirect_stderr(file):
                app([str(each) for each in arguments])
        except SystemExit as end:
            os._exit(end.code)
        finally:  # whatever happens, the suite must not run twice
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_after_ctrl_c_the_same_command_goes_on_and_writes_the_same_bytes(
    call, refused, folder, tuned, monkeypatch
):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    arguments = typed(folder, output="again.pt2", validation=0.2, epochs=4, batch=16)
    unfinished, told = folder / ".again.pt2.unfinished", folder / "told.txt"
    code = interrupted(arguments, told)
    assert code == 130
    message = told.read_text()
    assert message.startswith("error: interrupted after step 5 ")
    assert f"{unfinished} keeps: the same command goes on from there" in message
    assert not (folder / "again.pt2").exists()
    assert "holds a run with seed 0, not 7" in refused(*arguments, "--seed", 7)
    code, out, err = call(*arguments, "--finish")
    assert code == 0, err
    assert "of 4 epochs: as far as it was" in out
    (folder / "again.pt2").unlink()
    code, out, err = call(*arguments)
    assert code == 0, err
    assert "went on from step 5 " in out
    assert (folder / "again.pt2").read_bytes() == tuned[1].read_bytes()
    assert not unfinished.exists()


def test_a_checkpoint_that_is_named_stays_and_is_told(call, refused, folder, tuned):
    kept = folder / "kept"
    arguments = typed(folder, output="kept.pt2", epochs=1, batch=50, checkpoint=kept)
    code, out, err = call(*arguments)
    assert code == 0, err
    assert f"checkpoint: {kept}" in out
    (folder / "kept.pt2").unlink()
    code, out, _ = call(*arguments, "--finish", "--json")
    told = json.loads(out)
    assert (told["steps"], told["went_on_from_step"], told["checkpoint"]) == (4, 4, str(kept))
    assert "no state of a run" in refused(*typed(folder, output="no.pt2"), "--finish")
    assert not (folder / ".no.pt2.unfinished").exists()
