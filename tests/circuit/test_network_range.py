"""Networks whose conductances span any range of decades, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from xbar.circuit.network import ResistorNetwork


def exact_resistance(network, a, b):
    """Gaussian elimination in rational numbers."""
    size = network.nodes
    rows = [[Fraction(0)] * size for _ in range(size)]
    edges = zip(network.tail.tolist(), network.head.tolist(), network.conductance, strict=True)
    for i, j, g in edges:
        if i != j:
            rows[i][j] -= Fraction(float(g))
            rows[j][i] -= Fraction(float(g))
            rows[i][i] += Fraction(float(g))
            rows[j][j] += Fraction(float(g))
    for k in [k for k in range(size) if k not in (a, b)]:
        pivot = rows[k][k]
        others = [i for i in range(size) if i != k and rows[i][k] != 0]
        for i in others:
            factor = rows[i][k] / pivot
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return -1 / rows[a][b]


def wide_network(seed, nodes, decades, terminals):
    rng = np.random.default_rng(seed)
    tail = np.concatenate([rng.permutation(k)[:1] for k in range(1, nodes)])
    head = np.arange(1, nodes)
    more = np.array([rng.choice(nodes, 2, replace=False) for _ in range(nodes)])
    # of few digits, so that fractions stay short
    power = rng.uniform(-decades / 2, decades / 2, 2 * nodes - 1) * np.log2(10)
    conductance = rng.integers(1, 16, 2 * nodes - 1) * 2.0 ** power.round()
    return ResistorNetwork(
        np.append(tail, more[:, 0]), np.append(head, more[:, 1]), conductance, terminals
    )


@pytest.mark.parametrize(
    ("nodes", "decades"),
    [(3, 1), (3, 60), (3, 150), (6, 1), (6, 60), (6, 150), (10, 20), (10, 60), (33, 60)],
)
def test_resistances_are_exact_over_any_number_of_decades(nodes, decades):
    """33 nodes are beyond what is eliminated without compilation."""
    for seed in range(5 if nodes < 20 else 1):
        terminals = min(nodes, 7)
        network = wide_network(seed, nodes, decades, terminals)
        all_pairs = network.effective_resistances()
        assert np.array_equal(all_pairs, all_pairs.T)
        for a, b in list(combinations(range(terminals), 2))[:: 1 if nodes < 20 else 7]:
            exact = float(exact_resistance(network, a, b))
            assert network.effective_resistance(a, b) == pytest.approx(exact, rel=1e-13)
            assert all_pairs[a, b] == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("decades", [20, 60])
@pytest.mark.parametrize("seed", range(6))
def test_a_reduced_network_is_exact_entry_by_entry(seed, decades):
    network = wide_network(seed, 9, decades, 3)
    delta = [ResistorNetwork([0, 0, 1], [1, 2, 2], -network.reduced[[0, 0, 1], [1, 2, 2]], 3)]
    for a, b in combinations(range(3), 2):
        exact = float(exact_resistance(network, a, b))
        assert delta[0].effective_resistance(a, b) == pytest.approx(exact, rel=1e-13)
    assert np.all(network.reduced[~np.eye(3, dtype=bool)] <= 0)


@pytest.mark.parametrize("seed", range(10))
def test_power_is_that_of_the_source_over_sixty_decades(seed):
    network = wide_network(seed, 12, 60, 2)
    sensitivity = network.sensitivity(0, 1)
    assert np.all((sensitivity >= 0) & (sensitivity <= 1 + 1e-12))
    power = (sensitivity / network.conductance).sum()
    assert power == pytest.approx(network.effective_resistance(0, 1), rel=1e-12)


def test_a_huge_conductance_between_small_ones_is_nothing_in_their_way():
    network = ResistorNetwork([0, 2, 3], [2, 3, 1], [1.0, 1e25, 1.0], 2)
    assert network.effective_resistance(0, 1) == 2.0
    assert network.sensitivity(0, 1).tolist() == pytest.approx([1.0, 1.0, 1.0], rel=1e-15)


def test_the_terminals_of_separate_parts_are_infinitely_far_apart():
    network = ResistorNetwork([0, 2], [1, 3], [1.0, 2.0], 4)
    far = np.inf
    expected = [[0, 1, far, far], [1, 0, far, far], [far, far, 0, 0.5], [far, far, 0.5, 0]]
    np.testing.assert_array_equal(network.effective_resistances(), expected)
