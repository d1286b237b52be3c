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
from xbar.model.torchscript.values import SCALAR_TYPES, SIZES, STATIC, Items, Value, is_static


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
    args = _numbers(builder, name, args)
    if name in STATIC and is_static(args) and is_static([*kwargs.values()]):
        try:
            return STATIC[name](*args, **kwargs)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ModelError(f"torch.{name}{tuple(args)} fails: {error}") from None
    if args and isinstance(args[0], (list, tuple)) and name in _LISTS and not kwargs:
        return _of_list(name, args)
    if name in _CONVOLUTIONS and not kwargs:
        return _convolution(builder, name, args)
    shaped = any(isinstance(each, Ref) and bool(builder.dtype(each)) for each in args)
    if name in SIZES and not shaped and not kwargs:
        return builder.add(SIZES[name], *map(_argument, args))
    return _operation(builder, name, args, kwargs)


_LISTS = ("append", "len", "slice", "extend", "reverse")


def _of_list(name: str, args: list[Value]) -> Value:
    """Result of a function of a list."""
    items, rest = args[0], args[1:]
    if name == "len" and not rest:
        return len(items)
    if name == "slice" and len(rest) <= 3 and all(n is None or type(n) is int for n in rest):
        start, stop, step = [*rest, None, None, None][:3]
        if step != 0:
            return Items(items[start:stop:step])
    if name == "append" and isinstance(items, Items) and len(rest) == 1:
        items.add(rest)
        return items
    if name == "extend" and isinstance(items, Items) and isinstance(rest[0], (list, tuple)):
        items.add(rest[0])
        return None
    if name == "reverse" and isinstance(items, Items) and not rest:
        items.reverse()
        return None
    raise ModelError(f"torch.{name} is called on a list in a way that is not read")


def primitive(builder: Builder, name: str, args: list[Value]) -> Value:
    """Result of ``ops.prim.<name>``, one of TorchScript's own functions.

    Raises:
        ModelError: it is not one that is read.
    """
    if name == "NumToTensor" and len(args) == 1:
        return args[0]
    if name == "device" and len(args) == 1:
        return Tag("device", "cpu")
    if name == "dtype" and len(args) == 1 and isinstance(args[0], Ref):
        return Tag("dtype", builder.dtype(args[0]))
    if name in ("max", "min") and is_static(args):
        flat = args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args
        if flat and all(isinstance(each, (int, float)) for each in flat):
            return max(flat) if name == "max" else min(flat)
    raise ModelError(f"its code calls ops.prim.{name[:40]} of values that are not static")


def _numbers(builder: Builder, name: str, args: list[Value]) -> list[Value]:
    """The arguments of arithmetic on sizes: a trace divides a size by a constant tensor."""
    if name not in STATIC or (name == "to" and any(isinstance(each, Tag) for each in args)):
        return args  # to with a device makes a tensor, as torch.tensor(0.5) does
    values = [as_number(builder, each) for each in args]
    tensors = any(isinstance(each, Ref) and bool(builder.dtype(each)) for each in values)
    return args if tensors else values


def as_number(builder: Builder, value: Value) -> Value:
    """A constant tensor without axes as a number; any other value unchanged."""
    if isinstance(value, Ref) and builder.dtype(value):
        array = builder.array(value)
        return value if array is None or array.ndim else array.item()
    return value


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


_PROMOTING = frozenset("add sub mul div pow remainder fmod floor_divide true_divide".split())
"""Operations with a second number in Python, which tracing writes as a tensor without axes."""


def _operation(builder: Builder, name: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
    tensors = any(isinstance(each, Ref) and bool(builder.dtype(each)) for each in args)
    if name.startswith("__") and not tensors:
        raise ModelError(f"torch.{name} is called with a size that depends on the batch")
    check_operation(f"aten.{name}.default", "forward")
    packet: Any = getattr(torch.ops.aten, name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        raise ModelError(f"this version of PyTorch has no operation torch.{name}")
    if tensors and name.removesuffix("_") in _PROMOTING:
        args = [*args[:1], *(_scalar(builder, each) for each in args[1:])]
    first: ModelError | None = None
    for overload in packet.overloads():
        schema = getattr(packet, overload)._schema.arguments
        if "dimname" in overload or "names" in overload or any(a.is_out for a in schema):
            continue
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


def _scalar(builder: Builder, value: Value) -> Value:
    """A number for a constant without axes, which takes the type of what it is combined with."""
    return builder.scalars.get(value.name, value) if isinstance(value, Ref) else value


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
