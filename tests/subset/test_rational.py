"""Strings, ladders and bridges of switched resistors, against every setting of their switches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.subset import NetworkSearch, solve_network, solve_series


def all_masks(elements):
    return (np.arange(1 << elements)[:, None] >> np.arange(elements)) & 1 == 1


def ladder(resistance):
    """A ladder's input conductance: rung i hangs on node i by a switch, 1 ohm from node to node."""

    def value(masks):
        total = np.zeros(len(masks))
        for i in range(masks.shape[1] - 1, -1, -1):
            total = total / (1.0 + total) + masks[:, i] / resistance[i]
        return total

    return value


def bridge(conductance):
    """Conductance between nodes 0 and 1 of a dense network, each edge with a switch."""
    tail, head = np.triu_indices(5, 1)

    def value(masks):
        edge = np.where(masks, conductance, 0.0) + 1e-6  # leakage of the open switches
        laplacian = np.zeros((len(masks), 5, 5))
        laplacian[:, tail, head] = laplacian[:, head, tail] = -edge
        laplacian[:, range(5), range(5)] = -laplacian.sum(axis=2)
        inner = laplacian[:, 2:, 2:]
        schur = laplacian[:, :2, :2] - laplacian[:, :2, 2:] @ np.linalg.solve(
            inner, laplacian[:, 2:, :2]
        )
        return -schur[:, 0, 1]

    return value


@pytest.mark.parametrize("elements", [1, 2, 5, 9, 13])
def test_a_string_with_imperfect_switches_is_solved_exactly(elements):
    rng = np.random.default_rng(elements)
    masks = all_masks(elements)
    for _ in range(30):
        r, r_on = rng.uniform(0, 100, elements), rng.uniform(0, 20, elements)
        r[rng.random(elements) < 0.1] = 0.0
        target, stuck = rng.uniform(-10, 60 * elements), rng.choice([-1, 0, 0, 0, 1], elements)
        values = np.where(masks, r, r_on).sum(axis=1)
        solution = solve_series(r, target, r_on)
        assert abs(solution.residual) == pytest.approx(np.abs(values - target).min(), abs=1e-10)
        assert solution.achieved == pytest.approx(np.where(solution.mask, r, r_on).sum())
        assert solution.bound <= np.abs(values - target).min()
        bound = solve_series(r, target, r_on, stuck=stuck)
        right = ((masks | (stuck <= 0)) & (~masks | (stuck >= 0))).all(axis=1)
        assert abs(bound.residual) == pytest.approx(np.abs(values - target)[right].min(), abs=1e-10)


def test_what_all_or_no_switches_give_is_within_reach_and_more_or_less_is_not():
    ends = np.array([3.0, 7.0])  # 1 ohm of each of three switches; resistors of 1, 2 and 4 ohm
    beyond = ends + np.array([-1e-9, 1e-9])
    expected = [True, True, False, False]
    assert solve_series([1.0, 2.0, 4.0], [*ends, *beyond], 1.0).reachable.tolist() == expected

    def string(masks):
        return np.where(masks, [1.0, 2.0, 4.0], 1.0).sum(axis=1)

    assert solve_network(string, 3, [*ends, *beyond]).reachable.tolist() == expected


def test_strings_broadcast_like_banks():
    rng = np.random.default_rng(0)
    r, target = rng.uniform(1, 2, (4, 1, 7)), rng.uniform(3, 9, 5)
    solution = solve_series(r, target, 0.1)
    assert solution.mask.shape == (4, 5, 7)
    one = solve_series(r[2, 0], target[1], 0.1)
    np.testing.assert_array_equal(solution.mask[2, 1], one.mask)
    assert one.status == "optimal"


def test_switch_resistance_equal_to_the_resistors_leaves_nothing_to_choose():
    solution = solve_series([5.0, 5.0, 5.0], [0.0, 15.0, 99.0], 5.0)
    np.testing.assert_array_equal(solution.achieved, [15.0, 15.0, 15.0])


@pytest.mark.parametrize("elements", [1, 3, 8, 12])
def test_every_setting_of_a_ladder_is_considered(elements):
    rng = np.random.default_rng(elements)
    value = ladder(rng.uniform(0.5, 2, elements))
    targets = rng.uniform(-0.2, 1.5, (3, 20))
    values = value(all_masks(elements))
    solution = solve_network(value, elements, targets)
    best = np.abs(values - targets[..., None]).min(axis=-1)
    np.testing.assert_array_equal(np.abs(solution.residual), best)
    np.testing.assert_array_equal(solution.bound, best)
    np.testing.assert_array_equal(
        solution.achieved, value(solution.mask.reshape(-1, elements)).reshape(3, 20)
    )
    assert solution.status == "optimal"


