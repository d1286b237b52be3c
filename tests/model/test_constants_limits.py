"""What is not evaluated of a network's constants: too large, too slow, random, or changing."""

from __future__ import annotations

import io

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model.constants import evaluate_constants
from xbar.model.graph import Graph, Input, Node, Ref
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
# tracing is deprecated; archives that it wrote are still about
traces = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


class Huge(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return functional.linear(x, self.fc.weight.expand(1 << 24, 3, 4).mean(0), self.fc.bias)


def test_a_constant_larger_than_the_parameters_justify_is_not_made():
    graph = from_module(Huge(), (4,))
    assert graph.layers == ()
    ((_, reason),) = graph.digital
    assert "makes 201326592 numbers from constants, more than the limit of 16777216" in reason


class Drawn(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        first = functional.linear(x, self.fc.weight)
        return functional.linear(first, torch.bernoulli(torch.full((2, 3), 0.5)))


def test_a_weight_that_is_drawn_is_not_evaluated():
    program = torch.export.export(Drawn(), (torch.zeros(1, 4),))
    graph = evaluate_constants(_graph_of(program))
    assert [layer.name for layer in graph.layers] == ["fc"]
    assert ["random" in reason for _, reason in graph.digital] == [True]


def _graph_of(program):
    from xbar.model.archive import read_archive
    from xbar.model.scan import Archive

    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return read_archive(Archive(buffer.getvalue(), "drawn.pt2"))


def hostile(*operations, weight):
    """A graph of operations on one small constant, whose last value is a weight."""
    nodes = [
        Node("x", "input", shape=(1, 4)),
        Node("w", "constant", ("w",), shape=(4, 4)),
        *operations,
        Node("y", "aten.linear.default", (Ref("x"), Ref(weight)), shape=(1, 4)),
    ]
    constants = {"w": np.ones((4, 4), np.float32)}
    return Graph(tuple(nodes), constants, (Input("x", (None, 4), "float32"),), Ref("y"))


def many_large():
    """A hundred large values that are held at one time."""
    large = Node("e", "aten.expand.default", (Ref("w"), (1 << 19, 4, 4)))
    sums = [Node(f"m{i}", "aten.add.Tensor", (Ref("e"), i)) for i in range(100)]
    stack = Node("s", "aten.stack.default", (tuple(Ref(each.name) for each in sums),))
    return hostile(
        large, *sums, stack, Node("z", "aten.sum.dim_IntList", (Ref("s"), (0, 1))), weight="z"
    )


def long_chain():
    chain = [Node(f"m{i}", "aten.add.Tensor", (Ref(f"m{i - 1}"), 1)) for i in range(1, 20_000)]
    return hostile(Node("m0", "aten.neg.default", (Ref("w"),)), *chain, weight="m19999")


def slow_chain():
    large = Node("m0", "aten.expand.default", (Ref("w"), (1 << 18, 4, 4)))
    chain = [Node(f"m{i}", "aten.exp.default", (Ref(f"m{i - 1}"),)) for i in range(1, 500)]
    return hostile(
        large, *chain, Node("z", "aten.sum.dim_IntList", (Ref("m499"), (0,))), weight="z"
    )


def many_factors():
    return hostile(
        Node("e", "aten.expand.default", (Ref("w"), (256, 4, 4))),
        Node("r", "aten.reshape.default", (Ref("e"), (-1,))),
        Node("z", "aten.einsum.default", ("a,b,c,d->ad", (Ref("r"),) * 4)),
        weight="z",
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (many_large, "too many large values"),
        (long_chain, "more than 10000 operations"),
        (slow_chain, "exceeds the work"),
        (many_factors, "too many large values"),
    ],
)
def test_work_and_memory_spent_on_constants_are_bounded(make, reason):
    graph = evaluate_constants(make())
    assert graph.layers == ()
    assert any(reason in why for _, why in graph.digital)


class ChangesItself(nn.Module):
    def __init__(self, copies):
        super().__init__()
        self.fc, self.copies = nn.Linear(16, 8), copies

    def forward(self, x):
        weight = self.fc.weight.clone() if self.copies else self.fc.weight
        weight.view(-1).mul_(2.0)
        return functional.linear(x, weight)


@traces
def test_a_network_that_changes_its_own_weight_at_each_run_is_refused(tmp_path):
    torch.manual_seed(0)
    with torch.no_grad():
        torch.jit.trace(ChangesItself(False), torch.zeros(2, 16), check_trace=False).save(
            str(tmp_path / "changes.pt")
        )
    with pytest.raises(ModelError, match=r"changes its own fc\.weight each time it runs"):
        read_model(tmp_path / "changes.pt", (16,))


class Narrows(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.ones(4, dtype=torch.bool))

    def forward(self, x):
        self.kept &= x[0] > 0
        return x * self.kept


@traces
def test_a_network_that_narrows_its_own_mask_at_each_run_is_refused(tmp_path):
    traced = torch.jit.trace(Narrows(), torch.zeros(2, 4), check_trace=False)
    traced.save(str(tmp_path / "narrows.pt"))
    with pytest.raises(ModelError, match="changes its own kept each time it runs"):
        read_model(tmp_path / "narrows.pt", (4,))


@traces
def test_a_copy_of_a_weight_may_be_changed(tmp_path):
    torch.manual_seed(0)
    module = ChangesItself(True)
    with torch.no_grad():
        traced = torch.jit.trace(module, torch.zeros(2, 16), check_trace=False)
    traced.save(str(tmp_path / "copies.pt"))
    graph = read_model(tmp_path / "copies.pt", (16,))
    assert [layer.name for layer in graph.layers] == ["fc"]
    x = torch.randn(5, 16)
    matrix = graph.layers[0].matrix
    got = graph.run(x, lambda _, v: np.einsum("goi,ngi->ngo", matrix, v))
    np.testing.assert_allclose(got, module(x).detach(), atol=1e-6)
