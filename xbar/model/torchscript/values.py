"""Values of the symbolic interpreter: TorchScript values without tensor contents."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from xbar.errors import FileError, ModelError
from xbar.model.build import Array
from xbar.model.graph import Tag
from xbar.model.operations import NUMERIC
from xbar.model.scan import Archive
from xbar.model.tensors import strided
from xbar.model.torchscript.objects import Call, Instance, Stored, Tree, read_objects

Value: TypeAlias = Any
"""A Ref (tensor, or batch-dependent size), number, text, None, sequence, or a class below."""

_STORAGES: Mapping[str, str] = MappingProxyType(
    {
        "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
        "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
        "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    }
)  # fmt: skip
SCALAR_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32",
        7: "float64", 9: "complex64", 10: "complex128", 11: "bool", 15: "bfloat16",
    }
)  # fmt: skip
"""TorchScript's codes of numeric types."""


MOST_ITEMS = 20_000
"""Maximum number of items of a list, of an attribute or of the source text, nested ones too."""


@dataclass(frozen=True, eq=False)
class Module:
    """A submodule: its attributes, and its path in the model."""

    instance: Instance
    path: str


@dataclass(frozen=True)
class Function:
    """A function of the archive's source, by dotted name."""

    name: str


@dataclass(frozen=True)
class Context:
    """A context that sets gradients on or off, which changes no value."""


class Items(list[Any]):
    """A list or tuple of the source text, and how many values it holds in all, nested ones too.

    Text that puts a list twice into another, again and again, holds more than any memory.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        """Start with these values.

        Raises:
            ModelError: there are too many.
        """
        super().__init__(values)
        self.weight = 1 + sum(getattr(each, "weight", 1) for each in self)
        self._check()

    def add(self, values: Iterable[Any]) -> None:
        """Append values, none of them a list.

        Raises:
            ModelError: there are too many.
        """
        added = [*values]
        if any(isinstance(each, (list, tuple, dict)) for each in added):
            raise ModelError("its code appends a list to a list")
        self.extend(added)
        self.weight += len(added)
        self._check()

    def _check(self) -> None:
        if self.weight > MOST_ITEMS:
            raise ModelError(f"its code makes a list of more than {MOST_ITEMS} values")


class Table(dict[Any, Any]):
    """A dictionary of the source text; weight as of its values in a list."""

    def __init__(self, keys: Iterable[Any], values: Iterable[Any]) -> None:
        """Start with these keys and values, as many of both."""
        items = Items(values)
        super().__init__(zip(keys, items, strict=True))
        self.weight = items.weight


class Tensors:
    """The archive's tensors as arrays, each read once."""

    def __init__(self, archive: Archive) -> None:
        """Start with none read."""
        self.archive = archive
        self._storages: dict[str, bytes] = {}

    def objects(self, name: str) -> Tree:
        """The tree of a pickle in the archive."""
        return read_objects(self.archive.read(name), f"{self.archive.where}: {name}")

    def array(self, call: Call, folder: str) -> Array:
        """The array described by a call to a tensor's constructor.

        Args:
            call: constructor call from the pickle.
            folder: folder of the storages, "data" or "constants".

        Raises:
            FileError: it is damaged.
            ModelError: it is not a dense tensor of plain numbers.
        """
        where = f"{self.archive.where}: a tensor in {folder}"
        if call.function != "torch._utils._rebuild_tensor_v2":
            raise ModelError(f"{where}: {call.function[:80]} is not a plain tensor")
        try:
            stored, offset, shape, strides = call.arguments[:4]
            _, storage, key = stored.description[:3]
            kind = storage.name.removeprefix("torch.").removesuffix("Storage")
            sizes, steps = (tuple(operator.index(n) for n in each) for each in (shape, strides))
            raw = self._read(f"{folder}/{key}")
            return strided(raw, _STORAGES[kind], sizes, steps, operator.index(offset), where)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FileError(f"{where}: its description is damaged ({error})") from None

    def _read(self, name: str) -> bytes:
        if name not in self._storages:
            self._storages[name] = self.archive.read(name)
        return self._storages[name]


