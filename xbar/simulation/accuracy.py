"""Accuracy of a classifier: labels checked against outputs, and right answers counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError


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
        raise SpecError(
            f"labels must be class numbers from 0, not {values.dtype} such as {values[:3]}"
        )
    return numbers


def check_classes(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    """Check that outputs (N, classes) have a class for every label.

    Raises:
        SpecError: the outputs are no class scores, or a label has no class.
    """
    if outputs.ndim != 2:
        raise SpecError(
            f"accuracy needs outputs of shape (N, classes), but the network gives {outputs.shape}; "
            "leave the labels out to compare outputs only"
        )
    if labels.size and labels.max() >= outputs.shape[1]:
        raise SpecError(
            f"labels must be under {outputs.shape[1]}, the network's number of classes, not "
            f"{labels.max()}"
        )


def correct(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> int:
    """Number of outputs (N, classes) that are largest at their label.

    Raises:
        SpecError: the outputs are no class scores, or a label has no class.
    """
    check_classes(outputs, labels)
    return int((outputs.argmax(axis=1) == labels).sum())
