"""Updating a few cells gives the transfer matrix that a fresh crossbar has."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers import choice
from xbar.circuit.solvers.merge_tree import MergeTreeSolver
from xbar.circuit.solvers.revision import Revision

WIRES = {"word_wire": 5.0, "bit_wire": 3.0, "source": 10.0, "load": 2.0}


@pytest.fixture
def trees(monkeypatch):
    """The crossbars whose transfer matrix was made afresh."""
    made, transfer = [], choice.transfer

    def note(crossbar):
        made.append(crossbar)
        return transfer(crossbar)

    monkeypatch.setattr(choice, "transfer", note)
    return made


def assert_fresh(crossbar, relative=1e-10):
    fresh = MergeTreeSolver(crossbar).transfer()
    assert np.abs(crossbar.transfer - fresh).max() <= relative * fresh.max()


def cells(seed, shape=(30, 40)):
    return 10 ** np.random.default_rng(seed).uniform(-6, -3, shape)


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_opening_closing_and_changing_cells_again_and_again(drive, sense, trees):
    rng = np.random.default_rng(1)
    first = crossbar = Crossbar(cells(0), **WIRES, drive=drive, sense=sense)
    _ = crossbar.transfer
    for _ in range(4):
        place = rng.choice(1200, 4, replace=False)
        crossbar = crossbar.update(place // 40, place % 40, rng.choice([0, 1e-4, 1e-2], 4))
        assert_fresh(crossbar)
    # the last, with 16 changed cells, has more than half of the 30 lines and is made afresh
    assert trees == [first, crossbar]


def test_ideal_wires_can_be_updated_too():
    word = np.full((30, 40), 5.0)
    word[:, ::3] = 0
    crossbar = Crossbar(cells(0), word, 0.0, 0.0, 7.0)
    _ = crossbar.transfer
    assert_fresh(crossbar.update([1, 2], [3, 4], [0, 1e-2]))


def test_a_whole_row_of_updates_between_two_looks_is_one_update():
    crossbar = Crossbar(cells(2), **WIRES)
    _ = crossbar.transfer
    for j in range(5):
        crossbar = crossbar.update(7, j, 2e-3)
    assert_fresh(crossbar)


def test_taking_an_update_back_gives_the_first_matrix():
    crossbar = Crossbar(cells(3), **WIRES)
    before = crossbar.transfer
    after = crossbar.update(3, 4, 1e-2).update(3, 4, crossbar.conductance[3, 4])
    assert np.array_equal(after.transfer, before)


def test_many_changed_cells_are_a_fresh_start(trees):
    crossbar = Crossbar(cells(4), **WIRES)
    _ = crossbar.transfer
    place = np.arange(200)
    changed = crossbar.update(place // 40, place % 40, 1e-3)
    assert_fresh(changed, 1e-14)
    assert trees == [crossbar, changed]
    after = changed.update(0, 0, 2e-3)
    assert_fresh(after)
    assert trees == [crossbar, changed]


def test_an_update_that_would_lose_digits_is_a_fresh_start():
    """A short between two far ends, taken away again, leaves a difference of nearly equal terms."""
    short = cells(5)
    short[0, 39] = 1e9
    crossbar = Crossbar(short, **WIRES)
    _ = crossbar.transfer
    changed = crossbar.update(0, 39, 1e-6)
    assert Revision(crossbar).transfer(changed.conductance) is None
    assert_fresh(changed, 1e-14)


@pytest.mark.parametrize("power", range(10))
def test_an_update_errs_by_less_than_1e_10_however_large_the_change(power):
    """A short that is taken away: the larger it was, the more digits cancel."""
    short = cells(5)
    short[0, 39] = 10.0**power
    crossbar = Crossbar(short, **WIRES)
    _ = crossbar.transfer
    assert_fresh(crossbar.update(0, 39, 1e-6))


def test_the_error_bound_holds():
    rng = np.random.default_rng(6)
    base = Crossbar(cells(6), **WIRES)
    _ = base.transfer
    for change in (1e-4, 1.0, 1e4):
        place = rng.choice(1200, 3, replace=False)
        changed = base.update(place // 40, place % 40, change)
        found, bound = Revision(base).transfer(changed.conductance)
        fresh = Crossbar(changed.conductance, **WIRES).transfer
        assert np.abs(found - fresh).max() <= bound * fresh.max()


def test_the_first_crossbar_does_not_change():
    crossbar = Crossbar(cells(7), **WIRES)
    before = crossbar.transfer.copy()
    _ = crossbar.update(1, 1, 1e-2).transfer
    assert np.array_equal(crossbar.transfer, before)
