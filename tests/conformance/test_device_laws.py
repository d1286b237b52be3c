"""Published laws of devices against the numbers of their sources' own code.

aihwkit 1.1.0: quantiles of 4,000,000 devices by its noise models, from the same programmed
conductance. CrossSim (2026-04-03): mean and standard deviation by its SONOS model.
"""

import numpy as np
import pytest

from xbar import Bank, Chip, Hardware, Tile
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.later import noise_of

DAY, YEAR = 86_400.0, 31_557_600.0
QUANTILES = [0.01, 0.10, 0.25, 0.50, 0.75, 0.90, 0.99]
CELLS = 160  # lines either way: 51,200 devices, whose outer quantiles are known to 1.7 % of sd


def devices(law, microsiemens, **changes):
    """A chip whose devices all are at one conductance when programmed."""
    design = Hardware(
        bank=Bank(resistors=2, nominal=1e6 / microsiemens, spread="none"),
        tile=Tile(word_lines=CELLS, bit_lines=CELLS),
        device=DeviceLaw(law=law, **changes),
    )
    return Chip.sample(design, seed=3)


def quantiles(chip):
    return np.quantile(1e6 * chip.on(0), QUANTILES)


# PCMLikeNoiseModel(g_max=25): apply_drift_noise_to_conductance, read_noise_scale=0, t - 20 s
PCM = [
    (2.0, 3600.0, [1.0545, 1.2120, 1.3142, 1.4380, 1.5732, 1.7056, 1.9333]),
    (2.0, DAY, [0.7128, 0.8921, 1.0163, 1.1751, 1.3583, 1.5472, 1.8936]),
    (2.0, YEAR, [0.3444, 0.5050, 0.6307, 0.8078, 1.0341, 1.2911, 1.8220]),
    (5.0, DAY, [2.5082, 2.8404, 3.0531, 3.3083, 3.5845, 3.8529, 4.3640]),
    (10.0, YEAR, [3.8099, 4.2921, 4.6003, 4.9690, 5.3667, 5.7510, 6.4794]),
    (25.0, 3600.0, [17.5985, 18.3792, 18.8479, 19.3837, 19.9345, 20.4443, 21.3523]),
    (25.0, YEAR, [9.5263, 10.7334, 11.5025, 12.4236, 13.4181, 14.3823, 16.2069]),
]

# ReRamCMONoiseModel(g_max=90, g_min=8), read_noise_scale=0
CMO = [
    (20.0, 1.0, [19.0422, 19.4726, 19.7225, 20.0001, 20.2780, 20.5278, 20.9575]),
    (20.0, 3600.0, [17.5155, 18.3030, 18.7616, 19.2713, 19.7813, 20.2401, 21.0297]),
    (50.0, 365 * DAY, [45.8212, 47.0053, 47.6962, 48.4633, 49.2293, 49.9198, 51.1067]),
]

# ReRamWan2022NoiseModel(g_max=40)
WAN = [
    (20.0, 1.0, [15.2897, 17.4062, 18.6357, 20.0020, 21.3669, 22.5970, 24.7049]),
    (20.0, DAY, [10.9061, 14.9909, 17.3661, 20.0024, 22.6413, 25.0180, 29.0924]),
    (39.0, DAY, [32.6111, 35.4797, 37.1474, 38.9979, 40.8522, 42.5241, 45.3842]),
    (39.0, 2 * DAY, [32.5955, 35.4702, 37.1425, 39.0036, 40.8631, 42.5348, 45.4122]),
]


def close(found, published):
    """Quantiles that agree within five standard errors of the more uncertain ones."""
    spread = (published[-2] - published[1]) / 2.563
    np.testing.assert_allclose(found, published, rtol=0, atol=0.09 * spread)


@pytest.mark.parametrize(("microsiemens", "time", "published"), PCM)
def test_drifted_pcm_has_the_quantiles_of_aihwkit(microsiemens, time, published):
    close(quantiles(devices("pcm", microsiemens).at(time=time)), published)


@pytest.mark.parametrize(("microsiemens", "time", "published"), CMO)
def test_relaxed_cmo_has_the_quantiles_of_aihwkit(microsiemens, time, published):
    close(quantiles(devices("cmo-hfox-2%", microsiemens).at(time=time)), published)


@pytest.mark.parametrize(("microsiemens", "time", "published"), WAN)
def test_retained_rram_has_the_quantiles_of_aihwkit(microsiemens, time, published):
    """Programming error, which the bank takes from the law, and what is added to it since."""
    design = devices("rram-wan-2022", microsiemens).hardware
    bank = Bank(resistors=2, nominal=design.bank.nominal)
    chip = Chip.sample(Hardware(bank=bank, tile=design.tile, device=design.device), seed=3)
    close(quantiles(chip.at(time=time)), published)


