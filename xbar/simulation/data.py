"""Data of a simulation: inputs in batches, and the score of the outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar import parallel
from xbar.arrays import check_finite, real
from xbar.compiler.program import Program
from xbar.errors import SpecError
from xbar.model.arithmetic import arithmetic
from xbar.model.graph import Graph
from xbar.simulation.accuracy import check_classes, class_numbers, class_scores, correct, refuse_nan
from xbar.simulation.fit import fit_inputs, threshold_note, threshold_of
from xbar.simulation.language import TokenMetric
from xbar.simulation.metric import Metric, measure
from xbar.simulation.places import batch_labels, place_labels
from xbar.simulation.readout import product
from xbar.simulation.run import BATCH, Multiply, run_matrices, together
from xbar.simulation.tokens import Windows, check_tokens, is_stream

MOST_TOGETHER = 1 << 25
"""Outputs per batch, which bounds the memory where there are logits by token."""
_MEASURED = 1 << 21
"""Outputs that are measured at a time."""
MOST_KEPT = 1 << 26
"""Outputs of a pass that are kept: 512 MiB."""


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
        values: outputs (N, ...) of a network; those of bare matrices in one row; none of them where
            they are too many to be kept.
        score: accuracy or metric; None without labels and metric.
        interval: 95 % interval of a built-in metric over the inputs; None for others.
    """

    values: NDArray[np.float64]
    score: float | None
    interval: tuple[float, float] | None = None

    def error(self, exact: Outputs) -> float:
        """Root mean square difference from exact outputs, relative to their root mean square.

        Raises:
            SpecError: they are too many to be kept.
        """
        if not (len(self.values) and len(exact.values)):
            raise SpecError(
                "an error budget compares all outputs, which are too many here to be kept; give "
                "fewer tokens or inputs"
            )
        power = float((exact.values**2).sum())
        missed = float(((self.values - exact.values) ** 2).sum())
        return float(np.sqrt(missed / power)) if power > 0 else float(np.sqrt(missed))


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and, for a network, labels.

    Attributes:
        inputs: inputs (N, ...); {layer: (N, inputs)} or one (N, inputs) for bare matrices.
        labels: class numbers (N,), or labels of the metric; None if unknown. A built-in metric's
            are of each place, (N, T) or (N,), negative where it is not scored.
        size: number N of inputs, of all bare matrices together.
        batches: slices of inputs that run together; one for bare matrices.
        metric: metric used instead of accuracy.
        kept: whether a pass keeps its outputs.
        seen: of windows of a stream, the first places (N,) that are in the window before.
        threshold: output above which a network of one output answers 1; None if unknown.
        notes: what was assumed of the data, one sentence each.
    """

    inputs: Any
    labels: NDArray[Any] | None
    size: int
    batches: tuple[slice, ...]
    metric: Metric | TokenMetric | None = None
    threshold: float | None = None
    notes: tuple[str, ...] = ()
    kept: bool = True
    seen: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        program: Program,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        labels: ArrayLike | None,
        metric: Metric | TokenMetric | None = None,
        windows: Windows | None = None,
    ) -> Data:
        """Check data, and fit them to the network.

        Args:
            program: program that they are for.
            inputs: see ``xbar.simulate``.
            labels: see ``xbar.simulate``.
            metric: metric instead of accuracy.
            windows: how a stream of tokens is cut.

        Raises:
            SpecError: there is no input, or labels or metric do not fit it.
        """
        windows = windows or Windows()
        if program.graph is None:
            if labels is not None or metric is not None:
                raise SpecError("labels and metric need a network; bare matrices have no classes")
            windows.refuse()
            return cls(inputs, None, _vectors(inputs), (slice(0, 1),))
        if isinstance(inputs, Mapping):
            raise SpecError("a network's inputs must be one array (N, …), not a mapping")
        array = real(inputs, "inputs")
        if array.ndim < 1 or len(array) == 0:
            raise SpecError("inputs must hold at least one input")
        graph, seen = program.graph, None
        told: tuple[str, ...] = ()
        if is_stream(array, graph):
            array, seen, told = windows.cut(array, graph)
        else:
            windows.refuse()
        check_finite(array, "inputs")
        array, notes = fit_inputs(graph, array)
        check_tokens(array, graph, seen)
        each = _numbers(graph, array)
        step = max(1, min(BATCH, MOST_TOGETHER // each))
        batches = tuple(slice(i, i + step) for i in range(0, len(array), step))
        if isinstance(metric, TokenMetric):
            numbers, more = place_labels(graph, array, labels, metric, seen), tuple[str, ...]()
        else:
            numbers, more = _labels(labels, len(array), metric)
        threshold, notes = threshold_of(graph), told + notes + more
        kept = len(array) * each <= MOST_KEPT or callable(metric)
        return cls(array, numbers, len(array), batches, metric, threshold, notes, kept, seen)

    def digital_work(self, graph: Graph) -> float | None:
        """Share of the multiply-adds of one input that stay digital, where they can be counted."""
        size = self.inputs.shape[-1]
        found = arithmetic(graph, max(size, 1))
        return None if found is None else found.ratio

    @property
    def step(self) -> int:
        """Inputs of a batch."""
        first = self.batches[0]
        return int(first.stop) - int(first.start)

    def first(self, program: Program, count: int) -> Data:
        """The first ``count`` inputs, without labels."""
        if isinstance(self.inputs, Mapping):
            some = {name: np.asarray(values)[:count] for name, values in self.inputs.items()}
            return Data.of(program, some, None)
        return Data.of(program, np.asarray(self.inputs)[:count], None)

    def assumed(self, outputs: NDArray[Any]) -> tuple[str, ...]:
        """``notes``, and what is assumed to score these outputs."""
        one = self.labels is not None and self.metric is None and self.threshold is not None
        if not one or not len(outputs) or class_scores(outputs).shape[1] > 1:
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
        if isinstance(self.metric, TokenMetric):
            return self._measured(program.graph, multiply, self.metric, count)
        collected: list[NDArray[Any]] = []
        right = 0
        for batch in together(program.graph, self.batches, multiply):
            outputs = np.asarray(program.graph.run(self.inputs[batch], multiply))
            if self.labels is not None and self.metric is None:
                if not collected:  # refuse a bad label before running all inputs
                    check_classes(outputs, self.labels, self.threshold)
                right += correct(outputs, self.labels[batch], self.threshold)
            collected.append(outputs if self.kept else outputs[:0])
            count.step(-(-(batch.stop - batch.start) // self.step))
        values = np.concatenate(collected)
        if self.metric is not None:
            return Outputs(values, measure(self.metric, values, self.labels))
        return Outputs(values, None if self.labels is None else right / self.size)

    def _measured(
        self, graph: Graph, multiply: Multiply | None, metric: TokenMetric, count: Progress
    ) -> Outputs:
        """One pass whose outputs are measured batch by batch."""
        collected: list[NDArray[Any]] = []
        sums, places = (np.zeros(self.size) for _ in range(2))
        for batch in together(graph, self.batches, multiply):
            inputs = self.inputs[batch]
            outputs = np.asarray(graph.run(inputs, multiply))
            digital = outputs
            if metric.digital and multiply is not None:
                digital = np.asarray(graph.run(inputs))
            labels = batch_labels(outputs, self.labels, self.seen, batch)
            scored = labels >= 0
            rows, *place = np.nonzero(scored)
            values = _by_place(metric, outputs, digital, labels, (rows, *place))
            sums[batch] = np.bincount(rows, values, len(outputs))
            places[batch] = np.bincount(rows, minlength=len(outputs))
            collected.append(outputs if self.kept else outputs[:0])
            count.step(-(-(batch.stop - batch.start) // self.step))
        score, interval = metric.total(sums, places)
        if not np.isfinite(score):
            raise SpecError(f"metric {metric.name}: the outputs give {score}, not a finite number")
        return Outputs(np.concatenate(collected), score, interval)


def _by_place(
    metric: TokenMetric,
    outputs: NDArray[Any],
    digital: NDArray[Any],
    labels: NDArray[np.int64],
    places: tuple[NDArray[np.intp], ...],
) -> NDArray[np.float64]:
    """The metric's number at each of these places of a batch."""
    step = max(1, _MEASURED // outputs.shape[-1])
    values = np.empty(len(places[0]))
    for start in range(0, len(values), step):
        some = tuple(axis[start : start + step] for axis in places)
        each = outputs[some], digital[some]
        for logits in each:
            refuse_nan(logits, f"metric {metric.name}")
        values[start : start + step] = metric.measure(*each, labels[some])
    return values


def _numbers(graph: Graph, inputs: NDArray[Any]) -> int:
    """Outputs of one input, as far as its shape tells."""
    shape = next(n.shape for n in graph.nodes if n.name == graph.output.name) or ()
    length = inputs.shape[1] if inputs.ndim > 1 else 1
    return max(1, math.prod(length if size is None else size for size in shape[1:]))


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
