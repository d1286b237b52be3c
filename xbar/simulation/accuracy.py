"""Accuracy of a classifier and its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError

CONFIDENCE = 0.95


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


def wilson_interval(right: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927).

    >>> [round(end, 4) for end in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    share = right / count
    centre = share + z * z / (2 * count)
    half = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    total = 1 + z * z / count
    return max(0.0, (centre - half) / total), min(1.0, (centre + half) / total)


def mean_interval(values: Sequence[float], *, share: bool = True) -> tuple[float, float]:
    """The 95 % Student interval of the mean of a few trials; a share's is clipped to 0 ... 1."""
    from scipy.special import stdtrit

    n = len(values)
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * float(np.std(values, ddof=1)) / n**0.5
    mean = float(np.mean(values))
    if not share:
        return mean - half, mean + half
    return max(0.0, mean - half), min(1.0, mean + half)
