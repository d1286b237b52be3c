from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.subset import solve_stream, solve_subset


def test_chunks_are_solved_as_they_come_and_counted():
    rng = np.random.default_rng(0)
    bank, target = rng.random((10, 400, 9)), rng.random((10, 400)) * 4
    seen: list[int] = []
    drawn: list[int] = []

    def chunks():
        for i in range(10):
            drawn.append(i)
            yield bank[i], target[i]

    stream = solve_stream(chunks(), progress=seen.append)
    assert drawn == []
    first = next(stream)
    assert (drawn, seen) == ([0], [400])
    masks = np.stack([first.mask, *(s.mask for s in stream)])
    assert seen == list(range(400, 4001, 400))
    np.testing.assert_array_equal(masks, solve_subset(bank, target).mask)


def test_memory_does_not_grow_with_the_stream():
    bank = np.random.default_rng(0).random((20_000, 8))

    def peak(chunks):
        tracemalloc.start()
        for _ in solve_stream((bank, 2.0) for _ in range(chunks)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(12) < 1.5 * peak(2)


def test_a_bad_chunk_is_refused_when_its_turn_comes():
    stream = solve_stream([([1.0], 1.0), ([np.nan], 1.0)])
    assert next(stream).achieved == 1.0
    with pytest.raises(SpecError, match="bank must be finite"):
        next(stream)
