"""What people write by habit, though SPICE reads it otherwise: told, or refused with what to do."""

from __future__ import annotations

import warnings

import pytest

import xbar
from xbar.errors import FileError, XbarWarning


def read(tmp_path, lines, dialect=None):
    """The circuit, and all that was said."""
    path = tmp_path / "deck.cir"
    path.write_text("\n".join(lines) + "\n")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", XbarWarning)
        circuit = xbar.read_spice(path, dialect)
    return circuit, " ".join(str(warning.message) for warning in heard)


@pytest.mark.parametrize(
    ("text", "ohms", "told"),
    [
        ("10M", 0.01, True),
        ("2.5MOhm", 0.0025, True),
        ("R=10M", 0.01, True),
        ("10m", 0.01, False),
        ("10MEG", 1e7, False),
        ("10Megohm", 1e7, False),
        ("10MIL", 254e-6, False),
    ],
)
def test_a_capital_m_is_milli_and_is_told(tmp_path, text, ohms, told):
    circuit, said = read(tmp_path, ["* deck", "I1 0 a 1", f"R1 a 0 {text}"])
    assert circuit.solve().voltage["a"] == pytest.approx(ohms, rel=1e-12)
    assert ("M is milli" in said) == told


@pytest.mark.parametrize("scale", ["k", "Meg", "m", "kOhm", "\N{MICRO SIGN}"])
def test_a_scale_that_stands_apart_is_no_model(tmp_path, scale):
    with pytest.raises(FileError, match="stands apart from its number"):
        read(tmp_path, ["* deck", "V1 a 0 1", f"R1 a 0 1.5 {scale}"])


def test_a_model_may_be_called_like_a_scale(tmp_path):
    circuit, _ = read(tmp_path, ["* deck", "I1 0 a 1", "R1 a 0 1.5 k", ".model k r tc1=0"])
    assert circuit.solve().voltage["a"] == pytest.approx(1.5, rel=1e-12)


@pytest.mark.parametrize("dialect", [None, "ngspice", "xyce", "hspice"])
def test_m_around_nested_instances_multiplies_all_and_is_told_where_ngspice_differs(
    tmp_path, dialect
):
    lines = ["* deck", ".subckt inner a b", "R1 a b 1k", ".ends"]
    lines += [".subckt outer a b", "X1 a b inner", "X2 a b inner", ".ends"]
    circuit, said = read(tmp_path, [*lines, "V1 c 0 1", "X3 c 0 outer m=2"], dialect)
    assert circuit.solve().current["v1"] == pytest.approx(-4e-3, rel=1e-12)
    assert ("ngspice may leave it out" in said) == (dialect in (None, "ngspice"))


def test_a_subcircuit_that_begins_on_the_title_is_told(tmp_path):
    with pytest.raises(FileError, match=r"no matching \.subckt; a deck's first line is its title"):
        read(tmp_path, [".subckt s a b", "R1 a b 1k", ".ends s", "V1 a 0 1"])


def test_a_library_of_another_machine_is_named_as_it_is_written(tmp_path):
    with pytest.raises(FileError, match=r"'C:\\pdk\\cmp\\res.lib' must exist; copy it"):
        read(tmp_path, ["* deck", r".lib C:\pdk\cmp\res.lib", "R1 a 0 1k"])


@pytest.mark.parametrize("name", ['"nom.lib"', r"C:\LTC\lib\cmp\standard.mos"])
def test_a_simulators_own_library_may_be_missing_unless_something_of_it_is_used(tmp_path, name):
    lines = ["* deck", f".lib {name}", "V1 a 0 1", "R1 a 0 1k"]
    circuit, said = read(tmp_path, lines)
    assert circuit.solve().current["v1"] == pytest.approx(-1e-3, rel=1e-12)
    assert "nothing of it is read" in said
    with pytest.raises(FileError, match="subcircuit 'part' is not defined"):
        read(tmp_path, [*lines, "X1 a 0 part"])
    with pytest.raises(FileError, match="must exist"):
        read(tmp_path, [*lines, f".lib {name} fast"])


def test_limit_with_three_arguments_asks_for_the_dialect(tmp_path):
    with pytest.raises(FileError, match="clamps in Xyce and LTspice"):
        read(tmp_path, ["* deck", "R1 a 0 {limit(5,1,3)}"])


def test_aliases_and_tolerances_of_models_are_passed_over(tmp_path):
    lines = ["* deck", "V_V1 N00 0 1Vdc", "R_R1 N00 0 RM 1k", ".model RM RES (R=1 DEV=5% LOT=2%)"]
    lines += [".AUTOCONVERGE", ".ALIASES", "R_R1 R9(1=N00 2=0)", "V_V1 V1(+=N00 -=0)"]
    circuit, said = read(tmp_path, [*lines, ".ENDALIASES", "R2 N00 0 1k", ".END"])
    assert circuit.solve().current["V_V1"] == pytest.approx(-2e-3, rel=1e-12)
    assert not said


def test_time_steps_of_a_source_are_passed_over(tmp_path):
    lines = ["* deck", "V1 a 0 3", "B1 b 0 V=V(a)*2 tripdv=1 tripdt=1n", "R1 b 0 1k"]
    circuit, said = read(tmp_path, lines)
    assert circuit.solve().voltage["b"] == pytest.approx(6, rel=1e-12)
    assert not said


@pytest.mark.parametrize("dialect", [None, "ngspice", "xyce"])
def test_instances_in_parallel_each_follow_their_own_current_and_that_is_told(tmp_path, dialect):
    lines = ["* deck", ".subckt follower a b", "V1 a c 0", "R1 c 0 1k", "F1 0 b V1 2", ".ends"]
    lines += ["V2 in 0 1", "X1 in out follower m=3", "R2 out 0 1"]
    circuit, said = read(tmp_path, lines, dialect)
    assert circuit.solve().voltage["out"] == pytest.approx(3 * 2 * 1e-3, rel=1e-12)  # 3 times 1 mA
    assert ("one of the instances in parallel" in said) == (dialect != "xyce")
