"""Curves over conductance, and tables over time and temperature."""

import numpy as np
import pytest

from xbar import Bank, Chip, Hardware, SpecError, Tile
from xbar.hardware import Curve, Temperature


@pytest.mark.parametrize("form", ["polynomial", "saturating"])
def test_a_curve_is_the_same_in_any_piece(form):
    """Values at 5000 conductances, by the formula; limits and scale included."""
    g = np.random.default_rng(4).uniform(0.0, 30e-6, 5000)
    given = {"polynomial": (0.3, -2.0, 1.0, 0.5, -0.25, 0.01, 2e-3), "saturating": (3.0, 0.7)}
    curve = Curve(**{form: given[form]}, per=10e-6, scale=1e-6, low=-0.5, high=2.6)
    x = g / 10e-6
    plain = np.polynomial.polynomial.polyval(x, given[form])
    if form == "saturating":
        plain = 3.0 * (1 - np.exp(-x / 0.7))
    assert plain.min() < -0.5 or form == "saturating"
    np.testing.assert_allclose(
        curve.of(g), 1e-6 * np.clip(plain, -0.5, 2.6), rtol=1e-13, atol=1e-20
    )
    np.testing.assert_array_equal(curve.of(g[1500:1600]), curve.of(g)[1500:1600])
    far = Curve(saturating=(1.0, 1e-9)).of(np.array([0.0, 1e-9, 1.0]))  # exp(-1e9) is no number
    np.testing.assert_allclose(far, [0.0, 1 - np.exp(-1.0), 1.0], rtol=1e-15)


def test_a_curve_is_what_its_form_says():
    g = np.array([0.5e-6, 2e-6, 20e-6])
    x = g / 4e-6
    forms = {
        "polynomial": ([1.0, -2.0, 0.5], 1 - 2 * x + 0.5 * x**2),
        "saturating": ((3.0, 0.7), 3 * (1 - np.exp(-x / 0.7))),
        "logarithm": ((-0.2, 1.5), -0.2 * np.log(x) + 1.5),
        "power": ((2.0, -0.65), 2 * x**-0.65),
        "table": ([[0.5, 1.0], [2.0, 4.0]], 1 + 2 * (x.clip(0.5, 2) - 0.5)),
    }
    for form, (given, expected) in forms.items():
        curve = Curve(**{form: given}, per="4 uS", scale=2.0)
        np.testing.assert_allclose(curve.of(g), 2 * expected, rtol=1e-13)
        clipped = Curve(**{form: given}, per="4 uS", low=0.3, high=1.2)
        np.testing.assert_allclose(clipped.of(g), np.clip(expected, 0.3, 1.2), rtol=1e-13)
        flat = clipped.of(np.full(7, g[1]))
        np.testing.assert_allclose(np.broadcast_to(flat, 7), clipped.of(g[1:2])[0], rtol=1e-13)


def test_tables_of_temperature_that_are_none_are_refused():
    with pytest.raises(SpecError, match="switches must have rows on both sides of the reference"):
        Temperature(switches=[["0 C", 1.0], ["10 C", 2.0]])
    with pytest.raises(SpecError, match="switches must be 1 at the reference"):
        Temperature(switches=[["0 C", 1.0], ["100 C", 2.0]])
    with pytest.raises(SpecError, match="one of copper, neurosim, not 'tungsten'"):
        Temperature(wires="tungsten")
    with pytest.raises(SpecError, match="temperatures rising"):
        Temperature(reference="0 C", switches=[["0 C", 1.0], ["0 C", 2.0]])
    with pytest.raises(SpecError, match=r"temperature.switches needs bank.switch"):
        Hardware(temperature={"reference": "0 C", "switches": [["0 C", 1.0], ["99 C", 2.0]]})


@pytest.mark.parametrize("by", ["now", "programmed"])
def test_errors_of_a_table_go_by_the_conductance_that_it_says(by):
    """Half is lost; the deviation is a tenth of what a device has, or had."""
    law = {
        "retention": {
            "times": ["1 s", "1 h"],
            "error": [{"polynomial": [0.0]}, {"polynomial": [0.0, 0.1]}],
            "shift": [{"polynomial": [0.0]}, {"polynomial": [0.0, -0.5]}],
            "error_by": by,
        }
    }
    tile = Tile(word_lines=32, bit_lines=24)
    chip = Chip.sample(
        Hardware(device=law, bank=Bank(resistors=4, nominal="50k"), tile=tile), seed=1
    )
    deviation = chip.at(time="1 h").on(0) / chip.on(0) - 0.5
    expected = 0.1 if by == "programmed" else 0.05
    assert deviation.std() == pytest.approx(expected, rel=0.04)  # of 3072 devices
    other = chip.at(time="1 h", seed=7).on(0) / chip.on(0) - 0.5
    assert not np.array_equal(deviation, other)