def is_tensor(tree: Tree) -> bool:
    """Whether a tree represents a tensor."""
    return isinstance(tree, Call) and isinstance(tree.arguments, tuple) and bool(
        tree.arguments and isinstance(tree.arguments[0], Stored)
    )  # fmt: skip


def plain_value(tree: Tree, where: str) -> Value:
    """Convert an attribute other than a tensor or module to a value.

    Raises:
        ModelError: it is an object that can't be built without running code, or has more than
            ``MOST_ITEMS`` items.
    """
    if _items(tree, {}) > MOST_ITEMS:
        raise ModelError(f"{where} holds lists of more than {MOST_ITEMS} items in all")
    return _plain(tree, where)


def _items(tree: Tree, known: dict[int, int]) -> int:
    """Number of items in nested lists, each counted as often as it is shared."""
    if not isinstance(tree, (list, tuple)):
        return 1
    if id(tree) not in known:
        known[id(tree)] = 1 + sum(_items(each, known) for each in tree)
    return known[id(tree)]


def _plain(tree: Tree, where: str) -> Value:
    if isinstance(tree, Call) and tree.function.startswith("torch.jit._pickle."):
        return plain_value(tree.arguments[0], where)
    if isinstance(tree, (list, tuple)):
        return tuple(_plain(each, where) for each in tree)
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    name = tree.function if isinstance(tree, Call) else getattr(tree, "kind", type(tree).__name__)
    raise ModelError(f"{where} holds {str(name)[:80]}, which can't be read without running code")


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if not all(isinstance(each, (bool, int, float)) for each in arguments):
            raise TypeError("numbers")
        value = function(*arguments, **options)
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise OverflowError("number")
        return value

    return call


def _sum(a: float, b: float, alpha: float = 1) -> float:
    return a + alpha * b


def _difference(a: float, b: float, alpha: float = 1) -> float:
    return a - alpha * b


def _quotient(a: float, b: float, rounding_mode: str | None = None) -> float:
    if rounding_mode is None:
        return a / b
    whole = isinstance(a, int) and isinstance(b, int)
    if rounding_mode == "floor":
        return a // b
    found = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return found if whole else float(found)


def _converted(value: float, kind: Any, *_: Any) -> float:
    if kind in (6, 7, "float32", "float64"):
        return float(value)
    if kind in (0, 1, 2, 3, 4):
        return int(value)
    raise TypeError("type")


_NUMERIC: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{name: getattr(operator, name) for name in "mul neg mod floordiv abs".split()},
        **{name: getattr(math, name) for name in "ceil floor trunc sqrt log exp".split()},
        "add": _sum,
        "sub": _difference,
        "rsub": lambda a, b: b - a,
        "div": _quotient,
        "true_divide": operator.truediv,
        "floor_divide": operator.floordiv,
        "remainder": operator.mod,
        "pow": NUMERIC["operator.pow"],
        "round": round,
        "max": max,
        "min": min,
        "to": _converted,
        "__lshift__": NUMERIC["operator.lshift"],
        "__rshift__": operator.rshift,
        "__xor__": operator.xor,
    }
)
STATIC: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{name: _limited(function) for name, function in _NUMERIC.items()},
        **{name: getattr(operator, name) for name in "eq ne lt le gt ge".split()},
        "__contains__": operator.contains,
        "__not__": operator.not_,
        "__and__": lambda a, b: a and b,
        "__or__": lambda a, b: a or b,
        "len": len,
        "Bool": bool,
        "Int": int,
        "Float": float,
    }
)
"""``torch`` functions that TorchScript calls on numbers, text and lists."""
SIZES: Mapping[str, str] = MappingProxyType(
    {
        "add": "operator.add", "sub": "operator.sub", "mul": "operator.mul",
        "floordiv": "operator.floordiv", "floor_divide": "operator.floordiv",
        "remainder": "operator.mod",
    }
)  # fmt: skip
"""The same for batch-dependent numbers."""


def is_static(value: Value) -> bool:
    """Whether a value is static: not a tensor, and independent of the batch.

    >>> is_static([1, "a", None]), is_static([1, object()])
    (True, False)
    """
    if isinstance(value, (list, tuple)):
        return all(is_static(each) for each in value)
    return value is None or isinstance(value, (bool, int, float, str, Tag))
