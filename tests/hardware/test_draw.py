"""The generator's numbers have the right law and never change."""

import numpy as np
import pytest
from scipy import special, stats

from xbar.hardware import draw, draw_kernel


def test_the_normal_quantile_agrees_with_scipy_over_the_whole_range():
    u = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 20_001), 10.0 ** np.arange(-16, -5)])
    reference = special.ndtri(u)
    np.testing.assert_allclose(draw.normal(u), reference, rtol=2e-15, atol=2e-15)


def test_exp_and_log_are_within_two_ulp_of_the_library():
    x = np.linspace(-30, 30, 20_001)
    np.testing.assert_allclose(draw.exp(x), np.exp(x), rtol=5e-16)
    y = 10.0 ** np.linspace(-300, 300, 20_001)
    np.testing.assert_allclose(draw.log(y), np.log(y), rtol=5e-16, atol=2e-16)


def test_uniform_numbers_pass_a_kolmogorov_smirnov_test_and_stay_inside():
    u = draw.uniform(seed=7, stream=0, tile=3, shape=(100_000,))
    assert u.min() > 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 0.01


def test_the_extremes_of_the_generator_stay_inside_the_open_interval():
    raw = np.array([0, 2**64 - 1], dtype=np.uint64)
    u = np.empty(2)
    draw_kernel.uniform(raw, u)
    assert 0 < u[0] < u[1] < 1


def test_the_compiled_formulas_give_the_bits_of_the_plain_ones():
    raw = np.random.Philox(3).random_raw(200_000)
    plain = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    compiled = np.empty_like(plain)
    draw_kernel.uniform(raw, compiled)
    np.testing.assert_array_equal(compiled, plain)
    u = np.concatenate([plain, 2.0 ** -np.arange(1.0, 54), 1 - 2.0 ** -np.arange(2.0, 54)])
    normal, factor = np.empty_like(u), np.empty_like(u)
    draw_kernel.normal(u, normal)
    np.testing.assert_array_equal(normal, draw.normal(u))
    for sigma in (1e-3, 0.3, 40.0):
        draw_kernel.exp_scaled(normal, sigma, factor)
        np.testing.assert_array_equal(factor, draw.exp(sigma * draw.normal(u)))


def test_streams_tiles_and_seeds_are_unrelated():
    base = draw.uniform(1, 0, 0, (10_000,))
    for other in [(2, 0, 0), (1, 1, 0), (1, 0, 1)]:
        correlation = np.corrcoef(base, draw.uniform(*other, (10_000,)))[0, 1]
        assert abs(correlation) < 0.04


def philox(counter, key):
    """Philox-4x64-10 as Salmon et al. (SC 2011) define it, in Python's integers."""
    word = 2**64 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        high_0, low_0 = divmod(0xD2E7470EE14C6C93 * c[0], 2**64)
        high_1, low_1 = divmod(0xCA5A826395121157 * c[2], 2**64)
        c = [high_1 ^ c[1] ^ k[0], low_1, high_0 ^ c[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & word, (k[1] + 0xBB67AE8584CAA73B) & word]
    return c


@pytest.mark.parametrize(
    ("seed", "stream", "tile"), [(0, 0, 0), (12345, 1, 678), (2**64 - 1, 0, 9)]
)
def test_the_bits_are_philox_by_its_published_definition(seed, stream, tile):
    # numpy steps the counter before it draws, so the first block has counter 1
    words = [w for n in (1, 2) for w in philox([n, tile, 0, 0], [seed, stream])]
    expected = [((w >> 12) + 0.5) * 2.0**-52 for w in words]
    assert draw.uniform(seed, stream, tile, (8,)).tolist() == expected


def test_the_numbers_are_these_to_the_last_bit_on_every_machine():
    u = draw.uniform(seed=12345, stream=1, tile=678, shape=(3,))
    z = draw.normal(u)
    assert [x.hex() for x in z.tolist()] == [
        "0x1.741354c73d553p-1",
        "-0x1.4135974929025p-3",
        "0x1.3fc5963fe3fd1p-1",
    ]
    assert [x.hex() for x in draw.exp(0.3 * z).tolist()] == [
        "0x1.3e5cc7fcdc594p+0",
        "0x1.e8779f3ed3de5p-1",
        "0x1.34c0eff8a17b0p+0",
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 4099])
def test_the_compiled_generator_has_the_bits_of_numpys(count):
    for seed, stream, tile in [(7, 0, 3), (2**64 - 1, 2, 2**63 - 1), (0, 1, 0)]:
        key, counter = [seed, stream], [0, tile, 0, 0]
        bits = np.random.Philox(
            key=np.array(key, dtype=np.uint64), counter=np.array(counter, dtype=np.uint64)
        )
        whole = bits.random_raw(count) >> np.uint64(12)
        expected = (whole.astype(np.float64) + 0.5) * 2.0**-52
        np.testing.assert_array_equal(draw.uniform(seed, stream, tile, (count,)), expected)


def test_resistors_drawn_at_once_have_the_bits_of_the_plain_formulas():
    nominal, sigma = np.array([1e-5, 2e-5, 3e-6]), np.array([0.3, 0.0, 1.4])
    u = draw.uniform(4, 0, 1, (2000, 3))
    found = np.empty(u.size)
    draw_kernel.lognormal(u.reshape(-1), nominal, sigma, found)
    expected = nominal * draw.exp(sigma * draw.normal(u))
    np.testing.assert_array_equal(found.reshape(u.shape), expected)
