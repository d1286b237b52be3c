"""Measured chips as spreadsheets write them: what each table means, refuses or remarks on.

tables/tables.json lists them: the design, and ``on``, ``off``, ``stuck`` by tile, word line, bit
line and resistor; null is a device that must be open. ``says`` are groups of words of which each
must be met in the error or warning.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.errors import XbarError, XbarWarning

HERE = Path(__file__).parent / "tables"
CASES = json.loads((HERE / "tables.json").read_text())


def read(case):
    """The chip, or the error; and all that is said about it."""
    design = case["hardware"]
    hardware = xbar.Hardware(bank=design["bank"], tile=design["tile"])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", XbarWarning)
        try:
            chip = xbar.Chip.from_measurement(HERE / case["table"], hardware)
        except XbarError as error:
            return None, str(error)
    said = [str(warning.message) for warning in heard]
    return chip, " ".join([*said, *chip.measurement.notes])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_table_is_read_for_what_it_means_or_refused_for_what_is_wrong(case):
    chip, said = read(case)
    for words in case.get("says", []):
        assert any(word.lower() in said.lower() for word in words), said
    if "want_error" in case:
        assert chip is None
    elif "want_warning" in case:
        assert chip is None or said
    if "on" not in case:
        return
    assert chip is not None, said
    for tile, wanted in enumerate(case["on"]):
        on = np.array(wanted, dtype=float)
        live = np.isfinite(on)
        np.testing.assert_allclose(chip.on(tile)[live], on[live], rtol=1e-9)
        assert np.all((chip.stuck(tile)[~live] == -1) | (chip.on(tile)[~live] == 0))
        if "off" in case:
            np.testing.assert_allclose(chip.off(tile), case["off"][tile], rtol=1e-9)
        if "stuck" in case:
            np.testing.assert_array_equal(chip.stuck(tile), case["stuck"][tile])
