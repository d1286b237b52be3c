"""A circuit that is read from a deck: closed forms, conservation laws, and what has no solution."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xbar
from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.flat import Control, FlatElement
from xbar.errors import CircuitError, NotFoundError, SpecError, XbarWarning


def read(tmp_path, *lines):
    path = tmp_path / "deck.cir"
    path.write_text("\n".join(["* deck", *lines, ".end", ""]))
    return xbar.read_spice(path)


def solve(tmp_path, *lines):
    return read(tmp_path, *lines).solve()


def test_a_divider_divides_and_the_sources_current_flows_from_plus_through_it(tmp_path):
    op = solve(tmp_path, "V1 In 0 10", "R1 in OUT 3k", "R2 out 0 1k")
    assert op.voltage == pytest.approx({"0": 0.0, "in": 10.0, "out": 2.5}, rel=1e-14)
    assert op.current == pytest.approx({"v1": -2.5e-3, "r1": 2.5e-3, "r2": 2.5e-3}, rel=1e-14)


def test_a_resistors_current_flows_from_its_first_node_to_its_second(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "R1 a 0 1k", "R2 0 a 1k")
    assert op.current["r1"] == -op.current["r2"] == 1e-3


def test_a_current_source_drives_its_current_from_its_first_node_through_itself(tmp_path):
    op = solve(tmp_path, "I1 0 a 2m", "R1 a 0 500")
    assert op.voltage["a"] == pytest.approx(1.0, rel=1e-14)
    assert op.current["i1"] == 2e-3


def test_a_balanced_bridge_carries_nothing_across(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "R1 a b 1k", "R2 b 0 2k", "R3 a c 3k", "R4 c 0 6k", "R5 b c 1")
    assert abs(op.current["r5"]) < 1e-16


def test_a_resistor_of_zero_ohm_is_an_ideal_short_with_a_current(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "R1 a b 0", "R2 b c 1k", "R3 c d 0", "R4 d 0 1k", "R5 d d 0")
    assert op.voltage["a"] == op.voltage["b"] == 1.0
    assert op.voltage["c"] == op.voltage["d"]
    assert op.current == pytest.approx(
        {"v1": -5e-4, "r1": 5e-4, "r2": 5e-4, "r3": 5e-4, "r4": 5e-4, "r5": 0.0}, rel=1e-14
    )


def test_sources_in_a_chain_share_one_current_and_add_their_voltages(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "V2 b a 2", "V3 b c -3", "R1 c 0 6")
    assert op.voltage["c"] == 6.0
    assert [op.current[v] for v in ("v1", "v2", "v3")] == pytest.approx([-1, -1, 1], rel=1e-14)


def test_sixteen_decades_of_resistance_in_one_deck_are_no_obstacle(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "R1 a b 1e-6", "R2 b c 1e10", "R3 c 0 1e-6", "R4 c d 1e10")
    assert op.current["r3"] == pytest.approx(1e-10, rel=1e-9)
    assert op.current["r1"] == pytest.approx(1e-10, rel=1e-9)
    assert op.current["v1"] == pytest.approx(-1e-10, rel=1e-9)
    assert op.current["r4"] == pytest.approx(0.0, abs=1e-20)


# what has no solution -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["V1 a 0 1", "R1 a 0 1", "R2 b c 1", "R3 c d 1"], "node 0 .*'b', 'c', 'd' are not"),
        (["V1 a b 1", "R1 a b 1"], "'a', 'b' are not"),
        (["R1 a 0 1", "I1 0 b 1m"], "way back .* connects 'b' to node 0"),
        (["R1 a 0 1", "R2 b c 1", "I1 a b 1m", "I2 c 0 1.1m"], "way back .* connects 'b', 'c' to"),
        (["V1 a 0 1", "V2 a 0 2", "R1 a 0 1"], "a loop .* 'v2', 'v1' do not"),
        (["V1 a 0 1", "V2 b a 1", "R1 b c 0", "V3 c 0 2.001"], "a loop .* do not"),
        (["V1 a 0 1", "L1 0 a 1n", "R1 a 0 1"], "a loop .* 'l1', 'v1' do not"),
        (["V1 a a 1", "R1 a 0 1"], "a loop .* 'v1' do not"),
    ],
)
def test_a_circuit_without_one_solution_is_refused_by_the_names_of_its_parts(
    tmp_path, lines, message
):
    elements = read_elements(*lines)
    with pytest.raises(CircuitError, match=message):
        Circuit(elements).solve(floating="refuse")


def read_elements(*lines):
    """Elements without parameters or units but the suffix m."""
    words = [line.lower().replace("1n", "1e-9").replace("m", "e-3").split() for line in lines]
    return [FlatElement(name, a, b, float(value)) for name, a, b, value in words]


def test_the_elements_of_a_long_loop_are_all_named(tmp_path):
    with pytest.raises(CircuitError) as caught:
        solve(tmp_path, "V1 a 0 1", "V2 b a 1", "R1 b c 0", "V3 c 0 3", "V4 d b 1", "R9 d 0 1")
    assert {
        name for name in ("v1", "v2", "r1", "v3", "v4") if f"'{name}'" in str(caught.value)
    } == {
        "v1",
        "v2",
        "r1",
        "v3",
    }


# what is left open ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "voltage", "current", "undetermined"),
    [
        # the split between two shorts, one of them turned round; the rest is a divider
        (
            ["V1 a 0 1", "R1 a b 10", "Rs1 b c 0", "Rs2 c b 0", "R2 c 0 10"],
            {"b": 0.5, "c": 0.5},
            {"v1": -0.05, "r1": 0.05, "r2": 0.05},
            {"rs1", "rs2"},
        ),
        # sources of equal value: the node has a voltage
        (["V1 a 0 1", "V2 a 0 1", "R1 a 0 1k"], {"a": 1.0}, {"r1": 1e-3}, {"v1", "v2"}),
        # 0.1 V and 0.2 V are 0.3 V within rounding
        (
            ["V1 a 0 0.1", "V2 b a 0.2", "V3 b 0 0.3", "R1 b 0 3"],
            {"b": 0.3},
            {"r1": 0.1},
            {"v1", "v2", "v3"},
        ),
        # a triangle of shorts, and a short that leads there
        (
            ["I1 0 a 1", "R0 a b 0", "Ra b c 0", "Rb c d 0", "Rc d b 0", "R1 d 0 5"],
            {"a": 5.0, "b": 5.0, "c": 5.0, "d": 5.0},
            {"r0": 1.0, "r1": 1.0},
            {"ra", "rb", "rc"},
        ),
        # both ends at ground, and a source of 0 V across nothing
        (
            ["V1 a 0 1", "R1 a b 1k", "Rs1 b 0 0", "Rs2 0 b 0", "V2 b b 0"],
            {"b": 0.0},
            {"v1": -1e-3, "r1": 1e-3},
            {"rs1", "rs2", "v2"},
        ),
    ],
)
def test_in_a_loop_of_ideal_elements_only_the_split_of_the_current_is_open(
    tmp_path, lines, voltage, current, undetermined
):
    with pytest.warns(XbarWarning, match="only the sum of their currents is determined"):
        op = solve(tmp_path, *lines)
    for node, volts in voltage.items():
        assert op.voltage[node] == pytest.approx(volts, rel=1e-14)
    for name, amperes in current.items():
        assert op.current[name] == pytest.approx(amperes, rel=1e-14)
    assert set(op.undetermined) == undetermined
    for name in undetermined:
        assert name not in op.current
        with pytest.raises(NotFoundError, match=f"no current for '{name}'"):
            op.current[name]


def test_many_parallel_shorts_in_a_mesh_take_no_more_than_their_number(tmp_path):
    side = 60
    node = [[f"n{i}_{j}" for j in range(side)] for i in range(side)]
    shorts = [(node[i][j], node[i][j + 1]) for i in range(side) for j in range(side - 1)]
    shorts += [(node[i][j], node[i + 1][j]) for i in range(side - 1) for j in range(side)]
    elements = [FlatElement(f"r{k}", a, b, 0.0) for k, (a, b) in enumerate(shorts)]
    ends = [FlatElement("v1", node[0][0], "0", 2.0), FlatElement("rl", node[-1][-1], "0", 4.0)]
    with pytest.warns(XbarWarning, match="no current for 'r0'"):
        op = Circuit([*elements, *ends]).solve()
    assert len(op.undetermined) == len(shorts)
    assert op.current["v1"] == -0.5
    assert set(op.voltage.values()) == {0.0, 2.0}


def test_a_part_without_a_connection_to_ground_has_currents_but_no_voltages(tmp_path):
    lines = ["V1 a 0 1", "R1 a 0 1k", "V2 x y 3", "R2 x z 1", "R3 z y 2", "I1 z x 6", "R4 p q 1"]
    with pytest.warns(XbarWarning, match="no voltage for 'x', 'y', 'z', 'p', 'q': nothing conn"):
        op = solve(tmp_path, *lines)
    quiet = read(tmp_path, *lines).solve(floating="report")
    assert op.floating == quiet.floating == ("x", "y", "z", "p", "q")
    assert quiet.voltage == op.voltage == {"0": 0.0, "a": 1.0}
    # z is at (3 - 6) / (1 + 1/2) = -2 V above y
    assert quiet.current["r2"] == pytest.approx(5.0, rel=1e-14)
    assert quiet.current["r3"] == pytest.approx(-1.0, rel=1e-14)
    assert quiet.current["v2"] == pytest.approx(1.0, rel=1e-14)
    assert quiet.current["r4"] == 0
    with pytest.raises(NotFoundError, match="no voltage for 'x': nothing connects it"):
        op.node("X")
    with pytest.raises(SpecError, match="floating must be one of warn, report, refuse"):
        read(tmp_path, *lines).solve(floating="maybe")


def test_a_current_source_within_a_floating_part_returns_its_own_current(tmp_path):
    lines = ["V1 a 0 1", "I1 a x 1", "I2 y a 1", "R1 x y 7", "R2 a 0 1"]
    op = read(tmp_path, *lines).solve(floating="report")
    assert op.current["r1"] == pytest.approx(1.0, rel=1e-14)
    assert op.current["v1"] == pytest.approx(-1.0, rel=1e-14)


def test_a_controlled_source_leaves_loops_and_floating_parts_to_the_others(tmp_path):
    elements = [
        *read_elements("V1 a 0 1", "Ra a b 0", "Rb b a 0", "R1 b 0 1", "R2 x y 1", "R3 o 0 2"),
        FlatElement("e1", "o", "0", 0.0, (Control(4.0, ("b", "0")),)),
    ]
    with pytest.warns(XbarWarning, match="no current for 'ra', 'rb'"):
        op = Circuit(elements).solve(floating="report")
    assert op.voltage["o"] == 4.0
    assert op.current["e1"] == -2.0
    assert op.floating == ("x", "y")
    beside = FlatElement("v2", "o", "0", 4.0)
    with pytest.raises(CircuitError, match=r"controlled source must not be in a loop.*'e1' is"):
        Circuit([*elements, beside]).solve()
    outside = FlatElement("e2", "p", "0", 0.0, (Control(1.0, ("x", "y")),))
    with pytest.raises(CircuitError, match=r"controlled sources must be connected.*'x', 'y' are"):
        Circuit([*elements, outside]).solve()


# names ----------------------------------------------------------------------------------------


def test_a_value_is_found_by_any_of_its_names(tmp_path):
    op = solve(
        tmp_path,
        ".subckt cell p q",
        "R1 p m 1k",
        "R2 m q 1k",
        ".ends",
        "V1 VDD 0 2",
        "X1 VDD n1 cell",
        "Rs n1 GND 0",
    )
    assert op.node("VDD") == op.voltage["vdd"] == op.voltage["V(Vdd)"] == 2.0
    assert op.node("gnd") == op.node(0) == op.node("N1") == 0.0
    assert op.node("x1.m") == op.node("X1:M") == op.voltage["v(x1.m)"] == 1.0
    current = op.current["r.x1.r1"]
    assert current == pytest.approx(1e-3, rel=1e-14)
    assert op.current["X1.R1"] == op.current["x1:r1"] == op.current["I(R.X1.R1)"] == current
    assert op.current["@r.x1.r1[i]"] == current
    assert op.current["V1#branch"] == op.current["v1"] == -current
    assert "VDD" in op.voltage
    assert "vss" not in op.voltage
    assert op.voltage.get("vss") is None


def test_the_values_are_a_dict_for_whoever_takes_one(tmp_path):
    op = solve(tmp_path, "V1 a 0 1", "R1 a 0 1k")
    assert json.loads(json.dumps(op.voltage)) == op.voltage == {"0": 0.0, "a": 1.0}
    again = pickle.loads(pickle.dumps(op))
    assert again == op
    assert again.current["R1"] == op.current.get("I(r1)") == 1e-3
    assert op.current.get("r2", -1.0) == -1.0


def test_a_name_that_is_not_there_is_an_error_with_the_nearest_ones(tmp_path):
    op = solve(tmp_path, "Vdd supply 0 2", "Rload supply 0 1k")
    with pytest.raises(NotFoundError, match="no node 'suply'; the nearest is 'supply'"):
        op.node("suply")
    with pytest.raises(KeyError, match="no element 'load'; the nearest is 'rload'"):
        op.current["load"]
    with pytest.raises(NotFoundError, match="no node 'zzzzz'; it has '0', 'supply'"):
        op.voltage["zzzzz"]


# conservation ---------------------------------------------------------------------------------


@st.composite
def circuits(draw):
    """Connected and grounded: a tree of resistors, more resistors, and sources in chains."""
    count = draw(st.integers(2, 8))
    ohms = st.one_of(st.just(0.0), st.floats(1e-2, 1e6))
    elements = []
    for k in range(1, count):
        value = draw(ohms)
        elements.append(FlatElement(f"rt{k}", str(k), str(draw(st.integers(0, k - 1))), value))
    for k in range(draw(st.integers(0, 6))):
        a, b = draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))
        elements.append(FlatElement(f"r{k}", str(a), str(b), draw(st.floats(1e-2, 1e6))))
        elements.append(FlatElement(f"i{k}", str(b), str(a), draw(st.floats(-1e-2, 1e-2))))
    for k in range(draw(st.integers(0, 3))):
        at = str(draw(st.integers(0, count - 1)))
        elements.append(FlatElement(f"v{k}", f"s{k}", at, draw(st.floats(-9, 9))))
        elements.append(FlatElement(f"rv{k}", f"s{k}", "0", draw(st.floats(1e-2, 1e6))))
    return Circuit(elements)


@given(circuits())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_current_and_power_are_conserved(circuit):
    op = circuit.solve()
    scale = max(map(abs, op.current.values()), default=0.0) + 1e-12
    net = dict.fromkeys(op.voltage, 0.0)
    power = volts = 0.0
    for e in circuit.elements:
        net[e.first] += op.current[e.name]
        net[e.second] -= op.current[e.name]
        drop = op.voltage[e.first] - op.voltage[e.second]
        power += drop * op.current[e.name]
        volts = max(volts, abs(drop))
        if e.name[0] == "r" and e.first != e.second:
            np.testing.assert_allclose(
                drop, e.value * op.current[e.name], rtol=1e-6, atol=1e-9 * (1 + volts)
            )
    assert max(map(abs, net.values())) <= 1e-9 * scale
    assert abs(power) <= 1e-9 * scale * (volts + 1e-12) * (1 + len(circuit.elements))


@given(circuits(), circuits())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_the_answer_does_not_depend_on_the_order_of_the_lines(circuit, other):
    again = Circuit(circuit.elements[::-1]).solve()
    once = circuit.solve()
    scale = max(map(abs, once.voltage.values())) + 1e-12
    for node, volts in once.voltage.items():
        assert abs(again.voltage[node] - volts) <= 1e-9 * scale


# the resistors alone --------------------------------------------------------------------------


def test_the_network_has_the_nodes_of_sources_and_ground_as_terminals(tmp_path):
    circuit = read(tmp_path, "R1 a m 1k", "R2 m b 1k", "V1 a 0 1", "I1 b c 1", "R3 c 0 1k")
    network = circuit.network
    assert network.labels == ("0", "a", "b", "c", "m")
    assert network.terminals == 4
    expected = np.zeros((4, 4))
    expected[[1, 2], [1, 2]] = 5e-4
    expected[1, 2] = expected[2, 1] = -5e-4
    expected[[0, 3], [0, 3]] = 1e-3
    expected[0, 3] = expected[3, 0] = -1e-3
    np.testing.assert_allclose(network.reduced, expected, rtol=1e-14)


def test_nodes_that_a_short_joins_are_one_node_of_the_network(tmp_path):
    network = read(tmp_path, "R1 a b 0", "R2 b c 1k", "R3 b a 0", "R4 c 0 1k", "R5 c c 7").network
    assert network.labels == ("0", "a", "c")
    assert network.effective_resistance("a", "0") == pytest.approx(2000.0)


def test_a_node_of_the_network_is_found_by_any_name_of_its_deck(tmp_path):
    network = read(tmp_path, "R1 a b 1k", "Rv b c 0", "Rw c d 0", "R2 D GND 1k").network
    for one, other, ohms in [
        ("c", "0", 1000.0),
        ("A", "gnd", 2000.0),
        ("b", "d", 0.0),
        ("B", "GND", 1000.0),
    ]:
        assert network.effective_resistance(one, other) == pytest.approx(ohms, rel=1e-15)
    again = pickle.loads(pickle.dumps(network))
    assert again.effective_resistance("C", "A") == 1000.0
    with pytest.raises(SpecError, match="not 'e'"):
        network.effective_resistance("e", "0")


def test_the_network_of_a_deck_without_sources_has_ground_as_its_terminal(tmp_path):
    network = read(tmp_path, "R1 a b 1", "R2 b 0 1").network
    assert network.terminals == 1
    assert read(tmp_path, "R1 a b 1").network.terminals == 0
