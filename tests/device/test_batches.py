"""Batches fit into half of the free memory, and are halved where it was not enough."""

from __future__ import annotations

from typing import Any, cast

import pytest

from xbar.device import DeviceMemoryError, in_batches


class Free:
    def __init__(self, free: int) -> None:
        self.free = lambda: free


def sizes(free: int, count: int, each: int, fits: int, most: int | None = None) -> list[int]:
    """Sizes of the batches that were tried; those above ``fits`` run out of memory."""
    tried, done = [], []

    def work(part: slice) -> None:
        tried.append(part.stop - part.start)
        if tried[-1] > fits:
            raise DeviceMemoryError("full")
        done.extend(range(part.start, part.stop))

    in_batches(cast(Any, Free(free)), count, each, work, most)
    assert done == list(range(count))
    return tried


def test_a_batch_takes_half_of_the_free_memory() -> None:
    assert sizes(2000, 25, 100, fits=99) == [10, 10, 5]
    assert sizes(10**9, 25, 100, fits=99, most=20) == [20, 5]
    assert sizes(0, 3, 100, fits=1) == [1, 1, 1]
    assert sizes(100, 0, 100, fits=0) == []


def test_a_batch_that_does_not_fit_is_halved_for_good() -> None:
    assert sizes(10**9, 17, 1, fits=5) == [17, 8, 4, 4, 4, 4, 1]


def test_a_single_piece_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(DeviceMemoryError):
        sizes(10**9, 4, 1, fits=0)
