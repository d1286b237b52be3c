"""Data of a simulation: inputs in batches, and the score of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar import parallel
from xbar.arrays import check_finite, real
from xbar.compiler.program import Program
from xbar.errors import SpecError
from xbar.simulation.accuracy import check_classes, class_numbers, class_scores, correct
from xbar.simulation.fit import fit_inputs, threshold_note, threshold_of
from xbar.simulation.metric import Metric, measure
from xbar.simulation.readout import product
from xbar.simulation.run import BATCH, Multiply, run_matrices, together


@dataclass
class Progress:
    """Counts batches and reports the progress."""

    report: parallel.Progress | None
    total: int
    done: int = 0

    def step(self, batches: int = 1) -> None:
        """Count batches."""
        self.done += batches
        if self.report is not None:
            self.report(self.done, self.total)


@dataclass(frozen=True, eq=False)
class Outputs:
    """Result of one pass through the data.

    Attributes:
        values: outputs (N, ...) of a network; those of bare matrices in one row.
        score: accuracy or metric; None without labels and metric.
    """

    values: NDArray[np.float64]
    score: float | None

    def error(self, exact: Outputs) -> float:
        """Root mean square difference from exact outputs, relative to their root mean square."""
        power = float((exact.values**2).sum())
        missed = float(((self.values - exact.values) ** 2).sum())
        return float(np.sqrt(missed / power)) if power > 0 else float(np.sqrt(missed))


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and, for a network, labels.

    Attributes:
        inputs: inputs (N, ...); {layer: (N, inputs)} or one (N, inputs) for bare matrices.
        labels: class numbers (N,), or labels of the metric; None if unknown.
        size: number N of inputs, of all bare matrices together.
        batches: slices of inputs that run together; one for bare matrices.
        metric: metric used instead of accuracy.
        threshold: output above which a network of one output answers 1; None if unknown.
        notes: what was assumed of the data, one sentence each.
    """

    inputs: Any
    labels: NDArray[Any] | None
    size: int
    batches: tuple[slice, ...]
    metric: Metric | None = None
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        program: Program,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        labels: ArrayLike | None,
        metric: Metric | None = None,
    ) -> Data:
        """Check data, and fit them to the network.

        Raises:
            SpecError: there is no input, or labels or metric do not fit it.
        """
        if program.graph is None:
            if labels is not None or metric is not None:
                raise SpecError("labels and metric need a network; bare matrices have no classes")
            return cls(inputs, None, _vectors(inputs), (slice(0, 1),))
        if isinstance(inputs, Mapping):
            raise SpecError("a network's inputs must be one array (N, …), not a mapping")
        array = real(inputs, "inputs")
        if array.ndim < 1 or len(array) == 0:
            raise SpecError("inputs must hold at least one input")
        check_finite(array, "inputs")
        array, notes = fit_inputs(program.graph, array)
        batches = tuple(slice(i, i + BATCH) for i in range(0, len(array), BATCH))
        numbers, more = _labels(labels, len(array), metric)
        threshold = threshold_of(program.graph)
        return cls(array, numbers, len(array), batches, metric, threshold, notes + more)

    def first(self, program: Program, count: int) -> Data:
        """The first ``count`` inputs, without labels."""
        if isinstance(self.inputs, Mapping):
            some = {name: np.asarray(values)[:count] for name, values in self.inputs.items()}
            return Data.of(program, some, None)
        return Data.of(program, np.asarray(self.inputs)[:count], None)

    def assumed(self, outputs: NDArray[Any]) -> tuple[str, ...]:
        """``notes``, and what is assumed to score these outputs."""
        one = self.labels is not None and self.metric is None and self.threshold is not None
        if not one or class_scores(outputs).shape[1] > 1:
            return self.notes
        return (*self.notes, threshold_note(self.threshold or 0.0))

    def run(
        self, program: Program, multiply: Multiply | None, progress: Progress | None = None
    ) -> Outputs:
        """Run all batches through the network; with exact products without ``multiply``."""
        count = progress or Progress(None, 0)
        if program.graph is None:
            found = run_matrices(program, self.inputs, multiply or exact_products(program))
            count.step()
            each = found.values() if isinstance(found, dict) else [found]
            return Outputs(np.concatenate([y.reshape(1, -1) for y in each], axis=1), None)
        collected: list[NDArray[Any]] = []
        right = 0
        for batch in together(program.graph, self.batches, multiply):
            outputs = np.asarray(program.graph.run(self.inputs[batch], multiply))
            if self.labels is not None and self.metric is None:
                if not collected:  # refuse a bad label before running all inputs
                    check_classes(outputs, self.labels, self.threshold)
                right += correct(outputs, self.labels[batch], self.threshold)
            collected.append(outputs)
            count.step(-(-(batch.stop - batch.start) // BATCH))
        values = np.concatenate(collected)
        if self.metric is not None:
            return Outputs(values, measure(self.metric, values, self.labels))
        return Outputs(values, None if self.labels is None else right / self.size)


def _vectors(inputs: Any) -> int:
    """Number of inputs of all bare matrices together; shapes are checked when they run."""
    each = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    return sum(len(np.atleast_1d(real(x, "inputs"))) for x in each)


def exact_products(program: Program) -> Multiply:
    """The network's own exact products."""
    return lambda layer, x: product(x, program.weights[layer])


def _labels(
    labels: ArrayLike | None, count: int, metric: Metric | None
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    if labels is None:
        return None, ()
    if metric is None:
        return class_numbers(labels, count)
    values = np.asarray(labels)
    if values.ndim < 1 or len(values) != count:
        raise SpecError(
            f"labels must have {count} entries, one an input, not the shape {values.shape}"
        )
    return values, ()
