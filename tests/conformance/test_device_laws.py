"""Published laws of devices against the numbers of their sources' own code.

aihwkit 1.1.0: quantiles of 4,000,000 devices by its noise models, from the same programmed
conductance. CrossSim 3.2.0 (2026-04-03): quantiles of as many, by its devices SONOS, RRAMMilo and
PCMJoshi.
"""

import numpy as np
import pytest

import xbar
from xbar import Bank, Chip, Hardware, Options, Tile
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.later import noise_of
from xbar.hardware.laws import LAWS

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

# ReRamCMONoiseModel(g_max=90, g_min=8), read_noise_scale=0; by both acceptances
CMO = [
    (
        "cmo-hfox-0.2%",
        20.0,
        3600.0,
        [17.5133, 18.3025, 18.7610, 19.2706, 19.7812, 20.2398, 21.0291],
    ),
    ("cmo-hfox-0.2%", 80.0, DAY, [76.9190, 77.8499, 78.3897, 78.9889, 79.5883, 80.1290, 81.0583]),
    ("cmo-hfox-2%", 20.0, 1.0, [19.0422, 19.4726, 19.7225, 20.0001, 20.2780, 20.5278, 20.9575]),
    ("cmo-hfox-2%", 20.0, 3600.0, [17.5155, 18.3030, 18.7616, 19.2713, 19.7813, 20.2401, 21.0297]),
    (
        "cmo-hfox-2%",
        50.0,
        365 * DAY,
        [45.8212, 47.0053, 47.6962, 48.4633, 49.2293, 49.9198, 51.1067],
    ),
]

