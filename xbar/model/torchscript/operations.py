"""TorchScript's calls to ``torch``, as operations of a graph.

TorchScript names operations without their overload: the first that accepts the arguments is used.
"""

from __future__ import annotations

from typing import Any

import torch

from xbar.errors import ModelError, UntrustedFileError
from xbar.model.build import Builder
from xbar.model.graph import Argument, Ref, Tag
from xbar.model.operations import check_operation
from xbar.model.torchscript.values import SCALAR_TYPES, SIZES, STATIC, Value, is_static


def apply(builder: Builder, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Result of ``torch.<name>``.

    Raises:
        ModelError: no operation of that name accepts these arguments.
        UntrustedFileError: it accesses files or memory.
    """
    if name == "device":
        return Tag("device", "cpu")
    if name == "warn":  # a message from the model's author
        return None
    tensor = args[0] if args and isinstance(args[0], Ref) else None
    shaped = tensor is not None and bool(builder.dtype(tensor))
    if tensor is not None and shaped and name in ("dim", "size", "len"):
        return _size(builder, name, tensor, args[1:])
    if (
        name in ("__is__", "__isnot__") and len(args) == 2
    ):  # of a tensor and None: attributes are known otherwise
        return (args[0] is args[1]) == (name == "__is__")
    if name in STATIC and not kwargs and is_static(args):
        try:
            return STATIC[name](*args)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ModelError(f"torch.{name}{tuple(args)} fails: {error}") from None
    if name == "len" and args and isinstance(args[0], (list, tuple)):
        return len(args[0])
    if name in _CONVOLUTIONS and not kwargs:
        return _convolution(builder, name, args)
    if name in SIZES and not shaped and not kwargs:
        return builder.add(SIZES[name], *map(_argument, args))
    return _operation(builder, name, args, kwargs)


_CONVOLUTIONS = ("_convolution", "_convolution_mode")


def _convolution(builder: Builder, name: str, args: list[Value]) -> Value:
    """Map a traced model's generic convolution to the operation of its kind."""
    try:
        dims = len(args[3])
        if name == "_convolution_mode":
            return builder.add(f"aten.conv{dims}d.padding", *map(_argument, args[:7]))
        stride, padding, dilation, transposed, extra, groups = args[3:9]
    except (TypeError, ValueError, IndexError):
        raise ModelError(f"torch.{name} is called with {len(args)} unexpected arguments") from None
    if not transposed:
        given = [*args[:3], stride, padding, dilation, groups]
        return builder.add(f"aten.conv{dims}d.default", *map(_argument, given))
    given = [*args[:3], stride, padding, extra, groups, dilation]
    op = f"aten.conv_transpose{dims}d." + ("default" if dims == 1 else "input")
    return builder.add(op, *map(_argument, given))


def _size(builder: Builder, name: str, tensor: Ref, rest: list[Value]) -> Value:
    if name == "dim":
        return len(builder.shape(tensor))
    sizes = builder.sizes(tensor)
    if name == "len":
        return sizes[0]
    try:
        return sizes[rest[0]] if rest else list(sizes)
    except (IndexError, TypeError):
        raise ModelError(f"torch.size can't take {rest} of a shape {sizes}") from None


def _operation(builder: Builder, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    if name.startswith("__"):
        raise ModelError(f"torch.{name} is called with a size that depends on the batch")
    check_operation(f"aten.{name}.default", "forward")
    packet: Any = getattr(torch.ops.aten, name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        raise ModelError(f"this version of PyTorch has no operation torch.{name}")
    first: ModelError | None = None
    for overload in packet.overloads():
        if "out" in overload or "dimname" in overload or "names" in overload:
            continue
        schema = getattr(packet, overload)._schema.arguments
        given = [_typed(each, schema[i : i + 1]) for i, each in enumerate(args)]
        named = {
            key: _typed(each, [a for a in schema if a.name == key]) for key, each in kwargs.items()
        }
        try:
            made = builder.add(f"aten.{name}.{overload}", *given, kwargs=named)
        except UntrustedFileError:
            raise
        except ModelError as error:
            first = first or error
            continue
        return _results(builder, made)
    raise first or ModelError(f"torch.{name} has no overload that xbar runs")


def _results(builder: Builder, made: Ref) -> Value:
    """One result, or a tuple of several."""
    count = builder.count(made)
    return made if count is None else tuple(builder.item(made, i) for i in range(count))


def _typed(value: Value, schema: Any) -> Argument:
    """A value as an argument; a type code becomes the type."""
    kind = str(schema[0].real_type) if len(schema) else ""
    if type(value) is int and "ScalarType" in kind:
        if value not in SCALAR_TYPES:
            raise ModelError(f"numbers of type {value} can't be read")
        return Tag("dtype", SCALAR_TYPES[value])
    if type(value) is int and "Layout" in kind and value == 0:
        return Tag("layout", "strided")
    if type(value) is int and "MemoryFormat" in kind:
        return Tag("memory_format", "contiguous_format")
    return _argument(value)


def _argument(value: Value) -> Argument:
    if isinstance(value, (list, tuple)):
        return tuple(_argument(each) for each in value)
    if isinstance(value, (Ref, Tag)) or is_static(value):
        known: Argument = value
        return known
    raise ModelError(f"a {type(value).__name__} can't be an argument of an operation")
