"""Reads a TorchScript archive as a graph."""

from __future__ import annotations

from xbar.errors import FileError, ModelError, UntrustedFileError
from xbar.model.build import Builder, for_any_batch
from xbar.model.graph import Graph, Ref
from xbar.model.scan import Archive
from xbar.model.source import HOW_TO_EXPORT, Source
from xbar.model.torchscript.objects import Instance, Tree
from xbar.model.torchscript.values import Module, Tensors, is_tensor


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
        return for_any_batch(lambda batch: _graph(tensors, shape, batch))
    except UntrustedFileError as error:
        if source.where in str(error):
            raise
        raise UntrustedFileError(f"{source.where}: {error}") from None
    except RecursionError:
        raise ModelError(f"{source.where}: its code is nested too deeply") from None
    except ModelError as error:
        raise ModelError(
            f"{source.where}: this TorchScript is not read, because {error}; from its original "
            f"module, {HOW_TO_EXPORT}"
        ) from None


def _graph(tensors: Tensors, shape: tuple[int, ...], batch: int | None) -> Graph:
    from xbar.model.torchscript.follow import Follower
    from xbar.model.torchscript.script import Script

    root = tensors.objects("data.pkl")
    constants = tensors.objects("constants.pkl") if "constants.pkl" in tensors.archive else ()
    if not isinstance(root, Instance) or not isinstance(constants, tuple):
        raise FileError(f"{tensors.archive.where}: it holds no module")
    dtype = _input_type([root, *constants], tensors)
    builder = Builder(shape, dtype, batch)
    follower = Follower(Script(tensors.archive), tensors, builder, constants)
    output = follower.call(f"{root.kind}.forward", [Module(root, ""), builder.input], {})
    if not isinstance(output, Ref) or not builder.dtype(output):
        raise ModelError("it does not return one tensor")
    note = f"the network takes {dtype}, the type of its weights"
    return builder.graph(output, [note])


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
            if getattr(kind, "name", "") == "torch.DoubleStorage":
                return "float64"
    return "float32"
