import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.units import format_quantity, parse_quantity, parse_temperature, parse_time


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4.7k", 4700.0),
        ("0.1u", 0.1e-6),
        ("70uS", 70e-6),
        ("70 µS", 70e-6),
        ("100 kohm", 1e5),
        ("2 meg", 2e6),
        ("3M", 3e6),
        ("3m", 3e-3),
        ("30%", 0.3),
        ("1e-3", 1e-3),
        ("-5", -5.0),
        (7, 7.0),
        ("4.7K", 4700.0),
        ("2MEG", 2e6),
        ("2 Mohm", 2e6),
        ("100 KOHM", 1e5),
        ("3 kΩ", 3000.0),
        ("3 k\u2126", 3000.0),
        ("−5 μA", -5e-6),
        ("１．５ｋ", 1500.0),
        ("5 µm²", 5e-12),
        ("5 mm2", 5e-6),
    ],
)
def test_a_quantity_is_the_float_that_python_writes_for_it(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "k", "4.7x", "1k k", "nan", "inf", "1e999", "1_0", "10²", "1e-400", "1e99999"),
        *("5 %%", "5 m%", True, None),
        pytest.param("1" * 5000, id="5,000 digits"),
        pytest.param(10**5000, id="an integer of 5,000 digits"),
    ],
)
def test_what_is_no_finite_quantity_is_refused_with_what_was_got(text):
    with pytest.raises(SpecError, match="quantity must be"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("25uS", "ohm", "must be in ohm, not '25uS', which is a conductance: 25 µS is 40 kohm"),
        ("40 kohm", "S", "must be in S, not '40 kohm', which is a resistance: 40 kohm is 25 µS"),
        ("2 V", "ohm", "must be in ohm, not '2 V', which is a voltage"),
        ("0.2 A", "V", "must be in V, not '0.2 A', which is a current"),
        ("25 us", "S", "must be in S, not '25 us', which is a time"),
        ("5 %", "ohm", "must be in ohm, not '5 %', which is a fraction"),
        ("300 Hz", "s", "must be in s, not '300 Hz', which is a frequency"),
        ("5 V", "1", "must be a number without unit, not '5 V', which is a voltage"),
    ],
)
def test_another_unit_than_the_one_wanted_is_refused_with_what_it_means(text, unit, message):
    with pytest.raises(SpecError) as caught:
        parse_quantity(text, unit)
    assert str(caught.value) == message


def test_a_number_of_numpy_is_a_number():
    kinds = (np.int64, np.uint8, np.float32, np.float64, np.array)
    for kind in kinds:
        assert parse_quantity(kind(36)) == 36.0
        assert parse_time(kind(36)) == 36.0
        assert parse_temperature(kind(36)) == 36.0
        assert type(parse_time(kind(36))) is float
    for other in (np.bool_(True), np.array([36.0]), np.array("x"), np.complex128(36), np.nan):
        with pytest.raises(SpecError, match="a quantity must be"):
            parse_time(other)


def test_fahrenheit_is_no_capacitance():
    for text in ("85 F", "85°F", "85 fahrenheit"):
        with pytest.raises(SpecError, match=f"a temperature must be in C or K, not '{text}'"):
            parse_temperature(text)
    assert parse_temperature("85 c") == parse_temperature("85 C") == 358.15


def test_a_k_is_kelvin_only_where_a_temperature_is_wanted():
    assert parse_quantity("300 K", "K") == 300
    assert parse_quantity("300 K", "ohm") == 300e3


def test_a_unit_that_is_left_out_is_the_one_wanted():
    for unit in ("ohm", "S", "V", "A", "s", "J", "m²", "1"):
        assert parse_quantity("4.7k", unit) == 4700


def test_a_quantity_comes_back_in_one_cut_line():
    with pytest.raises(SpecError) as caught:
        parse_quantity("x" * 10_000 + "\n\x1b[2J")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@given(st.floats(1e-14, 1e14), st.sampled_from([1, -1]))
@settings(derandomize=True, deadline=None)
def test_formatting_keeps_three_digits(value, sign):
    back = parse_quantity(format_quantity(sign * value, "S"))
    assert math.isclose(back, sign * value, rel_tol=5.001e-3)
    assert math.copysign(1, back) == sign
