"""A network's constants that stay in their files and are read at each access.

A graph's ``constants`` are a mapping of arrays. :class:`StoredArrays` is one whose arrays lie in
files, at a known offset, in the file's own type; so a network may have more weights than fit in
memory. Nothing is kept of what is read. The functions work on any such mapping, and read nothing
where shape and type are enough.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, printable
from xbar.model.tensors import item_type, widened

Array: TypeAlias = NDArray[Any]
Reference: TypeAlias = tuple[Path, int, int, str]
"""File, offset and number of bytes, and name of their type there."""

_PART = 1 << 22
"""Numbers that are converted at a time."""


@dataclass(frozen=True)
class Stored:
    """An array in a file, little-endian and in C order.

    Attributes:
        path: the file.
        offset: position of its first byte.
        shape: shape of the array.
        held: name of its type in the file, also one that numpy lacks, such as "bfloat16".
        dtype: numpy name of the type as which it is read.
        stamp: bytes of the whole file and nanoseconds of its last change, which must be the same
            at each read; None if another check is made.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    held: str
    dtype: str
    stamp: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """Number of bytes in the file."""
        return math.prod(self.shape) * item_type(self.held).itemsize

    def read(self) -> Array:
        """The array, fresh.

        Raises:
            FileError: the file is gone, too short, or changed since it was first looked at.
        """
        kind = item_type(self.held)
        array = np.empty(math.prod(self.shape), self.dtype)
        try:
            with self.path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                file.seek(self.offset)
                for start in range(0, len(array), _PART):
                    part = array[start : start + _PART]
                    raw = np.fromfile(file, kind, len(part))
                    if len(raw) != len(part):
                        raise FileError(f"{self._where}: it is cut short")
                    part[:] = widened(raw, self.held)
        except OSError as error:
            raise FileError(f"{self._where}: can't be read ({error.strerror})") from error
        return array.reshape(self.shape)

    def rows(self, index: NDArray[np.integer]) -> Array:
        """Some rows of the array, (*index.shape, ...); nothing else is read.

        Args:
            index: numbers of rows, in range.

        Raises:
            FileError: as of ``read``.
        """
        try:
            self._check(self.path.stat())
            table = np.memmap(self.path, item_type(self.held), "r", self.offset, self.shape)
            raw = np.asarray(table[index])
        except OSError as error:
            raise FileError(f"{self._where}: can't be read ({error.strerror})") from error
        return widened(raw, self.held).astype(self.dtype, copy=False)

    @property
    def _where(self) -> str:
        return printable(str(self.path))

    def _check(self, found: os.stat_result) -> None:
        if self.stamp not in (None, (found.st_size, found.st_mtime_ns)):
            raise FileError(
                f"{self._where}: the file changed while its weights were in use; start again"
            )
        if found.st_size < self.offset + self.size:
            raise FileError(
                f"{self._where}: the file must have {self.offset + self.size} bytes, not "
                f"{found.st_size}; it is cut short"
            )


class StoredArrays(Mapping[str, Array]):
    """Arrays by name, each in memory or in a file."""

    def __init__(self, items: Mapping[str, Stored | Array]) -> None:
        """Hold them; nothing is read.

        Args:
            items: by name, an array or where it is.
        """
        self._items = dict(items)

    def __getitem__(self, name: str) -> Array:
        item = self._items[name]
        return item.read() if isinstance(item, Stored) else item

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def shape(self, name: str) -> tuple[int, ...]:
        """An array's shape; it is not read."""
        return self._items[name].shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """An array's type; it is not read."""
        return np.dtype(self._items[name].dtype)

    def reference(self, name: str) -> Reference | None:
        """Where an array is; None if it is in memory."""
        item = self._items[name]
        if not isinstance(item, Stored):
            return None
        return item.path, item.offset, item.size, item.held

    def rows(self, name: str, index: NDArray[np.integer]) -> Array:
        """Some rows of an array; see ``Stored.rows``."""
        item = self._items[name]
        return item.rows(index) if isinstance(item, Stored) else item[index]

    def picked(self, names: Iterable[str]) -> StoredArrays:
        """Some of them, in this order."""
        return StoredArrays({name: self._items[name] for name in names})

    def joined(self, more: Mapping[str, Array]) -> StoredArrays:
        """These and others, which replace those of their names."""
        others = more._items if isinstance(more, StoredArrays) else more
        return StoredArrays({**self._items, **others})

    def renamed(self, names: Mapping[str, str]) -> StoredArrays:
        """The same under other names."""
        return StoredArrays({names.get(name, name): item for name, item in self._items.items()})


def shape_of(arrays: Mapping[str, Array], name: str) -> tuple[int, ...]:
    """Shape of an array, not read for it."""
    return arrays.shape(name) if isinstance(arrays, StoredArrays) else arrays[name].shape


def dtype_of(arrays: Mapping[str, Array], name: str) -> np.dtype[Any]:
    """Type of an array, not read for it."""
    return arrays.dtype(name) if isinstance(arrays, StoredArrays) else arrays[name].dtype


def size_of(arrays: Mapping[str, Array], name: str) -> int:
    """Numbers of an array, not read for it."""
    return math.prod(shape_of(arrays, name))


def outline(arrays: Mapping[str, Array], name: str) -> Array:
    """A read-only stand-in of an array's shape and type, without memory: zero everywhere."""
    zero = np.zeros((), dtype_of(arrays, name))
    return np.broadcast_to(zero, shape_of(arrays, name))


def is_stored(arrays: Mapping[str, Array], name: str) -> bool:
    """Whether an array is read from a file at each access."""
    return isinstance(arrays, StoredArrays) and arrays.reference(name) is not None


def picked(arrays: Mapping[str, Array], names: Iterable[str]) -> Mapping[str, Array]:
    """Some arrays, in this order; those in files are not read."""
    if isinstance(arrays, StoredArrays):
        return arrays.picked(names)
    return {name: arrays[name] for name in names}


def joined(arrays: Mapping[str, Array], more: Mapping[str, Array]) -> Mapping[str, Array]:
    """Arrays and others, which replace those of their names; those in files are not read."""
    if isinstance(arrays, StoredArrays):
        return arrays.joined(more)
    return (
        StoredArrays(arrays).joined(more) if isinstance(more, StoredArrays) else {**arrays, **more}
    )


def renamed(arrays: Mapping[str, Array], names: Mapping[str, str]) -> Mapping[str, Array]:
    """Arrays under other names; those in files are not read."""
    if isinstance(arrays, StoredArrays):
        return arrays.renamed(names)
    return {names.get(name, name): array for name, array in arrays.items()}


def check_readable(where: str, held: str, dtype: str) -> None:
    """Check that numbers of a file's type can be read as another, without a change.

    Raises:
        ModelError: they are of another kind, such as a quantised weight's.
    """
    kind = "f" if held.startswith(("bfloat", "float")) else np.dtype(held).kind
    if kind != np.dtype(dtype).kind:
        raise ModelError(
            f"{where} has numbers of type {held} in the file, where the network takes {dtype}; "
            "a quantised weight must be dequantised before saving"
        )
