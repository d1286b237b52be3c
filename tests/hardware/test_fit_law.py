"""Fitted laws hold what their tables were made with, tell what the data lack, and make designs."""

import importlib.util
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import xbar
from xbar.errors import SpecError
from xbar.hardware.fit.distribution import choose, mixture_ends, two_parts
from xbar.hardware.fit.statistics import (
    likelihood_ends,
    normal_p,
    population,
    relative_deviation_of,
)

_PATH = Path(__file__).parents[2] / "benchmarks" / "fit.py"
_SPEC = importlib.util.spec_from_file_location("fit_benchmark", _PATH)
BENCHMARK = importlib.util.module_from_spec(_SPEC)
sys.modules["fit_benchmark"] = BENCHMARK  # dataclasses look their module up
_SPEC.loader.exec_module(BENCHMARK)
RUNS = 14


@pytest.mark.parametrize("kind", list(BENCHMARK.TABLES))
def test_intervals_hold_the_true_parameters_in_95_percent_of_runs(kind):
    counts, _ = BENCHMARK.coverage(kind, RUNS, seed=11)
    least = stats.binom.ppf(0.0005, RUNS, 0.95)
    held = {name: sum(bool(one) for one in each.held) for name, each in counts.items()}
    assert {name: number for name, number in held.items() if number < least} == {}
    total, all_runs = sum(held.values()), RUNS * len(held)
    assert total >= stats.binom.ppf(0.001, all_runs, 0.95)


def lognormal(count, seed=0, sigma=0.3):
    return 1e-5 * np.exp(sigma * np.random.default_rng(seed).normal(size=count))


def unknown(law):
    return " / ".join(law.fitted.unknown)


def test_what_one_reading_a_device_cannot_say_is_told():
    law = xbar.DeviceLaw.fit({"device": range(100), "conductance": lognormal(100)})
    assert law.spread.kind == "lognormal"
    assert (law.drift, law.noise, law.temperature) == (None, None, None)
    for part in ("read noise: there are no repeated", "drift: there is no column time",
                 "temperature coefficient: there is no column"):  # fmt: skip
        assert part in unknown(law)
        assert part in str(law)


def test_a_single_temperature_gives_no_coefficient_and_the_rest_is_fitted():
    table = {"device": range(100), "temperature [C]": [25.0] * 100, "g": lognormal(100)}
    law = xbar.DeviceLaw.fit(table)
    assert law.temperature is None
    assert "there is one temperature, 25 °C" in unknown(law)
    assert law.fitted["spread.sigma"].low < 0.3 < law.fitted["spread.sigma"].high


@pytest.mark.parametrize(("count", "told"), [(2, "2 devices are too few"), (6, "can't tell one")])
def test_few_devices_are_told_to_be_few(count, told):
    law = xbar.DeviceLaw.fit({"device": range(count), "g": lognormal(count)})
    assert told in unknown(law)
    assert (law.spread is None) == (count < 3)


def test_a_distribution_is_the_one_that_the_data_have():
    rng = np.random.default_rng(3)
    two = np.where(rng.uniform(size=800) < 0.5, rng.normal(5, 0.5, 800), rng.normal(9, 0.7, 800))
    assert choose(rng.normal(10, 2, 800), 0).kind == "normal"
    assert choose(np.exp(rng.normal(0, 0.5, 800)), 0).kind == "lognormal"
    assert choose(two, 0).kind == "mixture"
    three = np.concatenate([rng.normal(m, 0.2, 500) for m in (2, 5, 8)])
    found = choose(three, 0)
    assert found.kind == "table"
    assert found.p <= 0.01


def test_a_mixture_that_many_devices_contradict_only_in_their_tails_is_not_taken():
    rng = np.random.default_rng(8)
    x = np.where(rng.uniform(size=9000) < 0.5, rng.normal(5, 0.5, 9000), rng.normal(9, 0.7, 9000))
    assert choose(x, 0).kind == "mixture"
    x[:90] = rng.uniform(1.5, 3.0, 90)
    assert choose(x, 0).kind == "table"


def test_parts_of_very_many_devices_are_those_of_all_of_them():
    rng = np.random.default_rng(8)
    x = np.where(rng.uniform(size=60_000) < 0.4, rng.normal(5, 1, 60_000), rng.normal(9, 2, 60_000))
    found = two_parts(x)
    true = np.array([0.4, 5, 9, 1, 2])
    got = np.array([found.share[0], *found.centre, *found.sigma])
    low, high = mixture_ends(x, found, relative=False)
    assert ((low < true) & (true < high)).all()
    assert ((low < got) & (got < high)).all()
    np.testing.assert_array_less(high - low, [0.06, 0.1, 0.4, 0.1, 0.2])


