"""Every converted ONNX operator with random attributes, against ONNX Runtime without its fusions.

A generator of an operator gives a random case of it at one version of the operator set. No case may
give another number than ONNX Runtime's; those that xbar refuses are listed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model.onnx.convert import HARMLESS, OPERATORS
from xbar.model.read import read_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from onnx_cases import GENERATORS

helper = onnx.helper
RECURRENT = ("LSTM", "GRU", "RNN")
FIRST, LAST = 7, 24
EACH = 6
MORE = {
    **dict.fromkeys("MaxPool AveragePool LpPool Conv ConvTranspose Resize Slice Pad".split(), 16),
    **dict.fromkeys(RECURRENT, 12),
}
"""Cases of an operator, of those with many attributes more."""
REFUSED = {
    **dict.fromkeys("AveragePool MaxPool LpPool".split(), "(dilated|ceil_mode) with auto_pad"),
    "ConvTranspose": "its output_shape .* is larger than what it computes",
}
"""What ONNX Runtime computes and xbar refuses."""


@cache
def entries():
    """Versions of each operator's entries in the table, and whether they are outdated."""
    found = {}
    for each in onnx.defs.get_all_schemas_with_history():
        if each.domain == "":
            found.setdefault(each.name, {})[each.since_version] = each.deprecated
    return found


def versions(kind):
    """Versions of the operator set that have the operator and that ONNX Runtime may know."""
    since = entries()[kind]
    known = []
    for version in range(max(FIRST, min(since)), LAST + 1):
        latest = max(each for each in since if each <= version)
        if not since[latest] or kind == "GroupNormalization":
            known.append(version)
    return known


def wrapped(kind, case, result):
    """Nodes before and after the operator, its first input, and the network's output."""
    if kind in RECURRENT:  # the batch first
        perm = [1, 0, 2] if case.take else [2, 0, 1, 3]
        before = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2])]
        return before, [helper.make_node("Transpose", [result], ["y"], perm=perm)], "t", "y"
    if case.times != 1:
        return [helper.make_node("Mul", ["x", "times"], ["t"])], [], "t", result
    if case.static or case.rows:
        after = [
            helper.make_node("Cast", [result], ["f"], to=1),
            helper.make_node("Add", ["f", "rows"], ["y"]),
        ]
        return [], after, "" if case.static else "x", "y"
    return [], [], "x", result


def model_of(kind, case, version, attributes=None):
    """A network of one node, the batch first."""
    names = [f"c{i}" if each is not None else "" for i, each in enumerate(case.constants)]
    named = {f"c{i}": np.asarray(c) for i, c in enumerate(case.constants) if c is not None}
    named |= {
        "rows": np.zeros((case.batch, 1, 1, 1, 1, 1), np.float32),
        "times": np.float32(case.times),
    }
    outputs = [f"o{i}" for i in range(case.outputs)]
    before, after, first, last = wrapped(kind, case, outputs[case.take])
    inputs = ([first] if first else []) + names
    given = case.attributes if attributes is None else attributes
    node = helper.make_node(kind, inputs, outputs, **given)
    batch = case.batch if case.fixed else "N"
    taken = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(case.kind))
    graph = helper.make_graph(
        [*before, node, *after],
        "net",
        [helper.make_tensor_value_info("x", taken, [batch, *case.shape])],
        [helper.make_empty_tensor_value_info(last)],
        [onnx.numpy_helper.from_array(array, name) for name, array in named.items()],
    )
    opset = helper.make_opsetid("", version)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def inputs_of(rng, case):
    size = (case.batch, *case.shape)
    if case.kind is bool:
        return rng.random(size) < 0.5
    x = rng.integers(0, 4, size) if case.ties else rng.uniform(case.low, case.high, size)
    return (np.round(x) if np.dtype(case.kind).kind in "iu" else x).astype(case.kind)


