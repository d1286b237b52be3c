"""A design is what its TOML file says, or a one-line error that names the key."""

import numpy as np
import pytest

from xbar.errors import FileError, SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.converter import Converter
from xbar.hardware.spec import Hardware

FULL = """
name = "lab chip"
[bank]
resistors = 8
nominal = "4.7k"
spread = "normal"
sigma = "20%"
on_off_ratio = 1e3
stuck_open = 0.01
[tile]
word_lines = 32
bit_lines = 16
word_wire = "1.5 ohm"
bit_wire = 2
source = "0.1k"
load = 0
drive = "both"
[dac]
bits = 8
range = "200m"
[adc]
bits = 10
range = "2u"
[variation]
read_noise = "1%"
"""


def test_a_file_with_units_gives_si_values(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(FULL)
    hardware = Hardware.load(path)
    assert hardware.bank.nominal == 4700.0
    assert hardware.bank.sigma == 0.2
    assert hardware.tile.word_wire == 1.5
    assert hardware.tile.source == 100.0
    assert hardware.dac == Converter(bits=8, range=0.2)
    assert hardware.adc is not None
    assert hardware.adc.range == 2e-6
    assert hardware.variation.read_noise == 0.01
    assert hardware.read_voltage == 0.2


def test_an_empty_file_is_the_default_design(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text("")
    assert Hardware.load(path) == Hardware()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bank]\nresistors = 0", r"bank\.resistors must be .* 1, not 0"),
        ("[bank]\nresistor = 8", r"bank\.resistor is not a known key; known are .*resistors"),
        ("[bank]\nnominal = '4.7q'", r"bank\.nominal: .*not '4.7q'"),
        ("[bank]\nnominal = ['1k', '2k']\nresistors = 3", r"bank\.nominal must list 3 values"),
        ("[bank]\nnominal = 0", r"bank\.nominal must be greater than 0 ohm, not 0"),
        ("[bank]\nspread = 'gamma'", r"bank\.spread must be .*'lognormal'.*not 'gamma'"),
        ("[bank]\nspread = 'uniform'\nsigma = 0.6", r"bank\.sigma must be at most 1/sqrt\(3\)"),
        ("[bank]\nsigma = nan", r"bank\.sigma must be a finite number, not nan"),
        ("[bank]\nstuck_open = 0.6\nstuck_closed = 0.6", r"bank\.stuck_open \+ .*not 1\.2"),
        ("[bank]\non_off_ratio = 1", r"bank\.on_off_ratio must be greater than 1, not 1"),
        ("[tile]\nword_wire = -1", r"tile\.word_wire must be .*0, not -1"),
        ("[tile]\ndrive = 'top'", r"tile\.drive must be 'left', 'right' or 'both', not 'top'"),
        ("[dac]\nrange = 1", r"dac\.bits is missing"),
        ("[adc]\nbits = 1", r"adc\.bits must be .* 2, not 1"),
        ("tiles = 3", r"tiles is not a known key; known are adc, bank, cost, dac"),
        ("bank = 3", r"bank must be .*not 3"),
    ],
)
def test_a_bad_value_is_named_with_file_key_and_what_must_hold(tmp_path, text, message):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        Hardware.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[bank", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_not_toml_is_a_file_error(tmp_path, content):
    path = tmp_path / "chip.toml"
    path.write_bytes(content)
    with pytest.raises(FileError, match="must be a TOML file"):
        Hardware.load(path)


def test_a_missing_file_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        Hardware.load(tmp_path / "none.toml")


def test_a_copy_is_validated_like_the_original():
    bank = Bank(resistors=4)
    assert bank.model_copy(update={"sigma": 0.1}).sigma == 0.1
    with pytest.raises(SpecError, match="sigma must be"):
        bank.model_copy(update={"sigma": -0.1})


def test_specs_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Bank().sigma = 0.1


def test_nominal_laws_equal_geometric_and_explicit():
    np.testing.assert_allclose(Bank(resistors=3, nominal=1e3).nominal_conductance, [1e-3] * 3)
    np.testing.assert_allclose(
        Bank(resistors=3, nominal=1e3, ratio=2).nominal_conductance, [1e-3, 0.5e-3, 0.25e-3]
    )
    np.testing.assert_allclose(
        Bank(resistors=2, nominal=["1k", "4k"]).nominal_conductance, [1e-3, 0.25e-3]
    )