def test_a_table_is_drawn_as_it_was_measured():
    rng = np.random.default_rng(3)
    g = np.concatenate([rng.normal(m, 0.2e-6, 500) for m in (2e-6, 5e-6, 8e-6)])
    law = xbar.DeviceLaw.fit({"device": range(1500), "g": g})
    bank = law.bank(resistors=4)
    assert bank.spread == "table"
    drawn = xbar.Chip.sample(xbar.Hardware(bank=bank), 1).on(0).ravel()
    assert stats.ks_2samp(drawn, g).pvalue > 0.01


def test_a_mixture_is_drawn_with_its_parts():
    table, truth = BENCHMARK.mixture(np.random.default_rng(2))
    bank = xbar.DeviceLaw.fit(table).bank(resistors=4)
    drawn = xbar.Chip.sample(xbar.Hardware(bank=bank), 1).on(0).ravel()
    assert stats.ks_2samp(drawn, table["conductance"]).pvalue > 0.01
    between = (truth["spread.centre1"] + truth["spread.centre2"]) / 2
    assert (drawn < between).mean() == pytest.approx(truth["spread.share"], abs=0.05)


def test_devices_that_rise_and_fall_are_tabulated():
    rng = np.random.default_rng(1)
    times = np.array([1.0, 100.0, 1e4, 1e6])
    start = 2e-5 * (1 + 0.05 * rng.normal(size=400))
    steps = rng.normal(size=(400, 4)) * 6e-7 * (times > 1)
    walk = np.cumsum(steps, axis=1) - 5e-8 * np.log(times)
    law = xbar.DeviceLaw.fit({"conductance": start[:, None] + walk, "time": times})
    assert law.drift is None
    assert law.retention.times == tuple(times)
    assert "would rise by a power law" in " ".join(law.fitted.notes)
    # the law's own chips later: mean and spread of their changes are the data's
    design = xbar.Hardware(
        bank={"resistors": 1}, device=law, tile={"word_lines": 64, "bit_lines": 64}
    )
    chip = xbar.Chip.sample(design, 0)
    change = chip.at(time=1e6).on(0) - chip.on(0)
    assert change.mean() == pytest.approx(walk[:, -1].mean(), abs=4 * walk[:, -1].std() / 20)
    assert change.std() == pytest.approx(walk[:, -1].std(), rel=0.15)


def test_chips_of_a_fitted_law_drift_as_the_devices_did():
    table, truth = BENCHMARK.made(np.random.default_rng(9))
    law = xbar.DeviceLaw.fit(table)
    design = xbar.Hardware(bank={"resistors": 4, "stuck_open": 0.0}, device=law)
    chip = xbar.Chip.sample(design, 0)
    alive = chip.on(0) > 0
    exponent = -np.log(chip.at(time="1e4 s").on(0)[alive] / chip.on(0)[alive]) / np.log(1e4)
    assert exponent.mean() == pytest.approx(truth["drift.mean"], abs=0.002)
    assert exponent.std() == pytest.approx(truth["drift.sigma"], rel=0.12)


@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_noise_of_readings_makes_no_drift_by_conductance(slope):
    told = {"drift.mean": 0.05, "drift.sigma": 0.01} | (
        {"drift.mean.slope": slope} if slope else {}
    )
    times = np.repeat([1.0, 10.0, 100.0, 1e3, 1e4], 2)
    held = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = 0.3 * rng.normal(size=(1000, 1))
        exponent = 0.05 + slope * x + 0.01 * rng.normal(size=(1000, 1))
        g = 1e-6 * np.exp(x) * times**-exponent * (1 + 0.1 * rng.normal(size=(1000, 10)))
        law = xbar.DeviceLaw.fit(
            {
                "device": np.repeat(np.arange(1000), 10),
                "time": np.tile(times, 1000),
                "read": np.tile([0, 1], 5000),
                "conductance": g.ravel(),
            }
        )
        names = [each.name for each in law.fitted.parameters]
        assert ("drift.mean.slope" in names) == bool(slope)
        held += sum(law.fitted[name].low <= true <= law.fitted[name].high
                    for name, true in told.items())  # fmt: skip
    assert held >= stats.binom.ppf(0.001, 6 * len(told), 0.95)


