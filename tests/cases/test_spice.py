"""Small decks of the kinds that people's files contain, each held to ngspice or worked by hand.

spice/spice.json lists them. ``want`` are volts and amperes, ``unknown`` voltages without a value.
``want_error`` must be an error and ``want_warning`` an error, a warning or a note, that says one
word of each group of ``says``; ``or_refused`` may be an error; ``no_warning`` must be read in
silence.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import xbar
from xbar.errors import XbarError

HERE = Path(__file__).parent / "spice"
CASES = json.loads((HERE / "spice.json").read_text())


def says(text, groups):
    return all(any(word.lower() in text.lower() for word in group) for group in groups)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_deck_of_this_kind_has_its_operating_point_or_the_right_message(case):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            circuit = xbar.read_spice(HERE / case["deck"], dialect=case.get("dialect"))
            op = circuit.solve()
        except XbarError as error:
            assert case.keys() & {"want_error", "want_warning", "or_refused"}
            assert says(str(error), case.get("says", []))
            return
    said = " ".join([*circuit.notes, *(str(each.message) for each in heard)])
    assert "want" in case or "want_warning" in case
    if "want_warning" in case:
        assert says(said, case["says"])
    if case.get("no_warning"):
        assert not said
    values = {"v": op.voltage, "i": op.current}
    for key, value in case.get("want", {}).items():
        assert values[key[0]][key[2:-1]] == pytest.approx(value, rel=1e-6, abs=1e-12)
    for key in case.get("unknown", []):
        with pytest.raises(XbarError):
            values[key[0]][key[2:-1]]
