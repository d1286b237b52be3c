"""Reads a TorchScript archive as a graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, UntrustedFileError
from xbar.model.build import Builder, for_any_batch
from xbar.model.graph import Graph, Ref
from xbar.model.scan import Archive
from xbar.model.source import HOW_TO_EXPORT, Source
from xbar.model.torchscript.objects import Instance, Tree
from xbar.model.torchscript.values import Module, Tensors, Value, is_tensor


def is_torchscript(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is TorchScript."""
    return "constants.pkl" in names or any(name.startswith("code/") for name in names)


def read_torchscript(data: bytes, source: Source) -> Graph:
    """The network computed by a TorchScript archive's ``forward``.

    Raises:
        FileError: it is damaged.
        UntrustedFileError: its pickle does more than describe tensors, or it accesses files.
        ModelError: it is not a plain sequence of tensor operations.
        SpecError: the input's shape is missing.
    """
    source.refuse_state_options("TorchScript")
    tensors = Tensors(Archive(data, source.where, source=True))
    shape = source.needed_shape("TorchScript")
    try:
        return _of_type(tensors, shape, source)
    except UntrustedFileError as error:
        if source.where in str(error):
            raise
        raise UntrustedFileError(f"{source.where}: {error}") from None
    except RecursionError:
        raise ModelError(f"{source.where}: its code is nested too deeply") from None
    except ModelError as error:
        if source.where in str(error):
            raise
        raise ModelError(
            f"{source.where}: this TorchScript is not read, because {error}; from its original "
            f"module, {HOW_TO_EXPORT}"
        ) from None


def _of_type(tensors: Tensors, shape: tuple[int, ...], source: Source) -> Graph:
    """The graph for a type of input, which TorchScript does not record."""
    try:
        return for_any_batch(lambda batch: _graph(tensors, shape, batch, source))
    except ModelError:
        if source.input_dtype is not None:
            raise
        tokens = replace(source, input_dtype="int64")
        try:
            graph = for_any_batch(lambda batch: _graph(tensors, shape, batch, tokens))
        except ModelError:
            graph = None
        if graph is None:
            raise
    note = "the network takes int64, as of tokens: it can't be followed for floats"
    return replace(graph, notes=(*graph.notes, note))


def _graph(tensors: Tensors, shape: tuple[int, ...], batch: int | None, source: Source) -> Graph:
    from xbar.model.torchscript.follow import Follower
    from xbar.model.torchscript.script import Script

    root = tensors.objects("data.pkl")
    constants = tensors.objects("constants.pkl") if "constants.pkl" in tensors.archive else ()
    if not isinstance(root, Instance) or not isinstance(constants, tuple):
        raise FileError(f"{tensors.archive.where}: it holds no module")
    dtype = source.input_dtype or _input_type([root, *constants], tensors)
    builder = Builder(shape, dtype, batch)
    follower = Follower(Script(tensors.archive), tensors, builder, constants)
    name = f"{root.kind}.forward"
    given = _arguments(follower.script.function(name), builder, source)
    found = follower.call(name, [Module(root, "")], given)
    output, notes = _output(found, builder, source)
    if source.input_dtype is None:
        notes = (f"the network takes {dtype}, the type of its weights", *notes)
    return builder.graph(output, notes)


def _arguments(function: ast.FunctionDef, builder: Builder, source: Source) -> dict[str, Value]:
    """Arguments of ``forward``: the input, and the bound ones as constants or numbers."""
    wanted, names = source.wanted, [each.arg for each in function.args.args[1:]]
    optional = names[len(names) - len(function.args.defaults) :]
    asked = [name for name in names if name not in optional or name in wanted.bind]
    chosen = wanted.input_of(asked or names[:1], source.where)
    given: dict[str, Value] = {chosen: builder.input}
    for argument in function.args.args[1:]:
        name, kind = argument.arg, getattr(argument.annotation, "id", "Tensor")
        if name in wanted.bind and kind in ("int", "float", "bool"):
            array = wanted.value(name, (), f"{kind}64".replace("bool64", "bool"), source.where)
            given[name] = array.item()
        elif name in wanted.bind:
            array = wanted.value(name, None, _kept_type(wanted.bind[name]), source.where)
            given[name] = builder.anonymous(name, array)
    return given


def _kept_type(array: NDArray[Any]) -> str:
    """Type of a bound input, which TorchScript does not record: as given, floats as float32."""
    return "float32" if array.dtype.kind == "f" else str(array.dtype)


def _output(found: Value, builder: Builder, source: Source) -> tuple[Ref, tuple[str, ...]]:
    """The value that is returned, and what was assumed."""
    leaves = [(path, value) for path, value in _leaves(found, "") if _is_tensor(value, builder)]
    if not leaves:
        raise ModelError("it does not return a tensor")
    names = [(path or "0",) for path, _ in leaves]
    index, notes = source.wanted.output_of(names, source.where)
    return leaves[index][1], notes


def _leaves(value: Value, path: str) -> Iterator[tuple[str, Value]]:
    if isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from _leaves(each, f"{path}.{i}" if path else str(i))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _is_tensor(value: Value, builder: Builder) -> bool:
    return isinstance(value, Ref) and bool(builder.dtype(value))


def _input_type(roots: list[Tree], tensors: Tensors) -> str:
    """float64 if a weight is; TorchScript does not record the input type."""
    stack, seen = list(roots), set()
    while stack:
        item = stack.pop()
        if isinstance(item, Instance) and isinstance(item.state, dict) and id(item) not in seen:
            seen.add(id(item))
            stack += item.state.values()
        elif is_tensor(item):
            description = item.arguments[0].description
            kind = description[1] if isinstance(description, tuple) else None
            number = item.arguments[2:3] == ((),)  # a literal in the code, not a weight
            if getattr(kind, "name", "") == "torch.DoubleStorage" and not number:
                return "float64"
    return "float32"
