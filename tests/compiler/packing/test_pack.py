"""Blocks on tiles: never one over another, and no tile more than it must be where that is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.compiler.packing.cp_sat import fit
from xbar.compiler.packing.first_fit import first_fit
from xbar.compiler.packing.pack import pack
from xbar.compiler.packing.rules import area_bound, lower_bound

RULES = ("none", "apart", "beside", "any")


def overlaps(a, b):
    """Whether two rectangles (row, column, rows, columns) share rows, and whether columns."""
    return [a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1)]


def check(packing, shapes, size, rule):
    """Every rule, pair by pair."""
    places = np.hstack([packing.corner, shapes])
    assert (packing.corner >= 0).all()
    assert (packing.corner + shapes <= size).all()
    assert set(packing.tile) == set(range(packing.tiles))
    for i, j in itertools.combinations(range(len(shapes)), 2):
        if packing.tile[i] != packing.tile[j]:
            continue
        rows, columns = overlaps(places[i], places[j])
        assert rule != "none"
        if rule == "apart":
            assert not rows
        if rule in ("apart", "beside"):
            assert not columns
        assert not (rows and columns)


rectangles = st.tuples(st.integers(1, 8), st.integers(1, 6)).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(
            st.tuples(st.integers(1, size[0]), st.integers(1, size[1])), min_size=1, max_size=40
        ),
    )
)


@pytest.mark.parametrize("rule", RULES)
@given(case=rectangles)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_rectangles_never_overlap_nor_share_what_they_must_not(rule, case):
    size, listed = case
    shapes = np.array(listed, dtype=np.int64)
    found = pack(shapes, size, rule, effort=0)
    check(found.packing, shapes, size, rule)
    bound = lower_bound(shapes, size, rule)
    assert area_bound(shapes, size) <= bound <= found.packing.tiles <= len(shapes)
    assert (found.status == "optimal") == (found.packing.tiles == bound)
    assert found.packing.tile[0] == 0
    first = [int(np.argmax(found.packing.tile == tile)) for tile in range(found.packing.tiles)]
    assert first == sorted(first)


@pytest.mark.parametrize("rule", ["apart", "beside", "any"])
def test_cp_sat_is_never_worse_than_first_fit_and_asks_the_same_twice(rule):
    rng = np.random.default_rng(3)
    saved = 0
    for n in (6, 14, 40):
        shapes = rng.integers(1, [9, 7], (n, 2))
        plain, better = (pack(shapes, (12, 9), rule, effort) for effort in (0, 0.1))
        check(better.packing, shapes, (12, 9), rule)
        assert lower_bound(shapes, (12, 9), rule) <= better.packing.tiles <= plain.packing.tiles
        again = pack(shapes, (12, 9), rule, effort=0.1)
        np.testing.assert_array_equal(again.packing.tile, better.packing.tile)
        np.testing.assert_array_equal(again.packing.corner, better.packing.corner)
        saved += plain.packing.tiles - better.packing.tiles
    assert saved >= 0


def fits_on_one(shapes, size, rule):
    """Whether rectangles fit on one tile, by trying every corner of each in turn."""
    if rule == "beside":
        return sum(w for _, w in shapes) <= size[1]
    if rule == "apart":
        return sum(w for _, w in shapes) <= size[1] and sum(h for h, _ in shapes) <= size[0]

    def place(rest, taken):
        if not rest:
            return True
        (h, w), *others = rest
        for r in range(size[0] - h + 1):
            for c in range(size[1] - w + 1):
                cells = {(i, j) for i in range(r, r + h) for j in range(c, c + w)}
                if not cells & taken and place(others, taken | cells):
                    return True
        return False

    return sum(h * w for h, w in shapes) <= size[0] * size[1] and place(shapes, frozenset())


def fewest(shapes, size, rule):
    """Fewest tiles of all partitions."""
    known = {}

    def one(group):
        if group not in known:
            known[group] = fits_on_one([shapes[i] for i in group], size, rule)
        return known[group]

    def split(rest, most):
        if not rest:
            return True
        if most == 0:
            return False
        first, *others = rest
        for k in range(len(others), -1, -1):
            for mates in itertools.combinations(others, k):
                left = [i for i in others if i not in mates]
                if one((first, *mates)) and split(left, most - 1):
                    return True
        return False

    return next(n for n in itertools.count(1) if split(list(range(len(shapes))), n))


@pytest.mark.parametrize("rule", ["apart", "beside", "any"])
def test_small_cases_take_the_fewest_tiles_of_all_partitions(rule):
    rng = np.random.default_rng(11)
    for _ in range(12):
        shapes = rng.integers(1, [4, 4], (7, 2))
        best = fewest(list(map(tuple, shapes.tolist())), (5, 4), rule)
        found = pack(shapes, (5, 4), rule)
        assert found.packing.tiles == best
        assert found.status == "optimal"
        assert lower_bound(shapes, (5, 4), rule) <= best


def test_cp_sat_finds_the_packing_that_first_fit_misses():
    # a 6 x 6 square dissected into five rectangles around a centre: no guillotine cut makes it
    shapes = np.array([(2, 4), (4, 2), (2, 4), (4, 2), (2, 2)])
    assert first_fit(shapes, (6, 6), "any").tiles == 2
    found = pack(shapes, (6, 6), "any")
    check(found.packing, shapes, (6, 6), "any")
    assert (found.packing.tiles, found.method, found.status) == (1, "CP-SAT", "optimal")


def test_cp_sat_proves_that_there_is_no_packing():
    shapes = np.array([(3, 3), (3, 3), (2, 2)])
    assert area_bound(shapes, (5, 5)) == 1
    packing, never = fit(shapes, (5, 5), "any", 1, 1.0)
    assert packing is None
    assert never


def test_full_tiles_lie_alone_and_are_not_searched_over():
    shapes = np.array([(4, 4), (1, 2), (4, 4), (2, 2)])
    found = pack(shapes, (4, 4), "any")
    np.testing.assert_array_equal(found.packing.tile, [0, 1, 2, 1])
    alone = pack(shapes[[0, 2]], (4, 4), "any")
    assert (alone.method, alone.status, alone.packing.tiles) == ("alone", "optimal", 2)


def test_thousands_of_small_blocks_of_one_shape_fill_their_tiles():
    shapes = np.full((2000, 2), (9, 1))
    found = pack(shapes, (64, 32), "any")
    assert found.packing.tiles == -(-2000 // (7 * 32))
    assert pack(shapes, (64, 32), "beside").packing.tiles == -(-2000 // 32)
    assert pack(shapes, (64, 32), "apart").packing.tiles == -(-2000 // 7)


def test_the_bound_counts_what_can_not_be_halved():
    shapes = np.array([(3, 3)] * 4)
    assert area_bound(shapes, (5, 5)) == 2
    assert lower_bound(shapes, (5, 5), "any") == 4
    # three of 4 take a tile each; of six of 3 two share one; 2 finds room beside 4
    lengths = np.array([[4, 1]] * 3 + [[3, 1]] * 6 + [[2, 1]] * 3)
    assert lower_bound(lengths, (6, 1), "any") == 6
    assert lower_bound(lengths[[0, 1, 3, 4, 5]], (6, 1), "any") == 4
    assert area_bound(lengths[[0, 1, 3, 4, 5]], (6, 1)) == 3
