"""Parts of a model without gradients or without autocast belong to the graph around them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xbar.errors import ModelError, XbarError
from xbar.model.operations import NUMERIC
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn


class Parts(nn.Module):
    """Layers and results inside a context, and outside of it."""

    def __init__(self, context):
        super().__init__()
        self.fc, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
        self.context = context

    def forward(self, x):
        with self.context():
            y = self.fc(x) * 2
            z = torch.relu(y) + 1
        with self.context():
            z, same = z * y.sigmoid(), x
        return self.head(z + y) + same[:, :3]


class Nested(Parts):
    """A context in a context, without a result of its own."""

    def forward(self, x):
        with self.context():
            y = self.fc(x)
            with torch.autocast("cpu", enabled=False):
                z = torch.tanh(y) + y
        return self.head(z)


CONTEXTS = {
    "no_grad": torch.no_grad,
    "enable_grad": torch.enable_grad,
    "autocast off": lambda: torch.autocast("cpu", enabled=False),
}


def export(module, path, strict=False):
    dynamic = ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(
        module.eval(), (torch.zeros(2, 4),), dynamic_shapes=dynamic, strict=strict
    )
    torch.export.save(program, path)
    return path


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("kind", [Parts, Nested])
def test_a_context_that_changes_no_value_is_written_in_place(tmp_path, kind, name, strict):
    torch.manual_seed(0)
    module = kind(CONTEXTS[name])
    path = export(module, tmp_path / "m.pt2", strict)
    graph = read_model(path)
    x = torch.randn(5, 4)
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)
    assert [layer.name for layer in graph.layers] == ["fc", "head"]
    assert [layer.positions for layer in graph.layers] == [1, 1]


def test_half_precision_and_control_flow_are_refused(tmp_path):
    class Chooses(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda a: a + 1, lambda a: a * 2, (x,))

    half = Parts(lambda: torch.autocast("cpu", dtype=torch.float16))
    with pytest.raises(ModelError, match=r"m.pt2: part of the model runs in half precision"):
        read_model(export(half, tmp_path / "m.pt2"))
    with pytest.raises(ModelError, match=r"m.pt2: the graph calls cond, control flow"):
        read_model(export(Chooses(), tmp_path / "m.pt2"))


def test_autocast_to_bfloat16_is_left_out_and_noted(tmp_path):
    torch.manual_seed(0)
    low = Parts(lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    graph = read_model(export(low, tmp_path / "m.pt2"))
    x = torch.randn(5, 4)
    low.context = torch.no_grad
    np.testing.assert_allclose(graph.run(x), low(x).detach(), atol=1e-6)
    assert "what the model computes in bfloat16 is computed in float32" in graph.notes


@pytest.fixture
def edited(tmp_path, rewrite):
    """An archive of Parts whose graph was changed."""
    path = export(Parts(torch.no_grad), tmp_path / "honest.pt2")

    def make(edit):
        def change(name, data):
            if name != "models/model.json":
                return data
            record = json.loads(data)
            edit(record["graph_module"]["graph"])
            return json.dumps(record).encode()

        return rewrite(path, tmp_path / "edited.pt2", change)

    return make


def wrapper(graph):
    return next(n for n in graph["nodes"] if "set_grad" in n["target"])


def deeper(graph, times):
    node = wrapper(graph)
    subgraph = node["inputs"][1]["arg"]["as_graph"]["graph"]
    for _ in range(times):
        inner = json.loads(json.dumps(node))
        inner["inputs"][1]["arg"]["as_graph"]["graph"] = subgraph
        inner["outputs"] = subgraph["outputs"]
        subgraph = {**subgraph, "nodes": [inner]}
    node["inputs"][1]["arg"]["as_graph"]["graph"] = subgraph


def reaching_out(graph):
    inner = wrapper(graph)["inputs"][1]["arg"]["as_graph"]["graph"]
    inner["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def another_wrapper(graph):
    wrapper(graph)["target"] = "torch.ops.higher_order.triton_kernel_wrapper_functional"


def too_few_results(graph):
    wrapper(graph)["outputs"] = []


def no_graph(graph):
    wrapper(graph)["inputs"][1]["arg"] = {"as_int": 3}


def inputs_missing(graph):
    del wrapper(graph)["inputs"][2:]


@pytest.mark.parametrize(
    "edit",
    [
        lambda graph: deeper(graph, 30), reaching_out, another_wrapper, too_few_results, no_graph,
        inputs_missing,
    ],
)  # fmt: skip
def test_a_hostile_subgraph_is_refused(edited, edit):
    with pytest.raises(XbarError) as refused:
        read_model(edited(edit))
    assert "\n" not in str(refused.value)


def test_numbers_of_a_graph_can_not_fill_the_memory():
    for name, arguments in [
        ("operator.mul", ([0], 10**12)), ("operator.add", ([0], [1])), ("operator.mul", ("a", 9)),
        ("operator.pow", (10, 10**9)), ("operator.lshift", (1, 10**12)),
        ("operator.mul", (2**62, 4)), ("torch.sym_sum", ([[1], [2]],)),
    ]:  # fmt: skip
        with pytest.raises((TypeError, OverflowError)):
            NUMERIC[name](*arguments)
    assert NUMERIC["operator.pow"](3, 4) == 81
    assert NUMERIC["operator.pow"](2.0, -1) == 0.5
    assert NUMERIC["operator.lshift"](3, 4) == 48
    assert NUMERIC["torch.sym_ite"](False, 1, 2) == 2
    assert NUMERIC["torch.sym_sum"]([1, 2, 3]) == 6
    assert NUMERIC["torch._sym_sqrt"](9) == 3


def test_operators_of_sizes_give_what_pytorch_gives(tmp_path):
    class Sized(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            n = x.shape[0]
            part = torch.sym_max(n // 2, 1) + n % 3 - min(n, 1) + n**2 - n * n
            mask = (x > 0) & (x < 1) | ~(x > -1) ^ (x == 0)
            return self.fc(x * mask + x[:part].sum(0) / (part + n))

    module = Sized()
    graph = read_model(export(module, tmp_path / "m.pt2"))
    for count in (2, 5, 9):
        x = torch.randn(count, 4, generator=torch.Generator().manual_seed(count))
        np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


def test_every_operator_that_torch_export_writes_for_sizes_is_known():
    serialize = pytest.importorskip("torch._export.serde.serialize")
    names = {f"{f.__module__.removeprefix('_')}.{f.__name__}" for f in serialize._SYM_OPS}
    assert names <= {*NUMERIC}
