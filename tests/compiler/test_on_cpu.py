"""Tiles programmed in batches on the CPU have the bits of those programmed pass by pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xbar
from xbar.compiler import on_cpu
from xbar.compiler.compiler import _planned
from xbar.compiler.crew import Crew, run_jobs
from xbar.compiler.job import Jobs, TileResult, run_job


def jobs_of(
    weights: dict[str, Any], bank: dict[str, Any], tile: tuple[int, int], **options: Any
) -> Jobs:
    design = xbar.Hardware(
        bank=xbar.Bank(**bank), tile=xbar.Tile(word_lines=tile[0], bit_lines=tile[1])
    )
    return _planned(weights, xbar.Chip.sample(design, 11), xbar.Options(**options), None)


def check_equal(found: list[TileResult], expected: list[TileResult]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert (a.index, a.blocks, a.wire_errors) == (b.index, b.blocks, b.wire_errors)
        assert a.packed.tobytes() == b.packed.tobytes()
        assert a.packed.shape == b.packed.shape
        assert a.reached == b.reached
        for one, other in zip(a.scales, b.scales, strict=True):
            assert one.tobytes() == other.tobytes()


def check(jobs: Jobs) -> list[TileResult]:
    """The results of all jobs, made in batches of 1, 3 and all tiles, and pass by pass."""
    whole = [jobs[index] for index in range(len(jobs))]
    assert on_cpu.ordinary(whole[0])
    expected = [run_job(job) for job in whole]
    workspace = on_cpu.Workspace()
    for size in (2, len(whole)):
        parts = (whole[start : start + size] for start in range(0, len(whole), size))
        check_equal([r for part in parts for r in on_cpu.run_batch(part, workspace)], expected)
    return expected


@pytest.mark.parametrize("resistors", [*range(1, 10), 11])
def test_any_number_of_resistors(resistors: int) -> None:
    rng = np.random.default_rng(resistors)
    weights = {"w": rng.standard_normal((9, 21)), "v": rng.standard_normal((3, 4))}
    check(jobs_of(weights, {"resistors": resistors}, (11, 8)))


@pytest.mark.parametrize(
    "bank",
    [
        {"spread": "normal"},
        {"spread": "uniform", "sigma": 0.57},
        {"spread": "resistance", "sigma": 0.1},
        {"spread": "none"},
        {"ratio": 1.7, "sigma": (0.1, 0.0, 0.3, 0.2, 0.4)},
        {"series": 2e3},
        {"switch": {"resistance": 3e3, "slope": -1.0, "sigma": 0.02}},
    ],
)
def test_any_law_of_resistors(bank: dict[str, Any]) -> None:
    weights = {"w": np.random.default_rng(4).laplace(size=(20, 30))}
    check(jobs_of(weights, {"resistors": 5, **bank}, (16, 10)))


@pytest.mark.parametrize("resistors", [3, 9])
def test_switches_that_leak(resistors: int) -> None:
    weights = {"w": np.random.default_rng(6).standard_normal((20, 30))}
    ratio = tuple(np.linspace(3.0, 90.0, resistors))
    for on_off in (ratio, 40.0, (float("inf"), *ratio[1:])):
        check(jobs_of(weights, {"resistors": resistors, "on_off_ratio": on_off}, (16, 10)))


def test_outliers_zeros_and_a_block_of_zeros() -> None:
    rng = np.random.default_rng(8)
    matrix = rng.standard_normal((6, 12))
    matrix[0] = 0.0
    matrix[1, 3:] = 0.0
    matrix[2] = 1e-3 * rng.standard_normal(12)
    matrix[2, 5] = 40.0  # is clipped for the others' sake
    weights = {"w": matrix, "zero": np.zeros((3, 4)), "v": rng.standard_normal((5, 40))}
    made = check(jobs_of(weights, {"resistors": 2}, (12, 12), compact=False))
    assert sum(each.clipped for result in made for each in result.reached) > 0


@pytest.mark.parametrize("scale_per", ["column", "tile", "layer"])
@pytest.mark.parametrize("pack", ["none", "apart", "beside", "any"])
def test_blocks_that_share_a_tile_or_a_scale(scale_per: str, pack: str) -> None:
    rng = np.random.default_rng(9)
    weights = {f"w{i}": rng.standard_normal((3, 5)) for i in range(7)}
    weights["sparse"] = np.where(rng.random((40, 33)) < 0.1, rng.standard_normal((40, 33)), 0.0)
    options = {"pack": pack, "scale_per": scale_per}
    made = check(jobs_of(weights, {"resistors": 3}, (16, 16), **options))
    assert (max(len(result.blocks) for result in made) > 1) == (pack != "none")


def test_float32_weights_and_a_driver_on_the_right() -> None:
    rng = np.random.default_rng(10)
    weights = {"w": rng.standard_normal((12, 20), dtype=np.float32)}
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=4),
        tile=xbar.Tile(word_lines=9, bit_lines=14, drive="right", sense="bottom"),
    )
    check(_planned(weights, xbar.Chip.sample(design, 1), xbar.Options(), None))


@pytest.mark.parametrize(
    ("bank", "tile", "options"),
    [
        ({"stuck_open": 0.01}, (12, 10), {}),
        ({}, (12, 11), {}),
        ({}, (12, 10), {"mapping": "reference"}),
        ({}, (12, 10), {"programming": "nominal"}),
        ({}, (12, 10), {"wire_aware": True}),
        ({}, (12, 10), {"swap_lines": "always"}),
        ({"resistors": 17}, (12, 10), {}),
    ],
)
def test_what_is_not_ordinary_goes_pass_by_pass(
    bank: dict[str, Any], tile: tuple[int, int], options: dict[str, Any]
) -> None:
    weights = {"w": np.random.default_rng(2).standard_normal((7, 20))}
    jobs = jobs_of(weights, {"resistors": 4, **bank}, tile, **options)
    assert not on_cpu.ordinary(jobs[0])
    found = run_jobs(jobs, range(len(jobs)), Crew(workers=1))
    check_equal(list(found), [run_job(jobs[index]) for index in range(len(jobs))])


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_of_batches_do_every_job_once(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_cpu, "RESISTORS", 4 * 12 * 10 * 3)  # four tiles a batch
    weights = {"w": np.random.default_rng(3).standard_normal((20, 60))}
    jobs = jobs_of(weights, {"resistors": 3}, (12, 10))
    todo = [index for index in range(len(jobs)) if index != 5]
    found = sorted(run_jobs(jobs, todo, Crew(workers=workers)), key=lambda result: result.index)
    check_equal(found, [run_job(jobs[index]) for index in todo])
