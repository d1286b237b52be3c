"""What a card can do: memory, kernels and their launches. ``nvidia.py`` is the one there is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xbar.device.source import Source
from xbar.errors import EngineError


class DeviceMemoryError(EngineError):
    """The card's memory does not hold what was asked for."""


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory of a card.

    Attributes:
        address: where it begins, as kernels take it.
        size: bytes.
    """

    address: int
    size: int


class Kernel(ABC):
    """A function that runs on the card."""

    @abstractmethod
    def launch(self, grid: tuple[int, int], threads: int, *arguments: Buffer | np.generic) -> None:
        """Start it on a grid of blocks (x, y) of so many threads; later work waits for its end.

        Args:
            grid: number of blocks in both directions.
            threads: threads of a block.
            arguments: buffers, and numbers of exactly the kernel's types.

        Raises:
            EngineError: the card refused it.
        """


class Card(ABC):
    """A card that runs compiled kernels.

    Attributes:
        name: what its maker calls it.
        capability: what its instructions are, such as (9, 0).
        processors: number of its multiprocessors.
        shared: bytes of shared memory that one block may take.
    """

    name: str
    capability: tuple[int, int]
    processors: int
    shared: int

    @abstractmethod
    def kernel(self, source: Source, name: str, shared: int = 0) -> Kernel:
        """A kernel of a text, compiled at its first use.

        Args:
            source: the text.
            name: name of the kernel in it.
            shared: bytes of dynamic shared memory of a block.

        Raises:
            EngineError: the text can't be compiled, or a block has less shared memory.
        """

    @abstractmethod
    def free(self) -> int:
        """Bytes of memory that nothing holds at the moment."""

    @abstractmethod
    def allocate(self, size: int) -> Buffer:
        """Take memory.

        Raises:
            DeviceMemoryError: there is less.
        """

    @abstractmethod
    def release(self, buffer: Buffer) -> None:
        """Give memory back."""

    @abstractmethod
    def write(self, buffer: Buffer, values: NDArray[Any]) -> None:
        """Copy a contiguous array to the beginning of a buffer."""

    @abstractmethod
    def read(self, buffer: Buffer, values: NDArray[Any]) -> None:
        """Fill a contiguous array from the beginning of a buffer, once all kernels have ended."""

    @abstractmethod
    def wait(self) -> None:
        """Return when all kernels have ended.

        Raises:
            EngineError: one of them failed.
        """

    def memory(self) -> Memory:
        """Memory that is given back together, at the end of a ``with`` block."""
        return Memory(self)


class Memory:
    """Buffers of a card that live as long as a ``with`` block."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def empty(self, shape: int | Sequence[int], dtype: DTypeLike) -> Buffer:
        """Room for an array, not initialised.

        Raises:
            DeviceMemoryError: there is less.
        """
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        buffer = self.card.allocate(max(size, 1))
        self._held.callback(self.card.release, buffer)
        return buffer

    def holding(self, values: NDArray[Any]) -> Buffer:
        """A copy of an array.

        Raises:
            DeviceMemoryError: there is less.
        """
        values = np.ascontiguousarray(values)
        buffer = self.empty(values.shape, values.dtype)
        self.card.write(buffer, values)
        return buffer
