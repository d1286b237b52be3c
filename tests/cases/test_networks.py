"""Networks, crossbars and units as people write them, each held to a value by hand or networkx.

networks/networks.json lists them: ``setup`` and ``expr`` in Python, or ``any_of`` several spellings
of what no contract names; ``want`` within 1e-6 of its largest entry, ``want_error`` or
``want_warning`` a message with a word of each group of ``says``; ``or_refused``: that will do, too.
"""

from __future__ import annotations

import json
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import xbar
from xbar.errors import XbarError

CASES = json.loads((Path(__file__).parent / "networks" / "networks.json").read_text())


def evaluate(case, tmp_path):
    """The value of the first spelling that xbar knows."""

    def deck(text):
        path = tmp_path / "deck.cir"
        path.write_text(text)
        return path

    names = {"np": np, "nx": nx, "xbar": xbar, "Fraction": Fraction, "Decimal": Decimal}
    names |= {"inf": np.inf, "deck": deck}
    exec(case.get("setup", ""), names)
    for text in case.get("any_of", [])[:-1]:
        try:
            return eval(text, names)
        except (TypeError, AttributeError):
            continue
    return eval(case["any_of"][-1] if "any_of" in case else case["expr"], names)


def says(text, groups):
    return all(any(word.lower() in text.lower() for word in group) for group in groups)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_network_of_this_kind_is_right_or_refused_with_the_reason(case, tmp_path):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            got = evaluate(case, tmp_path)
        except XbarError as error:
            assert {"want_error", "want_warning", "or_refused"} & set(case), error
            assert says(str(error), case.get("says", [])), error
            return
    assert "want_error" not in case
    if "want_warning" in case:
        assert says(" ".join(str(each.message) for each in heard), case["says"])
    if "want" in case:
        want = np.asarray(case["want"], dtype=float)
        assert np.shape(got) == want.shape
        tolerance = case.get("tolerance", 1e-6) * max(np.abs(want).max(), 1e-12)
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
