"""Ohms of sheets against closed forms, which the bounds must enclose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xbar.errors import CircuitError, SpecError
from xbar.silicon.checks.mesh import Patch, sheet_ohms


def box(x0, y0, x1, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


def test_a_rectangle_has_its_length_over_its_width_in_squares():
    bounds = sheet_ohms([box(0, 0, 10, 2)], 3.0, [Patch(0, 0, 1, 2)], [Patch(9, 0, 10, 2)])
    assert bounds.low == pytest.approx(3.0 * 8 / 2, rel=1e-12)
    assert bounds.high == pytest.approx(3.0 * 8 / 2, rel=1e-12)


def test_overlapping_polygons_count_once():
    pieces = [box(0, 0, 6, 2), box(3, 0, 10, 2), box(4, 0, 5, 1)]
    bounds = sheet_ohms(pieces, 1.0, [Patch(0, 0, 1, 2)], [Patch(9, 0, 10, 2)])
    assert bounds.middle == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_a_corner_has_0_559_squares(turned):
    """1 - 2 ln 2 / pi for a right-angled corner between long arms, by conformal mapping."""
    corner = np.array([(0, 0), (6, 0), (6, 1), (1, 1), (1, 6), (0, 6)], dtype=float)
    ends = [Patch(5, 0, 6, 1)], [Patch(0, 5, 1, 6)]
    if turned:
        corner = np.array([6.0, 6.0]) - corner
        ends = [Patch(0, 5, 1, 6)], [Patch(5, 0, 6, 1)]
    bounds = sheet_ohms([corner], 1.0, *ends, tolerance=1e-4)
    exact = 2 * 4 + 1 - 2 * math.log(2) / math.pi
    assert bounds.low <= exact <= bounds.high
    assert bounds.high - bounds.low <= 1e-4 * exact


def test_bounds_enclose_each_other_on_finer_meshes():
    step = np.array([(0, 0), (5, 0), (5, 3), (10, 3), (10, 4), (0, 4)], dtype=float)
    ends = [Patch(0, 0, 0.5, 4)], [Patch(9.5, 3, 10, 4)]
    coarse = sheet_ohms([step], 1.0, *ends, tolerance=3e-2)
    fine = sheet_ohms([step], 1.0, *ends, tolerance=1e-4)
    assert coarse.low <= fine.low <= fine.high <= coarse.high
    assert coarse.high - coarse.low > 10 * (fine.high - fine.low)


def test_contacts_are_in_series_and_in_parallel():
    wire = box(0, 0, 10, 2)
    two = [Patch(0, 0, 1, 2, 8.0), Patch(0, 0, 1, 2, 8.0)]
    bounds = sheet_ohms([wire], 1.0, two, [Patch(9, 0, 10, 2, 5.0)])
    assert bounds.low == pytest.approx(8 / 2 + 4 + 5, rel=1e-12)
    assert bounds.high == pytest.approx(8 / 2 + 4 + 5, rel=1e-12)


def test_a_contact_on_a_contact_takes_no_wire():
    wire = box(0, 0, 1, 1)
    bounds = sheet_ohms([wire], 12.2, [Patch(0, 0, 1, 1, 182.0)], [Patch(0, 0, 1, 1, 9.3)])
    assert bounds.middle == pytest.approx(191.3)


def test_a_contact_beside_a_contact_takes_no_wire():
    wire = box(0, 0, 4, 1)
    bounds = sheet_ohms([wire], 1.0, [Patch(1, 0, 2, 1, 2.0)], [Patch(2, 0, 3, 1, 3.0)])
    assert bounds.low == pytest.approx(5.0)
    assert bounds.high == pytest.approx(5.0)


def test_a_square_within_a_square_lies_between_two_coaxial_lines():
    """More metal takes fewer ohms: rings between circles within and around the squares."""
    wire = box(-4, -4, 4, 4)
    inner = [Patch(-1, -1, 1, 1)]
    outer = [Patch(-4, -4, 4, -3), Patch(-4, 3, 4, 4), Patch(-4, -3, -3, 3), Patch(3, -3, 4, 3)]
    bounds = sheet_ohms([wire], 1.0, inner, outer)
    least, most = (math.log(ratio) / (2 * math.pi) for ratio in (3 / 2**0.5, 3 * 2**0.5))
    assert least < bounds.low < bounds.high < most


@pytest.mark.parametrize(
    ("polygons", "first", "second", "error", "message"),
    [
        ([box(0, 0, 1, 1)], [Patch(2, 0, 3, 1)], [Patch(0, 0, 0.1, 1)], SpecError, "must lie on"),
        (
            [box(0, 0, 1, 1), box(2, 0, 3, 1)],
            [Patch(0, 0, 0.1, 1)],
            [Patch(2.9, 0, 3, 1)],
            CircuitError,
            "must be connected, and are not|touches none of its contacts",
        ),
        (
            [box(0, 0, 1, 1)],
            [Patch(0, 0, 0.6, 1)],
            [Patch(0.5, 0, 1, 1)],
            CircuitError,
            "must not be shorted",
        ),
        (
            [np.array([(0, 0), (2, 0), (1, 1)], float)],
            [Patch(0, 0, 0.1, 0.1)],
            [Patch(1.9, 0, 2, 0.1)],
            SpecError,
            "sides along x or y",
        ),
    ],
)
def test_what_has_no_resistance_is_refused(polygons, first, second, error, message):
    with pytest.raises(error, match=message):
        sheet_ohms(polygons, 1.0, first, second)
