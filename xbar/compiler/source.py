"""Sources of a compilation: network, matrices by name, bare matrix or PyTorch module."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats, as_floats, real
from xbar.compiler.checks import check_some
from xbar.compiler.weights import LateMatrices
from xbar.errors import SpecError
from xbar.model.graph import Graph

if TYPE_CHECKING:
    import torch

Network: TypeAlias = "Graph | Mapping[str, ArrayLike] | ArrayLike | torch.nn.Module"
"""A graph, matrices by layer name, one matrix, or a module."""

BARE = "matrix"
"""The layer name of a bare matrix."""


def read_source(
    source: Network, input_shape: Sequence[int] | None = None
) -> tuple[LateMatrices, Graph | None]:
    """The matrices (G, outputs, inputs) by layer, and the network if there is one.

    Each matrix is checked when it is first read.

    Args:
        source: graph; matrices (outputs, inputs) or (G, outputs, inputs) by layer name; one bare
            matrix (outputs, inputs), which becomes the layer "matrix"; or a torch module.
        input_shape: one input's shape without the batch axis, for a module only.

    Raises:
        SpecError: it is none of these, a matrix is not finite or has another shape, or the input's
            shape is missing or superfluous.
        ModelError: PyTorch can't export the module.
        ToolError: PyTorch is needed and not installed.
    """
    if is_module(source):
        return _read_module(source, input_shape)
    if input_shape is not None:
        raise SpecError(
            "input_shape must be left out unless the source is a torch module: "
            f"{type(source).__name__} has a shape of its own"
        )
    if isinstance(source, Graph):
        check_some({layer.name: () for layer in source.layers})
        return LateMatrices.of_graph(source), source
    if isinstance(source, Mapping):
        return _by_name(source), None
    if isinstance(source, (str, bytes, Path)) or not _is_array(source):
        raise SpecError(
            "what is compiled must be a Graph, a torch module, or a matrix or matrices by name, "
            f"not {type(source).__name__}; xbar.read_model reads a file"
        )
    return _by_name({BARE: _bare(_array(source))}), None


def _by_name(source: Mapping[str, ArrayLike]) -> LateMatrices:
    """Matrices by name: copies, which keep single precision."""
    check_some(source)
    arrays = {}
    for name, matrix in source.items():
        values = real(_array(matrix), f"{name}: weights")
        short = values.dtype.kind == "f" and values.itemsize < 8
        kind = values.dtype.newbyteorder("=") if short else np.dtype(np.float64)
        arrays[name] = np.array(values, dtype=kind, order="C")
    return LateMatrices.of_arrays(arrays)


def is_module(source: object) -> TypeGuard[torch.nn.Module]:
    """Whether it is a PyTorch module; never before PyTorch is imported."""
    torch_ = sys.modules.get("torch")
    return torch_ is not None and isinstance(source, torch_.nn.Module)


def _read_module(
    module: torch.nn.Module, input_shape: Sequence[int] | None
) -> tuple[LateMatrices, Graph | None]:
    from xbar.model.read import from_module

    if input_shape is None:
        raise SpecError(
            f"input_shape must be given for a torch module ({type(module).__name__}): one input's "
            "shape without the batch axis, such as input_shape=(1, 28, 28)"
        )
    return read_source(from_module(module, input_shape))


def _bare(source: ArrayLike) -> Floats:
    """Check a matrix (outputs, inputs) without a name."""
    matrix = as_floats(source, "the matrix")
    if matrix.ndim != 2:
        raise SpecError(
            f"a bare matrix must have shape (outputs, inputs), not {matrix.shape}; "
            "give several, or groups, by name: {'name': matrix}"
        )
    return matrix


def _is_array(source: object) -> TypeGuard[ArrayLike]:
    """Whether numpy reads it as an array: a sequence, or an object with ``__array__``."""
    return isinstance(source, Sequence) or hasattr(source, "__array__")


def _array(matrix: Any) -> Any:
    """The matrix; a tensor that requires a gradient is detached."""
    torch_ = sys.modules.get("torch")
    if torch_ is not None and isinstance(matrix, torch_.Tensor):
        from xbar.model.pytorch import as_array

        return as_array(matrix, "the matrix")
    if isinstance(matrix, np.ma.MaskedArray) or not hasattr(matrix, "__array__"):
        return matrix  # a mask must be seen to be refused
    return np.asarray(matrix)
