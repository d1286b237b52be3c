"""Which kernel ran must not show in the answer."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xbar.subset import MeetInTheMiddle, solve_subset
from xbar.subset.kernels import lockstep, merge, narrow, scale, table, walks

LENGTHS = [2, 3, 7, 8, 11, 13, 16, 17, 20]


def problems(elements, count=75):
    """A third has many ties, a third twelve decades."""
    rng = np.random.default_rng(elements)
    bank = rng.uniform(-1, 1, (3, count // 3, elements))
    bank[1] = rng.integers(-3, 4, bank[1].shape)
    bank[2] *= 10.0 ** rng.uniform(-12, 0, bank[2].shape)
    bank = bank.reshape(count, elements)
    return bank, np.abs(bank).sum(1) * rng.uniform(-0.5, 0.5, count)


def by_merging(bank, target):
    count, elements = bank.shape
    row = np.arange(count)
    values, goal = np.empty(bank.shape, np.int64), np.empty(count, np.int64)
    masks, chosen = np.empty(count, np.int64), np.empty(bank.shape, bool)
    scale.to_integers(bank, row, target, values, goal)
    merge.closest_subsets(values, row, goal, masks, np.empty(merge.work_size(elements), np.int64))
    scale.unpack(masks, chosen)
    scale.rescore(bank, row, chosen, np.empty(count))
    return chosen


def in_lockstep(bank, target):
    count, elements = bank.shape
    chosen, achieved = np.empty(bank.shape, bool), np.empty(count)
    work = np.empty(lockstep.work_size(elements), np.int64)
    lockstep.closest_subsets(bank, np.arange(count), target, chosen, achieved, work)
    return chosen, achieved


@pytest.mark.parametrize("elements", [1, 5, *LENGTHS, 22, 25])
def test_merging_and_lock_step_choose_the_same_bits(elements):
    bank, target = problems(elements, 75 if elements < 20 else 24)
    chosen, achieved = in_lockstep(bank, target)
    np.testing.assert_array_equal(chosen, by_merging(bank, target))
    assert not (chosen & (bank == 0)).any()
    np.testing.assert_allclose(achieved, np.where(chosen, bank, 0).sum(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("elements", [29, 30, 31, 32])
def test_merging_and_lock_step_agree_on_the_longest_banks(elements):
    bank, target = problems(elements, 3)
    np.testing.assert_array_equal(in_lockstep(bank, target)[0], by_merging(bank, target))


def in_narrow_rows(bank, target):
    count, elements = bank.shape
    chosen, achieved = np.empty(bank.shape, bool), np.empty(count)
    unsure = np.empty(count, bool)
    work = np.full(narrow.work_size(elements), -1)
    row = np.arange(count)
    narrow.closest_subsets(bank, row, target, chosen, achieved, unsure, work)
    return chosen, achieved, unsure


def nearly_equal(elements, apart, count=400):
    """Elements that are alike up to a share of them; 28 bits tell them from 2**-24 or so on."""
    rng = np.random.default_rng(elements)
    few = rng.uniform(-1, 1, (count, 4))
    bank = np.take_along_axis(few, rng.integers(0, 4, (count, elements)), axis=1)
    bank *= 1 + apart * rng.uniform(-1, 1, bank.shape)
    return bank, np.abs(bank).sum(1) * rng.uniform(-0.5, 0.5, count)


@pytest.mark.parametrize("elements", range(narrow.LEAST_ELEMENTS, narrow.MOST_ELEMENTS + 1))
def test_narrow_rows_choose_the_same_bits_or_are_unsure(elements):
    rng = np.random.default_rng(elements)
    plain = rng.uniform(-1, 1, (403, elements))
    kinds = {
        "plain": (plain, np.abs(plain).sum(1) * rng.uniform(-0.3, 0.3, len(plain))),
        "mixed": problems(elements),
        **{str(apart): nearly_equal(elements, apart) for apart in (1e-12, 1e-9, 1e-8, 1e-7)},
    }
    for name, (bank, target) in kinds.items():
        expected = in_lockstep(bank, target)
        chosen, achieved, unsure = in_narrow_rows(bank, target)
        np.testing.assert_array_equal(chosen[~unsure], expected[0][~unsure], err_msg=name)
        assert achieved[~unsure].tobytes() == expected[1][~unsure].tobytes(), name
        if name == "plain":  # they are worth their while
            assert unsure.mean() < (0.02 if elements <= 15 else 0.15)
        if name == "1e-12":
            assert unsure.mean() > 0.5
        solution = solve_subset(bank, target, "meet-in-the-middle")
        np.testing.assert_array_equal(solution.mask, expected[0], err_msg=name)


@pytest.mark.parametrize("elements", [1, 4, 9, 12, 14])
def test_a_table_of_all_sums_chooses_the_same_bits(elements):
    for kind in range(3):
        bank = problems(elements)[0][25 * kind]
        rng = np.random.default_rng(kind)
        target = np.abs(bank).sum() * rng.uniform(-0.7, 0.7, max(2 << elements, 2048))
        by_table = solve_subset(bank, target)
        some = slice(0, 300)
        plain = solve_subset(np.tile(bank, (300, 1)), target[some])
        np.testing.assert_array_equal(by_table.mask[some], plain.mask)
        assert by_table.achieved[some].tobytes() == plain.achieved.tobytes()


def test_the_sums_of_a_table_are_different_and_belong_to_their_masks():
    values = np.array([3, 5, 8, 0, 5, 13], np.int64)
    sums, masks = table.build(values)
    assert (np.diff(sums) > 0).all()
    bits = (masks[:, None] >> np.arange(6)) & 1
    np.testing.assert_array_equal(bits @ values, sums)


def digest():
    answers = hashlib.sha256()
    for elements in LENGTHS:
        solution = MeetInTheMiddle(threads=1).prepare(problems(elements)[0])
        solution = solution.solve(problems(elements)[1])
        for array in (solution.mask, solution.achieved, solution.bound):
            answers.update(np.asarray(array).tobytes())
    return answers.hexdigest()


def test_a_processor_without_wide_vectors_gives_the_same_bytes():
    """Compiles for the least processor of this architecture, in a process of its own."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_kernels as t; print(t.digest())"
    folder = Path(__file__).parent
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    run = subprocess.run(
        [sys.executable, "-c", code], env=plain, cwd=folder, check=True, capture_output=True
    )
    assert run.stdout.decode().strip() == digest()


