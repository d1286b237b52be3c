"""Subsets from a card have the bits of those from the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from card_cases import KINDS, problems
from plain_card import PlainCard

import xbar
from xbar.arrays import Floats
from xbar.errors import SpecError, XbarWarning


def same(bank: Floats, target: Floats) -> xbar.SubsetSolution:
    """Solve on both; returns the card's."""
    there = xbar.solve_subset(bank, target, device="cuda")
    here = xbar.solve_subset(bank, target)
    assert np.array_equal(there.mask, here.mask)
    assert np.array_equal(np.asarray(there.achieved), np.asarray(here.achieved))
    assert there.status == here.status == "optimal"
    return there


@pytest.mark.parametrize("k", [2, 7, 10, 11, 12, 16, 17, 20])
def test_masks_and_sums_have_the_bits_of_the_cpu(plain_card: PlainCard, k: int) -> None:
    for kind in KINDS:
        same(*problems(k, 203 if k in (7, 11, 12, 16) else 50, kind))
    first = {"narrow"} if 11 <= k <= 18 else set()
    second = {"wide"} if 11 <= k <= 16 else {"exact"}
    assert set(plain_card.launches) == first | second


def test_both_halves_of_a_split_list_agree_where_32_bits_are_not_enough(
    plain_card: PlainCard,
) -> None:
    plain_card.shared = 100 * 1024  # too little for the lists in 64 bits
    for kind in ("ties", "lognormal"):
        same(*problems(16, 100, kind))
    assert set(plain_card.launches) == {"narrow", "exact"}


def test_equal_banks_go_to_64_bits_at_once_after_a_batch(plain_card: PlainCard) -> None:
    bank, target = problems(12, 96, "ties")
    plain_card.claims_free = 2 * 32 * (8 * 12 + 24)  # three batches of 32
    same(bank, target)
    assert plain_card.launches == ["narrow", "wide", "wide", "wide"]


def test_one_bank_and_many_targets(plain_card: PlainCard) -> None:
    bank, target = problems(12, 40, "lognormal")
    same(bank[0], target)
    same(bank[:3, None], target)
    solution = same(bank[0], target[:1].reshape(()))
    assert solution.mask.shape == (12,)
    assert solution.reason.endswith("on plain C++")


def test_no_targets_are_no_work(plain_card: PlainCard) -> None:
    assert xbar.solve_subset(np.ones(12), np.empty(0), device="cuda").mask.shape == (0, 12)
    assert plain_card.launches == []


def test_a_full_memory_halves_the_batches(plain_card: PlainCard) -> None:
    bank, target = problems(11, 100, "lognormal")
    plain_card.most, plain_card.claims_free = 30 * (8 * 11 + 24), 1 << 40
    same(bank, target)
    assert plain_card.launches.count("narrow") == 4  # 100 and 50 did not fit, 25 did
    assert plain_card.held == 0


def test_what_a_card_does_not_take_is_told_and_solved_on_the_cpu(plain_card: PlainCard) -> None:
    bank, target = problems(21, 3, "uniform")
    with pytest.warns(XbarWarning, match="2 to 20 elements, not K = 21"):
        same(bank, target)
    plain_card.shared = 48 * 1024
    with pytest.warns(XbarWarning, match="K = 16 needs more shared memory"):
        same(*problems(16, 3, "uniform"))
    with pytest.warns(XbarWarning, match="greedy runs on the CPU"):
        xbar.solve_subset(bank, target, "greedy", device="cuda")
    plain_card.most = 10
    with pytest.warns(XbarWarning, match="too little free memory"):
        same(*problems(10, 3, "uniform"))
    assert plain_card.launches == []


def test_auto_takes_the_card_and_says_nothing(plain_card: PlainCard) -> None:
    bank, target = problems(12, 5, "uniform")
    assert xbar.solve_subset(bank, target, device="auto").reason.endswith("on plain C++")
    bank, target = problems(21, 5, "uniform")
    assert "plain" not in xbar.solve_subset(bank, target, device="auto").reason


def test_a_tolerance_is_used_on_the_cpu(plain_card: PlainCard) -> None:
    bank, target = problems(18, 4, "uniform")
    loose = xbar.solve_subset(bank, target, tolerance=1e-2, device="auto")
    assert np.array_equal(loose.mask, xbar.solve_subset(bank, target, tolerance=1e-2).mask)
    with pytest.warns(XbarWarning, match="within a tolerance are chosen on the CPU"):
        xbar.solve_subset(bank, target, tolerance=1e-2, device="cuda")
    with pytest.raises(SpecError, match="device must be one of cpu, cuda, auto, not 'gpu'"):
        xbar.solve_subset(bank, target, device="gpu")
