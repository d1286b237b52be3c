import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import SpecError
from xbar.units import format_quantity, parse_quantity


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
    ],
)
def test_a_quantity_is_the_float_that_python_writes_for_it(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "k", "4.7x", "1k k", "nan", "inf", "1e999", "1_0", True, None]
)
def test_what_is_no_finite_quantity_is_refused_with_what_was_got(text):
    with pytest.raises(SpecError, match="quantity must be"):
        parse_quantity(text)


@given(st.floats(1e-14, 1e14), st.sampled_from([1, -1]))
@settings(derandomize=True, deadline=None)
def test_formatting_keeps_three_digits(value, sign):
    back = parse_quantity(format_quantity(sign * value, "S"))
    assert math.isclose(back, sign * value, rel_tol=5.001e-3)
    assert math.copysign(1, back) == sign