def test_a_tolerance_is_met_by_a_part_of_the_bank_when_that_is_enough():
    rng = np.random.default_rng(3)
    bank = rng.uniform(-1, 1, (3000, 20))
    target = bank.sum(1) / 2 + rng.uniform(-1, 1, 3000)
    exact = solve_subset(bank, target)
    quick = solve_subset(bank, target, tolerance=0.01)
    assert quick.status == "within tolerance"
    assert (np.abs(quick.residual) <= 0.01).all()
    assert (np.abs(quick.residual) >= np.abs(exact.residual)).all()
    assert (quick.bound <= np.abs(exact.residual)).all()
    alone = [solve_subset(g, t, tolerance=0.01) for g, t in zip(bank[:20], target, strict=False)]
    np.testing.assert_array_equal([s.mask for s in alone], quick.mask[:20])
    shared = solve_subset(bank[0], target[:50], tolerance=0.01)
    again = solve_subset(np.tile(bank[0], (50, 1)), target[:50], tolerance=0.01)
    np.testing.assert_array_equal(shared.mask, again.mask)


def test_where_no_part_is_good_enough_the_optimum_is_returned():
    rng = np.random.default_rng(4)
    bank = rng.integers(1, 4, (500, 18)) * 1.0
    target = rng.uniform(5, 25, 500)
    quick = solve_subset(bank, target, tolerance=0.3)
    exact = solve_subset(bank, target)
    far = np.abs(exact.residual) > 0.3
    assert far.any()
    np.testing.assert_array_equal(quick.mask[far], exact.mask[far])
    assert quick.status == "within tolerance"


@pytest.mark.parametrize("goal", [-90, -40, 0, 7, 40, 90])  # from below all sums to above them
@pytest.mark.parametrize("distance", [0, 3, 25])
def test_pairs_within_a_distance_are_counted_up_to_enough(goal, distance):
    rng = np.random.default_rng(100 + goal + 1000 * distance)
    a, b = (np.sort(rng.integers(-20, 21, size)) for size in (17, 23))
    count = int((np.abs(a[:, None] + b - goal) <= distance).sum())
    assert walks.count_within(a, b, goal, distance, 10_000) == count
    assert walks.count_within(a, b, goal, distance, 5) == min(count, 5)
