"""ResistorNetwork.from_graph: edges of networkx, their units, and what is refused."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from xbar.circuit.network import ResistorNetwork
from xbar.errors import SpecError, XbarWarning


def test_networkx_finds_the_same_resistances():
    graph = nx.gnm_random_graph(12, 30, seed=4)
    for k, (_, _, data) in enumerate(graph.edges(data=True)):
        data["conductance"] = 1e-3 * (1 + k)
    network = ResistorNetwork.from_graph(graph, [])
    expected = nx.resistance_distance(graph, 2, 9, "conductance", invert_weight=False)
    assert network.effective_resistance(2, 9) == pytest.approx(expected, rel=1e-9)


def test_graphs_that_mean_nothing_are_refused():
    graph = nx.path_graph(3)
    with pytest.raises(SpecError, match=r"between 0 and 1 has not; say .* weight=None"):
        ResistorNetwork.from_graph(graph, [0])
    with pytest.raises(SpecError, match="terminal 7 must be a node"):
        ResistorNetwork.from_graph(graph, [7])
    with pytest.raises(SpecError, match="terminals must differ"):
        ResistorNetwork.from_graph(graph, [0, 0])
    with pytest.raises(SpecError, match="no direction"):
        ResistorNetwork.from_graph(nx.DiGraph(graph), [0])


def test_edges_are_in_siemens_in_ohms_or_of_one_siemens_as_the_caller_says():
    graph = nx.Graph()
    graph.add_edge("a", "m", resistance=10.0, g=0.1, conductance=1.0)
    graph.add_edge("m", "b", resistance=30.0, g=1 / 30, conductance=0.5)
    for say, ohms in [
        ({}, 3.0),
        ({"conductance": "g"}, 40.0),
        ({"resistance": "resistance"}, 40.0),
        ({"conductance": None}, 2.0),
        ({"resistance": None}, 2.0),
        ({"weight": None}, 2.0),
        ({"weight": "conductance"}, 3.0),
    ]:
        network = ResistorNetwork.from_graph(graph, ["a", "b"], **say)
        assert network.effective_resistance("a", "b") == pytest.approx(ohms, rel=1e-14)
    for say, message in [
        ({"weight": "resistance"}, "may be in siemens or in ohms: say conductance=NAME"),
        ({"weight": "g"}, "weight='g' may be in siemens or in ohms"),
        ({"conductance": "g", "resistance": "resistance"}, "one meaning, not 2"),
        ({"conductance": "G"}, r"'a' and 'm' has not \(edges have 'conductance', 'g', 'resis"),
    ]:
        with pytest.raises(SpecError, match=message):
            ResistorNetwork.from_graph(graph, ["a", "b"], **say)
    with pytest.raises(SpecError, match="may be in siemens or in ohms"):
        ResistorNetwork.from_graph(graph, ["a", "b"], "resistance")


@pytest.mark.parametrize(
    "value",
    [Fraction(1, 8), Decimal("0.125"), np.float32(0.125), np.array(0.125), np.float64(0.125)],
)
def test_any_real_number_is_a_conductance(value):
    graph = nx.MultiGraph([(0, 1, {"conductance": value}), (0, 1, {"conductance": 0})])
    assert ResistorNetwork.from_graph(graph, [0, 1]).effective_resistance(0, 1) == 8.0
    assert ResistorNetwork([0], [1], [value], 2).effective_resistance(0, 1) == 8.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1k", "a number in ohm, not '1k' between 0 and 1"),
        (None, "not None between 0 and 1"),
        (True, "not True between"),
        (1j, "not 1j between"),
        (-1.0, "not -1.0 between"),
        (float("nan"), "not nan between"),
        (1e-310, "from 1e-100 to 1e"),
        (10**400, "from 1e-100 to 1e"),
    ],
)
def test_what_is_no_resistance_is_refused_with_its_edge(value, message):
    graph = nx.Graph([(0, 1, {"r": value})])
    with pytest.raises(SpecError, match=re.escape(message)):
        ResistorNetwork.from_graph(graph, [0, 1], resistance="r")


def test_a_resistor_from_a_node_to_itself_carries_nothing_and_is_told():
    graph = nx.Graph()
    graph.add_edge("a", "b", conductance=0.5)
    graph.add_edge("b", "b", conductance=1.0)
    with pytest.warns(XbarWarning, match="no effect: 1 of 2, the first at node 'b'"):
        network = ResistorNetwork.from_graph(graph, ["a", "b"])
    assert network.effective_resistance("a", "b") == 2.0
    assert network.sensitivity("a", "b").tolist() == [1.0, 0.0]
    assert network.reduced.tolist() == [[0.5, -0.5], [-0.5, 0.5]]
