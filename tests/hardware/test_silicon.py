"""Claims about the table [silicon] of a design."""

from __future__ import annotations

import pytest

from xbar import Bank, Hardware, SpecError
from xbar.hardware import Drawn
from xbar.hardware.toml import to_toml

DRAWN = Drawn(process="sky130", lengths=["4 um", "4.4u", 4.84e-6], switch_width="1u", switch="1v8")


def test_lengths_are_metres_with_or_without_units():
    assert DRAWN.lengths == (4e-6, 4.4e-6, 4.84e-6)
    assert DRAWN.switch_widths == (1e-6, 1e-6, 1e-6)


def test_a_design_with_drawn_devices_is_read_back_from_its_toml(tmp_path):
    hardware = Hardware(bank=Bank(resistors=3), silicon=DRAWN)
    (tmp_path / "chip.toml").write_text(to_toml(hardware))
    assert Hardware.load(tmp_path / "chip.toml") == hardware


def test_a_design_must_draw_as_many_resistors_as_its_bank_has():
    with pytest.raises(SpecError, match=r"silicon\.lengths must be of 4 resistors.*not 3"):
        Hardware(bank=Bank(resistors=4), silicon=DRAWN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": ["4u", "4 ohm"]}, "lengths.*must be in m"),
        ({"lengths": []}, "lengths"),
        ({"lengths": ["4u", "-4u"]}, "lengths must be metres above 0"),
        ({"lengths": ["4u", "4"]}, "lengths must be metres above 0 and below 1, not 4"),
        ({"switch_width": ["1u", "2u", "1u"]}, "switch_width must be one width or 2"),
        ({"switch_width": 0.0}, "switch_width must be metres above 0"),
        ({"process": ""}, "process"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_refused(change, message):
    given = {"process": "sky130", "lengths": ["4u", "5u"], "switch_width": "1u"}
    with pytest.raises(SpecError, match=message):
        Drawn(**{**given, **change})
