"""Run a program on inputs: through its network, or matrix by matrix where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program, check_readout
from xbar.compiler.tile import Readout
from xbar.errors import SpecError
from xbar.simulation.readout import AnalogProducts

Multiply: TypeAlias = Callable[[str, Floats], Floats]


def run_program(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    readout: Readout = "ideal",
    seed: int = 0,
) -> Floats | dict[str, Floats]:
    """See ``Program.run``."""
    check_readout(readout)
    multiply = AnalogProducts(program, readout, seed)
    if program.graph is not None:
        if isinstance(inputs, Mapping):
            raise SpecError("a network's inputs must be one array (N, …), not a mapping")
        return np.asarray(program.graph.run(numbers(inputs), multiply), dtype=np.float64)
    return run_matrices(program, inputs, multiply)


def run_matrices(
    program: Program, inputs: ArrayLike | Mapping[str, ArrayLike], multiply: Multiply
) -> Floats | dict[str, Floats]:
    """Each matrix's outputs for its inputs; bare where there is one matrix and a bare array."""
    if isinstance(inputs, Mapping):
        unknown = sorted(set(inputs) - set(program.weights))
        if unknown:
            raise SpecError(
                f"inputs must be named like the matrices {sorted(program.weights)}, not {unknown}"
            )
        if not inputs:
            raise SpecError(f"inputs must name one of the matrices {sorted(program.weights)}")
        return {name: _run_matrix(program, name, x, multiply) for name, x in inputs.items()}
    if len(program.weights) != 1:
        raise SpecError(
            "inputs must be given by name, {matrix: (N, inputs)}: the program has "
            f"{len(program.weights)} matrices, {sorted(program.weights)}"
        )
    return _run_matrix(program, next(iter(program.weights)), inputs, multiply)


def numbers(inputs: ArrayLike, where: str = "") -> NDArray[Any]:
    """Inputs as an array of real numbers.

    Raises:
        SpecError: they are something else, or their rows have different lengths.
    """
    try:
        array = np.asarray(inputs)
    except ValueError:
        raise SpecError(f"{where}inputs must be one array, with rows of one length") from None
    if array.dtype.kind not in "biuf":
        raise SpecError(f"{where}inputs must be real numbers, not {array.dtype}")
    return array


def _run_matrix(program: Program, name: str, inputs: ArrayLike, multiply: Multiply) -> Floats:
    groups, outputs, rows = program.weights[name].shape
    x = numbers(inputs, f"{name}: ").astype(np.float64)
    shape = (rows,) if groups == 1 else (groups, rows)
    if x.shape[1:] != shape or x.ndim != len(shape) + 1:
        expected = ", ".join(map(str, shape))
        raise SpecError(f"{name}: inputs must have shape (N, {expected}), not {x.shape}")
    if not np.isfinite(x).all():
        raise SpecError(f"{name}: inputs must be finite, but one is NaN or infinite")
    y = multiply(name, x.reshape(len(x), groups, rows))
    return y.reshape(len(x), outputs) if groups == 1 else y
