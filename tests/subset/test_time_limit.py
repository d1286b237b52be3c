"""Searches that are stopped: what they found so far comes back, and nothing is claimed of it."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.subset import (
    Differencing,
    Milp,
    NetworkSearch,
    SchroeppelShamir,
    Window,
    get_solver,
    names,
    solve_many_targets,
    solve_network,
    solve_subset,
    solve_vector,
)

# Without a limit most of these searches would outlast the suite; none of them is timed.


def long_bank(elements):
    """Numbers whose closest subset takes minutes or more to prove."""
    rng = np.random.default_rng(elements)
    return rng.uniform(0.5, 1, elements)


def test_a_hit_up_to_rounding_is_optimal_whether_or_not_the_time_is_up():
    """One of 64 elements is there early, as a billion of the sums are as close."""
    bank = long_bank(64)
    target = 0.5 * bank.sum()
    solution = SchroeppelShamir(time_limit=60).prepare(bank).solve(target)
    assert abs(solution.residual) <= 64 * 2.0**-52 * bank.sum() + 2.0**-52 * target
    assert (solution.status, solution.reason) == ("optimal", "as asked")


def far_off_centre(bank):
    """Near the top few sums lie, so that no early hit ends the search."""
    return float(np.sort(bank)[8:].sum() - 0.01)


def test_schroeppel_shamir_ends_with_a_close_subset_that_it_does_not_call_optimal():
    bank = long_bank(60)
    target = far_off_centre(bank)
    solution = SchroeppelShamir(time_limit=0.3).prepare(bank).solve(target)
    assert solution.status == "best found"
    assert solution.bound == 0.0
    assert abs(solution.residual) < 1e-4
    assert solution.achieved == pytest.approx(bank[solution.mask].sum())
    assert "1 of 1 searches ended after 0.3 s" in solution.reason


def test_differencing_goes_on_until_its_time_is_up_and_not_beyond():
    bank = long_bank(45)
    target = bank.sum() * 0.4
    nodes = 1 << 60
    solution = Differencing(nodes=nodes, time_limit=0.2).prepare(bank).solve(target)
    assert solution.status == "best found"
    assert "ended after 0.2 s" in solution.reason
    first = Differencing(nodes=len(bank) + 2).prepare(bank).solve(target)
    assert abs(solution.residual) <= abs(first.residual)


def test_however_short_the_time_each_method_has_an_answer():
    bank = long_bank(64)
    for method in ("schroeppel-shamir", "differencing", "window", "greedy"):
        solution = solve_subset(bank, 20.0, method, time_limit=1e-9)
        assert abs(solution.residual) <= bank.max(), method
        assert solution.status == "best found", method


def test_more_time_than_is_needed_changes_nothing():
    rng = np.random.default_rng(3)
    for method in names():
        bank = rng.uniform(-1, 1, (5, 9))
        target = rng.uniform(-1, 1, 5)
        free, limited = (
            solve_subset(bank, target, method, time_limit=limit) for limit in (None, 1e6)
        )
        np.testing.assert_array_equal(free.mask, limited.mask)
        assert (free.status, free.reason) == (limited.status, limited.reason)


def test_auto_says_both_why_the_method_and_that_its_time_was_up():
    solution = solve_subset(long_bank(60), far_off_centre(long_bank(60)), time_limit=0.05)
    assert solution.method == "schroeppel-shamir"
    assert solution.reason.startswith("K = 60: exact up to 64 elements")
    assert solution.reason.endswith("; 1 of 1 searches ended after 0.05 s")


def test_of_a_batch_only_what_was_cut_short_is_left_open():
    """A target out of reach needs no search and keeps its tight bound."""
    bank = long_bank(60)
    targets = [far_off_centre(bank), 2 * bank.sum()]
    solution = SchroeppelShamir(time_limit=0.05).prepare(bank).solve(targets)
    assert solution.status == "best found"
    assert solution.bound[0] == 0.0
    assert solution.bound[1] == pytest.approx(bank.sum())
    assert "1 of 2 searches" in solution.reason


def test_a_window_stops_after_the_one_in_which_its_time_was_up():
    bank = long_bank(300)
    few = Window(size=16, tries=1).prepare(bank).solve(80.1)
    solution = Window(size=16, tries=10**9, time_limit=0.05).prepare(bank).solve(80.1)
    assert abs(solution.residual) <= abs(few.residual)
    assert "ended after 0.05 s" in solution.reason


def test_a_networks_search_stops_when_its_time_is_up():
    conductance = long_bank(40)
    half = 20

    def bridge(masks):
        upper, lower = masks[:, :half] @ conductance[:half], masks[:, half:] @ conductance[half:]
        return upper * lower / np.maximum(upper + lower, 1e-300)

    search = NetworkSearch(evaluations=1 << 60, time_limit=0.2)
    solution = solve_network(bridge, 40, 3.1, monotone="rising", search=search)
    assert solution.status == "best found"
    assert abs(solution.residual) < 0.1


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan, np.inf])
def test_a_time_limit_must_be_finite_and_positive(limit):
    for make in (Differencing, SchroeppelShamir, Window, Milp, NetworkSearch):
        with pytest.raises(SpecError, match="time_limit must be a finite number above 0"):
            make(time_limit=limit)
    for name in names():
        with pytest.raises(SpecError, match="time_limit"):
            get_solver(name).within(limit)


def test_several_targets_get_a_choice_when_the_time_is_up():
    """Ten resistors for twelve targets take a minute, as trees help little in 12 dimensions."""
    rng = np.random.default_rng(0)
    bank, targets = rng.uniform(0, 1, 10), rng.uniform(0.1, 0.5, 12)
    shared = solve_many_targets(bank, targets, time_limit=0.05)
    assert shared.status == "best found"
    assert shared.bound == 0.0
    assert shared.mask.sum(axis=0).max() <= 1
    assert shared.distance == pytest.approx(np.abs(shared.mask @ bank - targets).max())
    vectors = rng.uniform(-1, 1, (34, 30))
    one = solve_vector(vectors, rng.uniform(-1, 1, 30), time_limit=0.05)
    assert one.status == "best found"
    assert one.bound == 0.0


def test_more_time_than_several_targets_need_changes_nothing():
    rng = np.random.default_rng(1)
    bank, targets = rng.uniform(-1, 1, (8, 3)), rng.uniform(-1, 1, 3)
    for solve, elements in ((solve_vector, bank), (solve_many_targets, bank[:, 0])):
        free, limited = solve(elements, targets), solve(elements, targets, time_limit=1e6)
        np.testing.assert_array_equal(free.mask, limited.mask)
        assert limited.status == "optimal"
