"""Which weights are kept: those of the largest scores, by layer or over the whole network.

A structure scores whole groups of weights in place of single ones: the weights into one output
(a neuron, a filter: a bit line of each of its tiles) or those from one input (a word line).

Shapes: a layer's scores have its weight's shape (outputs, inputs, ...), or (outputs, 1, ...) and
(1, inputs, ...) for groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError

Scope: TypeAlias = Literal["layer", "global"]
Structure: TypeAlias = Literal["weights", "outputs", "inputs"]
Floats: TypeAlias = NDArray[np.floating[Any]]


def check_keep(keep: float) -> float:
    """The share of weights to keep.

    Raises:
        SpecError: it is not between 0 and 1, both excluded.
    """
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep < 1:
        raise SpecError(
            f"keep, the share of weights to keep, must lie between 0 and 1, both excluded, not "
            f"{keep!r}"
        )
    return float(keep)


def check_choice(name: str, value: str, choices: Any) -> None:
    """A word must be one of a literal type's.

    Raises:
        SpecError: it is another.
    """
    known = get_args(choices)
    if value not in known:
        raise SpecError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")


def check_count(name: str, value: int, least: int) -> None:
    """A whole number that is large enough.

    Raises:
        SpecError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SpecError(f"{name} must be a whole number of at least {least}, not {value!r}")


def count(size: int, keep: float) -> int:
    """How many of ``size`` scores are kept: the nearest number, at least one.

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
    """Exactly ``kept`` of the scores, the largest; of equal ones the first.

    >>> top(np.array([1.0, 3.0, 2.0, 2.0]), 2)
    array([False,  True,  True, False])
    """
    chosen = np.zeros(scores.size, dtype=np.bool_)
    chosen[np.argsort(-scores.ravel(), kind="stable")[:kept]] = True
    return chosen.reshape(scores.shape)


def top_masks(
    scores: Mapping[str, Floats], keep: float, scope: Scope
) -> dict[str, NDArray[np.bool_]]:
    """Masks of the scores' shapes that keep a share of them: of each layer, or of all together."""
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
    """The shape of a layer's scores.

    >>> group_shape((6, 3, 5, 5), "outputs")
    (6, 1, 1, 1)
    """
    if structure == "outputs":
        return (shape[0], *[1] * (len(shape) - 1))
    if structure == "inputs":
        return (1, shape[1], *[1] * (len(shape) - 2))
    return shape


def group_scores(weight: Floats, structure: Structure) -> Floats:
    """Root mean square of each group's weights; their absolute values without a structure."""
    if structure == "weights":
        return np.abs(weight)
    axes = tuple(i for i in range(weight.ndim) if i != (0 if structure == "outputs" else 1))
    result: Floats = np.sqrt(np.mean(weight**2, axis=axes, keepdims=True))
    return result


def structures(names: Sequence[str], structure: Structure) -> dict[str, Structure]:
    """What is scored in each layer.

    The last layer's outputs are the classes, the first one's inputs the data: there single
    weights are chosen.

    Raises:
        SpecError: no layer is left to have structure.
    """
    spared = {"weights": "", "outputs": names[-1], "inputs": names[0]}[structure]
    if structure != "weights" and len(names) == 1:
        raise SpecError(
            f"structure {structure!r} leaves the network's own inputs and outputs alone, but "
            f"{names[0]} has both; prune single weights, or a network of several layers"
        )
    return {name: "weights" if name == spared else structure for name in names}
