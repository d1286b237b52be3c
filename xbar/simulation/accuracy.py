"""Accuracy of a classifier: labels checked against outputs, and right answers counted.

Outputs (N, C) are scores of C classes, of which the largest is the answer. One output (N, 1) tells
class 1 from class 0: the answer is 1 above a threshold, 0.5 for a probability and 0 for a logit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError


def class_numbers(labels: ArrayLike, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as class numbers (N,), and what was assumed.

    Besides numbers (N,) they may be a column (N, 1), or one-hot (N, C): rows of zeros and a one.

    Raises:
        SpecError: they are neither N integers from 0 nor one-hot.

    >>> class_numbers([[0, 1], [1, 0]], 2)
    (array([1, 0]), ('labels are one-hot, so the class of a row is where its 1 stands',))
    """
    values = np.asarray(labels)
    if values.ndim > 1 and values.shape == (count,) + (1,) * (values.ndim - 1):
        return check_labels(values.reshape(count), count), ("labels are a column",)
    if values.ndim != 2 or len(values) != count or values.dtype.kind not in "iufb":
        return check_labels(values, count), ()
    rows = values.astype(np.float64)
    if not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise SpecError(
            f"labels must have shape ({count},), one an input, or be one-hot, rows of zeros and a "
            f"one; they have shape {values.shape} and rows such as {rows[0][:6].tolist()}"
        )
    note = "labels are one-hot, so the class of a row is where its 1 stands"
    return rows.argmax(axis=1).astype(np.int64), (note,)


def check_labels(labels: ArrayLike, count: int) -> NDArray[np.int64]:
    """Labels (N,) as class numbers.

    Raises:
        SpecError: they are not N integers from 0.
    """
    values = np.asarray(labels)
    if values.shape != (count,):
        raise SpecError(f"labels must have shape ({count},), one an input, not {values.shape}")
    plain = values.dtype.kind in "iufb" and bool(((values >= 0) & (values < 2**53)).all())
    numbers = values.astype(np.int64) if plain else None
    if numbers is None or (numbers != values).any():
        wrong = values
        if values.dtype.kind in "iuf":
            wrong = values[~((values >= 0) & (values < 2**53) & (values == np.trunc(values)))]
        raise SpecError(
            f"labels must be class numbers from 0, not {values.dtype} such as {wrong[:3]}"
        )
    return numbers


def class_scores(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outputs (N,) or (N, C, 1, 1, ...) as (N, C); others unchanged."""
    if outputs.ndim == 1:
        return outputs[:, None]
    if outputs.ndim > 2 and max(outputs.shape[2:]) == 1:
        return outputs.reshape(outputs.shape[:2])
    return outputs


def check_classes(
    outputs: NDArray[np.float64], labels: NDArray[np.int64], threshold: float | None = None
) -> None:
    """Check that outputs have a class for every label.

    Args:
        outputs: outputs (N, C), see ``class_scores``.
        labels: class numbers (N,).
        threshold: smallest output of class 1 where there is one output; None if unknown.

    Raises:
        SpecError: the outputs are no class scores, or a label has no class.
    """
    scores = class_scores(outputs)
    if scores.ndim != 2:
        raise SpecError(
            f"accuracy needs outputs of shape (N, classes), but the network gives {outputs.shape}; "
            "leave the labels out to compare outputs only"
        )
    classes = scores.shape[1]
    if classes == 1 and threshold is None:
        raise SpecError(
            "accuracy of one output needs a network that ends in a sigmoid (a probability) or a "
            "linear layer (a logit), so that there is a threshold; give a metric instead"
        )
    known = max(classes, 2)
    if labels.size and labels.max() >= known:
        must = f"under {known}, the network's number of classes"
        must = "0 or 1, the classes of one output" if classes == 1 else must
        hint = "; do they count from 1?" if labels.min() == 1 and labels.max() == known else ""
        raise SpecError(f"labels must be {must}, not {labels.max()}{hint}")


def refuse_nan(scores: NDArray[np.floating[Any]], what: str) -> None:
    """Refuse outputs (N, C) that are no numbers: the largest of them would be anything.

    Raises:
        SpecError: one is NaN.
    """
    wrong = np.isnan(scores).any(axis=1)
    if wrong.any():
        raise SpecError(
            f"{what}: the network must give numbers, not nan as in {int(wrong.sum())} of "
            f"{len(wrong)} outputs; look for nan in its constants"
        )


def correct(
    outputs: NDArray[np.float64], labels: NDArray[np.int64], threshold: float | None = None
) -> int:
    """Number of outputs that are largest at their label, or on its side of the threshold.

    Raises:
        SpecError: the outputs are no class scores or no numbers, or a label has no class.
    """
    check_classes(outputs, labels, threshold)
    scores = class_scores(outputs)
    refuse_nan(scores, "accuracy")
    if scores.shape[1] == 1 and threshold is not None:
        return int(((scores[:, 0] > threshold) == labels).sum())
    return int((scores.argmax(axis=1) == labels).sum())
