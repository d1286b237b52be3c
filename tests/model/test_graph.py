from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, SpecError, UntrustedFileError
from xbar.model.graph import Graph, Input, Node, Ref
from xbar.model.read import from_module, read_model

torch = pytest.importorskip("torch")


def exact(graph):
    """A multiplier that does each layer's product in float64."""
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    return lambda layer, x: np.einsum("goi,ngi->ngo", matrices[layer], x)


def inputs_for(shape, count):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3))


def expected(module, x):
    with torch.no_grad():
        return module(x).numpy()


@pytest.mark.parametrize("batch", [None, 2])
def test_a_graph_gives_what_its_module_gives(net, save_export, batch):
    module, shape = net
    graph = read_model(save_export(module, shape, batch))
    assert graph.batch == batch
    for count in (1, 2, 7):
        x = inputs_for(shape, count)
        want = expected(module, x)
        np.testing.assert_allclose(graph.run(x.numpy()), want, rtol=0, atol=2e-6)
        np.testing.assert_allclose(graph.run(x.numpy(), exact(graph)), want, rtol=0, atol=2e-6)


def test_a_module_in_memory_gives_the_same_network(net, graph):
    module, shape = net
    x = inputs_for(shape, 3)
    np.testing.assert_allclose(graph.run(x), expected(module, x), rtol=0, atol=2e-6)
    assert not module.training


def test_a_graph_survives_json_exactly(net, graph):
    text = json.dumps(graph.to_json(), allow_nan=False)
    again = Graph.from_json(json.loads(text), graph.constants)
    assert again.nodes == graph.nodes
    assert json.dumps(again.to_json()) == text
    x = inputs_for(net[1], 3)
    np.testing.assert_array_equal(again.run(x), graph.run(x))
    np.testing.assert_array_equal(again.run(x, exact(again)), graph.run(x, exact(graph)))


def test_every_product_of_a_layer_is_handed_to_the_multiplier(net, graph):
    made = dict.fromkeys([layer.name for layer in graph.layers], 0)
    multiply = exact(graph)

    def count(layer, x):
        made[layer] += len(x)
        return multiply(layer, x)

    graph.run(inputs_for(net[1], 3), count)
    assert made == {layer.name: 3 * layer.positions for layer in graph.layers}


def test_the_multiplier_decides_the_result(make_net):
    module, shape = make_net("mlp")
    graph = from_module(module, shape)
    zero = graph.run(
        inputs_for(shape, 2), lambda layer, x: np.zeros((len(x), 1, 7 if layer == "0" else 3))
    )
    np.testing.assert_allclose(zero, module[2].bias.detach().numpy()[None].repeat(2, 0))


def test_a_large_batch_runs_in_parts_with_the_same_result(make_net):
    module, shape = make_net("lenet")
    graph = from_module(module, shape)
    x = inputs_for(shape, 600)
    np.testing.assert_allclose(graph.run(x), expected(module, x), atol=1e-6)


