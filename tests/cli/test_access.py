"""``xbar access``, and designs whose selectors are tables in files."""

import json

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, SpecError

DESIGN = (
    '[bank]\nresistors = 4\nnominal = "40k"\non_off_ratio = 100\n'
    '[tile]\nword_wire = 1.0\nbit_wire = 1.0\n[dac]\nbits = 6\nrange = "0.8 V"\n'
)


@pytest.fixture
def design(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(DESIGN)
    return path


def test_access_tells_margins_by_scheme_and_size(design, call):
    code, out, err = call("access", design, "--sizes", "2,8", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["volts"] == 0.8
    by_name = {each["scheme"]: each for each in found["schemes"]}
    tile = xbar.Tile(word_wire=1.0, bit_wire=1.0)
    expected = xbar.circuit.read_margins(tile, 1e-4, 1e-6, [2, 8], volts=0.8, scheme="V/3")
    assert by_name["V/3"]["margin"] == pytest.approx(expected.margin.tolist(), rel=1e-9)
    assert by_name["V/2"]["half_selected_word_line"][0] == pytest.approx(0.4, rel=1e-3)
    assert by_name["V/3"]["unselected"][0] == pytest.approx(-0.8 / 3, rel=1e-3)


def test_access_prints_a_table(design, call):
    code, out, _ = call("access", design, "--sizes", "8", "--scheme", "float")
    assert code == 0
    assert "one cell at 0.8 V, all others on" in out
    assert "float" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sizes", "8,x"), "--sizes must be numbers"),
        (("--sizes", "0"), "sizes must be from 1"),
        (("--scheme", "V/4"), "scheme must be one of"),
        (("--volts", "2 A"), "must be in V"),
        (("--on", "0"), "--on must be above 0 ohm"),
        (("--off", "-1k"), "--off must be above 0 ohm"),
    ],
)
def test_access_refuses_what_it_does_not_know(design, call, options, said):
    code, out, err = call("access", design, *options)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    "text",
    [
        "V,I\n0.2,1e-9\n0.5,1e-5\n",
        "Voltage (mV);Current (uA)\n200;1e-3\n500;10\n",
        "# I [nA]\tV\n1\t0.2\n10000\t0.5\n",
        "0.2 1e-9\n0.5 1e-5\n",
        "V (V),I (A)\n200 mV,1 nA\n0.5,10 uA\n",
    ],
)
def test_a_selectors_table_is_read_from_a_file(design, tmp_path, text, call):
    (tmp_path / "selector.csv").write_text(text)
    design.write_text(DESIGN + '[selector]\ntable = "selector.csv"\n')
    selector = xbar.Hardware.load(design).selector
    assert selector.voltage == pytest.approx((0.2, 0.5), rel=1e-12)
    assert selector.current == pytest.approx((1e-9, 1e-5), rel=1e-12)
    code, _, err = call("access", design, "--sizes", "4")
    assert code == 2
    assert "the I-V table ends at" in err


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("voltage = [0.1, 0.4]\ncurrent = [[1e-9], 2e-5]", "", r"selector\.current"),
        ('table = "selector.csv"', "V,I\n0.2\n", "line 2: must have a voltage and a current"),
        ('table = "selector.csv"', "V,I\n0.2,x\n", "line 2"),
        ('table = "selector.csv"', "V,I\n", "it has none"),
        ('table = "other.csv"', "", "other.csv"),
        ('table = "selector.csv"\nvoltage = [0.1]', "V,I\n0.2,1\n", "not both"),
        ("table = 3", "", "selector.table must be the path"),
        ('table = "selector.csv"', "V,I\n0.2,1e-6\n0.3,1e-7\n", "snaps back"),
    ],
)
def test_tables_that_are_none_are_refused_in_one_line(design, tmp_path, key, text, said):
    (tmp_path / "selector.csv").write_text(text)
    design.write_text(DESIGN + f"[selector]\n{key}\n")
    with pytest.raises((FileError, SpecError), match=said) as caught:
        xbar.Hardware.load(design)
    assert "\n" not in str(caught.value)


def test_a_selectors_design_is_written_and_read_again(tmp_path):
    from xbar.hardware.toml import to_toml

    selector = xbar.Selector(voltage=np.array([0.1, 0.4]), current=["1 nA", 2e-5])
    hardware = xbar.Hardware(selector=selector, tile=xbar.Tile(topology="interleaved-input-source"))
    path = tmp_path / "chip.toml"
    path.write_text(to_toml(hardware))
    assert xbar.Hardware.load(path) == hardware
