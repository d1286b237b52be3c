"""Claims about the measures of a bank's cell."""

from __future__ import annotations

import itertools

import pytest

from xbar.errors import SpecError
from xbar.silicon.layout import BankGeometry, drawing_rules

EIGHT = (4000, 4400, 4840, 5320, 5860, 6440, 7090, 7790)


def test_a_cell_of_eight_branches_has_the_area_worked_out_by_hand():
    # along x, 8 switches: drain and source with contacts of 0.17, 0.04 inside the diffusion, 0.055
    # from a gate of 0.15, and 0.27 to the next switch. Along y: 1.33 below the switch, 1 um of
    # it, 0.15 of gate, 0.48 to the resistors, two heads of 2.16, the longest body, 0.29 above
    geometry = BankGeometry(lengths=EIGHT)
    height = 1.33 + 1.0 + 0.15 + 0.48 + 2 * 2.16 + 7.79 + 0.29
    assert geometry.width / 1000 == pytest.approx(8 * (2 * (0.04 + 0.17 + 0.055) + 0.15 + 0.27))
    assert geometry.height / 1000 == pytest.approx(height)
    assert geometry.area * 1e12 == pytest.approx(7.6 * height)


def test_the_wires_are_sheet_resistance_times_squares():
    geometry = BankGeometry(lengths=EIGHT)
    assert geometry.word_wire == pytest.approx(0.125 * 7.6 / 2.16)
    assert geometry.bit_wire == pytest.approx(0.125 * 15.36 / 2.8)


def test_the_bit_line_of_a_narrow_cell_leaves_space_to_the_next():
    geometry = BankGeometry(lengths=(4000, 4400))
    left, right = geometry.bit_line
    assert right - left == geometry.bit_width
    assert geometry.width - geometry.bit_width >= 140  # m2.2
    assert left == geometry.width - right


@pytest.mark.parametrize("resistors", [1, 2, 5])
def test_an_odd_branch_takes_no_more_than_an_even_one(resistors):
    geometry = BankGeometry(lengths=(1000,) * resistors)
    assert geometry.width == 950 * resistors


@pytest.mark.parametrize("resistors", [1, 2, 3, 7, 16])
def test_neighbouring_resistors_are_480_nanometres_apart_also_across_cells(resistors):
    geometry = BankGeometry(lengths=(1000,) * resistors)
    middles = sorted(geometry.resistor(k) for k in range(resistors))
    middles += [geometry.width + middles[0]]
    assert all(b - a - 350 >= 480 for a, b in itertools.pairwise(middles))


@pytest.mark.parametrize(
    ("lengths", "switch", "message"),
    [
        ((4000, 4003), 1000, "lengths[1] must be a multiple of 5 nm"),
        ((4000, 495), 1000, "lengths[1] must be 500 to 200000 nm in sky130, the length of a"),
        ((4000,), 415, "switch[0] must be 420 to 20000 nm in sky130, the width of a switch"),
        ((4000,), 1002, "switch[0] must be a multiple of 5 nm"),
        ((4000, 5000), (1000,), "switch must be one width or 2"),
        ((), 1000, "1 to 64 resistors, not 0"),
        ((1000,) * 65, 1000, "1 to 64 resistors, not 65"),
        ((4000.0,), 1000, "lengths[0] must be whole nanometres"),
    ],
)
def test_what_the_process_cannot_hold_is_refused(lengths, switch, message):
    with pytest.raises(SpecError) as caught:
        BankGeometry(lengths, switch)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_process_without_a_drawing_is_refused():
    with pytest.raises(SpecError, match="masks can be drawn for sky130, not for 'gf180mcu'"):
        BankGeometry((4000,), process="gf180mcu")


def test_no_two_layers_of_the_process_have_the_same_numbers():
    numbers = list(drawing_rules().layers.values())
    assert len(numbers) == len(set(numbers))
