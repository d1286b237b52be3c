"""The ratio of nominal values with which the fewest resistors reach some bits."""

from functools import partial
from types import SimpleNamespace

import pytest

from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.sizing.precision import resistors_for_bits
from xbar.sizing.ratio import search_ratio


def test_resistors_that_match_need_a_ratio_and_exact_ones_the_binary_one():
    size = partial(resistors_for_bits, yield_=0.9, figure="per target", samples=200, seed=1)
    # without spread only the ratio tells resistors apart: 1 gives K + 1 sums, 2 gives 2^K
    exact = Bank(spread="none")
    best, tried = search_ratio(lambda bank: size(4, bank), exact, 1.0, 2.0)
    needed = {one.ratio: one.resistors for one in tried}
    assert next(iter(needed)) == 1.0
    assert list(needed)[-1] == 2.0
    assert needed[2.0] is not None
    assert needed[1.0] is None or needed[1.0] >= 2 * needed[2.0]
    assert needed[best] == min(each for each in needed.values() if each is not None)


def test_of_ratios_that_need_as_many_the_one_of_least_resistance_wins():
    best, tried = search_ratio(lambda bank: SimpleNamespace(resistors=4), Bank(), 1.0, 1.4)
    assert best == 1.0
    # 1 + 1.4 + 1.4^2 + 1.4^3
    assert tried[-1].ohms == pytest.approx(7.104)


def test_a_bank_whose_values_are_listed_has_no_ratio_to_search():
    listed = Bank(resistors=2, nominal=(1e3, 2e3))
    with pytest.raises(SpecError, match="nominal must be one value where a ratio is searched"):
        search_ratio(lambda bank: resistors_for_bits(4, bank, 0.9), listed, 1.0, 1.4)


def test_bits_that_no_ratio_reaches_are_refused_with_the_reason():
    def never(bank):
        raise SpecError(f"out of reach with a ratio of {bank.ratio:g}")

    with pytest.raises(SpecError, match=r"no ratio from 1 to 1\.1 is enough: out of .* of 1\.1"):
        search_ratio(never, Bank(), 1.0, 1.1)