# ReRamWan2022NoiseModel(g_max=40)
WAN = [
    (4.0, 1.0, [0.3762, 2.0041, 2.9500, 3.9996, 5.0495, 5.9928, 7.6189]),
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


@pytest.mark.parametrize(("law", "microsiemens", "time", "published"), CMO)
def test_relaxed_cmo_has_the_quantiles_of_aihwkit(law, microsiemens, time, published):
    close(quantiles(devices(law, microsiemens).at(time=time)), published)


def programmed(law, microsiemens):
    """A chip whose devices are programmed with the error that the bank takes from the law."""
    design = devices(law, microsiemens).hardware
    bank = Bank(resistors=2, nominal=design.bank.nominal)
    return Chip.sample(Hardware(bank=bank, tile=design.tile, device=design.device), seed=3)


@pytest.mark.parametrize(("microsiemens", "time", "published"), WAN)
def test_retained_rram_has_the_quantiles_of_aihwkit(microsiemens, time, published):
    """Programming error, and what is added to it since."""
    close(quantiles(programmed("rram-wan-2022", microsiemens).at(time=time)), published)


# SONOS.drift_error: nA at days, of a target in nA (1600 nA as 16 uS)
SONOS_DRAWN = [
    (0.0, 100.0, [79.9872, 88.9694, 94.1924, 99.9917, 105.7986, 111.0292, 120.0445]),
    (1.0, 800.0, [737.5694, 763.8657, 779.1622, 796.1640, 813.1698, 828.5097, 854.9397]),
    (2.5, 800.0, [723.0077, 753.7149, 771.5338, 791.3649, 811.1359, 828.9213, 859.5672]),
    (5.0, 1600.0, [1478.9553, 1515.0321, 1535.966, 1559.2691, 1582.5871, 1603.5547, 1639.6163]),
]


@pytest.mark.parametrize(("days", "target", "published"), SONOS_DRAWN)
def test_sonos_has_the_quantiles_of_crosssim(days, target, published):
    close(100 * quantiles(programmed("sonos-40nm", target / 100).at(time=f"{days} d")), published)


# where the error changes with conductance within its own size: uS, from the same two sources
STEEP = [
    ("rram-wan-2022", 10.0, 2 * DAY, [1.4787, 5.3069, 7.5278, 10.0005, 12.4715, 14.698, 18.5205]),
    ("sonos-40nm", 1.0, 5 * DAY, [0.72395, 0.86625, 0.94902, 1.04113, 1.13314, 1.2161, 1.35865]),
]


@pytest.mark.parametrize(("law", "microsiemens", "time", "published"), STEEP)
def test_where_a_table_is_steep_its_own_conductance_skews_a_device(
    law, microsiemens, time, published
):
    """The sources take a table at the target, xbar at what the device was programmed to.

    The deviation stays within 3 %; the outer quantiles move by up to a fifth of it.
    """
    found = quantiles(programmed(law, microsiemens).at(time=time))
    spread = (published[-2] - published[1]) / 2.563
    assert (found[-2] - found[1]) / 2.563 == pytest.approx(spread, rel=0.03)
    moved = np.abs(found - published) / spread
    assert moved[1:-1].max() < 0.1 < moved.max() < 0.2


# RRAMMilo and PCMJoshi, programming_error: uS
WRITTEN = [
    ("rram-milo-2021", 60.0, [50.1572, 54.5724, 57.1440, 60.0012, 62.8586, 65.4291, 69.8453]),
    (
        "rram-milo-2021",
        220.0,
        [213.5297, 216.4413, 218.1292, 220.0025, 221.8750, 223.5613, 226.4659],
    ),
    ("pcm-joshi-2020", 2.0, [0.9982, 1.4476, 1.7096, 2.0005, 2.2908, 2.5525, 3.0024]),
    ("pcm-joshi-2020", 10.0, [7.9860, 8.8887, 9.4149, 10.0000, 10.5836, 11.1088, 12.0142]),
]


@pytest.mark.parametrize(("law", "microsiemens", "published"), WRITTEN)
def test_devices_land_from_their_targets_as_in_crosssim(law, microsiemens, published):
    close(quantiles(programmed(law, microsiemens)), published)


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


# std of one read, uS: PCMLikeNoiseModel at t - 20 s, ReRamCMONoiseModel without relaxation,
# and CrossSim's SONOS.read_noise
READS = [
    ("pcm", 2.0, 45.0, 0.38896),
    ("pcm", 2.0, 86_420.0, 0.46252),
    ("pcm", 20.0, 86_420.0, 1.03448),
    ("pcm", 25.0, 45.0, 0.94201),
    ("cmo-hfox-2%", 20.0, 1.0, 0.13065),
    ("cmo-hfox-2%", 20.0, DAY, 0.17861),
    ("cmo-hfox-2%", 50.0, DAY, 0.23300),
    ("cmo-hfox-0.2%", 60.0, 365 * DAY, 0.27185),
    ("sonos-40nm", 1.0, DAY, 0.0467206),
    ("sonos-40nm", 16.0, 5 * DAY, 0.125751),
]


@pytest.mark.parametrize(("law", "microsiemens", "time", "published"), READS)
def test_read_noise_is_that_of_the_source_at_any_time(law, microsiemens, time, published):
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


def test_a_read_of_pcm_has_the_quantiles_of_aihwkit():
    """Reads of a written device of 20 uS after a year, whose drift is taken out."""
    published = [17.3338, 18.5308, 19.2264, 20.0015, 20.7750, 21.4692, 22.6685]
    still = {"first": 20.0, "mean": {"polynomial": [0.0]}, "sigma": {"polynomial": [0.0]}}
    design = Hardware(
        bank=Bank(resistors=1, nominal=40e3), device=DeviceLaw(law="pcm", drift=still)
    )
    options = Options(programming="write-verify", write_error=0.0, scale_per="tile")
    weights = np.array([[1.0], [0.8]])  # 25 and 20 uS
    program = xbar.compile(weights, design, seed=0, options=options)
    later = program.on(program.chip.at(time=20.0 + 365 * DAY))
    read = later.run(np.ones((50_000, 1)), seed=4)[:, 1]
    close(np.quantile(25 * read, QUANTILES), published)


# exponents that generate_drift_coefficients draws
EXPONENTS = [
    (0.5, [0.0038, 0.0308, 0.0561, 0.0850, 0.1140, 0.1401, 0.1850]),
    (2.0, [0.0065, 0.0307, 0.0463, 0.0636, 0.0809, 0.0964, 0.1233]),
    (20.0, [0.0304, 0.0388, 0.0436, 0.0490, 0.0544, 0.0593, 0.0676]),
]


@pytest.mark.parametrize(("microsiemens", "published"), EXPONENTS)
def test_exponents_of_pcm_are_drawn_as_in_aihwkit(microsiemens, published):
    """From what is left after a million times the first time."""
    moved = 1e6 * devices("pcm", microsiemens).at(time=20e6).on(0)
    close(np.quantile(np.log(microsiemens / moved) / np.log(1e6), QUANTILES), published)


def test_every_published_law_is_held_against_its_source():
    held = {"pcm", "rram-wan-2022", "sonos-40nm"}
    held |= {row[0] for row in (*CMO, *WRITTEN, *READS, *PROGRAMMED, *ERRORS)}
    assert held == set(LAWS)


def test_wires_warm_by_the_coefficients_of_their_sources():
    """Copper: IEC 60028, 0.00393 at 20 C. NeuroSim's wires: 0.451 % per kelvin from 300 K."""
    for name, per_kelvin in (("copper", 0.00393), ("neurosim", 0.00451)):
        design = Hardware(
            tile=Tile(word_wire=2.0, bit_wire=3.0), temperature={"wires": name, "reference": 300.0}
        )
        warm = Chip.sample(design, seed=0).at(temperature=360.0).hardware.tile
        factor = 1 + 60 * per_kelvin
        assert (warm.word_wire, warm.bit_wire) == pytest.approx((2 * factor, 3 * factor), rel=1e-12)


def test_heat_ages_as_arrhenius_says():
    """0.5 eV from 300 to 360 K: exp(0.5 / 8.617333e-5 (1/300 - 1/360)) = 25.11 times as fast."""
    faster = np.exp(0.5 / 8.617333262e-5 * (1 / 300 - 1 / 360))
    assert faster == pytest.approx(25.11, abs=0.01)
    for law in ("pcm", "rram-wan-2022", "cmo-hfox-2%"):
        chip = devices(law, 20.0, activation="0.5 eV")
        hot, cold = chip.at(time=3600.0, temperature=360.0), chip.at(time=3600.0 * faster)
        np.testing.assert_allclose(hot.on(0), cold.on(0), rtol=1e-9)
        assert not np.allclose(hot.on(0), chip.at(time=3600.0).on(0), rtol=1e-3)
