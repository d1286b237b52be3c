"""Standard normal numbers of read noise: a function of key and place, in any order.

The bits come from Philox-4x32-10 (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2,
3", SC 2011) with a counter for four numbers; two of its words make two normal numbers (G. E. P. Box
and M. E. Muller, 1958). They are float32, of 32 bits each: the largest are 6.7 standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1024
"""Numbers that the kernel makes at a time."""


@dataclass(eq=False)
class Normals:
    """A stream of standard normal numbers.

    Attributes:
        key: four words of 32 bits that tell streams apart.
        position: counters used so far, each of which gives four numbers.
    """

    key: tuple[int, int, int, int]
    position: int = 0
    _rest: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @cached_property
    def words(self) -> NDArray[np.uint64]:
        """The key as an array."""
        return np.array(self.key, np.uint64)

    @classmethod
    def of(cls, seed: Sequence[int]) -> Normals:
        """The stream of some non-negative integers."""
        first, second, third, fourth = np.random.SeedSequence(seed).generate_state(4).tolist()
        return cls((first, second, third, fourth))

    def __call__(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The next numbers, float32: calls for n and for m give those of one for n + m."""
        result = np.empty(shape, np.float32)
        flat = result.reshape(-1)
        known = min(len(self._rest), flat.size)
        flat[:known], self._rest = self._rest[:known], self._rest[known:]
        whole = known + (flat.size - known) // _BLOCK * _BLOCK
        self._fill(flat[known:whole])
        if whole < flat.size:
            block = np.empty(_BLOCK, np.float32)
            self._fill(block)
            flat[whole:], self._rest = block[: flat.size - whole], block[flat.size - whole :]
        return result

    def _fill(self, out: NDArray[np.float32]) -> None:
        """Write the next numbers of whole blocks."""
        from xbar.effects import normal_kernels

        self.position += int(normal_kernels.normals(self.words, np.uint64(self.position), out))