EXACT = {
    "one conductance": lambda d, time, kelvin: 1e-6,
    "a power law": lambda d, time, kelvin: 1e-6 * (1 + d % 3) * time**-0.1,
    "a coefficient": lambda d, time, kelvin: 1e-6 * (1 + d % 3) / (1 + 1e-3 * (kelvin - 300)),
}


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("kind", list(EXACT))
def test_tables_without_any_spread_or_noise_have_their_law(kind, targets):
    rows = [
        (d, 1e-6 * (1 + d % targets), time, kelvin, read, EXACT[kind](d, time, kelvin))
        for d in range(12)
        for time in ((1.0, 1e3, 1e5) if "power" in kind else (1.0,))
        for kelvin in ((300.0, 330.0, 360.0) if "coefficient" in kind else (300.0,))
        for read in range(2)
    ]
    names = ("device", "target", "time", "temperature [K]", "read", "conductance")
    law = xbar.DeviceLaw.fit(dict(zip(names, np.array(rows).T, strict=True)))
    assert law.noise is None
    for each in law.fitted.parameters:
        assert each.low <= each.value <= each.high
    if "power" in kind:
        assert law.fitted["drift.mean"].value == pytest.approx(0.1, abs=1e-12)
    if "coefficient" in kind:
        assert law.fitted["temperature.resistors"].value == pytest.approx(1e-3, abs=1e-12)


@pytest.mark.parametrize("temperature", [{}, {"temperature [C]": [25.0, 85.0] * 10}])
def test_a_table_in_which_nothing_conducts_is_refused(temperature):
    table = {"device": np.repeat(np.arange(10), 2), "g": np.zeros(20)}
    if not temperature:
        table["read"] = np.tile([0, 1], 10)
    with pytest.raises(SpecError, match="a device that conducts; all 10 are open"):
        xbar.DeviceLaw.fit(table | temperature)


def test_devices_that_die_and_bakes_that_are_not_used_are_told():
    rng = np.random.default_rng(4)
    times = np.array([1.0, 100.0, 1e4])
    g = 1e-5 * (1 + 0.1 * rng.normal(size=(60, 1))) * times**-0.05
    g[3, 2] = 0.0
    cool = BENCHMARK.long_table(g, time=(1, times), **{"temperature [C]": (1, [25.0] * 3)})
    hot = {**cool, "temperature [C]": np.full(180, 125.0), "device": cool["device"] + 60}
    hot["conductance"] = (g * times**-0.05).ravel()
    law = xbar.DeviceLaw.fit({key: np.concatenate([cool[key], hot[key]]) for key in cool})
    assert "failure in time: 1 devices conducted at first" in unknown(law)
    assert "activation energy: readings over time at other temperatures" in unknown(law)
    assert law.fitted["drift.mean"].value == pytest.approx(0.05, abs=1e-6)


def test_devices_of_a_fitted_table_spread_as_those_that_were_measured():
    """Half of the conductance is lost and a part comes back, by a tenth of it more or less."""
    rng, count = np.random.default_rng(3), 2000
    fresh, z = lognormal(count, seed=4), rng.normal(size=count)
    times, lost = [1.0, 3600.0, 86400.0], {3600.0: 0.5, 86400.0: 0.4}
    after = [fresh * (1.0 - lost.get(time, 0.0)) + (time > 1) * 0.1 * fresh * z for time in times]
    law = xbar.DeviceLaw.fit({"conductance": np.stack(after, axis=1), "time": times})
    knots = [1e-6 * row[0] for row in law.retention.error[0].table]
    assert len(knots) == 5
    for nominal, time in product(knots, lost):
        bank = xbar.Bank(resistors=2, nominal=1.0 / nominal, spread="none")
        chip = xbar.Chip.sample(xbar.Hardware(bank=bank, device=law), seed=0)
        change = chip.at(time=time).on(0) / nominal - 1.0
        assert change.mean() == pytest.approx(-lost[time], abs=0.02)
        assert change.std() == pytest.approx(0.1, rel=0.08)


def test_a_device_that_does_not_follow_its_targets_is_stuck():
    rng = np.random.default_rng(4)
    target = np.linspace(5e-6, 25e-6, 5)
    g = target * (1 + 0.03 * rng.normal(size=(50, 5)))
    g[7] = 24e-6 * (1 + 0.01 * rng.normal(size=5))
    table = {
        "device": np.repeat(np.arange(50), 5), "target": np.tile(target, 50), "g": g.ravel(),
    }  # fmt: skip
    law = xbar.DeviceLaw.fit(table)
    assert (law.stuck_open, law.stuck_closed) == (0.0, 0.02)


def test_limits_that_differ_by_target_are_told_as_such():
    """The first target's devices scatter so that six deviations are beyond the usual limits."""
    z = np.random.default_rng(5).normal(size=100)
    target = np.repeat([1e-6, 5e-6], 50)
    g = target * np.exp(np.repeat([0.9, 0.05], 50) * z)
    law = xbar.DeviceLaw.fit({"device": range(100), "target": target, "g": g})
    logs = np.log(g[:50] / np.median(g[:50]))
    far = np.exp(6 * 1.4826 * np.median(np.abs(logs)))
    told = next(note for note in law.fitted.notes if note.startswith("stuck open"))
    assert f"below {1 / far:.3g} to 0.02, by target, of the median" in told
    assert f"above 10 to {far:.3g}, by target, times it" in told


