"""Validation of array arguments.

    real, as_floats, as_indices, as_flags   conversion to an array of that kind
    check_shape                             shape
    check_finite, check_range               values
    one_number, one_integer, one_of         a single argument

Each raises a SpecError that states what must hold, what was got, where, and what to do. Names in
the messages may begin with a location: "conv1: inputs".
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, TypeAlias, TypeVar, cast

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError, shown

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

Scalar = TypeVar("Scalar", bound=np.generic)
Name = TypeVar("Name", bound=str)

# A value and its reciprocal must both be ordinary floats, with room for their sums.
SMALLEST, LARGEST = 1e-100, 1e100


def real(values: ArrayLike, name: str) -> NDArray[Any]:
    """Real numbers of any type as an array; an array is not copied.

    Raises:
        SpecError: the values are not real numbers in a rectangular array, or some are masked.
    """
    if np.ma.is_masked(values):
        raise SpecError(f"{name} must have no masked values; fill them in with .filled(...)")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise SpecError(
            f"{name} must be one rectangular array of numbers, with rows of one length"
        ) from error
    if array.dtype.kind == "O":
        array = _plain(array)
    if array.dtype.kind not in "fiub":
        raise SpecError(f"{name} must hold real numbers, not {array.dtype}")
    return array


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Fractions, decimals and large integers as float64; other objects stay what they are."""
    flat = list(array.flat)
    if not all(isinstance(value, (Real, Decimal)) for value in flat):
        return array
    try:
        return np.array([float(value) for value in flat], dtype=np.float64).reshape(array.shape)
    except (OverflowError, ValueError):  # beyond the range of floats, or a signalling NaN
        return array


def one_number(value: object, name: str, least: float = -math.inf, *, above: bool = False) -> float:
    """A finite number.

    Args:
        value: what is given for it.
        name: name of the argument.
        least: smallest number that is allowed.
        above: whether the smallest number itself is not.

    Raises:
        SpecError: it is no such number.

    >>> one_number("x", "time_limit", 0, above=True)
    Traceback (most recent call last):
    xbar.errors.SpecError: time_limit must be a finite number above 0, not 'x'
    """
    given = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    number = math.nan
    if isinstance(given, bool):
        pass
    elif isinstance(given, Real):
        with contextlib.suppress(OverflowError):
            number = float(given)
    if not math.isfinite(number) or number < least or (above and number == least):
        limit = "" if least == -math.inf else f" above {least:g}" if above else f" from {least:g}"
        raise SpecError(f"{name} must be a finite number{limit}, not {shown(value)}")
    return number


def one_integer(value: object, name: str, least: int = 0, most: int | None = None) -> int:
    """A whole number.

    Args:
        value: what is given for it.
        name: name of the argument.
        least: smallest number that is allowed.
        most: largest one; None for no limit.

    Raises:
        SpecError: it is no such number.

    >>> one_integer(1.5, "trials", 1)
    Traceback (most recent call last):
    xbar.errors.SpecError: trials must be a whole number, not 1.5
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SpecError(f"{name} must be a whole number, not {shown(value)}")
    number = operator.index(value)
    if number < least or (most is not None and number > most):
        must = f"at least {least}" if number < least else f"at most {most:,}"
        raise SpecError(f"{name} must be {must}, not {shown(number)}")
    return number


def one_of(value: object, name: str, known: Iterable[Name]) -> Name:
    """One of some names, with their type.

    Raises:
        SpecError: it is none of them.

    >>> one_of([], "norm", ("l1", "l2"))
    Traceback (most recent call last):
    xbar.errors.SpecError: norm must be one of l1, l2, not []
    """
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise SpecError(f"{name} must be one of {', '.join(names)}, not {shown(value)}")
    return next(each for each in names if each == value)


def as_floats(values: ArrayLike, name: str) -> Floats:
    """A new float64 array of real numbers.

    Raises:
        SpecError: the values are not real numbers in a rectangular array.
    """
    return np.array(real(values, name), dtype=np.float64, order="C")


def check_shape(
    array: NDArray[Any], name: str, shape: Sequence[int | str], advice: str = ""
) -> None:
    """Raise a SpecError unless an array has this shape.

    Args:
        array: any array.
        name: name of the argument.
        shape: length of each axis, or a letter such as "N" for any length.
        advice: meaning of the lengths, or what to do.

    >>> check_shape(np.zeros((2, 4)), "voltage", ("N", 3), "one volt per word line")
    Traceback (most recent call last):
    xbar.errors.SpecError: voltage must have the shape (N, 3), not (2, 4); one volt per word line
    """
    if len(shape) == array.ndim and all(
        isinstance(wanted, str) or wanted == got
        for wanted, got in zip(shape, array.shape, strict=True)
    ):
        return
    wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    raise SpecError(
        f"{name} must have the shape ({wanted}), not {array.shape}{f'; {advice}' if advice else ''}"
    )


def check_finite(
    array: NDArray[Any],
    name: str,
    unit: str = "",
    axes: Sequence[str] = (),
    advice: str = "",
    *,
    negative: bool = True,
) -> None:
    """Raise a SpecError that names the first value that is NaN or infinite.

    Args:
        array: real numbers.
        name: name of the argument.
        unit: unit of the numbers.
        axes: name of each axis; without them the location is given as an index.
        advice: what to do.
        negative: whether values below 0 are allowed.

    >>> check_finite(np.array([[0.0, np.inf]]), "voltage", "V", ("input", "word line"))
    Traceback (most recent call last):
    xbar.errors.SpecError: voltage must be finite, not inf V at input 0, word line 1
    """
    good = np.isfinite(array)
    if not negative:
        good &= array >= 0
    if good.all():
        return
    place = tuple(int(i) for i in np.argwhere(~good)[0])
    must = "finite" if negative else "finite and non-negative"
    raise SpecError(
        f"{name} must be {must}, not {array[place]}{f' {unit}' if unit else ''}"
        f"{_at(place, axes)}{f'; {advice}' if advice else ''}"
    )


def _at(place: Sequence[int], axes: Sequence[str]) -> str:
    if not place:
        return ""
    if not axes:
        return f" at {list(place)}"
    return " at " + ", ".join(f"{axis} {i}" for axis, i in zip(axes, place, strict=True))


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
    """The argument unchanged: converter of array attributes.

    Accepts whatever numpy does; the class converts the attribute to an array once all arguments are
    known, since its shape depends on the others.
    """
    return cast("Floats", values)


def arguments(value: attrs.AttrsInstance) -> tuple[Any, ...]:
    """Positional arguments that recreate an attrs object."""
    return attrs.astuple(value, recurse=False, filter=lambda attribute, _: attribute.init)


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Make an array read-only and return it."""
    array.flags.writeable = False
    return array


def check_range(
    array: NDArray[np.float64], name: str, unit: str, axes: Sequence[str], advice: str
) -> None:
    """Raise a SpecError unless every value is zero or positive within SMALLEST to LARGEST."""
    ordinary = (array >= SMALLEST) & (array <= LARGEST)
    bad = np.argwhere(~(ordinary | (array == 0)))
    if not len(bad):
        return
    value = array[tuple(bad[0])]
    must = "finite and non-negative"
    if np.isfinite(value) and value > 0:
        must = f"zero or from {SMALLEST:g} to {LARGEST:g} {unit}"
    place = _at([int(i) for i in bad[0]], axes)
    raise SpecError(f"{name} must be {must}, not {value} {unit}{place}; {advice}")


def bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array's bytes (L,), little-endian; without a copy if they are in order."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8)
