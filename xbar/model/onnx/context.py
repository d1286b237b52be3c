"""What an ONNX operator's conversion works with.

A value of the model is a tensor in the graph (a Ref), or it is known beforehand: an array. Shapes
are known too, but a size that follows the batch is a Ref inside an array of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.build import Builder, Size
from xbar.model.graph import Argument, Ref

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Known:
    """A value that is known beforehand.

    Attributes:
        array: of numbers; or of objects, whole numbers and Refs of sizes.
        name: of the constant that it is in the file.
    """

    array: Array
    name: str = "constant"


Value: TypeAlias = Union[Ref, Known]  # noqa: UP007


@dataclass(frozen=True, eq=False)
class Operator:
    """One node of the model, with its inputs looked up.

    Attributes:
        kind: its type, such as "Conv".
        inputs: None for one that is left out.
        attributes: by name; text is text.
        outputs: how many results it has.
        version: of the operator set.
    """

    kind: str
    inputs: tuple[Value | None, ...]
    attributes: Mapping[str, Any]
    outputs: int
    version: int

    def get(self, index: int) -> Value | None:
        """An input, or None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def need(self, index: int) -> Value:
        """An input that must be there."""
        value = self.get(index)
        if value is None:
            raise ModelError(f"its input {index} is missing")
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number among the attributes."""
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        """A number among the attributes."""
        return float(self.attributes.get(name, default))

    def refuse(self, name: str, *allowed: Any) -> None:
        """Refuse an attribute with a value other than these (or none)."""
        value = self.attributes.get(name, allowed[0] if allowed else None)
        if value not in allowed and value is not None:
            raise ModelError(f"its {name} is {str(value)[:40]!r}, which is not converted")


@dataclass(frozen=True, eq=False)
class Context:
    """The graph that is being built."""

    builder: Builder
    _refs: dict[int, tuple[Known, Ref]] = field(default_factory=dict)

    def add(self, op: str, *args: Argument, kwargs: Mapping[str, Argument] | None = None) -> Ref:
        """One operation; "add.Tensor" is short for "aten.add.Tensor"."""
        return self.builder.add(f"aten.{op}", *args, kwargs=kwargs)

    def ref(self, value: Value | None) -> Ref:
        """A value as a tensor in the graph."""
        if isinstance(value, Ref):
            return value
        if value is None:
            raise ModelError("an input is missing")
        if value.array.dtype == object:
            raise ModelError("a size that follows the batch is used as a number")
        if id(value) not in self._refs:
            ref = self.builder.anonymous(value.name, np.ascontiguousarray(value.array))
            self._refs[id(value)] = (value, ref)
        return self._refs[id(value)][1]

    def optional(self, value: Value | None) -> Ref | None:
        """The same, None for None."""
        return None if value is None else self.ref(value)

    def array(self, value: Value | None) -> Array:
        """A value that must be known beforehand."""
        if isinstance(value, Ref):
            found = self.builder.array(value)
            if found is not None:
                return found
        if not isinstance(value, Known):
            raise ModelError("it needs an input that is known beforehand, not computed")
        return value.array

    def scalar(self, value: Value | None) -> int | float | bool:
        """A known value of one number."""
        array = self.array(value)
        if array.size != 1 or array.dtype == object:
            raise ModelError(f"it needs one number, not an array of shape {array.shape}")
        number: int | float | bool = array.reshape(()).item()
        return number

    def ints(self, value: Value | None) -> tuple[int, ...]:
        """Known whole numbers."""
        found = tuple(each for each in self.sizes(value) if isinstance(each, int))
        if len(found) != len(self.sizes(value)):
            raise ModelError("it needs numbers that do not follow the batch")
        return found

    def sizes(self, value: Value | None) -> tuple[Size, ...]:
        """Whole numbers, known or following the batch."""
        flat = np.atleast_1d(self.array(value)).reshape(-1)
        return tuple(each if isinstance(each, Ref) else int(each) for each in flat.tolist())

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """A value's shape; None is a size that follows the batch."""
        return value.array.shape if isinstance(value, Known) else self.builder.shape(value)

    def axis(self, axis: int, rank: int) -> int:
        """An axis, counted from the front."""
        if not -rank <= axis < rank:
            raise ModelError(f"the axis {axis} is outside a shape of {rank}")
        return axis % rank

    def multiply(self, sizes: Sequence[Size]) -> Size:
        """The product of sizes."""
        product: Size = 1
        for size in sizes:
            if isinstance(product, int) and isinstance(size, int):
                product *= size
            else:
                product = size if product == 1 else self.builder.add("operator.mul", product, size)
        return product


Convert: TypeAlias = Callable[[Context, Operator], Union[Value, Sequence[Value]]]  # noqa: UP007
"""(context, operator) -> its value, or its values."""
