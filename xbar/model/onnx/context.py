"""Context of an ONNX operator's conversion.

A value of the model is a tensor in the graph (a Ref), or static: an array. Shapes are static too,
but a size that depends on the batch is a Ref inside an object array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.build import Builder, Size
from xbar.model.graph import Argument, Ref

Array: TypeAlias = NDArray[Any]


MOST_AXES = 64
"""Axes of a value, as many as numpy allows."""


@dataclass(frozen=True, eq=False)
class Known:
    """A static value.

    Attributes:
        array: numeric array; or object array of integers and Refs of sizes.
        name: name of the constant in the file.
        origin: name of the constant that the array is computed from; "" if it is none.
    """

    array: Array
    name: str = "constant"
    origin: str = ""


Value: TypeAlias = Ref | Known


class Attributes(Mapping[str, Any]):
    """A node's attributes, with the specification's defaults; it knows which ones were read."""

    def __init__(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """Start with what the file gives and what holds otherwise."""
        self._given, self._all = given, {**defaults, **given}
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def given(self) -> frozenset[str]:
        """Names that the file gives."""
        return frozenset(self._given)

    def unread(self) -> tuple[str, ...]:
        """Names that the file gives and nobody has asked for."""
        return tuple(name for name in self._given if name not in self._read)


@dataclass(frozen=True, eq=False)
class Operator:
    """One node of the model, with its inputs resolved.

    Attributes:
        kind: operator type, such as "Conv".
        inputs: input values; None for an omitted one.
        attributes: attributes by name, decoded; an omitted one has the specification's default.
        outputs: number of results.
        version: version of the operator set.
    """

    kind: str
    inputs: tuple[Value | None, ...]
    attributes: Attributes
    outputs: int
    version: int

    def get(self, index: int) -> Value | None:
        """An input; None if omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def need(self, index: int) -> Value:
        """A required input."""
        value = self.get(index)
        if value is None:
            raise ModelError(f"its input {index} is missing")
        return value

    def integer(self, name: str) -> int:
        """An integer attribute; 0 if neither the file nor the specification gives one."""
        return int(self.attributes.get(name, 0))

    def number(self, name: str) -> float:
        """A numeric attribute."""
        return float(self.attributes[name])

    def text(self, name: str) -> str:
        """A text attribute; "" if neither the file nor the specification gives one."""
        return str(self.attributes.get(name, ""))

    def pass_over(self, name: str) -> None:
        """Count an attribute as read that has no effect on this node."""
        self.attributes.get(name)

    def refuse(self, name: str, *allowed: Any) -> None:
        """Reject an attribute with a value other than these (or absent)."""
        value = self.attributes.get(name)
        if value not in allowed and value is not None:
            raise ModelError(f"its {name} is {str(value)[:40]!r}, which is not converted")


@dataclass(frozen=True, eq=False)
class Context:
    """The graph under construction."""

    builder: Builder
    notes: list[str] = field(default_factory=list)
    _refs: dict[int, tuple[Known, Ref]] = field(default_factory=dict)

    def add(self, op: str, *args: Argument, kwargs: Mapping[str, Argument] | None = None) -> Ref:
        """Add an operation; "add.Tensor" is short for "aten.add.Tensor"."""
        return self.builder.add(f"aten.{op}", *args, kwargs=kwargs)

    def ref(self, value: Value | None) -> Ref:
        """A value as a tensor in the graph."""
        if isinstance(value, Ref):
            return value
        if value is None:
            raise ModelError("an input is missing")
        if value.array.dtype == object:
            raise ModelError("a size that depends on the batch is used as a number")
        if id(value) not in self._refs:
            array = np.ascontiguousarray(value.array)
            ref = self.builder.anonymous(value.name, array, value.origin)
            self._refs[id(value)] = (value, ref)
        return self._refs[id(value)][1]

    def note(self, text: str) -> None:
        """Tell the user an assumption, once."""
        if text not in self.notes:
            self.notes.append(text)

    def is_constant(self, value: Value) -> bool:
        """Whether a value depends on constants only, and is small enough to be evaluated."""
        return isinstance(value, Known) or self.builder.array(value) is not None

    def known(self, array: Array, name: str = "constant") -> Ref:
        """An array as a constant of the graph."""
        return self.ref(Known(np.ascontiguousarray(array), name))

    def optional(self, value: Value | None) -> Ref | None:
        """The same; None for None."""
        return None if value is None else self.ref(value)

    def array(self, value: Value | None) -> Array:
        """The array of a value that must be static."""
        if isinstance(value, Ref):
            found = self.builder.array(value)
            if found is not None:
                return found
        if not isinstance(value, Known):
            raise ModelError("it needs a constant input, not a computed one")
        return value.array

    def scalar(self, value: Value | None) -> int | float | bool:
        """A static scalar."""
        array = self.array(value)
        if array.size != 1 or array.dtype == object:
            raise ModelError(f"it needs one number, not an array of shape {array.shape}")
        number: int | float | bool = array.reshape(()).item()
        return number

    def ints(self, value: Value | None) -> tuple[int, ...]:
        """Static integers."""
        found = tuple(each for each in self.sizes(value) if isinstance(each, int))
        if len(found) != len(self.sizes(value)):
            raise ModelError("it needs numbers that do not depend on the batch")
        return found

    def sizes(self, value: Value | None) -> tuple[Size, ...]:
        """Integers, static or batch-dependent."""
        flat = np.atleast_1d(self.array(value)).reshape(-1)
        return tuple(each if isinstance(each, Ref) else int(each) for each in flat.tolist())

    def axes_of(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """Sizes of a value's axes, of which there may be a limited number."""
        if len(sizes) > MOST_AXES:
            raise ModelError(f"its result has {len(sizes)} axes; the limit is {MOST_AXES}")
        return tuple(sizes)

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """A value's shape; None marks a size that depends on the batch."""
        return value.array.shape if isinstance(value, Known) else self.builder.shape(value)

    def axis(self, axis: int, rank: int) -> int:
        """A non-negative axis."""
        if not -rank <= axis < rank:
            raise ModelError(f"the axis {axis} is outside a shape of {rank}")
        return axis % rank

    def multiply(self, sizes: Sequence[Size]) -> Size:
        """Product of sizes."""
        product: Size = 1
        for size in sizes:
            if isinstance(product, int) and isinstance(size, int):
                product *= size
            else:
                product = size if product == 1 else self.builder.add("operator.mul", product, size)
        return product


Convert: TypeAlias = Callable[[Context, Operator], Value | Sequence[Value]]
"""Converter: (context, operator) -> value or values."""
