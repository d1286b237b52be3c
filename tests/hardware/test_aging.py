"""``Chip.at``: the same chip later, or at another temperature."""

import math

import numpy as np
import pytest

from xbar import Bank, Chip, Hardware, SpecError, Switch, Tile, XbarWarning
from xbar.hardware import Measurement, draw
from xbar.hardware.aging import FLOOR
from xbar.hardware.as241 import LN2_HIGH, LN2_LOW
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.temperature import Temperature

TILE = Tile(word_lines=32, bit_lines=24)
PCM = Hardware.from_catalog("pcm").model_copy(update={"tile": TILE})
WARM = Temperature(
    reference="25 C", resistors="-0.1 %", resistors_sigma="0.01 %", bend=2e-6, wires="copper"
)


def design(**changes):
    return Hardware(
        **{"bank": Bank(resistors=4, nominal="50k", sigma=0.1), "tile": TILE, **changes}
    )


def own_law(**forms):
    """A power law of exponent 0.01 for all devices, and other values."""
    flat = {"polynomial": [0.01]}
    return {"drift": {"first": "1 s", "mean": flat, "sigma": {"polynomial": [0.0]}}, **forms}


def test_an_aged_device_follows_its_power_law_by_hand():
    """Conductance (t / t0)^-nu with one exponent for all: the closed form."""
    chip = Chip.sample(design(device=own_law()), seed=5)
    for tile in (0, 7):
        expected = chip.on(tile) * 1000.0**-0.01
        np.testing.assert_allclose(chip.at(time=1000.0).on(tile), expected, rtol=1e-14)


def test_at_the_first_time_it_is_the_chip_itself():
    for name, first in (("pcm", "20 s"), ("rram-wan-2022", "1 s"), ("sonos-40nm", "0 s")):
        chip = Chip.sample(Hardware.from_catalog(name), seed=5)
        assert chip.at(time=first).on(3).tobytes() == chip.on(3).tobytes()


def test_the_order_of_asking_never_matters():
    chip = Chip.sample(PCM, seed=2)
    first = [chip.at(time=t).on(tile) for t in ("1 h", "1 y") for tile in (4, 0)]
    other = Chip.sample(PCM, seed=2)
    later = [other.at(time=t).on(tile) for t in ("1 y", "1 h") for tile in (0, 4)][::-1]
    assert [each.tobytes() for each in first] == [each.tobytes() for each in later]


def test_time_counts_from_programming_also_on_a_chip_of_later():
    chip = Chip.sample(PCM, seed=2)
    again = chip.at(time="1 y").at(time="1 h")
    assert again.on(0).tobytes() == chip.at(time="1 h").on(0).tobytes()
    assert chip.at(time="1 y").programmed.on(0).tobytes() == chip.on(0).tobytes()
    assert chip.programmed is chip


def test_a_device_moves_along_one_path():
    """Drift is monotonic in time for each device: the exponent is its own, not drawn again."""
    chip = Chip.sample(PCM, seed=2)
    seen = np.stack([chip.at(time=t).on(0) for t in ("20 s", "1 h", "1 d", "1 y")])
    assert (np.diff(seen, axis=0) < 0).all()
    spread = (
        np.log(seen[1:] / seen[0])
        / np.log(np.array([3600, 86400, 31557600]) / 20)[:, None, None, None]
    )
    np.testing.assert_allclose(spread[0], spread[2], rtol=1e-12)


def test_another_seed_is_another_life_of_the_same_chip():
    chip = Chip.sample(PCM, seed=2)
    one, other = (chip.at(time="1 y", seed=s).on(0) / chip.on(0) for s in (0, 1))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05
    assert one.mean() == pytest.approx(other.mean(), rel=0.01)


