"""Operations tried on tensors without contents, to learn the shapes that they give.

PyTorch's fake tensors have a shape and a type and no memory, so that a file can't make the reader
compute, or allocate, anything.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from xbar.errors import ModelError
from xbar.model.graph import Argument
from xbar.model.interpret import TORCH_ERRORS, first_line, resolve, torch_argument

Fake: TypeAlias = Any
"""A fake tensor, a number, or a sequence of these."""

MOST = 1 << 32
"""Numbers that one value of the network may have, for one input."""


_LOG = logging.getLogger("torch._subclasses.fake_tensor")
"""Where PyTorch prints a traceback of what does not fit, before it raises it."""


class MisfitError(ModelError):
    """An operation does not fit its arguments; with another batch size it may."""


class Probe:
    """One batch size, tried on every operation."""

    def __init__(self, count: int) -> None:
        """Start with no values.

        Args:
            count: inputs in the batch.
        """
        self.count = count
        self._mode = FakeTensorMode()

    def tensor(self, shape: tuple[int, ...], dtype: str) -> Fake:
        """A fake tensor."""
        with self._mode:
            return torch.empty(shape, dtype=getattr(torch, dtype))

    def constant(self, array: NDArray[Any]) -> Fake:
        """A fake tensor like an array."""
        dtype = torch.from_numpy(np.empty((), array.dtype)).dtype
        with self._mode:
            return torch.empty(array.shape, dtype=dtype)

    def apply(
        self,
        op: str,
        args: tuple[Argument, ...],
        kwargs: Mapping[str, Argument],
        values: Mapping[str, Fake],
    ) -> Fake:
        """What an operation gives.

        Raises:
            ModelError: it is not allowed, fails, or gives more numbers than a computer holds.
        """
        call = resolve(op, op)
        silent, _LOG.disabled = _LOG.disabled, True  # what is raised says it all
        try:
            given = [torch_argument(each, values) for each in args]
            named = {name: torch_argument(each, values) for name, each in kwargs.items()}
            with self._mode, torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a file's operations are not the user's to mend
                value = call(*given, **named)
        except TORCH_ERRORS as error:
            raise MisfitError(f"{op} can't be applied: {first_line(error)}") from None
        finally:
            _LOG.disabled = silent
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(each, torch.Tensor) and each.numel() > MOST * self.count:
                raise ModelError(f"{op} gives a value of {each.numel()} numbers, which is too many")
        return value


def shape_of(value: Fake) -> tuple[int, ...] | None:
    """The shape of a fake tensor; None for a number, a sequence, or a shape that can't be told."""
    if not isinstance(value, FakeTensor):
        return None
    sizes = tuple(value.shape)
    return sizes if all(type(size) is int for size in sizes) else None


def dtype_of(value: Fake) -> str:
    """Numpy's name for a fake tensor's type; "" for anything else."""
    return str(value.dtype).removeprefix("torch.") if isinstance(value, torch.Tensor) else ""
