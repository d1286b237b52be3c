"""Names that a reader makes up are new, whatever names are there, and stay short."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.model.naming import fresh


def test_thousands_of_values_of_one_name_have_names_of_their_own_none_of_them_long():
    taken = set()
    for _ in range(5000):
        taken.add(fresh("w", taken, "'"))
    assert len(taken) == 5000
    assert {"w" + k * "'" for k in range(1001)} < taken
    assert max(map(len, taken)) == 1001


@given(st.sets(st.integers(0, 40)), st.sampled_from("_'"))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_name_is_new_wherever_marked_names_are_taken(marks, mark):
    taken = {"w" + k * mark for k in marks}
    found = fresh("w", taken, mark)
    assert found not in taken
    assert found.rstrip(mark) == "w"
    if 0 not in marks:
        assert found == "w"
