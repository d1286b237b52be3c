"""Sizing knows spreads by resistor, and switches, or says that it can't."""

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.sizing.bankdesign import design_bank
from xbar.sizing.laws import BankLaw, draw_banks
from xbar.sizing.rivals import rivals

SWITCH = {"resistance": "2k", "slope": -1.4, "sigma": "10 mV"}
PDK = Bank(
    resistors=6,
    nominal=[30e3 * 1.1**k for k in range(6)],
    spread="resistance",
    sigma=[0.05, 0.045, 0.04, 0.035, 0.03, 0.025],
    series=180.0,
    switch=SWITCH,
)


def test_sampled_banks_have_the_moments_of_sampled_chips():
    banks = draw_banks(PDK, 4, 200_000, seed=1)
    chip = Chip.sample(Hardware(bank=PDK, tile={"word_lines": 256, "bit_lines": 256}), 3)
    on = chip.on(0).reshape(-1, 6)[:, :4]
    np.testing.assert_allclose(banks.mean(axis=0), on.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(banks.std(axis=0), on.std(axis=0), rtol=0.01)


def test_resistor_and_threshold_are_independent_in_sampled_banks():
    only_switch = PDK.model_copy(update={"spread": "none"})
    only_resistor = PDK.model_copy(update={"switch": {**SWITCH, "sigma": 0.0}})
    u = np.random.default_rng(0).random((100_000, 6))
    # variances of independent causes add
    parts = [BankLaw(b).elements(u).var(axis=0) for b in (only_switch, only_resistor, PDK)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0.02)
    pair = [BankLaw(b).elements(u)[:, 0] for b in (only_switch, only_resistor)]
    assert abs(np.corrcoef(*pair)[0, 1]) < 4 / np.sqrt(len(u))


def test_rivals_have_the_spread_of_whole_branches():
    sigma = float(np.sqrt(np.mean(PDK.branch_sigmas**2)))
    plain = Bank(resistors=6, spread="resistance", sigma=sigma)
    assert rivals(PDK, 0.99, (0.25, 0.75), seed=0) == rivals(plain, 0.99, (0.25, 0.75), seed=0)


def test_other_nominal_values_are_not_searched_with_listed_spreads():
    with pytest.raises(SpecError, match=r"bank\.sigma must be one value for a design"):
        design_bank(PDK, 0.9, seed=0)


def test_a_design_keeps_the_switch_and_starts_from_the_smallest_resistor():
    bank = Bank(resistors=4, nominal="30k", spread="resistance", sigma=0.04, switch=SWITCH)
    found = design_bank(bank, 0.9, samples=50, seed=0)
    assert {one.bank.switch for one in found.candidates} == {bank.switch}
    assert {one.bank.ohms.min() for one in found.candidates} == {30e3}
    assert found.contiguous_ratio == pytest.approx(1 + 1 / (1 + 4 * bank.branch_sigmas[0]))