def test_running_does_not_change_the_weights(make_net):
    module, shape = make_net("lenet")  # with an operation in place
    graph = from_module(module, shape)
    before = {name: value.copy() for name, value in graph.constants.items()}
    x = inputs_for(shape, 2).numpy()
    kept = x.copy()
    graph.run(x)
    np.testing.assert_array_equal(x, kept)
    for name, value in before.items():
        np.testing.assert_array_equal(graph.constants[name], value)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 4)), r"takes inputs \(N, 5\).*not \(2, 4\)"),
        (np.zeros(5), r"takes inputs \(N, 5\).*not \(5,\)"),
        (np.zeros((0, 5)), r"N is any number from 1"),
        (np.full((1, 5), np.nan), r"finite, not nan at \[0, 0\]"),
        (np.full((1, 5), "a"), "real numbers, not <U1"),
        (np.zeros((1, 5), complex), "real numbers, not complex128"),
        ([[1, 2], [3]], "inputs must be one rectangular array"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(make_net, inputs, message):
    graph = from_module(*make_net("mlp"))
    with pytest.raises(SpecError, match=message):
        graph.run(inputs)


def test_a_multiplier_of_the_wrong_shape_is_refused(make_net):
    graph = from_module(*make_net("mlp"))
    with pytest.raises(SpecError, match=r"0: multiply must return \(2, 1, 7\)"):
        graph.run(np.zeros((2, 5)), lambda layer, x: x)


def record_calling(op, *args):
    graph = Graph(
        nodes=(Node("x", "input"), Node("y", "aten.relu.default", (Ref("x"),))),
        constants={},
        inputs=(Input("x", (None, 2), "float32"),),
        output=Ref("y"),
    )
    record = graph.to_json()
    record["nodes"][1] |= {"op": op, "args": list(args)}
    return record


@pytest.mark.parametrize(
    "op",
    [
        "aten.from_file.default",
        "aten.save.default",
        "aten.set_.source_Storage",
        "aten._print.default",
        "aten.manual_seed.default",
        "aten._test_string_default.default",
    ],
)
def test_a_record_that_reaches_out_of_the_network_is_refused(op):
    with pytest.raises(UntrustedFileError, match=op):
        Graph.from_json(record_calling(op, "/etc/passwd"), {})


@pytest.mark.parametrize(
    "op",
    [
        "os.system",
        "builtins.eval",
        "operator.methodcaller",
        "operator.attrgetter",
        "math.factorial",
        "prims.add.default",
        "aten.relu",
        "aten.relu.default.__globals__",
        "aten.__class__.x.y",
        "",
        "torch.ops.aten.relu.default",
        "math.ceil\n",
        "torch.load",
    ],
)
def test_a_record_may_call_tensor_operations_only(op):
    with pytest.raises(ModelError, match="ATen"):
        Graph.from_json(record_calling(op, "x"), {})


@pytest.mark.parametrize(
    "op", ["aten.__class__.default", "aten.relu.__call__", "aten.nothing.default"]
)
def test_an_operation_that_pytorch_lacks_is_an_error(op):
    with pytest.raises((ModelError, UntrustedFileError)):
        Graph.from_json(record_calling(op, {"ref": "x"}), {}).run([[1.0, 2.0]])


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"nodes": None},
        {"nodes": [3]},
        {"batch": -1},
        {"inputs": []},
        {"output": "nothing"},
        {"constants": {"w": {"dtype": "float32", "shape": [2]}}},
        {"inputs": [{"name": "x", "shape": [None, "2"], "dtype": "float32"}]},
        {"inputs": [{"name": "x", "shape": [None, 2], "dtype": "object"}]},
    ],
)
def test_a_damaged_record_is_refused(change):
    with pytest.raises((FileError, ModelError)):
        Graph.from_json(record_calling("aten.relu.default", {"ref": "x"}) | change, {})


@pytest.mark.parametrize(
    "argument",
    [
        {"ref": "later"},
        {"ref": 3},
        {"tag": "dtype", "value": "__name__"},
        {"tag": "device", "value": "cuda"},
        {"tag": "os", "value": "system"},
        {"float": "1"},
        {"other": 1},
        [[[[[[[[[[1]]]]]]]]]],
    ],
)
def test_an_argument_of_another_form_is_refused(argument):
    with pytest.raises((FileError, ModelError)):
        Graph.from_json(record_calling("aten.relu.default", argument), {})


def test_an_operation_that_fails_says_which_node():
    graph = Graph.from_json(record_calling("aten.view.default", {"ref": "x"}, [7]), {})
    with pytest.raises(ModelError, match=r"y: aten.view.default failed: shape '\[7\]'"):
        graph.run([[1.0, 2.0]])


def layer_graph(op, input_shape, weight, bias, *more):
    """Pass x through one layer with a weight and a bias of these shapes."""
    return Graph(
        nodes=(
            Node("x", "input"),
            Node("w", "constant", ("w",)),
            Node("b", "constant", ("b",)),
            Node("y", op, (Ref("x"), Ref("w"), Ref("b"), *more)),
        ),
        constants={"w": np.ones(weight, np.float32), "b": np.ones(bias, np.float32)},
        inputs=(Input("x", (None, *input_shape), "float32"),),
        output=Ref("y"),
    )


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            layer_graph("aten.linear.default", (2,), (3, 2), (5,)),
            r"w: a bias of shape \(5,\) can't be added to \(1, 3\)",
        ),
        (
            layer_graph("aten.conv1d.default", (2, 4), (3, 2, 2), (3,), (1,), (1 << 50,)),
            "w: inputs .* do not fit",
        ),
        (
            layer_graph("aten.conv1d.default", (2, 4), (3, 2, 2), (3,), (-1,), (-3,)),
            "w: inputs .* do not fit",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_an_error_that_names_it(graph, message):
    with pytest.raises(ModelError, match=message):
        graph.run(np.ones((1, *graph.inputs[0].shape[1:])), exact(graph))


def test_a_convolution_without_weights_is_no_layer():
    assert layer_graph("aten.conv1d.default", (0, 4), (3, 0, 2), (3,)).layers == ()


def test_a_graph_that_mixes_its_batch_is_refused():
    graph = Graph.from_json(record_calling("aten.sum.default", {"ref": "x"}), {})
    with pytest.raises(ModelError, match="first axis is the batch"):
        graph.run([[1.0, 2.0]])


def test_reading_an_archive_needs_no_pytorch(make_net, save_export):
    path = save_export(*make_net("residual"))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from xbar.model.read import read_model\n"
        f"print([layer.name for layer in read_model({str(path)!r}).layers])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['stem', 'conv', 'fc']"
