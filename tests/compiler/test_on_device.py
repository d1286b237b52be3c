"""Tiles programmed as a whole on a card have the bits of those programmed pass by pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_card import PlainCard

import xbar
from xbar.compiler import batch_job
from xbar.compiler.program import Program

WHOLE = {"reaches", "aims", "closed"}


def both(
    weights: dict[str, Any], bank: dict[str, Any], tile: tuple[int, int], **options: Any
) -> tuple[Program, Program]:
    design = xbar.Hardware(
        bank=xbar.Bank(**bank), tile=xbar.Tile(word_lines=tile[0], bit_lines=tile[1])
    )
    given = {"seed": 11, "options": xbar.Options(**options)}
    return (
        xbar.compile(weights, design, device="cuda", **given),
        xbar.compile(weights, design, **given),
    )


def check_equal(there: Program, here: Program) -> None:
    assert len(there.tiles) == len(here.tiles)
    for a, b in zip(there.tiles, here.tiles, strict=True):
        assert np.array_equal(a.packed, b.packed)
        assert a.reached == b.reached
        for one, other in zip(a.blocks, b.blocks, strict=True):
            assert np.array_equal(one.scale, other.scale)


@pytest.mark.parametrize("resistors", range(1, 11))
def test_any_number_of_resistors(plain_card: PlainCard, resistors: int) -> None:
    rng = np.random.default_rng(resistors)
    weights = {"w": rng.standard_normal((9, 21)), "v": rng.standard_normal((3, 4))}
    check_equal(*both(weights, {"resistors": resistors}, (11, 8)))
    assert set(plain_card.launches) >= WHOLE
    assert plain_card.held == 0


@pytest.mark.parametrize("bank", [{"spread": "normal"}, {"spread": "uniform"}, {"ratio": 1.7}])
def test_other_laws(plain_card: PlainCard, bank: dict[str, Any]) -> None:
    weights = {"w": np.random.default_rng(4).laplace(size=(20, 30))}
    check_equal(*both(weights, {"resistors": 5, **bank}, (16, 10)))
    assert set(plain_card.launches) >= WHOLE


def test_outliers_zeros_and_a_block_of_zeros(plain_card: PlainCard) -> None:
    rng = np.random.default_rng(8)
    matrix = rng.standard_normal((6, 12))
    matrix[0] = 0.0
    matrix[1, 3:] = 0.0
    matrix[2] = 1e-3 * rng.standard_normal(12)
    matrix[2, 5] = 40.0  # is clipped for the others' sake
    weights = {"w": matrix, "zero": np.zeros((3, 4)), "v": rng.standard_normal((5, 40))}
    there, here = both(weights, {"resistors": 2}, (12, 12), compact=False)
    check_equal(there, here)
    assert sum(each.clipped for tile in here.tiles for each in tile.reached) > 0
    assert set(plain_card.launches) >= WHOLE


def test_blocks_that_share_a_tile(plain_card: PlainCard) -> None:
    rng = np.random.default_rng(9)
    weights = {f"w{i}": rng.standard_normal((3, 5)) for i in range(7)}
    there, here = both(weights, {"resistors": 3}, (16, 16), pack="any")
    check_equal(there, here)
    assert max(len(tile.blocks) for tile in here.tiles) > 1
    assert set(plain_card.launches) >= WHOLE


@pytest.mark.parametrize(
    ("bank", "tile", "options"),
    [
        ({"on_off_ratio": 30.0}, (12, 10), {}),
        ({"stuck_open": 0.01}, (12, 10), {}),
        ({}, (12, 11), {}),
        ({}, (12, 10), {"mapping": "reference"}),
        ({}, (12, 10), {"scale_per": "tile"}),
    ],
)
def test_what_is_not_ordinary_goes_pass_by_pass(
    plain_card: PlainCard, bank: dict[str, Any], tile: tuple[int, int], options: dict[str, Any]
) -> None:
    weights = {"w": np.random.default_rng(2).standard_normal((7, 20))}
    check_equal(*both(weights, {"resistors": 4, **bank}, tile, **options))
    assert not WHOLE & set(plain_card.launches)
    assert "exact" in plain_card.launches


def test_tiles_are_done_in_pieces_where_memory_is_short(
    plain_card: PlainCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_card.most, plain_card.claims_free = 60_000, 1 << 40
    weights = {"w": np.random.default_rng(3).standard_normal((20, 60))}
    check_equal(*both(weights, {"resistors": 3}, (12, 10)))
    assert 1 < plain_card.launches.count("aims") < 20
    assert plain_card.held == 0
    monkeypatch.setattr(batch_job, "WHOLE_RESISTORS", 5 * 12 * 10 * 3)
    plain_card.launches.clear()
    plain_card.most, plain_card.claims_free = 1 << 30, None
    check_equal(*both(weights, {"resistors": 3}, (12, 10)))
    assert plain_card.launches.count("aims") == 4


@pytest.mark.parametrize("resistors", [3, 10])
def test_batches_fill_the_half_of_the_free_memory(plain_card: PlainCard, resistors: int) -> None:
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors), tile=xbar.Tile(word_lines=128, bit_lines=16)
    )
    plain_card.claims_free = 8 << 20
    weights = {"w": np.random.default_rng(1).standard_normal((8, 128 * 64))}
    xbar.compile(weights, design, seed=2, device="cuda")
    assert plain_card.launches.count("closed") > 1
    assert 0.9 * (4 << 20) < plain_card.peak <= 4 << 20
