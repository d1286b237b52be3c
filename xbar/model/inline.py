"""Subgraphs of an exported archive, written in place of the operation that wraps them.

``with torch.no_grad():`` inside a model, and ``torch.autocast(enabled=False)``, become operations
on a graph of their own. Neither changes a value at inference, so that their nodes belong to the
graph around them. Autocast to bfloat16 is left out: what is bfloat16 in a model is computed in
float32. Control flow (``cond``, ``while_loop``, ``scan``) and autocast to float16 are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from xbar.errors import ModelError
from xbar.model.arguments import BFLOAT16, JSON

_PREFIX = "torch.ops.higher_order."
_DEEPEST = 20
_WRAPPERS: Mapping[str, int] = MappingProxyType(
    {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4}
)
"""Position of the subgraph among the arguments; its inputs follow."""


def inline(graph: JSON, depth: int = 0) -> tuple[list[JSON], dict[str, JSON]]:
    """The nodes of a graph with those of its subgraphs in place, and their tensors' descriptions.

    Args:
        graph: JSON of a graph.
        depth: number of graphs around it.

    Raises:
        ModelError: an operation on a graph is not a plain wrapper.
    """
    nodes: list[JSON] = []
    tensors: dict[str, JSON] = {}
    if depth > _DEEPEST:
        raise ModelError(f"its graphs are nested more than {_DEEPEST} deep")
    taken: set[str] = set(graph["tensor_values"])
    for node in graph["nodes"]:
        if not str(node["target"]).startswith(_PREFIX):
            nodes.append(node)
            continue
        inner, given = _wrapped(node)
        found, described = inline(inner, depth + 1)
        described = {**inner["tensor_values"], **described}
        names = _names(inner, given, node, found, taken)
        nodes += [_renamed(each, names) for each in found]
        nodes += _passed_on(inner, node, names)
        for old, new in names.items():
            if old in described and "name" in new:
                tensors[str(new["name"])] = described[old]
        taken.update(str(new["name"]) for new in names.values() if "name" in new)
    return nodes, tensors


def _wrapped(node: JSON) -> tuple[JSON, list[JSON]]:
    """The subgraph of a wrapper, and what it is given."""
    name = str(node["target"]).removeprefix(_PREFIX)
    arguments = [each["arg"] for each in node["inputs"]]
    place = _WRAPPERS.get(name)
    if place is None:
        raise ModelError(
            f"the graph calls {name[:40]}, control flow that depends on computed values; export "
            "the model without it"
        )
    off = arguments[2:3] == [{"as_bool": False}]
    if name == "wrap_with_autocast" and not off and arguments[1] != {"as_scalar_type": BFLOAT16}:
        raise ModelError(
            "part of the model runs in half precision (torch.autocast), which is not followed; "
            "export the model without autocast"
        )
    return arguments[place]["as_graph"]["graph"], arguments[place + 1 :]


def _names(
    inner: JSON, given: list[JSON], node: JSON, found: list[JSON], taken: set[str]
) -> dict[str, JSON]:
    """What each name of a subgraph is outside: {"name": ...}, or a number {"as_int": ...}."""
    names: dict[str, JSON] = {}
    for own, outer in zip(inner["inputs"], given, strict=True):
        ((kind, value),) = outer.items()
        names[_single(own)] = value if kind.startswith("as_sym") else _outside(kind, value)
    made = [name for each in found for output in each["outputs"] for name in _all(output)]
    results = dict(zip(_returned(inner), _results(node), strict=True))
    for name in made:
        new = results.get(name)
        while new is None or (name not in results and new in taken):
            new = f"{new or name}_"
        names[name] = {"name": new}
        taken.add(new)
    return names


def _outside(kind: str, value: JSON) -> JSON:
    return {"name": value["name"]} if kind == "as_tensor" else {kind: value}


def _returned(inner: JSON) -> list[str]:
    return [name for output in inner["outputs"] for name in _all(output)]


def _results(node: JSON) -> list[str]:
    return [name for output in node["outputs"] for name in _all(output)]


def _single(output: JSON) -> str:
    (name,) = _all(output)
    return name


def _all(output: JSON) -> Iterator[str]:
    """Names of the values that a node gives."""
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        yield from (str(each["name"]) for each in value)
    elif kind == "as_tensor":
        yield str(value["name"])
    elif kind.startswith("as_sym_") and "as_name" in value:
        yield str(value["as_name"])


def _passed_on(inner: JSON, node: JSON, names: Mapping[str, JSON]) -> Iterator[JSON]:
    """Nodes for results that are the subgraph's inputs, or one result twice."""
    for own, result in zip(_returned(inner), _results(node), strict=True):
        if names[own].get("name") != result:
            argument = {"name": "self", "arg": {"as_tensor": names[own]}, "kind": 1}
            yield {
                "target": "torch.ops.aten.alias.default",
                "inputs": [argument],
                "outputs": [{"as_tensor": {"name": result}}],
            }


def _renamed(node: JSON, names: Mapping[str, JSON]) -> JSON:
    inputs = [{**each, "arg": _replaced(each["arg"], names)} for each in node["inputs"]]
    outputs = [_replaced(each, names) for each in node["outputs"]]
    return {"target": node["target"], "inputs": inputs, "outputs": outputs}


def _replaced(value: JSON, names: Mapping[str, JSON]) -> JSON:
    """An argument with its references renamed."""
    if isinstance(value, list):
        return [_replaced(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("name"), str) and value["name"] in names:
        return {**value, **names[value["name"]]}
    if isinstance(value.get("as_name"), str) and value["as_name"] in names:
        new = names[value["as_name"]]
        return {"as_name": new["name"]} if "name" in new else new
    return {key: _replaced(each, names) for key, each in value.items()}
