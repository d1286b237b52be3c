"""A design is what its TOML file says, or a one-line error that names the key."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from xbar.errors import FileError, SpecError, XbarWarning
from xbar.hardware.bank import Bank
from xbar.hardware.converter import Converter
from xbar.hardware.cost import Cost
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

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
        ("[bank]\nnominal = '25uS'", r"bank\.nominal must be in ohm, not '25uS', .* 40 kohm"),
        ("[bank]\nnominal = ['25uS', '4k']\nresistors = 2", r"bank\.nominal must be in ohm"),
        ("[bank]\nnominal = inf", r"bank\.nominal must be a finite number, not inf$"),
        ("[bank]\nsigma = 5", r"bank\.sigma must be at most 2 .*; 5 %\? Then write 0\.05"),
        ("[bank]\nsigma = '20 mV'", r"bank\.sigma must be a number without unit"),
        ("[bank]\nspread = 'normal'\nsigma = 20", r"bank\.sigma must .* 20 %\? Then write 0\.2"),
        ("[bank]\nspread = 'uniform'\nsigma = 20", r"bank\.sigma must .* 20 %\? Then write 0\.2"),
        ("[bank]\nstuck_open = 3", r"bank\.stuck_open must .* 3 %\? Then write 0\.03 or '3 %'"),
        ("[bank]\nstuck_closed = 3", r"bank\.stuck_closed must .* 3 %\? Then write 0\.03"),
        ("[bank]\non_off_ratio = '1 S'", r"bank\.on_off_ratio must be a number without unit"),
        ("[bank]\nratio = '2 ohm'", r"bank\.ratio must be a number without unit"),
        ("[bank.nonlinearity]\nsinh = '1 A'", r"bank\.nonlinearity\.sinh must be in V"),
        ("[bank.nonlinearity]\nodd = ['1 A']", r"bank\.nonlinearity\.odd\.0 must be a number"),
        ("[variation]\nread_noise = 2", r"variation\.read_noise must .* 2 %\? Then write 0\.02"),
        ("[tile]\nword_wire = '2 V'", r"tile\.word_wire must be in ohm, not '2 V'"),
        ("[tile]\nbit_wire = '2 uS'", r"tile\.bit_wire must be in ohm.* 2 µS is 500 kohm"),
        ("[tile]\nsource = '5 %'", r"tile\.source must be in ohm, not '5 %'"),
        ("[tile]\nload = '5 K A'", r"tile\.load must be in ohm.*a current"),
        ("[dac]\nbits = 8\nrange = '0.2 A'", r"dac\.range must be in V, not '0\.2 A'"),
        ("[dac]\nbits = 8\nrange = 1e300", r"dac\.range must be from 1e-60 to 1e\+60, not 1e\+300"),
        ("[selector]\nvoltage = [1]\ncurrent = [[1]]", r"selector\.current\.0 must be .*\[1\]"),
        ("[bank]\nresistors = true", r"bank\.resistors must be a number, not True"),
        ("[adc]\nbits = 8\nstep_bits = [8, true]", r"adc\.step_bits\.1 must be a number, not True"),
        ("[selector]\nvoltage = [1]\ncurrent = [true]", r"selector\.current\.0 must .*not True"),
        ("[adc]\nbits = 8\nrange = '0.2 V'", r"adc\.range must be in A, not '0\.2 V'"),
        ("[cost]\nread_time = '1 V'", r"cost\.read_time must be in s"),
        ("[cost]\ndac_energy = '1 s'", r"cost\.dac_energy must be in J"),
        ("[cost]\nadc_area = '1 J'", r"cost\.adc_area must be in m²"),
        ("tiles = 3", r"tiles is not a known key; known are adc, amplifier, bank, cost, dac"),
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


LONG = "0x" + "f" * 5000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[bank]\nsigma = {LONG}", r"bank\.sigma must be a finite real number"),
        (f"[bank]\nresistors = {LONG}", r"bank\.resistors must be .* 64, not a number"),
        (f"[bank]\nsigma = '{'9' * 5000}'", r"bank\.sigma: a quantity must be finite"),
        ("a." * 3000 + "b = 1", r"a is not a known key"),
        (f"{'a' * 5000} = 1", r"a{64} is not a known key"),
    ],
    ids=range(5),
)
def test_what_is_long_is_refused_in_a_short_line(tmp_path, text, message):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        Hardware.load(path)
    assert len(str(caught.value).replace(str(path), "")) < 300


NOT_TOML = [
    *(b"[bank", b"\xff\xfe\xff", b"a = 1\na = 2", b"\xb5 = 1"),
    *(b"a = " + b"[" * 50_000, b"a = " + b"9" * 5000, b"a = " + b"{a=" * 900 + b"}" * 900),
]


@pytest.mark.parametrize("content", NOT_TOML, ids=range(len(NOT_TOML)))
def test_what_is_not_toml_is_a_file_error(tmp_path, content):
    path = tmp_path / "chip.toml"
    path.write_bytes(content)
    with pytest.raises(FileError, match="must be a TOML file") as caught:
        Hardware.load(path)
    assert len(str(caught.value).replace(str(path), "")) < 300


@pytest.mark.parametrize("text", ["a." * 20_000, "#" * 1_000_000, "\n" * 70_000], ids=range(3))
def test_a_file_that_is_far_too_long_for_a_design_is_refused_unread(tmp_path, text):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    with pytest.raises(FileError, match="a design of at most 65,536 characters and 4,000 points"):
        Hardware.load(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_in_the_encodings_of_editors(tmp_path, encoding):
    path = tmp_path / "chip.toml"
    path.write_bytes("[bank]\nnominal = '5 kΩ' # 20 µA\n".encode(encoding))
    assert Hardware.load(path).bank.nominal == 5000


def test_a_pipe_and_a_device_are_refused_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(FileError, match="must be a regular file"):
            Hardware.load(path)
    with pytest.raises(FileError, match="Is a directory"):
        Hardware.load(tmp_path)
    with pytest.raises(FileError, match="null byte"):
        Hardware.load(tmp_path / "a\0b")


def test_units_are_checked_in_python_as_in_files():
    with pytest.raises(SpecError, match="word_wire must be in ohm, not '2 V'"):
        Tile(word_wire="2 V")
    with pytest.raises(SpecError, match=r"range must be in V, not '0\.2 A'"):
        Converter(bits=8, range="0.2 A")
    assert Hardware(adc={"bits": 8, "range": "2 uA"}).adc == Converter(bits=8, range=2e-6)
    assert Cost(read_time="20 ns", device_area="0.05 µm²").device_area == 5e-14
    assert Bank(sigma=np.float32(0.25), nominal=Fraction(9000, 2)).nominal == 4500


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        ({"nominal": 2.5e-5}, "nominal is 2.5e-05 ohm: a conductance in siemens.*'40 kohm'"),
        ({"nominal": (1e3, "25u"), "resistors": 2}, "in siemens"),
        ({"sigma": 1}, "sigma is a fraction, so 1 is a spread of 100 %"),
        ({"sigma": "150 %"}, "sigma is a fraction"),
    ],
)
def test_a_value_that_may_be_of_another_unit_gets_a_warning_at_the_callers_line(bank, message):
    with pytest.warns(XbarWarning, match=message) as caught:
        Bank(**bank)
    assert [warning.filename for warning in caught] == [__file__]


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


def test_further_wrong_keys_are_named():
    with pytest.raises(SpecError, match=r"sigma: .* \(and 2 more: resistor, spred\)"):
        Bank(sigma="wide", resistor=8, spred="normal")
