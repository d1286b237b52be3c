"""Switches on a disk are the bits of the cells, one after another."""

import numpy as np
import pytest

from xbar.compiler.bits import close_gaps, open_gaps, row_bytes


@pytest.mark.parametrize("cells", [(1, 1), (3, 5), (8, 8), (16, 7)])
@pytest.mark.parametrize("resistors", [*range(1, 18), 24])
def test_the_bits_are_those_of_the_masks_and_come_back(cells, resistors):
    """The switches (W, B, K) themselves are packed by numpy; xbar moves bytes of cells together."""
    rng = np.random.default_rng(resistors)
    masks = rng.integers(0, 2, (3, *cells, resistors)).astype(np.bool_)
    packed = np.packbits(masks, axis=-1, bitorder="little")
    rows = close_gaps(packed, resistors)
    np.testing.assert_array_equal(
        rows, np.packbits(masks.reshape(3, -1), axis=-1, bitorder="little")
    )
    assert rows.shape == (3, row_bytes(cells, resistors))
    np.testing.assert_array_equal(open_gaps(rows, cells, resistors), packed)