def test_a_bridge_is_no_obstacle():
    rng = np.random.default_rng(3)
    value = bridge(rng.uniform(0.2, 2, 10))
    values = value(all_masks(10))
    targets = rng.uniform(0, 4, 30)
    solution = solve_network(value, 10, targets)
    np.testing.assert_array_equal(
        np.abs(solution.residual), np.abs(values - targets[:, None]).min(axis=1)
    )


@pytest.mark.parametrize("monotone", [None, "rising"])
def test_flips_come_close_in_networks_too_large_to_enumerate(monotone):
    rng = np.random.default_rng(4)
    value = ladder(rng.uniform(0.5, 3, 20))
    values = value(all_masks(20))
    for target in rng.uniform(0.2, 0.9, 3):
        best = np.abs(values - target).min()
        solution = solve_network(value, 20, target, monotone)
        assert best <= abs(solution.residual) < best + 1e-3
        assert solution.bound <= best
        assert solution.achieved == value(solution.mask[None])[0]
        assert solution.status == ("best found" if monotone is None else "optimal")


def test_best_first_search_proves_what_is_out_of_reach():
    resistance = np.linspace(0.5, 3, 18)
    value = ladder(resistance)
    falling = solve_network(lambda masks: -value(masks), 18, [1.0, -9.0], "falling")
    np.testing.assert_array_equal(falling.mask, [[False] * 18, [True] * 18])
    assert falling.status == "optimal"
    np.testing.assert_array_equal(falling.bound, np.abs(falling.residual))


def test_best_first_search_proves_optima_of_steep_banks():
    bank = 1.9 ** -np.arange(18.0)
    values = all_masks(18) @ bank
    for target in (0.3, 0.77, 1.5):
        solution = solve_network(lambda masks: masks @ bank, 18, target, "rising")
        assert abs(solution.residual) == pytest.approx(np.abs(values - target).min(), abs=1e-15)
        assert solution.status == "optimal"


def test_sensitivities_save_evaluations():
    rng = np.random.default_rng(5)
    bank = rng.uniform(0, 1, 40)
    seen = []

    def value(masks):
        seen.append(len(masks))
        return masks @ bank

    def sensitivity(mask):
        return np.where(mask, -bank, bank)

    effort = NetworkSearch(tolerance=1e-5)
    solution = solve_network(value, 40, 8.0, None, sensitivity, effort)
    with_help = sum(seen)
    seen.clear()
    assert solution.status == "within tolerance"
    solve_network(value, 40, 8.0, None, None, effort)
    assert with_help < sum(seen)


def test_values_that_are_not_finite_are_not_chosen():
    def resistance(masks):
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1.0 / (masks @ np.array([1.0, 2.0])) + 0.0 * np.where(
                masks.any(axis=1), 1, np.nan
            )

    solution = solve_network(resistance, 2, [1e9, 0.45])
    np.testing.assert_array_equal(solution.mask, [[True, False], [False, True]])


def test_the_same_seed_gives_the_same_bytes():
    value = ladder(np.linspace(0.5, 2, 24))
    one, two = (
        solve_network(value, 24, 0.55, search=NetworkSearch(seed=7, evaluations=3000))
        for _ in range(2)
    )
    assert one.mask.tobytes() == two.mask.tobytes()


numbers = st.floats(0, 1e6, allow_subnormal=False)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(numbers, min_size=1, max_size=8), numbers, st.floats(0, 1e3))
def test_a_string_agrees_with_its_own_network(resistance, target, r_on):
    r = np.array(resistance)
    string = solve_series(r, target, r_on)
    network = solve_network(lambda m: np.where(m, r, r_on).sum(axis=1), len(r), target)
    slack = 1e-13 * (r.sum() + r_on * len(r) + target)
    assert abs(abs(string.residual) - abs(network.residual)) <= slack


@pytest.mark.parametrize(
    ("solve", "message"),
    [
        (lambda: solve_series([np.nan], 1.0), "bank must be finite"),
        (lambda: solve_series([], 1.0), "an element or more"),
        (lambda: solve_series([1.0], np.inf), "target must be finite"),
        (lambda: solve_series([1.0], 1.0, [1.0, 2.0]), "r_on of shape"),
        (lambda: solve_series([1.0], 1.0, np.nan), "must be finite"),
        (lambda: solve_network(lambda m: m[:, 0], 0, 1.0), "elements must be"),
        (lambda: solve_network(lambda m: m.sum(axis=1), 2, np.nan), "target must be finite"),
        (lambda: solve_network(lambda m: m * 1.0, 2, 1.0), "the network's value must be"),
        (lambda: solve_network(lambda m: m.sum(axis=1), 2, 1.0, "up"), "monotone must be"),
        (lambda: NetworkSearch(evaluations=0), "evaluations"),
        (lambda: NetworkSearch(tolerance=-1.0), "tolerance"),
    ],
)
def test_what_cannot_be_solved_is_refused(solve, message):
    with pytest.raises(SpecError, match=message):
        solve()
