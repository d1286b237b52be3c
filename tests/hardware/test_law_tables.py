"""A device law may be a table: banks draw from the distribution that was measured."""

import json

import numpy as np
import pytest
from scipy import stats

import xbar
from xbar.errors import FileError, SpecError
from xbar.hardware.fabricate import conductance
from xbar.hardware.quantiles import drawn, moments, standardised, table_of
from xbar.hardware.toml import to_toml

RNG = np.random.default_rng(5)
TWO_HUMPS = np.concatenate([RNG.normal(8e-6, 0.5e-6, 700), RNG.normal(12e-6, 0.8e-6, 300)])


def spread(values):
    sigma = values.std() / values.mean()
    return {"kind": "table", "sigma": float(sigma), "quantiles": table_of(values)}


def law(**more):
    return xbar.DeviceLaw(
        nominal=float(TWO_HUMPS.mean()), spread=spread(TWO_HUMPS), within=("1 uS", "50 uS"), **more
    )


def test_a_bank_draws_the_measured_distribution():
    design = xbar.Hardware(device=law(), tile={"word_lines": 64, "bit_lines": 64})
    found = xbar.Chip.sample(design, 3).on(0).ravel()
    # two samples of one distribution: Kolmogorov and Smirnov
    assert stats.ks_2samp(found, TWO_HUMPS).pvalue > 0.01
    assert found.min() >= TWO_HUMPS.min() * 0.99
    assert found.max() <= TWO_HUMPS.max() * 1.01


def test_numbers_of_a_table_are_those_of_numpy_on_straight_lines():
    rows = table_of(np.exp(RNG.normal(size=5000)))
    share, value = np.array(rows).T
    u = RNG.uniform(size=10_000)
    np.testing.assert_allclose(drawn(rows, u), np.interp(u, share, value), rtol=1e-12, atol=1e-13)


def test_a_table_has_the_moments_that_a_fine_sum_of_it_has():
    share = np.array([0.0, 0.2, 0.7, 1.0])
    value = np.array([-3.0, 0.0, 0.5, 9.0])
    fine = np.interp((np.arange(1_000_000) + 0.5) / 1e6, share, value)
    assert moments(share, value) == pytest.approx((fine.mean(), fine.std()), rel=1e-5)
    np.testing.assert_allclose(moments(*np.array(standardised(share, value)).T), (0, 1), atol=1e-9)


def test_a_table_of_many_devices_keeps_their_tails():
    values = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    rows = table_of(values)
    u = np.array([1e-4, 1e-3, 0.5, 0.999])
    np.testing.assert_allclose(drawn(rows, u), stats.norm.ppf(u), atol=0.03)


def test_sigma_of_a_bank_scales_its_table():
    rows = table_of(TWO_HUMPS)
    u = RNG.uniform(size=(500, 2))
    bank = xbar.Bank(resistors=2, nominal="100k", spread="table", sigma=(0.1, 0.2), quantiles=rows)
    wanted = 1e-5 * (1 + np.array([0.1, 0.2]) * drawn(rows, u))
    np.testing.assert_allclose(conductance(bank, u), wanted, rtol=1e-12)
    assert bank.of_size(1).quantiles == rows


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (((0.0, 0.0),), "2 to 4096 rows"),
        (((0.1, -1.0), (1.0, 1.0)), "from 0 to 1"),
        (((0.0, -1.0), (0.5, 2.0), (1.0, 1.0)), "do not fall"),
        (((0.0, -1.0), (1.0, 1.0)), "standard deviation 1, not 0 and 0.577"),
        ((), "spread 'table'"),
    ],
)
def test_a_table_that_is_none_is_refused(rows, told):
    with pytest.raises(SpecError, match=told):
        xbar.Bank(spread="table", quantiles=rows)


def test_a_table_whose_devices_would_be_below_zero_is_refused():
    with pytest.raises(SpecError, match="above 0"):
        xbar.Bank(spread="table", sigma=0.99, quantiles=table_of(TWO_HUMPS))


def test_a_design_names_its_law_and_has_its_values(tmp_path):
    sha = law(stuck_open=0.01, temperature={"resistors": -0.001}).save(tmp_path / "law.json")
    path = tmp_path / "chip.toml"
    path.write_text(
        f'[bank]\nresistors = 4\n[device]\ntable = "law.json"\nsha256 = "{sha}"\n'
        '[temperature]\nwires = "copper"\n'
    )
    found = xbar.Hardware.load(path)
    assert found.bank.spread == "table"
    assert found.bank.nominal == pytest.approx(1 / TWO_HUMPS.mean())
    assert (found.bank.stuck_open, found.bank.resistors) == (0.01, 4)
    assert (found.temperature.resistors, found.temperature.wires) == (-0.001, 0.00393)
    # written as one file it is the same design, and makes the same chip
    (tmp_path / "one.toml").write_text(to_toml(found))
    again = xbar.Hardware.load(tmp_path / "one.toml")
    assert again == found
    assert (xbar.Chip.sample(again, 1).on(0) == xbar.Chip.sample(found, 1).on(0)).all()


def test_what_a_design_states_itself_it_keeps():
    stated = {"nominal": "200k", "spread": "lognormal", "sigma": 0.2, "stuck_open": 0.5}
    found = xbar.Hardware(bank=stated, device=law(stuck_open=0.01)).bank
    assert (found.nominal, found.spread, found.sigma, found.stuck_open) == (
        2e5, "lognormal", 0.2, 0.5,
    )  # fmt: skip


def write(folder, text, content=None):
    law().save(folder / "law.json")
    if content is not None:
        (folder / "law.json").write_text(content)
    (folder / "chip.toml").write_text(text)
    return folder / "chip.toml"


@pytest.mark.parametrize(
    ("device", "content", "told"),
    [
        ('table = "law.json"\nsha256 = "00"', None, "sha256 00"),
        ('table = "other.json"', None, "other.json: can't be read"),
        ('table = "law.json"', "{", "in JSON"),
        ('table = "law.json"', "[]", "must be a device law"),
        ('table = "law.json"', json.dumps({"kind": "xbar device law"}), "version 1"),
    ],
)
def test_a_law_that_is_another_or_none_is_refused(tmp_path, device, content, told):
    path = write(tmp_path, f"[device]\n{device}\n", content)
    with pytest.raises(FileError, match=told) as error:
        xbar.Hardware.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("device", ["table = 3", 'sha256 = "00"', 'table = "law.json"\nsha256 = 1'])
def test_a_table_is_a_path_and_a_checksum_a_text(tmp_path, device):
    with pytest.raises(SpecError, match=r"device\.(table|sha256) must be"):
        xbar.Hardware.load(write(tmp_path, f"[device]\n{device}\n"))


def test_a_compiled_network_runs_on_devices_of_a_table(tmp_path):
    design = xbar.Hardware(
        bank={"resistors": 8}, device=law(), tile={"word_lines": 16, "bit_lines": 16}
    )
    matrix = RNG.normal(size=(6, 12))
    program = xbar.compile(matrix, xbar.Chip.sample(design, 0))
    program.save(tmp_path / "out.xbar")
    inputs = RNG.normal(size=(5, 12))
    result = xbar.Program.load(tmp_path / "out.xbar").run(inputs)
    np.testing.assert_allclose(result, inputs @ matrix.T, atol=0.2)
