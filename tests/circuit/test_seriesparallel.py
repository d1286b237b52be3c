"""Series-parallel networks: published sequences, general solutions, and Rayleigh's law."""

from __future__ import annotations

from fractions import Fraction

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.circuit.network import ResistorNetwork
from xbar.circuit.seriesparallel import reduce_series_parallel, series_parallel_values
from xbar.errors import SpecError

# OEIS A048211: resistances of n equal resistors; and n different ones, as theory.md has them
EQUAL = [1, 2, 4, 9, 22, 53, 131, 337, 869, 2213]
GENERIC = [1, 2, 8, 52, 472]
PRIMES = [2, 17, 101, 1009, 10007]


@pytest.mark.parametrize(("n", "count"), [*enumerate(EQUAL, start=1)])
def test_n_equal_resistors_reach_the_published_number_of_resistances(n, count):
    assert len(series_parallel_values([1] * n)) == count


@pytest.mark.parametrize(("n", "count"), [*enumerate(GENERIC, start=1)])
def test_n_different_resistors_reach_the_published_number_of_resistances(n, count):
    generic = [Fraction(p, p - 1) + p for p in PRIMES[:n]]
    assert len(series_parallel_values(generic)) == count


def test_the_resistances_of_equal_resistors_scale_with_them():
    found = series_parallel_values([Fraction(7, 3)] * 5)
    assert found == {Fraction(7, 3) * value for value in series_parallel_values([1] * 5)}


def test_the_reciprocal_of_every_resistance_is_reachable_too():
    """Series and parallel are dual."""
    found = series_parallel_values([1] * 7)
    assert found == {1 / value for value in found}


def test_all_in_series_and_all_in_parallel_are_the_extremes():
    ohms = [3, 5, 5, 11]
    found = series_parallel_values(ohms)
    assert max(found) == sum(ohms)
    assert min(found) == 1 / sum(Fraction(1, value) for value in ohms)


@pytest.mark.parametrize(
    ("ohms", "message"),
    [
        ([], "1 to 16 resistances, not 0"),
        ([1] * 17, "1 to 16 resistances, not 17"),
        ([1, 0], "must be positive"),
        ([1, -2], "must be positive"),
        ([np.inf], "must be positive"),
        ([np.nan], "must be positive"),
        ([p + Fraction(1, p) for p in (2, 3, 5, 7, 11, 13, 17, 19)], "over 200000 values"),
    ],
)
def test_what_is_no_set_of_resistors_is_refused(ohms, message):
    with pytest.raises(SpecError, match=message):
        series_parallel_values(ohms)


# networks -------------------------------------------------------------------------------------


@st.composite
def networks(draw, terminals=None):
    """Connected: a tree and some more resistors."""
    count = terminals or draw(st.integers(2, 4))
    nodes = count + draw(st.integers(0, 6))
    edges = [(k, draw(st.integers(0, k - 1))) for k in range(1, nodes)]
    for _ in range(draw(st.integers(0, 8))):
        a, b = draw(st.integers(0, nodes - 1)), draw(st.integers(0, nodes - 1))
        if a != b:
            edges.append((a, b))
    siemens = [draw(st.floats(1e-6, 1e2)) for _ in edges]
    return ResistorNetwork([a for a, _ in edges], [b for _, b in edges], siemens, count)


@given(networks())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_the_terminals_see_no_difference(network):
    small = reduce_series_parallel(network)
    expected = network.reduced
    np.testing.assert_allclose(
        small.reduced, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max()
    )
    assert len(small.tail) <= len(network.tail)
    inner = np.bincount(np.concatenate([small.tail, small.head]), minlength=small.nodes)
    assert np.all(inner[small.terminals :] > 2)


@st.composite
def series_parallel(draw, depth=4):
    """A random series-parallel network and its resistance by the two formulas."""
    edges: list[tuple[int, int, float]] = []
    fresh = iter(range(2, 10_000))

    def build(a, b, level):
        kind = draw(st.sampled_from(["one", "series", "parallel"])) if level else "one"
        if kind == "one":
            ohms = draw(st.floats(1, 1e4))
            edges.append((a, b, ohms))
            return ohms
        if kind == "series":
            middle = next(fresh)
            return build(a, middle, level - 1) + build(middle, b, level - 1)
        first, second = build(a, b, level - 1), build(a, b, level - 1)
        return first * second / (first + second)

    ohms = build(0, 1, depth)
    tail, head, each = zip(*edges, strict=True)
    return ResistorNetwork(tail, head, 1 / np.array(each), 2), ohms


@given(series_parallel())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_series_parallel_network_shrinks_to_one_resistor(case):
    network, ohms = case
    small = reduce_series_parallel(network)
    assert len(small.conductance) == 1
    assert 1 / small.conductance[0] == pytest.approx(ohms, rel=1e-12)
    assert network.effective_resistance(0, 1) == pytest.approx(ohms, rel=1e-10)


def test_a_bridge_does_not_shrink():
    bridge = ResistorNetwork([0, 0, 2, 2, 3], [2, 3, 3, 1, 1], [1.0] * 5, 2)
    assert len(reduce_series_parallel(bridge).conductance) == 5


def test_dead_ends_open_resistors_and_loose_parts_go():
    network = ResistorNetwork(
        [0, 2, 3, 0, 5, 6, 7],
        [1, 0, 2, 4, 6, 7, 5],
        [1.0, 2.0, 3.0, 0.0, 1.0, 1.0, 1.0],
        2,
        list("abcdefgh"),
    )
    small = reduce_series_parallel(network)
    assert small.labels == ("a", "b")
    assert small.conductance.tolist() == [1.0]


def test_labels_of_the_nodes_that_are_left_are_kept():
    star = ResistorNetwork([0, 3, 4, 4], [3, 4, 1, 2], [1.0, 1.0, 1.0, 1.0], 3, list("abcde"))
    assert reduce_series_parallel(star).labels == ("a", "b", "c", "e")


def test_terminals_that_nothing_joins_stay():
    network = ResistorNetwork([2], [3], [1.0], 2)
    assert reduce_series_parallel(network).nodes == 2
    assert not len(reduce_series_parallel(network).tail)


@given(networks(terminals=2), st.data())
@settings(derandomize=True, deadline=None, max_examples=100)
def test_more_conductance_anywhere_never_raises_a_resistance(network, data):
    """Rayleigh's monotonicity law, for the network and for what it shrinks to."""
    edge = data.draw(st.integers(0, len(network.tail) - 1))
    siemens = network.conductance.copy()
    siemens[edge] *= data.draw(st.floats(1, 1e3))
    better = attrs.evolve(network, conductance=siemens)
    before, after = network.effective_resistance(0, 1), better.effective_resistance(0, 1)
    assert after <= before * (1 + 1e-10)
    shrunk = reduce_series_parallel(better).effective_resistance(0, 1)
    assert shrunk == pytest.approx(after, rel=1e-10)
