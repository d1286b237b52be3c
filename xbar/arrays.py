"""Numbers that users hand to circuits, checked and copied once.

Every function returns a float64 array that can't be written to, or raises a SpecError that says
what must hold, what was got and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

Scalar = TypeVar("Scalar", bound=np.generic)

# A value and its reciprocal must both be ordinary floats, with room for their sums.
SMALLEST, LARGEST = 1e-100, 1e100


def as_floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """A new float64 array of real numbers.

    Raises:
        SpecError: the values are not real numbers in a rectangular array.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise SpecError(f"{name} must be a rectangular array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise SpecError(f"{name} must hold real numbers, not {array.dtype}")
    return np.array(array, dtype=np.float64, order="C")


def as_flags(values: ArrayLike, name: str) -> Bools:
    """A new array of booleans.

    Raises:
        SpecError: the values are not booleans in a rectangular array.
    """
    try:
        array = np.array(values)
    except ValueError as error:
        raise SpecError(f"{name} must be a rectangular array of booleans: {error}") from error
    if array.dtype != bool:
        raise SpecError(f"{name} must be True or False throughout, not {array.dtype}")
    return array


def as_indices(values: ArrayLike, name: str, count: int | None, what: str) -> NDArray[np.int64]:
    """A new array (E,) of indices below ``count``, or of any size.

    Raises:
        SpecError: the values are not whole numbers in a row, or one is out of range.
    """
    try:
        array = np.atleast_1d(np.asarray(values))
    except ValueError as error:
        raise SpecError(f"{name} must be a row of whole numbers: {error}") from error
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise SpecError(
            f"{name} must be a row of whole numbers, not {array.dtype} of shape {array.shape}"
        )
    bad = np.flatnonzero((array < 0) | (array >= (np.inf if count is None else count)))
    if len(bad):
        upwards = "upwards" if count is None else f"to {count - 1}"
        raise SpecError(
            f"{name} must be {what} from 0 {upwards}, not {array[bad[0]]} at position {bad[0]}"
        )
    return frozen(array.astype(np.int64))


def given(values: ArrayLike) -> Floats:
    """An argument just as it was given: the converter of attributes that are arrays.

    Whatever numpy accepts may be given; the class that has the attribute makes an array of it
    after all arguments are known, since its shape follows from the others.
    """
    return cast("Floats", values)


def arguments(value: attrs.AttrsInstance) -> tuple[Any, ...]:
    """What an object of attrs was made with, by position: enough to make it again."""
    return attrs.astuple(value, recurse=False, filter=lambda attribute, _: attribute.init)


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """The same array, which can't be written to from now on."""
    array.flags.writeable = False
    return array


def check_range(
    array: NDArray[np.float64], name: str, unit: str, axes: Sequence[str], advice: str
) -> None:
    """Raise a SpecError that names the place unless every value is zero or an ordinary positive."""
    ordinary = (array >= SMALLEST) & (array <= LARGEST)
    bad = np.argwhere(~(ordinary | (array == 0)))
    if not len(bad):
        return
    value = array[tuple(bad[0])]
    place = ", ".join(f"{axis} {index}" for axis, index in zip(axes, bad[0], strict=False))
    must = "finite and non-negative"
    if np.isfinite(value) and value > 0:
        must = f"zero or from {SMALLEST:g} to {LARGEST:g} {unit}"
    where = f" at {place}" if place else ""
    raise SpecError(f"{name} must be {must}, not {value} {unit}{where}; {advice}")
