"""Selection of the weights with the largest scores, per layer or over the whole network.

A structure scores groups of weights instead of single ones: the weights into one output
(a neuron, a filter: a bit line of each of its tiles) or those from one input (a word line).

Shapes: a layer's scores have its weight's shape (outputs, inputs, ...), or (outputs, 1, ...) and
(1, inputs, ...) for groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError, shown

Scope: TypeAlias = Literal["layer", "global"]
Structure: TypeAlias = Literal["weights", "outputs", "inputs"]
Choice: TypeAlias = Literal["largest", "drawn", "relaxed"]
Floats: TypeAlias = NDArray[np.floating[Any]]


def check_keep(keep: float) -> float:
    """Check the fraction of weights to keep.

    Raises:
        SpecError: it is not strictly between 0 and 1.
    """
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep < 1:
        raise SpecError(
            f"keep, the fraction of weights to keep, must lie strictly between 0 and 1, not "
            f"{keep!r}"
        )
    return float(keep)


def check_choice(name: str, value: str, choices: Any) -> None:
    """Check that a value is one of a literal type's.

    Raises:
        SpecError: it is not.
    """
    known = get_args(choices)
    if value not in known:
        raise SpecError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")


MOST_STEPS, MOST_SEEDS = 1_000_000, 2**63 - 1
"""Largest number of epochs or rounds, and largest seed, which PyTorch takes as 64 signed bits."""


def check_count(name: str, value: int, least: int) -> None:
    """Check a number of steps, or a seed, against its limits.

    Raises:
        SpecError: it is not an integer, too small, or absurdly large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SpecError(f"{name} must be a whole number of at least {least}, not {shown(value)}")
    most = MOST_SEEDS if name == "seed" else MOST_STEPS
    if value > most:
        raise SpecError(f"{name} must be at most {most:,}, not {shown(value)}")


def count(size: int, keep: float) -> int:
    """Number of scores kept out of ``size``: rounded, at least one.

    >>> count(10, 0.25), count(10, 0.01)
    (2, 1)
    """
    return max(1, round(size * keep))


def threshold(scores: Floats, kept: int) -> float:
    """The ``kept``-th largest score.

    >>> threshold(np.array([1.0, 3.0, 2.0]), 2)
    2.0
    """
    last = scores.size - kept
    return float(np.partition(scores.ravel(), last)[last])


def top(scores: Floats, kept: int) -> NDArray[np.bool_]:
    """Mask of the ``kept`` largest scores; ties are resolved in favour of the first.

    >>> top(np.array([1.0, 3.0, 2.0, 2.0]), 2)
    array([False,  True,  True, False])
    """
    chosen = np.zeros(scores.size, dtype=np.bool_)
    chosen[np.argsort(-scores.ravel(), kind="stable")[:kept]] = True
    return chosen.reshape(scores.shape)


def top_masks(
    scores: Mapping[str, Floats], keep: float, scope: Scope
) -> dict[str, NDArray[np.bool_]]:
    """Masks of the scores' shapes that keep a fraction, per layer or overall."""
    if scope == "layer":
        return {name: top(each, count(each.size, keep)) for name, each in scores.items()}
    flat = np.concatenate([each.ravel() for each in scores.values()])
    chosen = top(flat, count(flat.size, keep))
    edges = np.cumsum([each.size for each in scores.values()])[:-1]
    return {
        name: part.reshape(scores[name].shape)
        for name, part in zip(scores, np.split(chosen, edges), strict=True)
    }


def group_shape(shape: tuple[int, ...], structure: Structure) -> tuple[int, ...]:
    """Shape of a layer's scores.

    >>> group_shape((6, 3, 5, 5), "outputs")
    (6, 1, 1, 1)
    """
    if structure == "outputs":
        return (shape[0], *[1] * (len(shape) - 1))
    if structure == "inputs":
        return (1, shape[1], *[1] * (len(shape) - 2))
    return shape


def group_scores(weight: Floats, structure: Structure) -> Floats:
    """Root mean square of each group's weights; absolute values for single weights."""
    if structure == "weights":
        return np.abs(weight)
    axes = tuple(i for i in range(weight.ndim) if i != (0 if structure == "outputs" else 1))
    result: Floats = np.sqrt(np.mean(weight**2, axis=axes, keepdims=True))
    return result


def structures(names: Sequence[str], structure: Structure) -> dict[str, Structure]:
    """The unit that is scored in each layer.

    The last layer's outputs are the classes and the first layer's inputs the data, so single
    weights are scored there.

    Raises:
        SpecError: there is no layer to which the structure applies.
    """
    spared = {"weights": "", "outputs": names[-1], "inputs": names[0]}[structure]
    if structure != "weights" and len(names) == 1:
        raise SpecError(
            f"structure {structure!r} never prunes the network's own inputs and outputs, but "
            f"{names[0]} has both; prune single weights, or a network of several layers"
        )
    return {name: "weights" if name == spared else structure for name in names}
