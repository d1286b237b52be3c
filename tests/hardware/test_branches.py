"""A branch is a resistor, what lies in series with it, and a switch; both devices deviate."""

import numpy as np
import pytest
from scipy import stats

from xbar.errors import SpecError
from xbar.hardware import draw
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.switch import Switch
from xbar.hardware.tile import Tile
from xbar.hardware.toml import to_toml

OHMS = (30e3, 40e3, 55e3)
SIGMA = (0.05, 0.03, 0.02)
SWITCH = Switch(
    resistance=(2e3, 2.1e3, 1.9e3),
    slope=-1.4,
    bend=(0.1, 0.2, -0.3),
    cubic=(-0.4, 0.0, 5.0),
    share_slope=(2e-3, -0.05, 0.0),
    sigma=(0.01, 0.012, 0.008),
)
PDK = Bank(
    resistors=3,
    nominal=OHMS,
    spread="resistance",
    sigma=SIGMA,
    on_off_ratio=(1e5, 2e6, float("inf")),
    series=(180.0, 190.0, 200.0),
    switch=SWITCH,
)
LARGE = Tile(word_lines=600, bit_lines=600)


def sampled(bank, seed=4, tile=LARGE):
    return Chip.sample(Hardware(bank=bank, tile=tile), seed)


def by_hand(resistor, threshold):
    """The branch's conductance, resistor by resistor, as circuit theory has it."""
    found = np.empty_like(resistor)
    for k, ohms in enumerate(OHMS):
        series, ron, bend, cubic, load = (
            (180.0, 2e3, 0.1, -0.4, 2e-3),
            (190.0, 2.1e3, 0.2, 0.0, -0.05),
            (200.0, 1.9e3, -0.3, 5.0, 0.0),
        )[k]
        dvt = threshold[..., k]
        closed = ron / (1 - 1.4 * dvt + bend * dvt**2 + cubic * dvt**3)
        rest = ohms * (1 + resistor[..., k]) + series
        share, nominal = closed / (closed + rest), ron / (ron + ohms + series)
        found[..., k] = 1 / (rest + closed + load * closed * (share - nominal) / nominal)
    return found


def test_a_chip_is_the_law_of_its_own_deviations():
    chip = sampled(PDK)
    found = chip.deviations(3)
    np.testing.assert_allclose(chip.on(3), by_hand(*found), rtol=1e-14)
    assert found.resistor.shape == chip.on(3).shape == found.threshold.shape


def test_a_million_devices_have_the_spreads_of_their_resistor_and_switch():
    found = sampled(PDK).deviations(0)
    for k in range(3):
        dr, dvt = found.resistor[..., k].ravel(), found.threshold[..., k].ravel()
        assert stats.kstest(dr / SIGMA[k], "norm").pvalue > 0.01
        assert stats.kstest(dvt / SWITCH.sigma[k], "norm").pvalue > 0.01
        assert abs(np.corrcoef(dr, dvt)[0, 1]) < 4 / np.sqrt(dr.size)


def test_the_spread_of_branches_is_that_of_both_devices_to_first_order():
    on = sampled(PDK).on(1).reshape(-1, 3)
    measured = on.std(axis=0) / on.mean(axis=0)
    np.testing.assert_allclose(PDK.branch_sigmas, measured, rtol=0.01)
    np.testing.assert_allclose(np.median(on, axis=0), PDK.nominal_conductance, rtol=2e-4)


def test_a_spread_of_the_threshold_alone_is_the_switchs_part():
    switch = {"resistance": 4e3, "slope": -2.5, "sigma": 0.01}
    bank = Bank(resistors=2, nominal=(4e3, 12e3), spread="none", switch=switch)
    on = sampled(bank).on(0).reshape(-1, 2)
    np.testing.assert_allclose(bank.branch_sigmas, [0.0125, 0.00625], rtol=1e-12)
    np.testing.assert_allclose(on.std(axis=0) / on.mean(axis=0), [0.0125, 0.00625], rtol=0.01)


def test_the_compiled_branches_are_those_of_the_plain_law_to_the_last_bit():
    chip = sampled(PDK, seed=9)
    u = draw.uniform(9, 0, 5, (600, 600, 3))
    v = draw.uniform(9, 2, 5, (600, 600, 3))
    ohms = np.array(OHMS) * np.maximum(1 + np.array(SIGMA) * draw.normal(u), 0.1)
    dvt = np.array(SWITCH.sigma) * draw.normal(v)
    np.testing.assert_array_equal(chip.on(5), PDK.conductance(ohms, dvt))


