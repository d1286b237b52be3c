"""A model file and the caller's options for reading it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xbar.errors import SpecError
from xbar.model.graph import Graph
from xbar.model.signature import Wanted

HOW_TO_EXPORT = (
    "write a torch.export archive: model.eval(); "
    "program = torch.export.export(model, (example,)); torch.export.save(program, 'model.pt2')"
)


INPUT_TYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")
"""Allowed types of a network's input where the file leaves it open."""


@dataclass(frozen=True)
class Source:
    """One model file with the caller's options.

    Attributes:
        where: file name for messages.
        input_shape: shape of one input, without the batch axis.
        arch: "module:callable" that builds the module of a state dict.
        activation: activation between the linear layers of a state dict without ``arch``.
        trust_pickle: whether a pickled module may run its code.
        wanted: the output to return and the inputs that are given once.
        input_dtype: numpy name of the inputs' type, one of ``INPUT_TYPES``, or None.
    """

    where: str
    input_shape: tuple[int, ...] | None = None
    arch: str | None = None
    activation: str | None = None
    trust_pickle: bool = False
    wanted: Wanted = field(default_factory=Wanted)
    input_dtype: str | None = None

    def needed_shape(self, what: str) -> tuple[int, ...]:
        """The input shape, required for reading ``what``."""
        if self.input_shape is None:
            raise SpecError(
                f"{self.where}: {what} needs the shape of one input; "
                "add --input-shape, such as --input-shape 1,28,28"
            )
        return self.input_shape

    def refuse_state_options(self, what: str) -> None:
        """Refuse state-dict options for a file that contains the network itself."""
        for option, value in (("--arch", self.arch), ("--activation", self.activation)):
            if value is not None:
                raise SpecError(
                    f"{self.where}: {option} describes a state dict, but this is {what}, which "
                    "contains the network itself; leave it out"
                )

    def check_fits(self, graph: Graph) -> Graph:
        """Check the graph's input shape and type against the caller's; returns the graph."""
        want, got = graph.inputs[0].shape[1:], self.input_shape
        if got is not None and (
            len(got) != len(want) or any(a not in (None, b) for a, b in zip(want, got, strict=True))
        ):
            raise SpecError(f"{self.where}: the model takes inputs of shape {want}, not {got}")
        dtype = graph.inputs[0].dtype
        if self.input_dtype not in (None, dtype):
            raise SpecError(
                f"{self.where}: the model takes inputs of type {dtype}, not {self.input_dtype}; "
                "leave --input-dtype out"
            )
        return graph


def check_shape(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """A shape of positive whole numbers, or None."""
    if shape is None:
        return None
    sizes = tuple(shape) if isinstance(shape, Sequence) else (None,)
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise SpecError(
            f"input_shape must be positive whole numbers such as (1, 28, 28), not {shape!r}"
        )
    return sizes


def check_dtype(dtype: str | None) -> str | None:
    """A type of input, or None."""
    if dtype is not None and dtype not in INPUT_TYPES:
        raise SpecError(f"input_dtype must be one of {', '.join(INPUT_TYPES)}, not {dtype!r}")
    return dtype
