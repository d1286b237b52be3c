"""Shape inference: operations applied to fake tensors.

PyTorch's fake tensors have a shape and a type but no storage, so that a file can't make the reader
compute or allocate anything.
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

MOST = 1 << 28
"""Maximum number of elements of a value, for one input: 1 GiB of single precision."""


_LOG = logging.getLogger("torch._subclasses.fake_tensor")
"""The logger to which PyTorch writes the traceback of a mismatch before raising it."""


class MisfitError(ModelError):
    """An operation does not fit its arguments; it may with another batch size."""


class Probe:
    """Applies operations for one batch size."""

    def __init__(self, count: int) -> None:
        """Start with no values.

        Args:
            count: batch size.
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
        """Result of an operation.

        Raises:
            ModelError: it is not allowed, fails, or its result is too large.
        """
        call = resolve(op, op)
        silent, _LOG.disabled = _LOG.disabled, True  # the exception is sufficient
        try:
            given = [torch_argument(each, values) for each in args]
            named = {name: torch_argument(each, values) for name, each in kwargs.items()}
            with self._mode, torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the user can't change a file's operations
                value = call(*given, **named)
        except TORCH_ERRORS as error:
            raise MisfitError(f"{op} can't be applied: {first_line(error)}") from None
        finally:
            _LOG.disabled = silent
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(each, torch.Tensor) and each.numel() > MOST * self.count:
                raise ModelError(
                    f"{op} gives a value of {each.numel()} numbers, which is too many: "
                    f"the limit is {MOST} for one input"
                )
        return value


def shape_of(value: Fake) -> tuple[int, ...] | None:
    """Shape of a fake tensor; None for a number, a sequence, or an unknown shape."""
    if not isinstance(value, FakeTensor):
        return None
    sizes = tuple(value.shape)
    return sizes if all(type(size) is int for size in sizes) else None


def dtype_of(value: Fake) -> str:
    """Numpy name of a fake tensor's type; "" for anything else."""
    return str(value.dtype).removeprefix("torch.") if isinstance(value, torch.Tensor) else ""
