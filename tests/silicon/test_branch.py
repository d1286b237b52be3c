"""A branch in ngspice against hand-worked circuits and against the law that it should follow."""

import numpy as np
import pytest

from xbar.silicon.branch import Branches, Conditions, Copies, Nodes, sweep, sweep_temperatures
from xbar.silicon.ngspice import simulate


def branches(process, kind="nmos", side="bit", series=(0.0, 0.0)):
    return Branches(
        process,
        process.switch(),
        np.array([20e-6, 30e-6]),
        np.array([1e-6, 2e-6]),
        np.array(series),
        kind,
        side,
    )


AT = Conditions(temperature=27.0)


def test_a_branch_is_its_two_devices_in_series(gf180mcu):
    made = branches(gf180mcu, series=(0.0, 250.0))
    found = sweep(made, Copies.each(2), AT, 0.1, 5)
    # the resistor alone, between ideal lines
    lines = ["* resistors", *gf180mcu.load(), f"Vw w 0 {made.common}", f"Vb b 0 {made.common}"]
    for k in range(2):
        lines += [f"Vs{k} w w{k} 0", gf180mcu.resistor.line(f"r{k}", f"w{k}", "b", made.length[k])]
    alone = simulate(
        "\n".join([*lines, f".dc Vw {made.common - 0.1} {made.common + 0.11} 0.2"]), gf180mcu
    )
    ohms = np.array([0.2 / np.ptp(alone[f"i(vs{k})"]) for k in range(2)])
    whole = 1 / found.slope(0.1)
    np.testing.assert_allclose(whole, ohms + found.switch_resistance(0.1) + made.series, rtol=1e-6)
    # twice the width, half the resistance
    np.testing.assert_allclose(np.divide(*found.switch_resistance(0.1)), 2, rtol=0.02)


def test_a_deviation_of_the_resistor_is_one_of_its_ohms(gf180mcu):
    made = branches(gf180mcu)
    shift = np.array([0.0, 0.05, -0.05])
    copies = Copies(np.zeros(3, dtype=int), shift, np.zeros(3), np.ones(3, dtype=bool))
    found = sweep(made, copies, AT, 0.1, 5)
    ohms = 1 / found.slope(0.1) - found.switch_resistance(0.1)
    np.testing.assert_allclose(ohms / ohms[0], 1 + shift, rtol=1e-7)


def test_a_deviation_of_the_threshold_is_one_of_the_gate(gf180mcu):
    made = branches(gf180mcu)
    copies = Copies(np.array([1]), np.zeros(1), np.array([0.06]), np.ones(1, dtype=bool))
    shifted = sweep(made, copies, AT, 0.1, 5)
    lower = Conditions(supply=made.switch.supply - 0.06)
    plain = sweep(made, Copies.each(2), lower, 0.1, 5)
    assert shifted.slope(0.1)[0] == pytest.approx(plain.slope(0.1)[1], rel=1e-9)


def test_an_open_switch_conducts_almost_nothing(gf180mcu):
    made = branches(gf180mcu)
    on = sweep(made, Copies.each(2), AT, 0.2, 2)
    off = sweep(made, Copies.each(2, closed=False), AT, 0.2, 2)
    # what is left at 0 V is the leakage of the junctions to the bulk
    assert np.all(np.abs(off.slope(0.2)) < 1e-11 * on.slope(0.2))
    assert np.all(np.abs(off.offset) < 1e-12)


def test_the_switch_beside_the_bit_line_bends_the_current_least(gf180mcu):
    bend = {}
    for side in ("bit", "word"):
        found = sweep(branches(gf180mcu, side=side), Copies.each(2), AT, 0.2, 10)
        straight = np.outer(found.slope(0.2), found.voltage)
        bend[side] = np.abs(found.current - straight).max(axis=1) / found.current.max(axis=1)
        assert found.switch_resistance(0.1)[0] == pytest.approx(1800, rel=0.01)
    assert np.all(bend["word"] > 7 * bend["bit"])


def test_a_transmission_gate_conducts_with_both_transistors_at_half_the_supply(gf180mcu):
    made = branches(gf180mcu, kind="transmission")
    assert made.common == made.switch.supply / 2
    both = sweep(made, Copies.each(2), AT, 0.1, 2).switch_resistance(0.1)
    # against each transistor alone, as parallel conductances
    lines = ["* alone", *gf180mcu.load(), f"Vb b 0 {made.common}", f"Vw w 0 {made.common}"]
    lines += [f"Vdd vdd 0 {made.switch.supply}", "Vn w n 0", "Vp w p 0"]
    lines += [made.switch.nmos_line("n", ("n", "vdd", "b"), 1e-6)]
    lines += [made.switch.pmos_line("p", ("p", "0", "b"), 2e-6)]
    small = 0.1 * both[0] / (both[0] + 20.7e3)
    lines.append(f".dc Vw {made.common - small} {made.common + 1.1 * small} {2 * small}")
    found = simulate("\n".join(lines), gf180mcu)
    siemens = (np.ptp(found["i(vn)"]) + np.ptp(found["i(vp)"])) / (2 * small)
    assert both[0] == pytest.approx(1 / siemens, rel=1e-4)
    off = sweep(made, Copies.each(2, closed=False), AT, 0.1, 2)
    assert np.abs(off.current).max() < 1e-18


def test_temperatures_in_one_deck_are_those_of_a_deck_each(gf180mcu):
    made, celsius = branches(gf180mcu), np.array([-40.0, 15.0, 70.0])
    together = sweep_temperatures(made, Copies.each(2), AT, celsius, 0.1)
    for each, found in zip(celsius, together, strict=True):
        alone = sweep(made, Copies.each(2), Conditions(temperature=float(each)), 0.1, 1)
        np.testing.assert_allclose(found.slope(0.1), alone.slope(0.1), rtol=1e-8)
        np.testing.assert_allclose(
            found.switch_resistance(0.1), alone.switch_resistance(0.1), rtol=1e-6
        )


def test_a_lower_supply_and_a_slow_corner_conduct_less(gf180mcu):
    made = branches(gf180mcu)
    typical = sweep(made, Copies.each(2), AT, 0.1, 1).slope(0.1)
    for other in (Conditions(supply=2.97), Conditions(corner="ss"), Conditions(corner="hl")):
        assert np.all(sweep(made, Copies.each(2), other, 0.1, 1).slope(0.1) < typical)


def test_the_elements_of_a_branch_are_those_that_a_netlist_needs(gf180mcu):
    made = branches(gf180mcu, series=(0.0, 180.0))
    assert made.lines(1, "7", Nodes("w_0_1", "b_3_1", "g_5")) == [
        "Xr7 w_0_1 m7 0 ppolyf_u_1k r_width=1u r_length=30u",
        "Rs7 s7 m7 180",
        "Xn7 s7 g_5 b_3_1 0 nfet_03v3 w=2u l=0.28u",
    ]
    word = branches(gf180mcu, side="word", kind="transmission")
    assert word.lines(0, "7", Nodes("w", "b", "g", "i"), 0.02) == [
        "Vr7 m7 e7 0",
        "Fr7 b m7 Vr7 0.0196078431373",
        "Xr7 e7 b 0 ppolyf_u_1k r_width=1u r_length=20u",
        "Xn7 w g m7 0 nfet_03v3 w=1u l=0.28u",
        "Xp7 w i m7 vdd pfet_03v3 w=2u l=0.28u",
    ]
