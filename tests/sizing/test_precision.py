"""Monte Carlo of precision: exact worst targets, honest intervals, the table of many laws."""

import itertools

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.sizing.laws import (
    BankLaw,
    DifferentialPair,
    Lognormal,
    Normal,
    Uniform,
    draw_banks,
)
from xbar.sizing.precision import (
    counting_bound,
    largest_errors,
    precision,
    resistors_for_bits,
)
from xbar.statistics import quantile_estimate, share_estimate


def _all_sums(bank):
    masks = np.array(list(itertools.product((0, 1), repeat=len(bank))))
    return masks @ bank


@pytest.mark.parametrize("elements", [1, 2, 5, 8])
def test_the_worst_target_is_found_exactly(elements):
    """Against all sums and all targets where the distance can be largest."""
    rng = np.random.default_rng(elements)
    banks = rng.uniform(-1, 1, (40, elements))
    banks[:8] = np.abs(banks[:8])
    banks[8:12] = 0.0
    low = rng.uniform(-2, 2, 40)
    high = low + rng.uniform(0, 2, 40) * (rng.random(40) < 0.8)
    found = largest_errors(banks, low, high)
    for bank, a, b, error in zip(banks, low, high, found, strict=True):
        sums = np.sort(_all_sums(bank))
        middles = (sums[1:] + sums[:-1]) / 2
        places = np.concatenate([[a, b], middles[(middles >= a) & (middles <= b)]])
        wanted = np.abs(places[:, None] - sums).min(axis=1).max()
        assert error == pytest.approx(wanted, abs=1e-12)


