"""Numbers that users give are refused in one line that says what, what was got and where."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from xbar.arrays import as_flags, as_floats, check_finite, check_shape, real
from xbar.errors import SpecError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[1.0], [1.0, 2.0]],
            "x must be one rectangular array of numbers, with rows of one length",
        ),
        ([1.0, [2.0]], "x must be one rectangular array of numbers, with rows of one length"),
        ([1j], "x must hold real numbers, not complex128"),
        (["1"], "x must hold real numbers, not <U1"),
        ([None], "x must hold real numbers, not object"),
        ([Fraction(1, 2), None], "x must hold real numbers, not object"),
        ([10**400], "x must hold real numbers, not object"),
        ([Decimal("sNaN")], "x must hold real numbers, not object"),
        ({"a": 1}, "x must hold real numbers, not object"),
        (np.array(["2026-01-01"], "M8[D]"), "x must hold real numbers, not datetime64[D]"),
        (
            np.ma.array([1.0, 2.0], mask=[False, True]),
            "x must have no masked values; fill them in with .filled(...)",
        ),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(values, message):
    for check in (real, as_floats):
        with pytest.raises(SpecError) as error:
            check(values, "x")
        assert str(error.value) == message


def test_a_masked_array_without_masked_values_is_an_array():
    np.testing.assert_array_equal(as_floats(np.ma.array([1.0, 2.0]), "x"), [1.0, 2.0])


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.float16, np.float32, np.float64])
def test_real_numbers_of_any_type_become_floats(kind):
    values = np.array([[0, 1], [1, 0]], kind)
    assert real(values, "x") is values
    floats = as_floats(values[:, ::-1], "x")
    assert floats.dtype == np.float64
    assert floats.flags.c_contiguous
    np.testing.assert_array_equal(floats, [[1, 0], [0, 1]])


def test_exact_numbers_become_floats():
    values = [[Fraction(1, 3), Decimal("0.1")], [10**30, 2]]
    np.testing.assert_array_equal(as_floats(values, "x"), [[1 / 3, 0.1], [1e30, 2.0]])


def test_floats_are_a_copy_even_of_floats():
    values = np.zeros(3)
    as_floats(values, "x")[0] = 1.0
    assert values[0] == 0.0


@pytest.mark.parametrize(
    ("got", "wanted", "message"),
    [
        ((2, 4), ("N", 3), "x must have the shape (N, 3), not (2, 4)"),
        ((4,), (3,), "x must have the shape (3,), not (4,)"),
        ((3, 1), (3,), "x must have the shape (3,), not (3, 1)"),
        ((), ("N",), "x must have the shape (N,), not ()"),
        ((3, 4), (), "x must have the shape (), not (3, 4)"),
    ],
)
def test_another_shape_is_refused(got, wanted, message):
    with pytest.raises(SpecError) as error:
        check_shape(np.zeros(got), "x", wanted)
    assert str(error.value) == message
    with pytest.raises(SpecError) as error:
        check_shape(np.zeros(got), "x", wanted, "one a line")
    assert str(error.value) == message + "; one a line"


@pytest.mark.parametrize(
    ("got", "wanted"), [((5, 3), ("N", 3)), ((0, 3), ("N", 3)), ((2, 3), ("A", "B")), ((), ())]
)
def test_a_letter_stands_for_any_length(got, wanted):
    with pytest.raises(SpecError):
        check_shape(np.zeros((*got, 1)), "x", wanted)
    check_shape(np.zeros(got), "x", wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(bad):
    values = np.arange(6.0).reshape(2, 3)
    check_finite(values, "x")
    values[1, 1] = values[1, 2] = bad
    with pytest.raises(SpecError) as error:
        check_finite(values, "x")
    assert str(error.value) == f"x must be finite, not {bad} at [1, 1]"
    with pytest.raises(SpecError) as error:
        check_finite(values, "x", "S", ("word line", "bit line"), "leave it out")
    expected = f"x must be finite, not {bad} S at word line 1, bit line 1; leave it out"
    assert str(error.value) == expected


def test_a_single_number_has_no_place():
    with pytest.raises(SpecError) as error:
        check_finite(np.array(np.nan), "x", "V")
    assert str(error.value) == "x must be finite, not nan V"


def test_negative_numbers_are_refused_where_they_mean_nothing():
    check_finite(np.array([-1.0, 0.0]), "x")
    check_finite(np.array([0.0, 1.0]), "x", negative=False)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(SpecError) as error:
            check_finite(np.array([0.0, bad]), "x", "S", negative=False)
        assert str(error.value) == f"x must be finite and non-negative, not {bad} S at [1]"


def test_whole_numbers_and_booleans_are_finite_and_an_empty_array_too():
    for values in (np.array([1, 2]), np.array([True]), np.zeros((0, 3)), np.array([3], np.uint8)):
        check_finite(values, "x", negative=False)
    with pytest.raises(SpecError, match=r"not -1 at \[0\]"):
        check_finite(np.array([-1]), "x", negative=False)


@pytest.mark.parametrize("values", [[1, 0], ["True"], [None], [0.5]])
def test_flags_are_booleans_and_nothing_that_looks_like_them(values):
    with pytest.raises(SpecError, match="x must be True or False throughout, not"):
        as_flags(values, "x")
    np.testing.assert_array_equal(as_flags([True, False], "x"), np.array([True, False]))