# SONOS._interpolate_drift: current and its deviation in nA at days, of a target in nA
SONOS = [
    (0.0, 400.0, 400.0, 17.829468706110443),
    (1.0, 100.0, 101.7352089776028, 10.744253986534922),
    (1.0, 1600.0, 1588.4677714595482, 25.585818510617813),
    (2.5, 800.0, 791.3429136259457, 29.355548369906963),
    (5.0, 100.0, 104.11776280784308, 13.650899257265984),
    (5.0, 1600.0, 1559.3015502529288, 34.56035091761745),
]


@pytest.mark.parametrize(("days", "target", "mean", "deviation"), SONOS)
def test_sonos_moves_and_spreads_as_in_crosssim(days, target, mean, deviation):
    """The mean to rounding of a sample; the deviation with that of programming, which is older."""
    law = DeviceLaw(law="sonos-40nm")
    moved = 100e6 * devices("sonos-40nm", target / 100).at(time=f"{days} d").on(0)
    programmed = 100e6 * float(law.errors(np.array([target * 0.01e-6])).item())
    error = deviation / np.sqrt(moved.size)
    assert abs(moved.mean() - mean) < 5 * error
    assert np.hypot(moved.std(), programmed) == pytest.approx(deviation, rel=0.01)


# std of one read, uS: PCMLikeNoiseModel at t - 20 s, ReRamCMONoiseModel without relaxation
READS = [
    ("pcm", 2.0, 45.0, 0.38896),
    ("pcm", 2.0, 86_420.0, 0.46252),
    ("pcm", 20.0, 86_420.0, 1.03448),
    ("pcm", 25.0, 45.0, 0.94201),
    ("cmo-hfox-2%", 20.0, 1.0, 0.13065),
    ("cmo-hfox-2%", 20.0, DAY, 0.17861),
    ("cmo-hfox-2%", 50.0, DAY, 0.23300),
]


@pytest.mark.parametrize(("law", "microsiemens", "time", "published"), READS)
def test_read_noise_grows_with_time_as_in_aihwkit(law, microsiemens, time, published):
    chip = devices(law, microsiemens).at(time=time)
    later = chip.hardware.later
    g = np.array([microsiemens * 1e-6])
    found = noise_of(later.design.device, later.design.device.noise, g, later)
    assert 1e6 * found[0] == pytest.approx(published, rel=2e-3)
    relative = chip.hardware.variation.read_noise
    assert 1e6 * relative * g[0] == pytest.approx(published, rel=2e-3)


# quantiles of apply_programming_noise_to_conductance
PROGRAMMED = [
    ("pcm", 2.0, [1.0376, 1.4705, 1.7209, 2.0000, 2.2790, 2.5299, 2.9610]),
    ("pcm", 20.0, [17.4748, 18.6117, 19.2703, 20.0009, 20.7321, 21.3894, 22.5233]),
    ("cmo-hfox-2%", 80.0, [77.8718, 78.8273, 79.3830, 80.0013, 80.6177, 81.1725, 82.1291]),
    ("cmo-hfox-0.2%", 80.0, [79.7994, 79.8893, 79.9418, 80.0001, 80.0583, 80.1107, 80.2008]),
]


@pytest.mark.parametrize(("law", "microsiemens", "published"), PROGRAMMED)
def test_devices_land_from_their_targets_as_in_aihwkit(law, microsiemens, published):
    """A bank without a spread of its own has that of the law, by each resistor's nominal."""
    design = Hardware(
        bank=Bank(resistors=2, nominal=[1e6 / microsiemens, 1e5]),
        tile=Tile(word_lines=CELLS, bit_lines=CELLS),
        device={"law": law},
    )
    first = 1e6 * Chip.sample(design, seed=3).on(0)[..., 0]
    spread = (published[-2] - published[1]) / 2.563
    found = np.quantile(first, QUANTILES)
    np.testing.assert_allclose(found, published, rtol=0, atol=0.09 * spread)


# CrossSim: RRAM_Milo.py and PCM_Joshi.py, sigma_G at G in uS
ERRORS = [
    ("rram-milo-2021", 50.0, 4.326971),
    ("rram-milo-2021", 225.0, 2.733246),
    ("pcm-joshi-2020", 10.0, 0.866191),
    ("pcm-joshi-2020", 25.0, 1.065523),
]


@pytest.mark.parametrize(("law", "microsiemens", "published"), ERRORS)
def test_errors_by_conductance_are_those_of_crosssim(law, microsiemens, published):
    found = DeviceLaw(law=law).errors(np.array([microsiemens * 1e-6]))
    assert 1e6 * found[0] == pytest.approx(published, rel=1e-6)