def test_a_window_of_no_width_asks_for_one_target():
    rng = np.random.default_rng(2)
    banks, target = rng.uniform(-1, 1, (50, 12)), rng.uniform(-1, 1, 50)
    found = largest_errors(banks, target, target)
    best = np.abs(xbar.solve_subset(banks, target).residual)
    assert found == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    ("law", "medians"),
    [
        (Uniform(), (6.3, 9.5)),
        (Lognormal(0.5), (6.4, 9.5)),
        (Normal(0.3), (6.3, 9.4)),
        (Normal(0.2), (5.9, 9.1)),
        (Normal(0.1), (4.0, 5.7)),
        (Normal(0.05), (3.4, 4.3)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_medians_of_six_laws(law, medians):
    """Bits for any target from a quarter to three quarters of full scale, 8 and 12 elements."""
    for elements, median in zip((8, 12), medians, strict=True):
        found = precision(law, elements, samples=1000, seed=11)
        assert found.median.value == pytest.approx(median, abs=0.2)


def test_equal_nominals_with_little_spread_only_count():
    """Below n = 1.25/sigma the bits are about log2(n), whatever the formula promises."""
    found = precision(Normal(0.02), 16, samples=300, seed=0)
    assert found.median.value == pytest.approx(np.log2(16), abs=0.5)


def test_a_banks_own_law_is_the_chips():
    bank = xbar.Bank(resistors=10, spread="normal", sigma=0.3)
    mine = precision(bank, 10, samples=400, seed=4)
    assert mine.bits == pytest.approx(precision(Normal(0.3), 10, samples=400, seed=4).bits)
    leaky = bank.model_copy(update={"on_off_ratio": 10.0})
    assert precision(leaky, 10, samples=400, seed=4).bits == pytest.approx(mine.bits)
    stuck = bank.model_copy(update={"stuck_open": 0.2, "stuck_closed": 0.1})
    zeros = (draw_banks(stuck, 10, 4000, 4) == 0).mean()
    assert zeros == pytest.approx(1 - 0.8 * 0.9, abs=0.01)


def test_a_longer_bank_begins_with_the_shorter_one():
    long = draw_banks(Lognormal(0.3), 9, 50, 3)
    assert np.array_equal(long[:, :6], draw_banks(Lognormal(0.3), 6, 50, 3))
    assert np.array_equal(long[:20], draw_banks(Lognormal(0.3), 9, 20, 3))


def test_a_list_of_nominals_ends_where_it_ends():
    bank = xbar.Bank(resistors=3, nominal=("10k", "20k", "40k"), spread="none")
    assert draw_banks(bank, 2, 1, 0) == pytest.approx(np.array([[1e-4, 5e-5]]))
    with pytest.raises(SpecError, match="needs as many nominal values, not 3"):
        draw_banks(bank, 4, 1, 0)
    with pytest.raises(SpecError, match="out of reach of none"):
        resistors_for_bits(3, bank, 0.9, seed=0)
    with pytest.raises(SpecError, match="more resistors than none"):
        resistors_for_bits(20, bank, 0.9, seed=0)


def test_a_differential_pair_reaches_small_targets():
    """|z| <= 1/2 with U(0, 1) halves, -log2(2 sup error): 7.6 bits in the median of n = 12."""
    banks = draw_banks(DifferentialPair(Uniform()), 12, 1000, 0)
    bits = -np.log2(2 * largest_errors(banks, -0.5, 0.5))
    assert np.median(bits) == pytest.approx(7.6, abs=0.2)


def test_intervals_of_quantiles_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    for share in (0.02, 0.5):
        values = np.sort(rng.random((1000, 300)), axis=1)
        found = [quantile_estimate(row, share) for row in values]
        covers = np.mean([e.low <= share <= e.high for e in found])
        assert 0.94 < covers < 0.99


def test_intervals_of_shares_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    found = [share_estimate(int(k), 200) for k in rng.binomial(200, 0.97, 1000)]
    covers = np.mean([e.low <= 0.97 <= e.high for e in found])
    assert 0.95 <= covers < 0.995


def test_too_few_samples_bound_nothing():
    found = precision(Uniform(), 6, samples=100, seed=0)
    assert found.at_yield(0.999).to_json()["low"] is None
    assert found.at_yield(1.0).value == found.worst


def test_quantiles_are_numpys_where_all_is_finite_and_exist_where_not():
    values = np.sort(np.random.default_rng(0).random(17))
    for share in (0.0, 0.01, 0.3, 0.5, 0.99, 1.0):
        found = quantile_estimate(values, share).value
        assert found == pytest.approx(np.quantile(values, share), abs=1e-15)
    holes = np.array([-np.inf, -np.inf, 1.0, 2.0, np.inf])
    assert quantile_estimate(holes, 0.3).value == -np.inf
    assert quantile_estimate(holes, 0.6).value == pytest.approx(1.4)
    assert quantile_estimate(holes, 1.0).value == np.inf


def test_a_bank_without_any_working_resistor_reaches_nothing():
    dead = xbar.Bank(resistors=4, stuck_open=1.0)
    found = precision(dead, 4, samples=20, seed=0)
    assert found.worst == found.median.value == -np.inf
    assert found.to_json()["worst"] is None
    with pytest.raises(SpecError, match="out of reach"):
        resistors_for_bits(2, dead, 0.5, samples=20, seed=0)


def test_a_yield_that_takes_too_many_banks_is_refused():
    with pytest.raises(SpecError, match=r"takes 1.0e\+08 banks to confirm"):
        resistors_for_bits(4, Uniform(), 1 - 1e-7, seed=0)


def test_sizing_finds_the_smallest_bank_and_says_how_sure_it_is():
    size = resistors_for_bits(7, Lognormal(0.3), 0.95, samples=1500, seed=0)
    by_count = {point.resistors: point for point in size.curve}
    assert by_count[size.resistors].share(7).value >= 0.95
    assert by_count[size.resistors - 1].share(7).value < 0.95
    assert size.low <= size.resistors <= size.high
    assert by_count[size.high].share(7).low >= 0.95
    assert size.low >= counting_bound(7, 0.95, (0.25, 0.75), "any target")
    fresh = precision(Lognormal(0.3), size.high, samples=1500, seed=99)
    assert fresh.share(7).high >= 0.95


def test_one_target_is_easier_than_any():
    each = resistors_for_bits(8, Uniform(), 0.9, figure="per target", samples=800, seed=1)
    every = resistors_for_bits(8, Uniform(), 0.9, samples=800, seed=1)
    assert each.resistors < every.resistors


def test_no_bank_beats_the_counting_bound():
    for figure in ("per target", "any target"):
        for elements in (4, 7):
            found = precision(Uniform(-1, 1), elements, (0.4, 0.6), figure, 2000, seed=0)
            bits = found.at_yield(0.5).value
            assert counting_bound(bits, 0.5, (0.4, 0.6), figure) <= elements


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resistors": 0}, "1 to 22 resistors, not 0"),
        ({"resistors": 23}, "or take 'per target'"),
        ({"window": (0.5, 0.5)}, "two rising fractions"),
        ({"window": (0.5, 1.5)}, "two rising fractions"),
        ({"figure": "worst"}, "must be 'per target' or 'any target'"),
        ({"samples": 0}, "at least 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"seed": 0.5}, "seed must be an integer"),
    ],
)
def test_what_precision_refuses(change, message):
    arguments = {"law": Uniform(), "resistors": 4, "samples": 10, "seed": 0, **change}
    with pytest.raises(SpecError, match=message):
        precision(**arguments)


def test_what_else_is_refused():
    for law in (lambda: Uniform(1, 1), lambda: Normal(-1), lambda: Lognormal(float("nan"))):
        with pytest.raises(SpecError, match="must"):
            law()
    with pytest.raises(SpecError, match="yield must lie between 0 and 1"):
        resistors_for_bits(4, Uniform(), 1.0, seed=0)
    with pytest.raises(SpecError, match="bits must be finite"):
        resistors_for_bits(0, Uniform(), 0.9, seed=0)
    with pytest.raises(SpecError, match="1 to 22 resistors"):
        resistors_for_bits(40, Uniform(), 0.9, seed=0)
    with pytest.raises(SpecError, match="take random targets instead"):
        largest_errors(np.ones((1, 23)), 0, 1)
    with pytest.raises(SpecError, match="windows must have low"):
        largest_errors([1.0], 1, 0)
    with pytest.raises(SpecError, match="a share from 0 to 1"):
        quantile_estimate(np.ones(3), 1.5)


def test_names_say_what_a_law_is():
    assert Uniform(-1, 1).name == "U(-1, 1)"
    assert DifferentialPair(Normal(0.1)).name == "+-N(1, 0.1)"
    assert BankLaw(xbar.Bank(ratio=1.5)).name == "lognormal 0.3, ratio 1.5"