def test_exponents_are_independent_of_what_was_fabricated():
    chip = Chip.sample(PCM, seed=2)
    fresh = chip.on(0)
    nu = np.log(chip.at(time="1 y").on(0) / fresh)
    assert abs(np.corrcoef(nu.ravel(), fresh.ravel())[0, 1]) < 0.05
    a, b = nu.ravel()[0::2], nu.ravel()[1::2]  # the two halves of one number of the stream
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_a_law_is_drawn_bit_by_bit_as_plain_numpy_does():
    """Exponents and powers by the operations of draw.py, from the raw bits."""
    chip = Chip.sample(design(device=own_law() | {"law": "", "drift": {
        "first": "1 s", "mean": {"polynomial": [0.05]}, "sigma": {"polynomial": [0.02]},
    }}), seed=9)  # fmt: skip
    key, counter = np.array([9, 16], np.uint64), np.array([0, 3, 0, 0], np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(32 * 24 * 2) >> np.uint64(12)
    parts = np.stack([raw >> np.uint64(26), raw & np.uint64(2**26 - 1)], axis=1).reshape(-1)
    z = draw.normal((parts.astype(np.float64) + 0.5) * 2.0**-26)
    span = draw.log(np.array([3600.0]))[0]
    factor = exponential(-span * np.abs(z * 0.02 + 0.05)).reshape(32, 24, 4)
    assert chip.at(time="1 h").on(3).tobytes() == (chip.on(3) * factor).tobytes()


def exponential(x):
    """exp(x) by numpy's operations: 2^k, and fourteen terms of the series by Horner's rule."""
    k = np.rint(x * (1 / (LN2_HIGH + LN2_LOW)))
    rest = (x - k * LN2_HIGH) - k * LN2_LOW
    series = np.full(x.shape, 1 / math.factorial(13))
    for n in range(12, -1, -1):
        series = series * rest + 1 / math.factorial(n)
    return np.ldexp(series, k.astype(int))


def test_a_resistor_warms_by_its_coefficients_and_wires_by_theirs():
    chip = Chip.sample(design(temperature=WARM, tile=TILE.model_copy(update={"bit_wire": 2.0})), 3)
    warm = chip.at(temperature="85 C")
    factor = chip.on(0) / warm.on(0)
    assert factor.mean() == pytest.approx(1 - 0.001 * 60 + 2e-6 * 60**2, abs=3e-4)
    assert factor.std() == pytest.approx(1e-4 * 60, rel=0.05)
    cold = chip.on(0) / chip.at(temperature="-35 C").on(0)
    np.testing.assert_allclose(factor + cold, 2 + 2 * 2e-6 * 60**2, rtol=1e-12)  # one coefficient
    assert warm.hardware.tile.bit_wire == pytest.approx(2.0 * (1 + 0.00393 * 60))
    assert warm.hardware.tile.word_wire == 0.0
    assert chip.at(temperature="25 C").on(1).tobytes() == chip.on(1).tobytes()


def test_switches_and_leakage_follow_their_tables_and_the_resistor_its_own():
    bank = Bank(
        resistors=2, nominal="10k", spread="resistance", sigma=0.05, series="200", on_off_ratio=1e4,
        switch=Switch(resistance="2k", slope=-1.2, sigma="10 mV"),
    )  # fmt: skip
    heat = Temperature(
        reference="25 C", resistors=1e-3,
        switches=[["-40 C", 0.8], ["25 C", 1.0], ["125 C", 1.5]],
        leakage=[["25 C", 1.0], ["85 C", 40.0]],
    )  # fmt: skip
    chip = Chip.sample(design(bank=bank, temperature=heat), seed=4)
    warm = chip.at(temperature="75 C")
    found = chip.deviations(1)
    ron = bank.switch.ohms(found.threshold, 2) * 1.25
    expected = 1.0 / (10e3 * (1 + found.resistor) * 1.05 + 200 + ron)
    np.testing.assert_allclose(warm.on(1), expected, rtol=1e-13)
    np.testing.assert_allclose(warm.off(1), expected / 1e4 * (1 + 39 * 50 / 60), rtol=1e-13)
    np.testing.assert_allclose(warm.deviations(1).resistor, 1.05 * (1 + found.resistor) - 1)
    np.testing.assert_array_equal(warm.deviations(1).threshold, found.threshold)


def test_heat_speeds_ageing_up_by_its_activation_energy():
    """1 eV at 85 C against 300 K: 1 h is as long as exp(Ea/k (1/T0 - 1/T)) hours."""
    chip = Chip.sample(design(device=own_law(activation="1 eV")), seed=4)
    speed = np.exp(1.0 / 8.617333262e-5 * (1 / 300 - 1 / 358.15))
    hot = chip.at(time="1 h", temperature="85 C").on(0)
    np.testing.assert_allclose(hot, chip.at(time=3600 * speed).on(0), rtol=1e-13)


def test_a_cold_chip_is_never_before_its_first_time():
    chip = Chip.sample(design(device=own_law(activation=1.0)), seed=4)
    np.testing.assert_array_equal(chip.at(time="1 min", temperature="-50 C").on(0), chip.on(0))


def test_without_an_activation_energy_heat_that_does_not_age_is_told():
    chip = Chip.sample(design(device=own_law(), temperature=WARM), seed=4)
    with pytest.warns(XbarWarning, match=r"taken as at 25 °C: the design has no device.activation"):
        chip.at(time="1 h", temperature="85 C")


def test_a_measured_chip_ages_by_the_same_law():
    on = np.random.default_rng(0).uniform(15e-6, 25e-6, (2, 32, 24, 4))
    on[1, 3, 2, 1] = 0.0
    measured = Measurement(on, on / 100, np.zeros(on.shape, np.int8))
    chip = Chip(design(device=own_law(), temperature=WARM), None, measured)
    later = chip.at(time="10 s")
    for tile in range(2):
        np.testing.assert_allclose(later.on(tile), on[tile] * 10**-0.01, rtol=1e-14)
        np.testing.assert_allclose(later.off(tile), on[tile] / 100 * 10**-0.01, rtol=1e-14)
    assert later.tiles == 2
    assert "measured, 2 tiles, 10 s after programming" in repr(later)


def test_a_measured_branch_keeps_its_switch_and_ages_its_resistor():
    bank = Bank(resistors=4, nominal="10k", series="1k", switch=Switch(resistance="2k"))
    ohms = np.random.default_rng(0).uniform(9e3, 11e3, (1, 32, 24, 4))
    on = 1.0 / (ohms + 3e3)
    on[0, 0, 0, 0] = 1e-3  # less than its switch by design: a tenth is taken as its resistor
    measured = Measurement(on, on / 100, np.zeros(on.shape, np.int8))
    later = Chip(design(bank=bank, device=own_law()), None, measured).at(time=1e4)
    expected = 1.0 / (ohms[0] * 1e4**0.01 + 3e3)
    expected[0, 0, 0] = 1.0 / (900.0 + 100.0 * 1e4**0.01)
    np.testing.assert_allclose(later.on(0), expected, rtol=1e-13)


def test_a_law_of_ones_own_by_table_is_between_its_times_and_conductances():
    """Shift by table over conductance: straight in g, and in the logarithm of time."""
    table = [{"table": [[10e-6, 0.0], [30e-6, value]]} for value in (0.0, -4e-6, -8e-6)]
    law = {
        "retention": {
            "times": ["1 s", "1 h", "10 h"],
            "error": [{"polynomial": [0.0]}] * 3,
            "shift": table,
        }
    }
    chip = Chip.sample(design(device=law, bank=Bank(resistors=4, nominal="50k")), seed=1)
    fresh = chip.on(0)
    share = (fresh.clip(10e-6, 30e-6) - 10e-6) / 20e-6
    for time, most in ((3600.0, -4e-6), (3600 * 10**0.5, -6e-6), (36000.0, -8e-6)):
        expected = np.maximum(fresh + share * most, FLOOR * fresh)
        np.testing.assert_allclose(chip.at(time=time).on(0), expected, rtol=1e-12)


def test_open_and_dead_devices_stay_open():
    on = np.full((1, 32, 24, 4), 20e-6)
    on[0, :2] = 0.0
    measured = Measurement(on, np.zeros_like(on), np.zeros(on.shape, np.int8))
    for law in ("pcm", "rram-wan-2022", "sonos-40nm"):
        bank = Bank(resistors=4, nominal=1 / 15e-6)
        later = Chip(design(bank=bank, device={"law": law}), None, measured).at(time="1 d").on(0)
        assert (later[:2] == 0).all()
        assert (later[2:] > 0).all()


REFUSED = [
    ({"time": "10 s"}, PCM, "time must be at least 20 s after programming.*, not 10 s"),
    ({"time": "-1 s"}, PCM, "a time must be at least 0 s, not '-1 s'"),
    ({"time": "3 m"}, PCM, "a time must have a unit .*: is it '3 min'"),
    ({"time": "1 y"}, Hardware.from_catalog("sonos-40nm"), "time must be at most 5 d.*, not 1 y"),
    ({"time": "1 d"}, design(), "time needs a device law in the design"),
    ({"temperature": "85 C"}, design(), r"temperature needs a \[temperature\] section"),
    (
        {"temperature": "85 C"},
        design(device=own_law(activation="1 eV")),
        "temperature needs a time, too: of this design it changes only how fast devices age",
    ),
    ({"temperature": "-300 C"}, design(temperature=WARM), "above absolute zero"),
    ({"temperature": "85"}, design(temperature=WARM), "must have its unit, not '85': '85 C'"),
    ({"temperature": "200 C"}, design(temperature=WARM), "temperature must be from -55 °C to 150"),
    ({}, PCM, "at needs a time, a temperature or both"),
    ({"time": "1 d", "seed": 2**50}, PCM, r"must be below 2\^48"),
    (
        {"time": "4 d", "temperature": "85 C"},
        Hardware(
            bank=Bank(nominal=1 / 16e-6), device={"law": "sonos-40nm", "activation": "1.1 eV"}
        ),
        r"time must be at most 5 d.*, not 4 d, which are .* y at 26.85 °C",
    ),
    (
        {"temperature": "150 C"},
        design(temperature=WARM.model_copy(update={"resistors": -0.01})),
        "temperature.resistors must leave a resistor 0.01 to 1e\\+06 of its ohms at 150 °C, not -",
    ),
    (
        {"temperature": "150 C"},
        design(temperature=WARM.model_copy(update={"resistors": 1e300})),
        "temperature.resistors must leave a resistor .*, not 1.25e\\+302",
    ),
    (
        {"temperature": "150 C"},
        design(temperature=WARM.model_copy(update={"wires": 1e300})),
        "temperature.wires must leave wires .*, not 1.25e\\+302",
    ),
    (
        {"time": "1 d", "temperature": "150 C"},
        design(device=own_law(activation="1000 eV")),
        r"device.activation must speed ageing up by less than exp\(100\), not exp\(1.126e\+04\)",
    ),
]


@pytest.mark.parametrize(("given", "hardware", "message"), REFUSED)
def test_what_a_law_does_not_say_is_refused_in_one_line(given, hardware, message):
    with pytest.raises(SpecError, match=message) as error:
        Chip.sample(hardware, seed=0).at(**given)
    assert "\n" not in str(error.value)


FLAT = {"polynomial": [0.1]}
WRONG = [
    ({"law": "flash"}, "law must be one of pcm, .*, not 'flash'"),
    (
        {"law": "pcm", "retention": {"times": ["1 s", "1 h"], "error": [FLAT, FLAT]}},
        "must have one",
    ),
    ({"drift": {"first": "0 s", "mean": FLAT, "sigma": FLAT}}, "first must be greater than 0"),
    (
        {"drift": {"first": 1, "mean": FLAT, "sigma": {"polynomial": [-1]}}},
        "drift.sigma must be at",
    ),
    ({"drift": {"first": 1, "mean": {}, "sigma": FLAT}}, "must have one of polynomial"),
    ({"retention": {"times": ["1 h", "1 s"], "error": [FLAT, FLAT]}}, "times must rise"),
    ({"retention": {"times": ["1 s", "1 h"], "error": [FLAT]}}, "error must have 2 curves"),
    ({"error": {"polynomial": [1.0], "scale": 1e300, "per": 1e-6, "power": [1, 1]}}, "one of"),
    ({"error": {"polynomial": [1e300, 1e300], "per": 1e-300}}, "device.error must be a number"),
    ({"noise": {"relative": FLAT, "absolute": FLAT}}, "must have either relative or absolute"),
    (
        {"drift": {"first": 1, "mean": {"polynomial": [-0.1]}, "sigma": FLAT}},
        "drift.mean must be at",
    ),
    (
        {"retention": {"times": [-5, 9], "error": [FLAT, FLAT]}},
        "times must be at least 0 s, not -5",
    ),
    (
        {"relaxation": {"first": 1, "shift": 0, "error": [-1e-6, 1e-6]}},
        "device.relaxation.error must be a standard deviation.*, not -1e-06 and 1e-06",
    ),
    ({"relaxation": {"first": 1, "shift": 0, "error": [1e-6, -1e-9]}}, "not 1e-06 and -1e-09"),
    ({"law": "rram-milo-2021"}, "within the device law's data, 50 µS to 225 µS, not 20 µS"),
]


@pytest.mark.parametrize(("law", "message"), WRONG)
def test_a_law_that_is_none_is_refused_in_one_line(law, message):
    with pytest.raises(SpecError, match=message) as error:
        design(device=law)
    assert "\n" not in str(error.value)


HUGE = {"polynomial": [1e200]}
BEYOND = [
    ({"relaxation": {"first": 1, "shift": 1e308, "error": [1e308, 1e308]}}, "not nan after 1 d"),
    ({"retention": {"times": [1, 1e6], "error": [FLAT, HUGE]}}, "not inf after 1 d"),
    (
        {"retention": {"times": [1, 1e6], "error": [FLAT, FLAT], "shift": [FLAT, HUGE]}},
        "not .*e.199 after 1 d",
    ),
    ({"drift": {"first": 1, "mean": FLAT, "sigma": {"polynomial": [1e308]}}}, "exponent that is"),
    (
        {"drift": {"first": 1, "mean": {"polynomial": [0, 1.7e308], "per": 2e-5}, "sigma": FLAT}},
        "exponent that is",
    ),
]


@pytest.mark.parametrize(("law", "message"), BEYOND)
def test_conductances_that_are_no_numbers_are_refused_where_they_arise(law, message):
    later = Chip.sample(design(device=law), seed=0).at(time="1 d")
    with pytest.raises(SpecError, match=message) as error:
        later.on(0)
    assert "\n" not in str(error.value)


def test_heat_that_slows_ageing_down_to_nothing_leaves_the_chip_as_it_was():
    chip = Chip.sample(design(device=own_law(activation="1000 eV")), seed=0)
    frozen = chip.at(time="1 y", temperature="-50 C")
    np.testing.assert_array_equal(frozen.on(0), chip.on(0))


def test_a_design_with_laws_is_read_from_toml(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(
        '[bank]\nnominal = "50k"\n[device]\nlaw = "pcm"\nactivation = "0.6 eV"\n'
        "[device.error]\npolynomial = [2]\nscale = 1e-6\n"
        '[temperature]\nreference = "27 C"\nresistors = "-0.02 %"\nwires = "copper"\n'
    )
    hardware = Hardware.load(path)
    assert hardware.bank.spread == "normal"  # the law's error at 20 uS
    assert hardware.bank.sigma == pytest.approx(0.1)
    assert hardware.device.drift == DeviceLaw(law="pcm").drift
    assert (hardware.device.activation, hardware.temperature.reference) == (0.6, 300.15)
    path.write_text(path.read_text().replace('"27 C"', '"27"'))
    with pytest.raises(SpecError, match=r"chip.toml: temperature.reference.*'27 C'"):
        Hardware.load(path)


@pytest.mark.parametrize("text", ["later = 5", '[later]\ntime = "1 d"', "[later.design]"])
def test_a_file_of_a_design_has_no_chip_of_later(tmp_path, text):
    (tmp_path / "chip.toml").write_text(text)
    with pytest.raises(SpecError, match=r"chip\.toml: later must be left out: it is a chip's, see"):
        Hardware.load(tmp_path / "chip.toml")


def test_times_and_temperatures_of_numpy_are_those_numbers():
    chip = Chip.sample(design(temperature=WARM, device=own_law(activation="0.1 eV")), seed=0)
    plain = chip.at(time=3600, temperature=350, seed=3)
    for kind in (np.int64, np.float32, np.array):
        found = chip.at(time=kind(3600), temperature=kind(350), seed=np.int64(3))
        assert found.hardware == plain.hardware
        assert found.on(1).tobytes() == plain.on(1).tobytes()


def test_the_read_noise_of_a_time_is_each_devices_own():
    """PCM's relative noise falls with the programmed conductance as g^-0.65."""
    bank = Bank(resistors=2, nominal=["50k", "400k"], spread="none")
    later = Chip.sample(design(bank=bank, device={"law": "pcm"}), seed=0).at(time="1 h")
    fresh = later.programmed.on(0)
    ratio = later.relative_noise(later.on(0), lambda: fresh)
    np.testing.assert_allclose(ratio[..., 1] / ratio[..., 0], 8**0.65, rtol=1e-12)
    mean = (fresh * later.relative_noise(fresh, lambda: fresh)) ** 2
    assert (mean.sum() / (fresh**2).sum()) ** 0.5 == pytest.approx(1.0)
    assert Chip.sample(PCM, seed=0).relative_noise(fresh, lambda: fresh) is None
