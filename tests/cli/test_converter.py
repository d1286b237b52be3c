"""``xbar converter`` as a user types it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xbar.hardware.spec import Hardware
from xbar.simulation import adc_linearity, dac_linearity

DESIGN = """
[adc]
bits = 7
kind = "sar"
mismatch = "2 %"
noise = "0.5 %"
offset = "1 %"

[dac]
bits = 5
kind = "string"
mismatch = "3 %"
"""


@pytest.fixture
def chip(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(DESIGN)
    return path


def test_both_converters_are_told_with_the_figures_that_python_gives(call, chip):
    code, out, _ = call("converter", chip, "--converters", 8, "--seed", 3, "--json")
    assert code == 0
    content, hardware = json.loads(out), Hardware.load(chip)
    adc = adc_linearity(hardware, 8, chip_seed=3)
    np.testing.assert_array_equal(content["adc"]["inl"], adc.inl)
    np.testing.assert_array_equal(content["adc"]["enob"], adc.enob)
    np.testing.assert_array_equal(content["dac"]["dnl"], dac_linearity(hardware, 8, 3).dnl)
    code, out, _ = call("converter", chip, "--converters", 8, "--seed", 3)
    assert code == 0
    assert str(adc) in out


def test_the_picture_is_written_whole_and_the_same_each_time(call, refused, chip, tmp_path):
    pytest.importorskip("matplotlib")
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        assert call("converter", chip, "--plot", path, "--converters", 4)[0] == 0
    assert first.read_bytes() == second.read_bytes()
    assert b"<svg" in first.read_bytes()
    assert "a.svg" in refused("converter", chip, "--plot", first)


def test_what_can_not_be_told_is_one_line(refused, tmp_path):
    bare = tmp_path / "bare.toml"
    bare.write_text("name = 'none'\n")
    assert "must have an [adc] or a [dac] section to tell of" in refused("converter", bare)
    assert "--force has no effect without --plot" in refused("converter", bare, "--force")
