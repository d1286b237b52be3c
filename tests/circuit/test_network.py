"""ResistorNetwork against textbook resistances and what must hold of any network."""

from __future__ import annotations

import pickle
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.circuit.network import ResistorNetwork
from xbar.errors import CircuitError, SpecError

quietly = settings(derandomize=True, deadline=None, max_examples=40)


def uniform(graph, ohms=1.0, terminals=()):
    nx.set_edge_attributes(graph, 1 / ohms, "conductance")
    return ResistorNetwork.from_graph(graph, terminals)


@st.composite
def networks(draw):
    """Connected: a random tree and some more resistors, parallel ones and opens among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes, extra = int(rng.integers(3, 12)), int(rng.integers(0, 12))
    tail = np.array([rng.integers(k) for k in range(1, nodes)])
    head = np.arange(1, nodes)
    pairs = [rng.choice(nodes, 2, replace=False) for _ in range(extra)]
    pairs = np.array(pairs, int).reshape(-1, 2)
    conductance = 10 ** rng.uniform(-6, -2, nodes - 1 + extra)
    conductance[nodes - 1 :] *= rng.random(extra) > 0.3
    return ResistorNetwork(
        np.concatenate([tail, pairs[:, 0]]),
        np.concatenate([head, pairs[:, 1]]),
        conductance,
        int(rng.integers(2, nodes + 1)),
    )


def laplacian(network):
    matrix = np.zeros((network.nodes, network.nodes))
    for a, b, g in zip(network.tail, network.head, network.conductance, strict=True):
        matrix[[a, b], [a, b]] += g
        matrix[[a, b], [b, a]] -= g
    return matrix


# textbook resistances -------------------------------------------------------------------------


def test_resistors_in_series_add():
    network = ResistorNetwork([0, 1, 2], [1, 2, 3], [1 / 10, 1 / 20, 1 / 30], 2)
    assert network.effective_resistance(0, 3) == pytest.approx(60, rel=1e-14)


def test_conductances_in_parallel_add():
    network = ResistorNetwork([0, 1, 0], [1, 0, 1], [1e-3, 2e-3, 3e-3], 2)
    assert network.effective_resistance(0, 1) == pytest.approx(1 / 6e-3, rel=1e-14)
    np.testing.assert_allclose(network.reduced, [[6e-3, -6e-3], [-6e-3, 6e-3]], rtol=1e-14)


@pytest.mark.parametrize(("corner", "expected"), [("001", 7 / 12), ("011", 3 / 4), ("111", 5 / 6)])
def test_a_cube_of_one_ohm_has_its_textbook_resistances(corner, expected):
    names = ["".join(map(str, node)) for node in nx.hypercube_graph(3)]
    cube = uniform(nx.relabel_nodes(nx.hypercube_graph(3), lambda n: "".join(map(str, n))))
    assert sorted(cube.labels) == sorted(names)
    assert cube.effective_resistance("000", corner) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("graph", "a", "b", "expected"),
    [
        (nx.complete_graph(7), 2, 5, 2 / 7),
        (nx.cycle_graph(10), 0, 3, 3 * 7 / 10),
        (nx.path_graph(9), 1, 7, 6),
        (nx.petersen_graph(), 0, 1, 3 / 5),
        (nx.octahedral_graph(), 0, 5, 1 / 2),
        (nx.dodecahedral_graph(), 0, 1, 19 / 30),
        (nx.wheel_graph(4), 0, 1, 1 / 2),
    ],
    ids=["complete", "cycle", "path", "petersen", "octahedron", "dodecahedron", "wheel"],
)
def test_textbook_graphs_have_their_resistances(graph, a, b, expected):
    assert uniform(graph).effective_resistance(a, b) == pytest.approx(expected, rel=1e-13)


def test_a_balanced_wheatstone_bridge_ignores_its_galvanometer():
    arms = {("in", "l"): 100, ("in", "r"): 200, ("l", "out"): 300, ("r", "out"): 600}
    graph = nx.Graph()
    for (a, b), ohms in arms.items():
        graph.add_edge(a, b, conductance=1 / ohms)
    graph.add_edge("l", "r", conductance=1 / 50)
    network = ResistorNetwork.from_graph(graph, ["in", "out"])
    expected = 1 / (1 / 400 + 1 / 800)
    assert network.effective_resistance("in", "out") == pytest.approx(expected, rel=1e-14)
    edges = list(zip(network.tail, network.head, strict=True))
    galvanometer = edges.index((network.labels.index("l"), network.labels.index("r")))
    assert network.sensitivity("in", "out")[galvanometer] < 1e-30


def test_a_ladder_of_one_ohm_tends_to_the_golden_ratio():
    steps = 40
    series = [(2 * k, 2 * k + 2) for k in range(steps)]
    rungs = [(2 * k + 2, 1) for k in range(steps)]
    golden = uniform(nx.Graph(series + rungs)).effective_resistance(0, 1)
    assert golden == pytest.approx((1 + 5**0.5) / 2, rel=1e-14)


def test_star_becomes_delta():
    g = np.array([1e-3, 2e-3, 5e-3])
    star = ResistorNetwork([0, 1, 2], [3, 3, 3], g, 3)
    expected = -np.outer(g, g) / g.sum()
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(star.reduced[off], expected[off], rtol=1e-14)


# what holds of any network ----------------------------------------------------------------------


@quietly
@given(networks())
def test_effective_resistance_is_that_of_the_pseudoinverse(network):
    inverse = np.linalg.pinv(laplacian(network), rcond=1e-14, hermitian=True)
    for a, b in [(0, 1), (1, network.nodes - 1)]:
        expected = inverse[a, a] + inverse[b, b] - 2 * inverse[a, b]
        assert network.effective_resistance(a, b) == pytest.approx(expected, rel=1e-8)
        assert network.effective_resistance(b, a) == pytest.approx(
            network.effective_resistance(a, b), rel=1e-12
        )
    assert network.effective_resistance(1, 1) == 0


@quietly
@given(networks())
def test_reduced_is_the_dense_schur_complement(network):
    matrix, t = laplacian(network), network.terminals
    expected = matrix[:t, :t].copy()
    if t < network.nodes:
        expected -= matrix[:t, t:] @ np.linalg.solve(matrix[t:, t:], matrix[t:, :t])
    np.testing.assert_allclose(network.reduced, expected, atol=1e-12 * np.abs(matrix).max())
    assert np.array_equal(network.reduced, network.reduced.T)
    np.testing.assert_allclose(network.reduced.sum(axis=1), 0, atol=1e-15 * np.abs(matrix).max())


@quietly
@given(networks())
def test_reduced_keeps_the_resistances_between_terminals(network):
    t = network.terminals
    pairs = np.array(list(combinations(range(t), 2)))
    small = ResistorNetwork(*pairs.T, -network.reduced[tuple(pairs.T)], t)
    for a, b in pairs[:3]:
        expected = network.effective_resistance(int(a), int(b))
        assert small.effective_resistance(int(a), int(b)) == pytest.approx(expected, rel=1e-9)


@quietly
@given(networks())
def test_sensitivity_is_the_derivative_of_the_resistance(network):
    last = network.nodes - 1
    sensitivity = network.sensitivity(0, last)
    scale = network.effective_resistance(0, last)
    for e in np.flatnonzero(network.conductance)[:4]:
        ohms = 1 / network.conductance[e]
        shifted = []
        for step in (1e-4, -1e-4):
            changed = network.conductance.copy()
            changed[e] = 1 / (ohms * (1 + step))
            other = ResistorNetwork(network.tail, network.head, changed, network.terminals)
            shifted.append(other.effective_resistance(0, last))
        slope = (shifted[0] - shifted[1]) / (2e-4 * ohms)
        assert slope == pytest.approx(sensitivity[e], rel=1e-5, abs=1e-9 * scale / ohms)
    assert not sensitivity[network.conductance == 0].any()


@quietly
@given(networks())
def test_resistances_weighted_by_their_sensitivity_add_up_to_the_whole(network):
    """Tellegen: the power of all resistors is that of the source."""
    live = network.conductance > 0
    power = (network.sensitivity(0, 1)[live] / network.conductance[live]).sum()
    assert power == pytest.approx(network.effective_resistance(0, 1), rel=1e-10)


@quietly
@given(networks())
def test_closing_a_switch_never_raises_a_resistance(network):
    closed = np.where(network.conductance > 0, network.conductance, 1e-3)
    other = ResistorNetwork(network.tail, network.head, closed, network.terminals)
    before = network.effective_resistance(0, 1)
    assert other.effective_resistance(0, 1) <= before * (1 + 1e-12)


@quietly
@given(networks())
def test_foster_the_resistances_of_all_edges_add_up_to_nodes_less_one(network):
    edges = zip(network.tail.tolist(), network.head.tolist(), network.conductance, strict=True)
    total = sum(g * network.effective_resistance(a, b) for a, b, g in edges)
    assert total == pytest.approx(network.nodes - 1, rel=1e-9)


# graphs -----------------------------------------------------------------------------------------


@quietly
@given(networks())
def test_a_network_survives_the_way_through_networkx(network):
    again = ResistorNetwork.from_graph(network.to_graph(), range(network.terminals))
    np.testing.assert_allclose(again.reduced, network.reduced, rtol=1e-9, atol=1e-18)


def test_terminals_come_first_in_the_order_given():
    graph = nx.path_graph(["a", "b", "c", "d"])
    network = uniform(graph, terminals=["d", "a"])
    assert network.labels == ("d", "a", "b", "c")
    assert network.terminals == 2
    assert nx.get_node_attributes(network.to_graph(), "terminal")["a"]


# shorts -----------------------------------------------------------------------------------------


def test_an_infinite_conductance_joins_its_nodes():
    graph = nx.MultiGraph()
    graph.add_edge("a", "b", r=10)
    graph.add_edge("b", "c", r=0)
    graph.add_edge("c", "d", r=30)
    graph.add_edge("c", "x", r=float("inf"))
    network = ResistorNetwork.from_graph(graph, ["a", "d", "b"], resistance="r")
    assert network.effective_resistance("b", "c") == 0.0
    assert network.effective_resistance("a", "d") == pytest.approx(40.0, rel=1e-15)
    np.testing.assert_allclose(
        network.effective_resistances(), [[0, 40, 10], [40, 0, 30], [10, 30, 0]], rtol=1e-15
    )
    # in the order of the graph's edges: all of the current passes each of the path's
    assert network.sensitivity("a", "d").tolist() == [1.0, 1.0, 1.0, 0.0]
    assert network.sensitivity("b", "c").tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_short_across_another_has_no_effect_of_its_own():
    network = ResistorNetwork([0, 1, 1, 2], [1, 2, 2, 3], [1.0, np.inf, np.inf, 1.0], 2)
    assert network.sensitivity(0, 3).tolist() == [1.0, 0.0, 0.0, 1.0]
    with pytest.raises(CircuitError, match="finite, and a short joins 1, 2; keep one"):
        _ = ResistorNetwork([0, 1, 1], [1, 2, 2], [1.0, np.inf, np.inf], 3).reduced


def test_all_pairs_of_many_terminals_are_those_of_the_pseudoinverse():
    rng = np.random.default_rng(8)
    graph = nx.random_regular_graph(4, 70, seed=3)
    tail, head = np.array(graph.edges).T
    network = ResistorNetwork(tail, head, rng.uniform(1, 2, len(tail)), 60)
    inverse = np.linalg.pinv(laplacian(network), hermitian=True)
    diagonal = inverse.diagonal()
    expected = (diagonal[:, None] + diagonal - 2 * inverse)[:60, :60]
    np.testing.assert_allclose(network.effective_resistances(), expected, atol=1e-12)


@quietly
@given(networks())
def test_all_pairs_are_the_resistances_of_each_pair(network):
    ohms = network.effective_resistances()
    for a, b in combinations(range(network.terminals), 2):
        assert ohms[a, b] == pytest.approx(network.effective_resistance(a, b), rel=1e-13)


# errors -----------------------------------------------------------------------------------------


def test_a_floating_part_is_named():
    network = ResistorNetwork([0, 2, 3], [1, 3, 4], [1.0, 1.0, 0.0], 2)
    with pytest.raises(CircuitError, match="terminal, and 2, 3, 4 are not"):
        _ = network.reduced
    graph = nx.Graph()
    graph.add_nodes_from(["in", "out", *(f"lost{k}" for k in range(9))])
    with pytest.raises(CircuitError, match=r"'lost0', .*'lost5' and 3 more are not"):
        _ = ResistorNetwork.from_graph(graph, ["in", "out"]).reduced


def test_the_parts_of_a_broken_path_are_named():
    network = ResistorNetwork([0, 1, 3], [1, 2, 4], [1.0, 0.0, 2.0], 2)
    with pytest.raises(
        CircuitError, match="joins 0 and 4: the first is connected to 0, 1, the sec"
    ):
        network.effective_resistance(0, 4)
    with pytest.raises(CircuitError, match="joins 2 and 0"):
        network.sensitivity(2, 0)
    # a part elsewhere that floats does not matter
    assert network.effective_resistance(3, 4) == pytest.approx(0.5, rel=1e-14)


def test_terminals_that_nothing_joins_see_no_conductance():
    network = ResistorNetwork([0], [1], [0.0], 3)
    assert np.array_equal(network.reduced, np.zeros((3, 3)))


def test_conductances_beyond_the_range_of_floats_are_an_error_and_no_number():
    # a chain whose shares of 1e-200 underflow one after the other
    conductance = np.tile([1e-100, 1e100], 4)
    network = ResistorNetwork(np.arange(8), np.arange(1, 9), conductance, 1)
    assert network.effective_resistance(0, 8) == pytest.approx(4e100, rel=1e-15)
    hub = ResistorNetwork([0, 2, 2, 1], [2, 1, 3, 3], [1e-100, 1e100, 1e100, 1e-100], 2)
    assert hub.effective_resistance(0, 1) == pytest.approx(1e100, rel=1e-15)


@pytest.mark.parametrize(
    "arguments", [([0], [10**9], [1.0], 1), ([0], [1], [1.0], 10**9), ([10**15], [0], [0.0], 0)]
)
def test_large_gaps_between_node_numbers_are_refused_before_memory_is_taken(arguments):
    with pytest.raises(SpecError, match="numbered from 0 without large gaps"):
        ResistorNetwork(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [1, 2], [1.0, -1.0], 1), "not -1.0 S at resistor 1"),
        (([0], [1], [np.nan], 1), "not nan S at resistor 0"),
        (([-1], [1], [1.0], 1), "tail must be a node from 0 upwards, not -1"),
        (([0], [2], [1.0], 1, ["a", "b"]), "head must be a node from 0 to 1, not 2"),
        (([0], [1], [1.0, 2.0], 1), "rows of one length"),
        (([0.5], [1], [1.0], 1), "whole numbers"),
        (([0], [1], [1.0], -1), "terminals must be how many"),
        (([0], [1], [1.0], 1.5), "terminals must be how many"),
        (([0], [1], [1.0], 3, ["a", "b"]), "terminals must be how many"),
        (([0], [1], [1.0], 1, ["a", "a"]), "labels must differ"),
    ],
)
def test_a_network_refuses_what_it_cannot_mean(arguments, message):
    with pytest.raises(SpecError, match=message):
        ResistorNetwork(*arguments)


def test_a_node_that_does_not_exist_is_refused():
    network = ResistorNetwork([0], [1], [1.0], 2)
    with pytest.raises(SpecError, match="one of the network's 2, not 5: 0, 1"):
        network.effective_resistance(0, 5)
    with pytest.raises(SpecError, match="two different nodes"):
        network.sensitivity(1, 1)


def test_a_network_is_a_value():
    network = uniform(nx.path_graph(4), terminals=[0, 3])
    again = pickle.loads(pickle.dumps(network))
    assert np.array_equal(again.reduced, network.reduced)
    with pytest.raises(ValueError, match="read-only"):
        network.conductance[0] = 2.0