def test_a_switch_changes_no_resistor_and_no_fault_of_a_chip():
    bare = Bank(resistors=3, nominal=OHMS, spread="resistance", sigma=SIGMA, stuck_open=0.1)
    switched = bare.model_copy(update={"switch": SWITCH})
    one, other = (sampled(bank, tile=Tile()) for bank in (bare, switched))
    np.testing.assert_array_equal(one.deviations(2).resistor, other.deviations(2).resistor)
    np.testing.assert_array_equal(one.stuck(2), other.stuck(2))
    assert not one.deviations(2).threshold.any()
    assert (1 / other.on(2) > 1 / one.on(2)).all()


@pytest.mark.parametrize("spread", ["normal", "lognormal", "uniform", "resistance"])
def test_equal_sigmas_in_a_list_are_the_same_chip_as_one_sigma(spread):
    one, listed = (
        sampled(Bank(resistors=5, spread=spread, sigma=s), tile=Tile()) for s in (0.2, (0.2,) * 5)
    )
    np.testing.assert_array_equal(one.on(7), listed.on(7))


def test_each_resistor_has_its_own_sigma():
    on = sampled(Bank(resistors=4, nominal="10k", spread="lognormal", sigma=(0, 0.01, 0.1, 0.4)))
    found = np.log(on.on(0).reshape(-1, 4) * 1e4).std(axis=0)
    np.testing.assert_allclose(found, (0, 0.01, 0.1, 0.4), rtol=0.01, atol=1e-12)


@pytest.mark.parametrize("spread", ["normal", "lognormal", "uniform", "none"])
def test_a_conductance_that_deviates_lies_in_series_as_its_resistance(spread):
    plain = Bank(resistors=2, nominal="10k", spread=spread, sigma=0.2)
    behind = plain.model_copy(update={"series": (500.0, 0.0)})
    alone, found = (sampled(bank, tile=Tile()).on(0) for bank in (plain, behind))
    np.testing.assert_allclose(1 / found, 1 / alone + np.array([500.0, 0.0]), rtol=1e-14)
    dr = sampled(behind, tile=Tile()).deviations(0).resistor
    np.testing.assert_allclose(1e4 * (1 + dr), 1 / alone, rtol=1e-13)


def test_a_branch_leaks_by_its_own_ratio():
    chip = sampled(PDK, tile=Tile())
    np.testing.assert_allclose(chip.off(0)[..., :2], chip.on(0)[..., :2] / [1e5, 2e6])
    assert not chip.off(0)[..., 2].any()


def test_a_resistance_never_falls_below_a_tenth():
    bank = Bank(resistors=1, nominal="10k", spread="resistance", sigma=0.3)
    lowest = 1 / sampled(bank).on(0).max()
    assert lowest == pytest.approx(1e3)


def test_a_design_survives_toml_and_json(tmp_path):
    design = Hardware(bank=PDK)
    (tmp_path / "chip.toml").write_text(to_toml(design))
    assert Hardware.load(tmp_path / "chip.toml") == design
    assert Hardware(**design.model_dump(mode="json")) == design
    assert "switch of 1.9 kohm to 2.1 kohm, threshold +-8 to 12 mV" in repr(design)


def test_a_file_gives_lists_with_units(tmp_path):
    (tmp_path / "chip.toml").write_text(
        '[bank]\nresistors = 2\nnominal = ["30k", "40k"]\nsigma = ["5 %", 0.03]\n'
        'series = "180 ohm"\n[bank.switch]\nresistance = "2 kohm"\nsigma = ["10 mV", "8 mV"]\n'
    )
    bank = Hardware.load(tmp_path / "chip.toml").bank
    assert bank.sigma == (0.05, 0.03)
    assert bank.switch.sigma == (0.01, 0.008)
    np.testing.assert_allclose(1 / bank.nominal_conductance, [32180, 42180])


def test_a_shorter_bank_keeps_the_first_values_of_every_list():
    bank = PDK.model_copy(update={"nonlinearity": {"c2": (1e-3, 2e-3, 3e-3), "c3": -1e-4}})
    short = bank.of_size(2)
    np.testing.assert_array_equal(short.nominal_conductance, bank.nominal_conductance[:2])
    np.testing.assert_array_equal(short.branch_sigmas, bank.branch_sigmas[:2])
    assert short.nonlinearity.c2 == (1e-3, 2e-3)
    with pytest.raises(SpecError, match="needs as many nominal values, not 3"):
        bank.of_size(4)


def test_a_measured_chip_has_no_drawn_deviations(tmp_path):
    design = Hardware(bank=PDK, tile=Tile(word_lines=2, bit_lines=2))
    np.savez(tmp_path / "on.npz", on=np.full((1, 2, 2, 3), 2.5e-5))
    chip = Chip.from_measurement(tmp_path / "on.npz", design)
    np.testing.assert_allclose(chip.off(0)[0, 0], [2.5e-10, 1.25e-11, 0])
    with pytest.raises(SpecError, match=r"deviations must be those of a sampled chip"):
        chip.deviations(0)


