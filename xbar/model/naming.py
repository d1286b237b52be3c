"""Names of values that are computed from parameters: those of the parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.model.stored import dtype_of, shape_of, size_of

Array: TypeAlias = NDArray[Any]

_PARAMETRIZED = re.compile(r"^(.*?)parametrizations\.(\w+)\.original\d*$")
_HOOKED = re.compile(r"^(.*(?:weight|bias)\w*?)_(?:orig|mask|g|v|raw|bar)$")


_MOST_MARKS = 1000


def fresh(name: str, taken: Container[str], mark: str = "_") -> str:
    """A name that is not taken: itself, or with as many marks as it takes.

    Beyond 1,000 marks their number stands in their place. The number is found by bisection, as a
    file may have tens of thousands of values of one name.

    >>> fresh("w", {}), fresh("w", {"w", "w'"}, "'")
    ('w', "w''")
    """

    def marked(count: int) -> str:
        return name + (mark * count if count <= _MOST_MARKS else f"{mark}{count}")

    low, high = -1, 0
    while marked(high) in taken:
        low, high = high, 2 * high + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if marked(middle) in taken else (low, middle)
    return marked(high)


def plain_name(name: str) -> str:
    """A parameter's name without what pruning, norms and parametrizations add to it.

    >>> plain_name("fc.parametrizations.weight.original0")
    'fc.weight'
    >>> plain_name("fc.weight_orig")
    'fc.weight'
    >>> plain_name("rnn.weight_hh_l0_raw")
    'rnn.weight_hh_l0'
    """
    found = _PARAMETRIZED.match(name)
    if found is not None:
        return found[1] + found[2]
    found = _HOOKED.match(name)
    return found[1] if found is not None else name


def part_name(name: str, index: int) -> str:
    """Name of one of several parts of a parameter.

    >>> part_name("attention.in_proj_weight", 1)
    'attention.in_proj.1_weight'
    """
    for ending in (".weight", "_weight", ".bias", "_bias"):
        if name.endswith(ending):
            return f"{name.removesuffix(ending)}.{index}{ending}"
    return f"{name}.{index}"


def name_values(
    values: Mapping[str, Array],
    sources: Mapping[str, Sequence[str]],
    constants: Mapping[str, Array],
    taken: set[str],
) -> dict[str, str]:
    """A name for each value; equal values computed from one parameter have one name.

    Args:
        values: values by the name of their node.
        sources: names of the constants that each is computed from.
        constants: those constants.
        taken: names that are in use.

    >>> import numpy as np
    >>> one = np.ones((2, 2), np.float32)
    >>> name_values({"mul": one}, {"mul": ["fc.weight_orig"]}, {"fc.weight_orig": one}, set())
    {'mul': 'fc.weight'}
    """
    of: dict[str, dict[object, tuple[list[str], bool]]] = {}
    for value, array in values.items():
        source = parameter(sources[value], array, constants)
        part = source is not None and array.size < size_of(constants, source)
        same = (str(array.dtype), array.shape, sha256(array.tobytes()).digest())
        known = of.setdefault(value if source is None else plain_name(source), {})
        known.setdefault(same, ([], part))[0].append(value)
    names: dict[str, str] = {}
    taken = set(taken)
    for base, known in of.items():
        for index, (users, part) in enumerate(known.values()):
            name = part_name(base, index) if part and len(known) > 1 else base
            name = fresh(name, taken, "'")
            taken.add(name)
            names |= dict.fromkeys(users, name)
    return names


def parameter(sources: Sequence[str], value: Array, constants: Mapping[str, Array]) -> str | None:
    """The constant that a value is named after: the first of its shape, or size, or the largest.

    Args:
        sources: names of the constants that it is computed from.
        value: the value.
        constants: arrays by name.
    """
    numbers = [
        name
        for name in sources
        if (dtype := dtype_of(constants, name)).kind in "fiu" and dtype != "int64"
    ]
    if not numbers:
        return None

    def fit(name: str) -> tuple[bool, bool, int]:
        shape = shape_of(constants, name)
        size = math.prod(shape)
        return shape == value.shape, size == value.size, size

    return max(numbers, key=fit)