def answer(model, x):
    """What ONNX Runtime gives; None where it refuses the model itself."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options)
        return session.run(None, {"x": x})[0]
    except Exception as error:  # its exceptions have no common class of their own
        assert "onnxruntime" in type(error).__module__
        return None


@pytest.fixture
def run(tmp_path):
    """What xbar gives for a model."""

    def function(model, x):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return read_model(path).run(x)

    return function


def random_case(kind, seed):
    rng = np.random.default_rng([seed, *kind.encode()])
    version = int(rng.choice(versions(kind)))
    case = GENERATORS[kind](rng, version)
    return case, version, inputs_of(rng, case)


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_an_operator_with_random_attributes_gives_what_onnxruntime_gives(kind, run):
    judged = 0
    for seed in range(MORE.get(kind, EACH)):
        case, version, x = random_case(kind, seed)
        model = model_of(kind, case, version)
        want = answer(model, x)
        if want is None:
            continue
        label = f"{kind} {version} {case}"
        try:
            got = run(model, x)
        except ModelError as error:
            with pytest.raises(ModelError, match=REFUSED.get(kind, "nothing")):
                raise ModelError(f"{error} {label}") from error
            continue
        assert got.shape == want.shape, label
        scale = np.abs(want[np.isfinite(want)]).max(initial=1) if want.dtype != bool else 1
        limit = {"rtol": case.tolerance, "atol": case.tolerance * scale}
        np.testing.assert_allclose(got.astype(want.dtype), want, **limit, err_msg=label)
        judged += 1
    assert judged


def defaults(kind, version):
    """Attributes and defaults of an operator, by the specification's table."""
    found = {}
    for name, attribute in onnx.defs.get_schema(kind, version).attributes.items():
        if attribute.default_value.type:
            found[name] = onnx.helper.get_attribute_value(attribute.default_value)
    return found


def changes(kind):
    """The first version of each entry of the table that ONNX Runtime may know."""
    known = versions(kind)
    entry = {v: onnx.defs.get_schema(kind, v).since_version for v in known}
    return [v for v in known if v == known[0] or entry[v] != entry[v - 1]]


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_an_omitted_attribute_has_the_default_of_the_specification(kind, run):
    """Left out and written out: the same result, which is ONNX Runtime's."""
    for version in changes(kind):
        table = defaults(kind, version)
        if not table:
            continue
        rng = np.random.default_rng([version, *kind.encode()])
        case = GENERATORS[kind](rng, version)
        if kind == "RNN":
            table.pop("activations")  # of two directions, whatever the layer has
        if kind not in RECURRENT and not case.static:  # an axis may be the batch's
            case = replace(case, fixed=True, rows=True)
        bare = {k: v for k, v in case.attributes.items() if k not in table}
        if kind in RECURRENT:
            bare = {"hidden_size": 3}
            case.constants = [each[:1] for each in case.constants[:2]]
        x = inputs_of(rng, case)
        models = [model_of(kind, case, version, given) for given in (bare, {**table, **bare})]
        want = answer(models[0], x)
        if want is None:
            continue
        without, written = (run(model, x) for model in models)
        np.testing.assert_array_equal(without, written, err_msg=f"{kind} {version}")
        scale = np.abs(want[np.isfinite(want)]).max(initial=1) if want.dtype != bool else 1
        limit = {"rtol": case.tolerance, "atol": case.tolerance * scale}
        np.testing.assert_allclose(without.astype(want.dtype), want, **limit)


NOT_DRAWN = {
    "Cast": {"round_mode"},
    "CastLike": {"round_mode"},
    "Constant": {"sparse_value", "value_string", "value_strings"},
    **{kind: {"layout"} for kind in RECURRENT},
}
"""Attributes that no case has: of types that are refused, and one that ONNX Runtime has not."""


@pytest.mark.parametrize("kind", sorted(OPERATORS))
def test_every_attribute_in_the_table_is_read_or_refused(kind, run):
    """A case of each operator with each attribute, or its default, passes without being ignored.

    The converter refuses attributes that are given and that it has not read, so that a case that
    passes was read; an attribute of which there is no case must be among those not drawn.
    """
    names = {
        name
        for version in versions(kind)
        for name in onnx.defs.get_schema(kind, version).attributes
    }
    drawn = {name for version in changes(kind) for name in defaults(kind, version)}
    for seed in range(60):
        rng = np.random.default_rng([seed, *kind.encode()])
        drawn |= {*GENERATORS[kind](rng, int(rng.choice(versions(kind)))).attributes}
    assert names - drawn <= NOT_DRAWN.get(kind, set()) | {*HARMLESS.get(kind, ())}