def test_a_measured_bend_tells_thresholds_and_one_that_no_switch_has_is_refused(tmp_path):
    law = {"c2": (-1e-3, 2e-3, 3e-3), "c2_slope": 2.5}
    bank = PDK.model_copy(update={"nonlinearity": law})
    design = Hardware(bank=bank, tile=Tile(word_lines=2, bit_lines=2))
    drawn = Chip.sample(design, 3)
    threshold = drawn.deviations(0).threshold
    c2 = bank.bends(drawn.on(0), threshold)[0]
    c2[0, 1, 2] = np.nan  # not measured: a nominal switch
    arrays = {"on": drawn.on(0)[None], "c2": c2[None]}
    np.savez(tmp_path / "on.npz", **arrays)
    found = Chip.from_measurement(tmp_path / "on.npz", design).thresholds(0)
    threshold[0, 1, 2] = 0
    np.testing.assert_allclose(found, threshold, atol=1e-12)
    np.savez(tmp_path / "on.npz", on=arrays["on"])
    assert Chip.from_measurement(tmp_path / "on.npz", design).thresholds(0) is None
    arrays["c2"][0, 1, 0, 1] = 0.2
    np.savez(tmp_path / "on.npz", **arrays)
    with pytest.raises(SpecError, match=r"less than 0.3 V, not 0.2 /V at .* check its unit"):
        Chip.from_measurement(tmp_path / "on.npz", design).thresholds(0)
    np.savez(tmp_path / "on.npz", on=arrays["on"], c2=c2)
    with pytest.raises(SpecError, match=r"c2 must have the shape of on, \(1, 2, 2, 3\), not"):
        Chip.from_measurement(tmp_path / "on.npz", design)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": (0.1, 0.1)}, r"sigma must list 3 values, one a resistor, not 2"),
        ({"sigma": ()}, r"sigma must list 3 values, one a resistor, not 0"),
        ({"sigma": (0.1, -0.1, 0)}, r"sigma must be greater than or equal to 0, not -0\.1"),
        ({"sigma": (0.1, 0.1, 0.4)}, r"sigma must be at most 0\.3 for a resistance spread"),
        ({"sigma": (0.1, 0.1, np.nan)}, r"sigma\S* must be a finite number"),
        ({"series": -5}, r"series must be greater than or equal to 0 ohm, not -5"),
        ({"series": (1, 2)}, r"series must list 3 values"),
        ({"on_off_ratio": (10, 1, 10)}, r"on_off_ratio must be greater than 1, not 1"),
        ({"on_off_ratio": (10, np.nan, 10)}, r"on_off_ratio must be greater than 1, not nan"),
        ({"on_off_ratio": (10, 20)}, r"on_off_ratio must list 3 values"),
        ({"switch": {"resistance": 0}}, r"switch\.resistance must be greater than 0 ohm"),
        ({"switch": {"resistance": (1, 2)}}, r"switch\.resistance must list 3 values"),
        ({"switch": {"resistance": 1e3, "sigma": -1}}, r"switch\.sigma must be greater than"),
        ({"switch": {"resistance": 1e3, "sigma": "5 ohm"}}, r"switch\.sigma must be in V"),
        ({"switch": {"resistance": (1, 2, 3), "slope": (1, 2)}}, r"must list as many values"),
        (
            {"switch": {"resistance": 1e3, "slope": -2.5, "sigma": (0.01, 0.02, 0.1)}},
            r"at least 0\.01 of its own up to 5 sigma, 0\.5 V, not -0\.25; .*resistor 2",
        ),
        (
            {"switch": {"resistance": 1e3, "slope": -2, "bend": 1.0, "sigma": 0.3}},
            r"not 0; check",
        ),
        (
            {"switch": {"resistance": 1e3, "cubic": -80.0, "sigma": 0.05}},
            r"slope, bend and cubic .* up to 5 sigma, 0\.25 V, not -0\.25",
        ),
        (
            {"switch": {"resistance": 1e3, "share_slope": 2}},
            r"share_slope must be from -0\.5 to 0\.5, not 2",
        ),
        ({"nonlinearity": {"c2": (0.1, 0.2)}}, r"nonlinearity\.c2 must list 3 values"),
        ({"nonlinearity": {"c3": 1e200}}, r"nonlinearity\.c3 must be at most 1e\+100 either way"),
        ({"switch": {"resistance": 1e3, "slope": -1e200}}, r"slope must be at most 1e\+100 either"),
        ({"nominal": 1e200}, r"must give conductances from 1e-100 to 1e\+100 S, not 1e-200 S"),
        ({"nominal": 1e3, "ratio": 1e200}, r"must give conductances .*, not 1e-203 S"),
    ],
)
def test_a_bank_that_does_not_fit_together_is_refused(change, message):
    with pytest.raises(SpecError, match=message):
        PDK.model_copy(update=change)


