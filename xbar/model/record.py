"""Serialisation of graphs as JSON, for saved programs.

References are ``{"ref": name}``, PyTorch names ``{"tag": kind, "value": name}``, non-finite floats
``{"float": "inf"}``; tuples are lists. Input is untrusted: every value is checked against these
forms, and operations against the allow-list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from xbar.errors import FileError
from xbar.model.graph import Argument, Graph, Input, Node, Ref, Tag
from xbar.model.lines import as_data, lines_of
from xbar.model.stored import StoredArrays, dtype_of, shape_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")

FORMAT = 1
_DEPTH = 8
TAGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "dtype": frozenset(
            str.split(
                "uint8 int8 int16 int32 int64 float16 float32 float64 bool bfloat16 "
                "complex64 complex128 uint16 uint32 uint64"
            )
        ),
        "layout": frozenset(["strided"]),
        "memory_format": frozenset(
            ["contiguous_format", "channels_last", "channels_last_3d", "preserve_format"]
        ),
        "device": frozenset(["cpu"]),
    }
)
"""PyTorch names allowed as arguments."""


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """See :meth:`Graph.to_json`."""
    return {
        "format": FORMAT,
        "batch": graph.batch,
        "inputs": [
            {"name": i.name, "shape": list(i.shape), "dtype": i.dtype}
            | ({} if i.most is None else {"most": i.most})
            for i in graph.inputs
        ],
        "output": graph.output.name,
        "constants": {
            name: {
                "dtype": str(dtype_of(graph.constants, name)),
                "shape": list(shape_of(graph.constants, name)),
            }
            for name in sorted(graph.constants)
        },
        "nodes": [_node_to_json(node) for node in graph.nodes],
        "notes": list(graph.notes),
        "left_out": [list(pair) for pair in graph.left_out],
        **({"lines": as_data(graph.lines)} if graph.lines else {}),
    }


def _node_to_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op,
        "args": [_to_json(argument) for argument in node.args],
        "kwargs": {name: _to_json(argument) for name, argument in sorted(node.kwargs.items())},
        "shape": None if node.shape is None else list(node.shape),
    }


def _to_json(argument: Argument) -> Any:
    if isinstance(argument, Ref):
        return {"ref": argument.name}
    if isinstance(argument, Tag):
        return {"tag": argument.kind, "value": argument.value}
    if isinstance(argument, tuple):
        return [_to_json(item) for item in argument]
    if isinstance(argument, float) and not math.isfinite(argument):
        return {"float": repr(argument)}
    return argument


def graph_from_json(record: Mapping[str, Any], constants: Mapping[str, ArrayLike]) -> Graph:
    """See :meth:`Graph.from_json`."""
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise FileError(f"a graph's record must be JSON with format {FORMAT}")
    batch = record.get("batch")
    if batch is not None and (type(batch) is not int or batch < 1):
        raise FileError(f"graph record: batch must be a positive number or null, not {batch!r}")
    return Graph(
        nodes=tuple(_node(item) for item in _get(record, "nodes", list)),
        constants=_constants(_get(record, "constants", dict), constants),
        inputs=tuple(
            Input(_get(i, "name", str), _shape(_get(i, "shape", list)), _dtype(i), _most(i))
            for i in _get(record, "inputs", list)
        ),
        output=Ref(_get(record, "output", str)),
        batch=batch,
        notes=_texts(record.get("notes", [])),
        left_out=tuple(_pair(item) for item in _get({"left_out": [], **record}, "left_out", list)),
        lines=lines_of(record.get("lines", {}), "graph record: lines"),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FileError(f"graph record: {str(value)[:60]!r} must be a list of strings")
    return tuple(value)


def _pair(value: Any) -> tuple[str, str]:
    texts = _texts(value)
    if len(texts) != 2:
        raise FileError(f"graph record: {str(value)[:60]!r} must be a layer's name and a reason")
    return texts[0], texts[1]


def _constants(
    listed: Mapping[str, Any], constants: Mapping[str, ArrayLike]
) -> Mapping[str, NDArray[Any]]:
    missing = next((name for name in listed if name not in constants), None)
    if missing is not None:
        raise FileError(f"graph record: the constant {missing!r} is missing")
    arrays: Mapping[str, NDArray[Any]]
    if isinstance(constants, StoredArrays):
        arrays = constants.picked(listed)
    else:
        arrays = {name: np.asarray(constants[name]) for name in listed}
    for name, entry in listed.items():
        want = (_dtype(entry), _shape(_get(entry, "shape", list)))
        got = (str(dtype_of(arrays, name)), shape_of(arrays, name))
        if got != want:
            raise FileError(
                f"graph record: the constant {name!r} must be {want[0]} {want[1]}, "
                f"not {got[0]} {got[1]}"
            )
    return arrays


def _node(item: Any) -> Node:
    kwargs = _get(item, "kwargs", dict)
    shape = item.get("shape")
    return Node(
        name=_get(item, "name", str),
        op=_get(item, "op", str),
        args=tuple(_argument(value, _DEPTH) for value in _get(item, "args", list)),
        kwargs={str(name): _argument(value, _DEPTH) for name, value in kwargs.items()},
        shape=None if shape is None else _shape(shape),
    )


def _argument(value: Any, depth: int) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list) and depth:
        return tuple(_argument(item, depth - 1) for item in value)
    if isinstance(value, dict):
        if set(value) == {"ref"}:
            return Ref(_get(value, "ref", str))
        if set(value) == {"tag", "value"} and str(value["value"]) in TAGS.get(
            str(value["tag"]), ()
        ):
            return Tag(str(value["tag"]), str(value["value"]))
        if set(value) == {"float"} and value["float"] in ("inf", "-inf", "nan"):
            return float(value["float"])
    raise FileError(f"graph record: {str(value)[:60]!r} is not an argument")


def _get(item: Any, key: str, kind: type[T]) -> T:
    value = item.get(key) if isinstance(item, Mapping) else None
    if not isinstance(value, kind):
        raise FileError(f"graph record: {key!r} must be a {kind.__name__}, not {str(value)[:60]!r}")
    return value


def _dtype(item: Any) -> str:
    name = _get(item, "dtype", str)
    if name not in TAGS["dtype"]:
        raise FileError(f"graph record: {name[:60]!r} is not a numeric type")
    return name


def _most(item: Any) -> int | None:
    most = item.get("most")
    if most is not None and (type(most) is not int or most < 1):
        raise FileError(f"graph record: {str(most)[:60]!r} must be a positive number or null")
    return most


def _shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list) or any(
        size is not None and (type(size) is not int or size < 0) for size in value
    ):
        raise FileError(f"graph record: {str(value)[:60]!r} is not a shape")
    return tuple(value)
