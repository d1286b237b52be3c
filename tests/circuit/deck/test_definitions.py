"""Names that are defined more than once: the value that counts is the right one, and it is told."""

from __future__ import annotations

import warnings

import pytest

import xbar
from xbar.errors import FileError, XbarWarning


def write(tmp_path, *lines):
    path = tmp_path / "deck.cir"
    path.write_text("\n".join(["* deck", *lines, ".end", ""]))
    return path


def volts(path, dialect=None):
    """Voltage of node a, and the remarks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XbarWarning)
        circuit = xbar.read_spice(path, dialect)
    return circuit.solve().voltage["a"], " ".join(circuit.notes)


def choice(condition, *branch):
    return (f".if ({condition})", *branch, ".endif")


@pytest.mark.parametrize("dialect", [None, "ngspice", "xyce", "hspice", "ltspice"])
def test_a_parameter_of_a_branch_that_holds_replaces_the_decks_and_all_that_depends_on_it(
    tmp_path, dialect
):
    head = (".param r=1 twice={2*r}", *choice("twice==2", ".param r=5"), "R1 a 0 1")
    value, told = volts(write(tmp_path, *head, "V1 a 0 {twice}"), dialect)
    assert value == 10.0  # ngspice 39 computes the same
    assert "'r' is defined again" in told


def test_a_parameter_of_a_branch_counts_in_the_instance_alone_whose_condition_holds(tmp_path):
    sub = (
        ".subckt part p n kind=1",
        ".param r=1k",
        *choice("kind==2", ".param r=3k"),
        "R1 p n {r}",
        ".ends",
    )
    deck = (*sub, "I1 0 a 1m", "X1 a b part kind=2", "X2 b 0 part")
    value, told = volts(write(tmp_path, *deck), "hspice")
    assert value == pytest.approx(4.0)
    assert "'r' is defined again" in told


def test_a_parameter_that_an_instance_sets_is_not_set_again_by_a_branch(tmp_path):
    sub = (".subckt part p r=1k", *choice("1", ".param r=3k"), "R1 p 0 {r}", ".ends")
    with pytest.raises(FileError, match="'r', set by the instance, is set again"):
        xbar.read_spice(write(tmp_path, *sub, "I1 0 a 1m", "X1 a part r=2k"))


def test_parameters_of_branches_that_do_not_hold_are_told_where_ngspice_obeys_them(tmp_path):
    head = (".param s=1", ".if (s==1)", ".param r=5", ".else", ".param r=7", ".endif")
    path = write(tmp_path, *head, "V1 a 0 {r}", "R1 a 0 1")
    value, told = volts(path)
    assert value == 5.0
    assert "'r' is defined in a branch of .if that does not hold" in told
    assert volts(path, "hspice") == (5.0, "")


def test_formulas_with_blanks_beside_other_parameters_are_told(tmp_path):
    path = write(tmp_path, ".param x = 2 + 3 y = 4", "V1 a 0 {x*y}", "R1 a 0 1")
    value, told = volts(path)
    assert value == 20.0
    assert "'x' has blanks" in told  # ngspice 39 reads 2
    for plain in ("x = {2 + 3} y=4", "x = 2*(1 + 1.5) y=4", "x = 2 + 3", "x=5 y=4"):
        path = write(tmp_path, f".param {plain}", "V1 a 0 {x}", "R1 a 0 1")
        assert volts(path) == (5.0, "")


def test_a_model_with_two_meanings_is_refused_where_it_is_used(tmp_path):
    models = (".model rm r rsh=1", ".model rm r rsh=2")
    deck = ("I1 0 a 1", "R1 a 0 rm l=1u w=1u")
    with pytest.raises(FileError, match=r"deck.cir:3: the model 'rm' is defined twice"):
        xbar.read_spice(write(tmp_path, *models, *deck))
    same = (".model rm r rsh=3", ".model rm  r rsh=3", ".model d1 d", ".model d1 d is=1f")
    assert volts(write(tmp_path, *same, *deck)) == (3.0, "")


@pytest.mark.parametrize("source", ["E1 a 0 POLY(1) b 0 3", "H1 a 0 POLY(1) (V1) 3"])
def test_poly_with_one_coefficient_is_read_by_the_dialect(tmp_path, source):
    path = write(tmp_path, source, "V1 0 b -5", "R2 b 0 1", "R1 a 0 1")
    with pytest.raises(FileError, match=r"POLY.1. with one coefficient.*simulators differ"):
        xbar.read_spice(path)
    assert volts(path, "ngspice")[0] == 3.0  # as ngspice 39 computes
    assert volts(path, "hspice")[0] == 15.0