def test_a_bend_goes_with_the_part_of_the_branch_that_is_its_switch():
    law = {
        "c2": (-1e-3, 2e-3, 3e-3),
        "c3": -1e-4,
        "kink": -2e-3,
        "test": 0.1,
        "rise": -0.05,
        "c2_slope": (2.5, 0.0, -1.0),
    }
    bank = PDK.model_copy(update={"nonlinearity": law})
    chip = sampled(bank, tile=Tile())
    deviations, on = chip.deviations(0), chip.on(0)
    for k, (c2, slope) in enumerate([(-1e-3, 2.5), (2e-3, 0.0), (3e-3, -1.0)]):
        dvt = deviations.threshold[..., k]
        ohms = bank.switch.ohms(dvt[..., None], 3)[..., k]
        nominal = bank.switch.resistance[k] * bank.nominal_conductance[k]
        share = ohms * on[..., k] / nominal
        found = bank.bends(on, deviations.threshold)[..., k]
        np.testing.assert_allclose(found[0], c2 * share**2 * (1 + slope * dvt), rtol=1e-12)
        np.testing.assert_allclose(found[1], -1e-4, rtol=1e-15)
        np.testing.assert_allclose(found[2], -2e-3 * share**2, rtol=1e-12)
        np.testing.assert_allclose(found[3], -0.05 * share, rtol=1e-12)
    # and a measured bend tells the threshold, and with it the resistor
    found = bank.thresholds(on, bank.bends(on, deviations.threshold)[0])
    np.testing.assert_allclose(found, deviations.threshold, atol=1e-12)
    resistor = bank.resistor_deviations(on, deviations.threshold)
    np.testing.assert_allclose(resistor, deviations.resistor, atol=1e-13)
    # without a slope they are those of every branch
    del law["c2_slope"]
    plain = PDK.model_copy(update={"nonlinearity": law}).bends(on)
    assert np.ptp(plain, axis=(1, 2)).max() == 0


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ({"c2": 3.0}, r"bank\.nonlinearity: c2 and c3 .* up to 0\.2 V, .*falls at -0\.2 V"),
        ({"c2": (0.1, -3.0)}, r"that of resistor 1 falls at 0\.2 V"),
        ({"c3": -9.0}, r"falls at -?0\.2 V"),
        ({"c2": 1.4, "c3": 0.4, "within": 0.5}, r"nonlinearity\.c2 and c3 .*falls at -0\.5 V"),
        ({"c2": 8.0, "c3": 20.0}, r"falls at -0\.133 V"),
        ({"c2": 0.1, "within": 0.1}, r"within must be at least 0\.2 V"),
        ({"c2": 0.1, "within": -1}, r"within must be greater than 0 V"),
        ({"sinh": 0.5, "within": 1}, r"within must be left out"),
        ({"sinh": 0.5, "c3": 0.1}, r"must have either"),
        ({"sinh": 0.5, "test": 0.1}, r"test must be left out without c2 or c3"),
        ({"odd": [0.1], "rise": 0.1}, r"rise must be left out without c2 or c3"),
        ({"c2": 0.1, "test": -0.1}, r"test must be from 0 V, not -0\.1"),
        ({"c2": 0.1, "c2_slope": 2}, r"c2_slope must be left out without switch"),
        ({"kink": -3.0}, r"falls at -0\.2 V"),
        ({"kink": (2.0, 20.0), "test": 0.1}, r"resistor 1 falls at 0 V"),
        ({"odd": [0.1], "c2": 0.1}, r"must have either"),
        ({"within": 0.3}, r"must have either"),
        ({"c2": [0.1, 0.2, 0.3]}, r"nonlinearity\.c2 must list 2 values"),
    ],
)
def test_a_current_that_does_not_grow_is_refused(law, message):
    with pytest.raises(SpecError, match=message):
        Hardware(bank={"resistors": 2, "nonlinearity": law})


def test_a_current_that_grows_up_to_the_dacs_range_is_taken():
    law = {"c2": (-2.0, 0.4), "c3": (1.4, -2.0)}
    bank = Bank(resistors=2, nonlinearity=law)
    Hardware(bank=bank)
    Hardware(bank=bank, dac={"bits": 8, "range": 0.1})
    # falls around 0.25 V, and grows up to 0.2 V
    Hardware(bank={"nonlinearity": {"c2": -4.075, "c3": 16.3 / 3}})
    with pytest.raises(SpecError, match=r"up to 0\.5 V"):
        Hardware(bank=bank, dac={"bits": 8, "range": 0.5})
