"""The numbers of read noise, against Python's integers and the formulas that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xbar.effects.normals import Normals


def philox(counter, key):
    """Philox-4x32-10 in Python's integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        even, odd = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [odd >> 32 ^ c[1] ^ k[0], odd & 0xFFFFFFFF, even >> 32 ^ c[3] ^ k[1], even & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


# the generator's own examples: D. E. Shaw Research, Random123, kat_vectors
PUBLISHED = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def pair(one, two):
    """Two normal numbers from two words: a radius, and an angle of 30 bits in a random quadrant."""
    radius = np.sqrt(-2 * np.log((one + 0.5) / 2**32))
    signed = (two >> 2) - (2**30 if two >= 2**31 else 0)
    angle = np.pi / 4 + signed * np.pi / 2**31
    return (
        (1 if two & 1 else -1) * radius * np.cos(angle),
        (1 if two & 2 else -1) * radius * np.sin(angle),
    )


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED)
def test_a_counter_gives_four_numbers_by_the_published_words(counter, key, words):
    assert philox(counter, key) == words
    stream = Normals((*key, *counter[2:]), counter[0] + (counter[1] << 32))
    expected = [*pair(*words[:2]), *pair(*words[2:])]
    found = stream((1024,))[::256]  # of 256 counters, first the first number of each
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def test_a_block_has_the_first_numbers_of_256_counters_then_the_second():
    stream = Normals((1, 2, 3, 4), 2**32 - 100)  # the upper word of the counter grows, too
    found = stream((1100,))
    assert stream.position == 2**32 - 100 + 512  # the second block's other numbers are kept
    for at, counter, which in [(0, 0, 0), (255, 255, 0), (256, 0, 1), (1023, 255, 3)]:
        place = 2**32 - 100 + counter
        words = philox([place % 2**32, place >> 32, 3, 4], [1, 2])
        four = [*pair(*words[:2]), *pair(*words[2:])]
        assert found[at] == pytest.approx(four[which], rel=1e-5, abs=2e-6)


def test_numbers_drawn_in_pieces_are_those_drawn_at_once():
    at_once, stream = Normals.of([3, 1])((5000,)), Normals.of([3, 1])
    pieces = [stream((3, 35)).reshape(-1), stream((175,)), stream((0,)), stream((4720,))]
    np.testing.assert_array_equal(np.concatenate(pieces), at_once)
    assert (Normals.of([3, 2])((5000,)) != at_once).any()


def test_they_are_normal_and_independent():
    x = Normals.of([5, 0])((1 << 21,)).astype(float)
    assert stats.kstest(x, "norm").pvalue > 1e-3
    assert stats.chi2.sf((x**2).sum(), x.size) == pytest.approx(0.5, abs=0.499)
    assert np.abs(x).max() > 4.5
    for lag in (1, 2, 256, 512, 1024):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 4 / np.sqrt(x.size)
        assert abs(np.corrcoef(x[:-lag] ** 2, x[lag:] ** 2)[0, 1]) < 4 / np.sqrt(x.size)
