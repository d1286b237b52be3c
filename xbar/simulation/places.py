"""The labels of the places that a built-in metric scores: given, or each place's next token."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import real
from xbar.errors import SpecError
from xbar.model.graph import Graph
from xbar.simulation.language import TokenMetric
from xbar.simulation.tokens import NOT_SCORED, vocabulary

Whole: TypeAlias = NDArray[np.int64]

_CLOSE = 3e-5
"""Change of a logit, relative to the largest, that rounding explains at most."""


def place_labels(
    graph: Graph,
    inputs: NDArray[Any],
    labels: ArrayLike | None,
    metric: TokenMetric,
    seen: Whole | None,
) -> Whole | None:
    """Labels by place; None for a metric that needs none.

    Args:
        graph: the network.
        inputs: its inputs (N, ...).
        labels: the caller's, (N, T) or (N,); None for the next tokens.
        metric: the metric.
        seen: first places (N,) of each window that are in the one before.

    Raises:
        SpecError: the labels don't fit, or there are none and next tokens are no labels of this
            network.
    """
    if labels is not None:
        return _given(labels, inputs, seen)
    if metric.digital:
        return None
    _check_causal(graph, inputs, metric)
    found = np.full(inputs.shape, NOT_SCORED, np.int64)
    found[:, :-1] = inputs[:, 1:]
    first = np.zeros(len(inputs), np.int64) if seen is None else seen
    before = np.arange(inputs.shape[1]) + 1 < first[:, None]
    found[before] = NOT_SCORED
    return found


def batch_labels(
    outputs: NDArray[Any], labels: Whole | None, seen: Whole | None, batch: slice
) -> Whole:
    """Labels of a batch of logits (N, C) or (N, T, C); zeros where no label is needed.

    Raises:
        SpecError: the outputs are no logits of these labels.
    """
    places = outputs.shape[:-1]
    if outputs.ndim not in (2, 3):
        raise SpecError(
            "this metric needs logits (N, T, classes) by token or (N, classes) by input, but the "
            f"network gives {outputs.shape}"
        )
    if labels is None:
        found = np.zeros(places, np.int64)
        if seen is not None and outputs.ndim == 3:
            found[np.arange(places[1]) < seen[batch][:, None]] = NOT_SCORED
        return found
    some = labels[batch]
    if some.shape != places:
        raise SpecError(
            f"labels must have shape {places}, one for each of the network's places, not "
            f"{some.shape}"
        )
    if some.max(initial=0) >= outputs.shape[-1]:
        raise SpecError(
            f"labels must be under {outputs.shape[-1]}, the network's number of classes, not "
            f"{some.max()}"
        )
    return some


def _given(labels: ArrayLike, inputs: NDArray[Any], seen: Whole | None) -> Whole:
    values = real(labels, "labels")
    if seen is not None or values.dtype.kind not in "iu" or len(values) != len(inputs):
        raise SpecError(
            f"labels must be whole numbers, one for each place of {len(inputs)} inputs, negative "
            f"where it is not scored, not {values.dtype} of shape {values.shape}"
            + ("; give tokens and labels in rows (N, T)" if seen is not None else "")
        )
    numbers = values.astype(np.int64)
    if not (numbers >= 0).any():
        raise SpecError("labels must have a place that is scored; all of them are negative")
    return np.maximum(numbers, NOT_SCORED)


def _check_causal(graph: Graph, inputs: NDArray[Any], metric: TokenMetric) -> None:
    """Check that places of the first half do not depend on the tokens of the second.

    All of those are changed, as one of many tokens may change logits by little.
    """
    tokens = inputs.ndim == 2 and inputs.dtype.kind in "iu"
    if not tokens or inputs.shape[1] < 2:
        raise SpecError(
            f"{metric.name} needs labels, unless the network takes rows of two tokens or more, "
            "each of which is the label of the one before"
        )
    pair = np.repeat(inputs[:1], 2, axis=0)
    half = inputs.shape[1] // 2
    pair[1, half:] = (pair[1, half:] + 1) % (vocabulary(graph) or 2)
    logits = np.asarray(graph.run(pair))
    if logits.ndim != 3 or logits.shape[1] != inputs.shape[1]:
        raise SpecError(
            f"{metric.name} without labels needs logits by token (N, T, classes), but the network "
            f"gives {logits.shape}; give labels"
        )
    change = np.abs(logits[1, :half] - logits[0, :half]).max()
    if change > _CLOSE * np.abs(logits).max():
        raise SpecError(
            f"{metric.name} without labels scores each next token, but this network looks at what "
            "follows a place, and so at the token that it is to tell: give labels of masked places"
        )
