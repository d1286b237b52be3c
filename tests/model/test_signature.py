"""Models of several inputs and outputs: one of each is taken, the other inputs are given once."""

from __future__ import annotations

import inspect
import os

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError
from xbar.model.read import from_module, read_model
from xbar.npz import read_npy

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
]
RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 6, 4)).astype(np.float32)
STATE = RNG.normal(size=(1, 6, 5)).astype(np.float32)


class Joined(nn.Module):
    """A layer of x beside a state h of its length, and two results."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 5)
        self.head = nn.Linear(10, 2)

    def forward(self, x, h):
        joined = torch.cat([self.fc(x), torch.tanh(h)], -1)
        return joined, self.head(joined)


class Named(Joined):
    """The same results by name."""

    def forward(self, x, h):
        joined, head = super().forward(x, h)
        return {"joined": joined, "scores": (head, head.sigmoid())}


def exported(module, path, sizes=None, batch=2):
    dims = {} if sizes is None else {"dynamic_shapes": {"x": sizes, "h": sizes}}
    example = (torch.zeros(batch, 6, 4), torch.zeros(batch, 6, 5))
    torch.export.save(torch.export.export(module.eval(), example, **dims), path)
    return path


def right(module, h=STATE, which=1):
    with torch.no_grad():
        return module(torch.tensor(X), torch.tensor(h).expand(3, -1, -1))[which].numpy()


BATCH, LENGTH = torch.export.Dim("batch"), torch.export.Dim("length")


@pytest.mark.parametrize("sizes", [{0: BATCH}, {0: BATCH, 1: LENGTH}, None])
def test_a_bound_input_is_the_same_for_every_input_of_any_batch(tmp_path, sizes):
    module = Joined()
    path = exported(module, tmp_path / "m.pt2", sizes)
    graph = read_model(path, output="1", bind={"h": STATE})
    np.testing.assert_allclose(graph.run(X), right(module), atol=1e-6)
    assert graph.inputs[0].shape == (None, 6, 4)
    assert [layer.name for layer in graph.layers] == ["fc", "head"]
    np.testing.assert_allclose(
        read_model(path, output="0", bind={"h": STATE[0]}).run(X), right(module, which=0), atol=1e-6
    )


def test_different_rows_for_a_fixed_batch_are_noted(tmp_path):
    path = exported(Joined(), tmp_path / "m.pt2")
    assert not read_model(path, output="1", bind={"h": STATE}).notes
    rows = np.concatenate([STATE, STATE + 1])
    (note,) = read_model(path, output="1", bind={"h": rows}).notes
    assert note.startswith("h is bound to 2 different rows: input i of the network meets row i mod")


def test_one_number_fills_a_bound_input_of_known_shape(tmp_path):
    module = Joined()
    path = exported(module, tmp_path / "m.pt2", {0: BATCH, 1: LENGTH})
    graph = read_model(path, (6, 4), output="1", bind={"h": 0.25})
    want = right(module, np.full((1, 6, 5), 0.25, np.float32))
    np.testing.assert_allclose(graph.run(X), want, atol=1e-6)
    with pytest.raises(SpecError, match=r"one number can't fill the input 'h'.*--input-shape"):
        read_model(path, output="1", bind={"h": 0.25})


def test_an_output_is_chosen_by_its_key_its_place_or_its_node(tmp_path):
    module = Named()
    path = exported(module, tmp_path / "m.pt2", {0: BATCH})
    with torch.no_grad():
        want = module(torch.tensor(X), torch.tensor(STATE).expand(3, -1, -1))
    for name, value in [
        ("joined", want["joined"]), ("scores.0", want["scores"][0]),
        ("scores.1", want["scores"][1]), ("2", want["scores"][1]), ("sigmoid", want["scores"][1]),
    ]:  # fmt: skip
        got = read_model(path, output=name, bind={"h": STATE}).run(X)
        np.testing.assert_allclose(got, value, atol=1e-6)


def test_an_input_that_the_output_does_not_need_is_not_asked_for(tmp_path):
    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 5)

        def forward(self, x, h):
            return self.fc(x), h + 1

    module = Apart()
    graph = read_model(exported(module, tmp_path / "m.pt2"), output="0")
    np.testing.assert_allclose(graph.run(X), module.fc(torch.tensor(X)).detach(), atol=1e-6)


def test_a_symbol_has_one_size(tmp_path):
    path = exported(Joined(), tmp_path / "m.pt2", {0: BATCH, 1: LENGTH})
    with pytest.raises(SpecError, match=r"6 for a size that is 7 elsewhere|has the shape"):
        read_model(path, (7, 4), output="1", bind={"h": STATE})


@pytest.mark.parametrize("how", ["trace", "script"])
def test_torchscript_takes_bound_tensors_and_numbers(tmp_path, how):
    class Scaled(Joined):
        def forward(self, x, h, times: int = 2):
            joined = torch.cat([self.fc(x), torch.tanh(h).expand(x.shape[0], -1, -1)], -1)
            return {"joined": joined * times, "head": self.head(joined)}

    module, path = Scaled().eval(), tmp_path / "m.pt"
    if how == "trace":
        example = (torch.zeros(2, 6, 4), torch.zeros(1, 6, 5))
        torch.jit.trace(module, example, strict=False).save(path)
    else:
        torch.jit.script(module).save(path)
    bind = {"h": STATE} | ({"times": 3} if how == "script" else {})
    got = read_model(path, (6, 4), output="joined", bind=bind).run(X)
    with torch.no_grad():
        want = module(torch.tensor(X), torch.tensor(STATE), 3 if how == "script" else 2)
    np.testing.assert_allclose(got, want["joined"], atol=1e-6)


def test_a_module_or_state_dict_of_two_inputs_is_exported_with_the_bound_one(tmp_path, monkeypatch):
    module = Joined().eval()
    graph = from_module(module, (6, 4), output="1", bind={"h": STATE.astype(np.float64)})
    np.testing.assert_allclose(graph.run(X), right(module), atol=1e-6)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    lines = inspect.getsource(Joined)
    (tmp_path / "joined.py").write_text(f"import torch\nfrom torch import nn\n\n{lines}")
    monkeypatch.chdir(tmp_path)
    graph = read_model("state.pt", (6, 4), arch="joined:Joined", output="0", bind={"h": STATE})
    np.testing.assert_allclose(graph.run(X), right(module, which=0), atol=1e-6)
    with pytest.raises(SpecError, match="forward takes x, h"):
        from_module(module, (6, 4), bind={"q": 1.0})
    torch.save(nn.Linear(4, 2).state_dict(), tmp_path / "linear.pt")
    with pytest.raises(SpecError, match="one input and one output without names"):
        read_model(tmp_path / "linear.pt", activation="relu", output="y")


def test_onnx_takes_a_bound_input_and_leaves_out_what_its_output_does_not_need(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "h"], ["y"]),
        helper.make_node("Unheard", ["a", "q"], ["z"], domain="of.nobody"),
    ]
    weight = RNG.normal(size=(4, 5)).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, float32, ["N", *shape])
            for name, shape in [("x", (6, 4)), ("h", (6, 5)), ("q", (6, 5))]
        ],
        [helper.make_tensor_value_info(name, float32, ["N", 6, 5]) for name in ("z", "y")],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path)
    got = read_model(path, output="y", bind={"h": STATE}).run(X)
    np.testing.assert_allclose(got, X @ weight + STATE, atol=1e-5)
    with pytest.raises(ModelError, match=r"not 2 .'x', 'h'.; .*--bind"):
        read_model(path, output="y")
    with pytest.raises(ModelError, match=r"return one tensor, not 2; choose one of 'z', 'y'"):
        read_model(path, bind={"h": STATE, "q": STATE})


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, ModelError, r"return one tensor, not 2; choose one of '0', '1' with --take"),
        ({"output": "1"}, ModelError, r"take one tensor, not 2 \('x', 'h'\); .*--bind NAME=VALUE"),
        ({"output": "7", "bind": {"h": 1}}, SpecError, "no output is called '7'.*'0', '1'"),
        ({"output": "1", "bind": {"q": 1}}, SpecError, "no input 'q' to bind; it takes 'x', 'h'"),
        ({"output": "1", "bind": {"h": 1, "x": 1}}, SpecError, "leave out the one that varies"),
        ({"output": "1", "bind": {"h": np.ones((2, 5))}}, SpecError, r"has the shape \(1, 6, 5\)"),
        ({"output": "1", "bind": {"h": np.nan}}, SpecError, "type float32, without NaN"),
        ({"output": "1", "bind": {"h": "1"}}, SpecError, "must hold real numbers"),
        ({"output": "1", "bind": [1]}, SpecError, "bind must be values by input name"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_said_with_the_names(tmp_path, options, kind, message):
    path = exported(Joined(), tmp_path / "m.pt2", {0: BATCH})
    with pytest.raises(kind, match=message) as refused:
        read_model(path, **options)
    assert "\n" not in str(refused.value)


def test_whole_numbers_stay_whole(tmp_path):
    class Picks(nn.Module):
        def __init__(self):
            super().__init__()
            self.places = nn.Embedding(9, 4)
            self.fc = nn.Linear(4, 2)

        def forward(self, x, h):
            return self.fc(x + self.places(h))

    module, places = Picks().eval(), torch.arange(6)[None]
    program = torch.export.export(module, (torch.zeros(1, 6, 4), places))
    torch.export.save(program, tmp_path / "m.pt2")
    graph = read_model(tmp_path / "m.pt2", bind={"h": np.arange(6.0)})
    want = module(torch.tensor(X), places).detach()
    np.testing.assert_allclose(graph.run(X), want, atol=1e-6)
    with pytest.raises(SpecError, match="type int64"):
        read_model(tmp_path / "m.pt2", bind={"h": np.full(6, 0.5)})


def test_an_array_file_that_claims_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "h.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(FileError, match="not a readable"):
        read_npy(path)
    np.savez(tmp_path / "h.npz", h=X)
    (tmp_path / "h.npz").rename(path)
    with pytest.raises(FileError, match="not an archive of several"):
        read_npy(path)


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_objects_in_an_array_file_are_not_unpickled(tmp_path):
    marker, path = tmp_path / "it-ran", tmp_path / "h.npy"
    np.save(path, np.array([Payload(marker)], object), allow_pickle=True)
    with pytest.raises(FileError, match="not a readable"):
        read_npy(path)
    assert not marker.exists()
    np.load(path, allow_pickle=True)
    assert marker.exists(), "the attack must work on a loader that trusts the file"
