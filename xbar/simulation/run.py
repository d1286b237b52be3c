"""Run a program on inputs: through its network, or matrix by matrix without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, get_args, overload

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats, as_floats, check_finite, check_shape, one_of, real
from xbar.blas import one_blas_thread
from xbar.compiler.program import Program
from xbar.device import find
from xbar.effects.chain import Chain
from xbar.effects.namespace import Precision
from xbar.effects.readout import Readout, check_readout, tell_selectors
from xbar.errors import SpecError, warn
from xbar.model.graph import Graph
from xbar.model.work import activations
from xbar.simulation.cells import shape_of
from xbar.simulation.memory import memory_limit
from xbar.simulation.on_device import settled
from xbar.simulation.readout import AnalogProducts
from xbar.tables import percent

Multiply: TypeAlias = Callable[[str, Floats], Floats]

BATCH = 256
"""Inputs per batch, which bounds the memory."""

CLIPPED = 0.01
"""Share of conversions that automatic ADC ranges may clip before it is told."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A program prepared for many runs: call it with inputs.

    The data of a layer's tiles (its matrix, the wires' solutions, the noise of its cells, the
    converters' ranges) are computed on the layer's first read and cached. Each call has new read
    noise, as on a chip; the first call of a new reader equals ``Program.run``. Not safe for
    concurrent use by several threads.

    Attributes:
        program: program that is read.
        readout: "ideal", "nodal" or "nonlinear", see ``Program.run``.
        seed: seed of the read noise.
        device: "cpu", "cuda" or "auto": where the tiles' conductances are made, see
            ``Program.reader``.
        precision: "float64" or "float32", of the analog products.
        memory: limit of the layers' matrices in memory, such as "4G"; None for none.
    """

    program: Program = field(repr=False)
    readout: Readout = "ideal"
    seed: int = 0
    device: str = "cpu"
    precision: Precision = "float64"
    memory: int | str | None = None

    def __post_init__(self) -> None:
        check_readout(self.program.hardware, self.readout)
        tell_selectors(self.program.hardware, self.readout)
        tell_wires(self.program, self.readout)
        tell_corrections(self.program, self.readout)
        one_of(self.precision, "precision", get_args(Precision))
        memory_limit(self.memory)
        find(self.device)  # a missing card is told before any work
        if not isinstance(self.seed, (int, np.integer)) or self.seed < 0:
            raise SpecError(f"seed must be a non-negative integer, not {self.seed!r}")

    @overload
    def __call__(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Floats]: ...

    @overload
    def __call__(self, inputs: ArrayLike) -> Floats: ...

    def __call__(self, inputs: ArrayLike | Mapping[str, ArrayLike]) -> Floats | dict[str, Floats]:
        """The outputs (N, ...) for inputs (N, ...), as in ``Program.run``.

        Raises:
            SpecError: the inputs do not fit the network.

        Warns:
            XbarWarning: ADCs without a given range clip more than 1 % of a layer's conversions.
        """
        with one_blas_thread():
            found = self._read(inputs)
        tell_clipping(self._products)
        return found

    def _read(self, inputs: ArrayLike | Mapping[str, ArrayLike]) -> Floats | dict[str, Floats]:
        graph = self.program.graph
        if graph is None:
            return run_matrices(self.program, inputs, self._products)
        if isinstance(inputs, Mapping):
            raise SpecError("a network's inputs must be one array (N, …), not a mapping")
        products = self._products
        if not products.by_layer:
            return np.asarray(graph.run(inputs, products), dtype=np.float64)
        x = real(inputs, "inputs")
        starts = range(0, len(np.atleast_1d(x)), BATCH)
        every = together(graph, [slice(i, i + BATCH) for i in starts], products)
        return np.concatenate([graph.run(x[part], products) for part in every], dtype=np.float64)

    @cached_property
    def _products(self) -> AnalogProducts:
        chain = Chain.of(self.program.hardware, self.readout)
        device = settled(self.program, chain, self.device)
        return AnalogProducts(
            self.program,
            self.readout,
            self.seed,
            precision=self.precision,
            device=device,
            memory=memory_limit(self.memory),
        )


def usual_readout(program: Program) -> Readout:
    """The read-out that belongs to a program: that of its corrections, or of its switches."""
    if program.corrections is not None:
        return program.corrections.readout
    return "nodal" if program.wire_aware and program.hardware.wired else "ideal"


def tell_wires(program: Program, readout: Readout) -> None:
    """Warn where switches were chosen for wires that a read-out leaves out.

    Warns:
        XbarWarning: they were; what they make up for is then missing from the outputs.
    """
    if readout == "ideal" and program.wire_aware and program.hardware.wired:
        warn(
            "readout 'ideal' is without the wires for which the program's switches were chosen, so "
            "its outputs are off by what these make up for; use readout 'nodal'"
        )


def tell_corrections(program: Program, readout: Readout) -> None:
    """Warn where a program's digital corrections were found with another read-out.

    Warns:
        XbarWarning: they were; without resistance of wires, "ideal" and "nodal" are one.
    """
    found = program.corrections
    if found is None or found.readout == readout:
        return
    if not program.hardware.wired and "nonlinear" not in (found.readout, readout):
        return
    warn(
        f"the program's digital corrections were found with read-out {found.readout!r}, and are "
        f"wrong by what it sees and {readout!r} doesn't; read with {found.readout!r}, or calibrate "
        "again"
    )


def tell_clipping(products: AnalogProducts) -> None:
    """Warn of a layer whose automatic ADC ranges clip many conversions.

    Warns:
        XbarWarning: more than ``CLIPPED`` of its conversions.
    """
    adc = products.program.hardware.adc
    if adc is None or adc.range is not None or products.known is not None:
        return
    shares = {name: count.share for name, count in products.clips.items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    if worst and shares[worst] > CLIPPED:
        warn(
            f"{worst}: {percent(shares[worst])} of the ADC conversions are clipped: these inputs "
            "send more current than was expected of inputs; set adc.range, or find ranges from "
            "data by xbar.simulate(..., calibrate='max')"
        )


def together(graph: Graph, batches: Sequence[slice], multiply: Multiply | None) -> Sequence[slice]:
    """Batches that pass the network together.

    One by one; if a layer leaves the memory after each product, as many as have room there, so
    that it returns once for all of them.
    """
    if not getattr(multiply, "by_layer", False) or not batches:
        return batches
    room = int(getattr(multiply, "memory", 0) // activations(graph))
    step = batches[0].stop - batches[0].start
    size = max(room // step, 1) * step
    stop = batches[-1].stop
    return [slice(i, min(i + size, stop)) for i in range(0, stop, size)]


def run_matrices(
    program: Program, inputs: ArrayLike | Mapping[str, ArrayLike], multiply: Multiply
) -> Floats | dict[str, Floats]:
    """Each matrix's outputs for its inputs; one array for one matrix and a bare array."""
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


def _run_matrix(program: Program, name: str, inputs: ArrayLike, multiply: Multiply) -> Floats:
    groups, outputs, rows = shape_of(program, name)
    x = as_floats(inputs, f"{name}: inputs")
    shape = ("N", rows) if groups == 1 else ("N", groups, rows)
    check_shape(x, f"{name}: inputs", shape)
    check_finite(x, f"{name}: inputs")
    y = multiply(name, x.reshape(len(x), groups, rows))
    return y.reshape(len(x), outputs) if groups == 1 else y
