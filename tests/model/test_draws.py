"""What draws random numbers is no network: it is refused, by one rule for every format."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.errors import ModelError, XbarError
from xbar.model.draws import ALWAYS, UNLESS, reason
from xbar.model.graph import Node, Ref
from xbar.model.operations import check_operation
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*were assigned during export:UserWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:dropout option adds dropout:UserWarning"),
]


def seeded():
    """ATen operations that PyTorch itself tags as drawing from its generator, as a graph may."""
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.removeprefix("aten::").partition(".")
        if not full.startswith("aten::") or not hasattr(torch.ops.aten, name):
            continue
        op = getattr(getattr(torch.ops.aten, name), overload or "default", None)
        if op is not None and torch.Tag.nondeterministic_seeded in op.tags:
            yield f"aten.{name}.{overload or 'default'}"


def test_every_operation_that_pytorch_tags_as_random_is_refused_or_has_its_flags_listed():
    unlisted = []
    for op in seeded():
        try:
            check_operation(op, "node")
        except XbarError:
            continue  # not on the allow-list: no graph holds it
        full = op.removeprefix("aten.")
        name = full.split(".")[0].rstrip("_")
        if name not in ALWAYS and not {full, name} & {*UNLESS}:
            unlisted.append(op)
    assert not unlisted


def test_the_flags_stand_where_pytorch_has_them():
    for key, flags in UNLESS.items():
        name, _, overload = key.partition(".")
        packet = getattr(torch.ops.aten, name)
        arguments = getattr(packet, overload or "default")._schema.arguments
        assert [(i, arguments[i].name) for i, _ in flags] == list(flags)


class Noisy(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.draw = draw

    def forward(self, x):
        return self.draw(self.fc(x))


class Attends(nn.Module):
    def forward(self, x):
        y = x[:, None]
        return nn.functional.scaled_dot_product_attention(y, y, y, dropout_p=0.1)[:, 0]


DRAWS = {
    "randn_like": lambda x: x + torch.randn_like(x),
    "rand": lambda x: x * torch.rand(6),
    "randint": lambda x: x * torch.randint(0, 5, (6,)),
    "randperm": lambda x: x[:, torch.randperm(6)],
    "normal": lambda x: torch.normal(x, 1.0),
    "bernoulli": lambda x: x * torch.bernoulli(torch.full((6,), 0.5)),
    "multinomial": lambda x: torch.multinomial(x.exp(), 2).float(),
    "poisson": lambda x: torch.poisson(x.exp()),
    "gumbel": lambda x: nn.functional.gumbel_softmax(x, dim=-1),
    "dropout": nn.Dropout(0.2),
    "alpha dropout": nn.AlphaDropout(0.2),
    "feature alpha dropout": nn.Sequential(
        nn.Unflatten(1, (6, 1)), nn.FeatureAlphaDropout(0.2), nn.Flatten()
    ),
    "rrelu": nn.RReLU(),
    "attention": Attends(),
    "batch norm": nn.BatchNorm1d(6),
    "norm of the batch": nn.BatchNorm1d(6, track_running_stats=False),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("kind", ["export", "trace"])
def test_a_network_that_draws_or_trains_is_refused(tmp_path, name, kind):
    module, path = Noisy(DRAWS[name]).train(), tmp_path / "model.pt2"
    if kind == "export":
        torch.export.save(torch.export.export(module, (torch.zeros(2, 6),)), path)
    else:
        torch.jit.trace(module, torch.zeros(2, 6), check_trace=False).save(path)
    with pytest.raises(ModelError, match=r"eval\(\)") as refused:
        read_model(path, (6,))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_an_lstm_in_training_mode_is_read_where_it_drops_nothing(tmp_path, dropout):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 4, 2, dropout=dropout, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0][:, -1]

    module, path = Recurrent().train(), tmp_path / "model.pt2"
    torch.export.save(torch.export.export(module, (torch.zeros(2, 5, 3),)), path)
    if dropout:
        with pytest.raises(ModelError, match=r"aten.lstm.input. draws random numbers"):
            read_model(path)
        return
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    graph = read_model(path)
    assert len(graph.layers) == 4
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=1e-6)


def test_what_does_not_reach_the_output_and_what_drops_nothing_may_stay(tmp_path):
    class Harmless(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(6, 2)

        def forward(self, x):
            _ = torch.rand(3)
            y = nn.functional.dropout(x, 0.0, training=True)
            return self.fc(nn.functional.rrelu(y, training=False))

    module = Harmless()
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(from_module(module, (6,)).run(x), module(x).detach(), atol=1e-6)


def test_memory_that_nobody_has_written_is_zero():
    class Unwritten(nn.Module):
        def forward(self, x):
            return x + torch.empty_like(x) + torch.empty(6) + x.new_empty(6)

    x = np.ones((4, 6), np.float32)
    graph = from_module(Unwritten(), (6,))
    before = [torch.full(shape, torch.pi) for shape in ((4, 6), (6,)) for _ in range(50)]
    del before  # what was in memory
    np.testing.assert_array_equal(graph.run(x), x)


def test_a_computed_probability_may_be_on():
    assert "draws" in reason(Node("d", "aten.dropout.default", (Ref("x"), Ref("p"), True)))
    assert not reason(Node("d", "aten.dropout.default", (Ref("x"), 0.5, False)))
    assert "draws" in reason(Node("d", "aten.native_dropout.default", (Ref("x"), 0.5, None)))
    assert "draws" in reason(Node("d", "aten.bernoulli_.float", (Ref("x"), 0.5)))


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("RandomNormalLike", ["x"], {}),
        ("RandomUniformLike", ["x"], {}),
        ("RandomNormal", [], {"shape": [4]}),
        ("RandomUniform", [], {"shape": [4]}),
        ("Bernoulli", ["x"], {}),
        ("Multinomial", ["x"], {}),
    ],
)
def test_onnx_operators_that_draw_are_refused(tmp_path, operator, inputs, attributes):
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node(operator, inputs, ["r"], **attributes),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, float32, ["N", 4]) for name in "xy"]
    onnx.save(
        helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:])),
        path := tmp_path / "m.onnx",
    )
    with pytest.raises(ModelError, match=f"the operator {operator} draws random numbers"):
        read_model(path)