def test_the_callers_limits_say_what_is_stuck():
    g = np.concatenate([lognormal(98), [1e-6, 4e-5]])
    assert xbar.DeviceLaw.fit({"device": range(100), "g": g}).stuck_open == 0.0
    law = xbar.DeviceLaw.fit({"device": range(100), "g": g}, stuck=(0.2, 3.5))
    assert (law.stuck_open, law.stuck_closed) == (0.01, 0.01)


def test_anderson_and_darlings_p_is_even_for_normal_numbers():
    rng = np.random.default_rng(0)
    p = [normal_p(rng.normal(size=60))[1] for _ in range(400)]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_population_is_found_behind_known_errors():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        variance = rng.uniform(0.5, 4.0, size=40)
        x = 3.0 + 1.5 * rng.normal(size=40) + np.sqrt(variance) * rng.normal(size=40)
        found = population(x, variance)
        held += (found.mean.low < 3 < found.mean.high) + (found.sigma.low < 1.5 < found.sigma.high)
    assert held >= stats.binom.ppf(0.001, 200, 0.95)


def test_the_interval_of_a_relative_deviation_holds_it():
    rng = np.random.default_rng(0)
    found = [relative_deviation_of(1 + 0.3 * rng.normal(size=25)) for _ in range(300)]
    assert sum(one.low < 0.3 < one.high for one in found) >= stats.binom.ppf(0.001, 300, 0.95)


def test_ends_of_a_likelihood_have_its_skewness():
    """Of an exponential law's scale: twice n (r - 1 - ln r) is t squared, r of mean over end."""
    x = np.random.default_rng(0).exponential(2.0, size=30)
    low, high = likelihood_ends(
        lambda at: float((np.log(at[0]) + x / at[0]).sum()), np.array([x.mean()]), 1e9
    )
    t = stats.norm.ppf(0.99)
    for end, bracket in ((low[0], (1.001, 5.0)), (high[0], (0.2, 0.999))):
        ratio = brentq(lambda r: 60 * (r - 1 - np.log(r)) - t * t, *bracket)
        assert end == pytest.approx(x.mean() / ratio, rel=1e-3)


def test_ends_of_a_likelihood_are_those_of_its_profile():
    """Of a normal law's mean, d from the data's: N ln(1 + N d² / S) is t squared."""
    x = np.random.default_rng(1).normal(0.5, 1.5, size=12)
    square = float(((x - x.mean()) ** 2).sum())

    def loss(at):
        return float((at[1] + 0.5 * (x - at[0]) ** 2 * np.exp(-2 * at[1])).sum())

    best = np.array([x.mean(), 0.5 * np.log(square / 12)])
    low, high = likelihood_ends(loss, best, 1e9)
    reach = np.sqrt(square / 12 * np.expm1(stats.norm.ppf(0.99) ** 2 / 12))
    assert high[0] - x.mean() == pytest.approx(reach, rel=2e-3)
    assert x.mean() - low[0] == pytest.approx(reach, rel=2e-3)


def test_a_flat_likelihood_bounds_nothing():
    low, high = likelihood_ends(lambda at: 0.5 * at[0] ** 2, np.zeros(2), 100)
    assert np.isfinite([low[0], high[0]]).all()
    assert np.isinf([low[1], high[1]]).all()


def test_intervals_hold_for_normal_and_lognormal_where_the_data_tell_neither():
    x = 1e-5 * (1 + 0.15 * np.random.default_rng(5).normal(size=200))
    law = xbar.DeviceLaw.fit({"device": range(200), "g": x})
    assert "law describes the devices almost as well" in " ".join(law.fitted.notes)
    nominal, logs = law.fitted["nominal"], np.log(x)
    t = stats.t.ppf(0.99, 199) / np.sqrt(200)
    assert nominal.high == pytest.approx(x.mean() + t * x.std(ddof=1), rel=1e-9)
    assert nominal.low == pytest.approx(np.exp(logs.mean() - t * logs.std(ddof=1)), rel=1e-9)
    told = xbar.DeviceLaw.fit({"device": range(2000), "g": lognormal(2000)})
    assert "almost as well" not in " ".join(told.fitted.notes)


def test_the_same_table_and_seed_give_the_same_law():
    table, _ = BENCHMARK.mixture(np.random.default_rng(2))
    first, again = (xbar.DeviceLaw.fit(table, seed=4) for _ in range(2))
    assert first == again
    assert str(first) == str(again)


def test_a_law_that_was_saved_is_the_same(tmp_path):
    table, _ = BENCHMARK.programmed(np.random.default_rng(1))
    law = xbar.DeviceLaw.fit(table)
    law.save(tmp_path / "law.json")
    assert xbar.DeviceLaw.load(tmp_path / "law.json") == law
