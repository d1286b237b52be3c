"""Controlled sources, capacitors and inductors: closed forms, exact solutions, and no solution."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.flat import Control, FlatElement
from xbar.errors import CircuitError, XbarWarning


def resistor(name, a, b, ohms):
    return FlatElement(name, a, b, ohms)


def test_an_amplifier_of_finite_gain_inverts_with_the_error_of_its_gain():
    gain = 1e6
    op = Circuit(
        [
            FlatElement("v1", "a", "0", 1.0),
            resistor("r1", "a", "n", 1e3),
            resistor("rf", "n", "o", 1e3),
            FlatElement("e1", "o", "0", 0.0, (Control(gain, ("0", "n")),)),
        ]
    ).solve()
    assert op.voltage["o"] == pytest.approx(-gain / (gain + 2), rel=1e-12)
    assert op.voltage["n"] == pytest.approx(1 / (gain + 2), rel=1e-9)
    assert op.current["e1"] == pytest.approx(op.current["r1"], rel=1e-12)


def test_a_transconductance_across_its_own_control_is_a_resistor():
    elements = [
        FlatElement("i1", "0", "a", 1e-3),
        FlatElement("g1", "a", "0", 0.0, (Control(2e-3, ("a", "0")),)),
        resistor("r1", "a", "0", 1e9),
    ]
    op = Circuit(elements).solve()
    assert op.voltage["a"] == pytest.approx(1e-3 / (2e-3 + 1e-9), rel=1e-12)
    assert op.current["g1"] == pytest.approx(2e-3 * op.voltage["a"], rel=1e-12)


@pytest.mark.parametrize("by", ["v1", "r1"])
def test_a_current_controls_a_current_and_a_voltage(by):
    sign = -1.0 if by == "v1" else 1.0  # a source's current flows from its positive node through it
    op = Circuit(
        [
            FlatElement("v1", "a", "0", 2.0),
            resistor("r1", "a", "0", 1e3),
            FlatElement("f1", "0", "b", 1e-4, (Control(sign * 5, (by,)),)),
            resistor("r2", "b", "0", 100.0),
            FlatElement("h1", "c", "0", 0.5, (Control(sign * 700, (by,)),)),
            resistor("r3", "c", "0", 1.0),
        ]
    ).solve()
    assert op.voltage["b"] == pytest.approx((5 * 2e-3 + 1e-4) * 100, rel=1e-12)
    assert op.voltage["c"] == pytest.approx(0.5 + 700 * 2e-3, rel=1e-12)


def test_a_capacitor_is_open_and_an_inductor_a_short_with_a_current():
    parts = [
        FlatElement("v1", "a", "0", 1.0),
        resistor("r1", "a", "b", 1e3),
        FlatElement("c1", "b", "0", 1e-15),
        FlatElement("l1", "b", "c", 1e-9),
        resistor("r2", "c", "0", 1e3),
    ]
    follower = FlatElement("e1", "d", "0", 0.0, (Control(3.0, ("c", "0")),))
    for elements in (parts, [*parts, follower, resistor("r3", "d", "0", 1.0)]):
        op = Circuit(elements).solve()
        assert op.voltage["b"] == op.voltage["c"] == pytest.approx(0.5, rel=1e-14)
        assert op.current["l1"] == pytest.approx(5e-4, rel=1e-14)
        assert op.current["c1"] == 0
    assert op.voltage["d"] == pytest.approx(1.5, rel=1e-14)


def test_the_nodes_of_controlled_sources_are_terminals_and_those_of_capacitors_are_not():
    network = Circuit(
        [
            resistor("r1", "a", "m", 1.0),
            resistor("r2", "m", "c", 1.0),
            FlatElement("c1", "m", "0", 1.0),
            FlatElement("g1", "a", "0", 0.0, (Control(1.0, ("c", "0")),)),
        ]
    ).network
    assert network.terminals == 3
    assert set(network.labels[:3]) == {"0", "a", "c"}


@pytest.mark.parametrize(
    "elements",
    [
        [
            FlatElement("e1", "a", "0", 0.0, (Control(1.0, ("a", "0")),)),
            resistor("r1", "a", "0", 1),
        ],
        [
            FlatElement("g1", "a", "0", 0.0, (Control(-1.0, ("a", "0")),)),
            resistor("r1", "a", "0", 1),
        ],
        [
            FlatElement("e1", "a", "0", 0.0, (Control(1 / 3, ("b", "0")),)),
            FlatElement("e2", "b", "0", 0.0, (Control(3.0, ("a", "0")),)),
            resistor("r1", "a", "b", 1),
        ],
    ],
)
def test_feedback_of_gain_one_has_no_solution_and_is_refused(elements):
    with pytest.raises(CircuitError, match="must have one solution"):
        Circuit(elements).solve()


def test_a_controlling_current_must_exist():
    elements = [
        FlatElement("f1", "a", "0", 0.0, (Control(1.0, ("vx",)),)),
        resistor("r1", "a", "0", 1),
    ]
    with pytest.raises(CircuitError, match="'vx' is neither"):
        Circuit(elements).solve()


def solved_exactly(rows, right):
    """Gaussian elimination in rational numbers."""
    size = len(right)
    table = [[Fraction(x) for x in row] + [Fraction(y)] for row, y in zip(rows, right, strict=True)]
    for k in range(size):
        best = next(j for j in range(k, size) if table[j][k] != 0)
        table[k], table[best] = table[best], table[k]
        table[k] = [x / table[k][k] for x in table[k]]
        for j in range(size):
            if j != k and table[j][k]:
                table[j] = [x - table[j][k] * y for x, y in zip(table[j], table[k], strict=True)]
    return np.array([float(row[-1]) for row in table])


@pytest.mark.parametrize("seed", range(25))
def test_random_circuits_with_transconductances_are_solved_as_in_rational_numbers(seed):
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(3, 9))
    elements = [
        resistor(f"r{k}", str(k), str(rng.integers(0, k)), 10 ** rng.uniform(-3, 4))
        for k in range(1, nodes)
    ]
    elements += [FlatElement(f"i{k}", "0", str(k), rng.normal()) for k in range(1, nodes)]
    for k in range(nodes):
        a, b, c, d = (str(n) for n in rng.integers(0, nodes, 4))
        elements.append(FlatElement(f"g{k}", a, b, 0.0, (Control(rng.normal(), (c, d)),)))
    rows = [[Fraction(0)] * nodes for _ in range(nodes)]
    right = [Fraction(0)] * nodes
    for e in elements:
        for node, sign in ((int(e.first), 1), (int(e.second), -1)):
            if e.name[0] == "i":
                right[node] -= sign * Fraction(e.value)
                continue
            gain, by = (
                (1 / Fraction(e.value), (e.first, e.second))
                if e.name[0] == "r"
                else (Fraction(e.controls[0].gain), e.controls[0].by)
            )
            rows[node][int(by[0])] += sign * gain
            rows[node][int(by[1])] -= sign * gain
    exact = solved_exactly([row[1:] for row in rows[1:]], right[1:])
    op = Circuit(elements).solve()
    found = np.array([op.voltage[str(k)] for k in range(1, nodes)])
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-9 * np.abs(exact).max())


def test_a_transconductance_alone_may_connect_a_node_to_ground():
    own = FlatElement("g1", "a", "0", 0.0, (Control(0.5, ("a", "0")),))
    op = Circuit([FlatElement("i1", "0", "a", 1.0), own]).solve()
    assert op.voltage["a"] == pytest.approx(2.0, rel=1e-12)


def test_a_gyrator_turns_a_resistor_into_its_inverse():
    elements = [
        FlatElement("i1", "0", "a", 1.0),
        FlatElement("g1", "a", "0", 0.0, (Control(0.1, ("b", "0")),)),
        FlatElement("g2", "0", "b", 0.0, (Control(0.1, ("a", "0")),)),
        resistor("r1", "b", "0", 4.0),
    ]
    aside = [resistor("r9", "x", "y", 1.0), resistor("r8", "b", "q", 0.0)]
    aside += [resistor("r7", "b", "q", 0.0)]
    volts = [Circuit(elements).solve().voltage["a"]]
    with pytest.warns(XbarWarning, match="no current for 'r8', 'r7'"):
        volts.append(Circuit([*elements, *aside]).solve(floating="report").voltage["a"])
    assert volts == pytest.approx([1 / (0.1**2 * 4)] * 2, rel=1e-12)


def test_a_capacitor_to_a_floating_node_is_no_obstacle_to_controlled_sources():
    elements = [
        FlatElement("v1", "a", "0", 1.0),
        FlatElement("e1", "b", "0", 0.0, (Control(3.0, ("a", "0")),)),
        resistor("r1", "b", "0", 1.0),
        FlatElement("c1", "b", "x", 1.0),
        FlatElement("i1", "b", "y", 0.0),
    ]
    op = Circuit(elements).solve(floating="report")
    assert op.voltage["b"] == pytest.approx(3.0)
    assert op.floating == ("x", "y")
    assert op.current["c1"] == op.current["i1"] == 0


def test_a_node_that_only_a_foreign_voltage_drives_has_no_solution():
    elements = [
        FlatElement("v1", "a", "0", 1.0),
        resistor("r1", "a", "0", 1.0),
        FlatElement("g1", "0", "b", 0.0, (Control(1.0, ("a", "0")),)),
    ]
    with pytest.raises(CircuitError):
        Circuit(elements).solve()
