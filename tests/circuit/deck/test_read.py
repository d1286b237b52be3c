"""What is understood of a deck, and how what is not is named."""

from __future__ import annotations

import random

import pytest

import xbar
from xbar.circuit.deck.numbers import parse_number
from xbar.circuit.deck.rules import rules_of
from xbar.circuit.deck.scope import Reading, Scope
from xbar.errors import FileError, XbarError, XbarWarning


def write(tmp_path, *lines, name="deck.cir"):
    path = tmp_path / name
    path.write_text("\n".join(["* deck", *lines, ""]))
    return path


def evaluate(text, known, dialect=None):
    return Scope(Reading(rules_of(dialect)), {}, {}, dict(known)).of(text)


def read(tmp_path, *lines):
    return {e.name: e.value for e in xbar.read_spice(write(tmp_path, *lines)).elements}


# numbers and formulas -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-2.2k", -2200.0),
        ("1e3k", 1e6),
        ("1m", 1e-3),
        ("1meg", 1e6),
        ("1megohm", 1e6),
        ("1mil", 25.4e-6),
        ("0.1u", 0.1e-6),
        ("3n", 3e-9),
        ("3pf", 3e-12),
        ("3f", 3e-15),
        ("2g", 2e9),
        ("2t", 2e12),
        ("10v", 10.0),
        ("1a", 1.0),
        ("1kohm", 1e3),
    ],
)
def test_suffixes_are_spices(text, value):
    assert parse_number(text, rules_of(None)) == value


@pytest.mark.parametrize("text", ["", "k", "1k_2", "1 k", "0x10", "1_000", "1e99999", "inf", "nan"])
def test_what_is_no_number_is_none(text):
    assert parse_number(text, rules_of(None)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+2*3", 7.0),
        ("{(1+2)*3}", 9.0),
        ("'1k/2'", 500.0),
        ("-(2**2)", -4.0),
        ("2**-1", 0.5),
        ("r>2", 1.0),
        ("r?1:2", 1.0),
        ("r*2meg", 6e6),
        ("in + lambda", 3.0),
        ("max(r, in)*sqrt(4)", 6.0),
        ("int(-2.7)", -2.0),
        ("ln(exp(2))+log10(100)", 4.0),
        ("8/4/2", 1.0),
        ("1-1-1", -1.0),
    ],
)
def test_formulas_are_arithmetic(text, value):
    known = {"r": 3.0, "in": 1.0, "lambda": 2.0}
    assert evaluate(text, known) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch owned')",
        "().__class__",
        "r.__class__",
        "[1]",
        "lambda: 1",
        "1 if r else 2",
        "r[0]",
        "'a'*9",
        "1;2",
        "f'{r}'",
        "exec(r)",
        "2**3**2",
        "1 2",
        "1k2",
        "1/0",
        "(-8)**0.5",
        "sqrt(-1)",
        "sqrt()",
        "sqrt(1,2)",
        "9**9**9**9",
        "1e300*1e300",
        "{1",
        "",
        "+",
        "é",
        "r>",
        "r?1",
        "-2**2",
        "2^2",
        "\\",
        "#",
    ],
)
def test_what_is_no_formula_is_refused_and_never_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r".+"):
        evaluate(text, {"r": 3.0, "f": 1.0, "a": 1.0})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["(" * 1500 + "1" + ")" * 1500, "-" * 3000 + "1", "1+" * 9000])
def test_a_formula_that_is_nested_too_deeply_is_refused(text):
    with pytest.raises(ValueError, match=r"formula"):
        evaluate(text, {})


# decks ----------------------------------------------------------------------------------------


def test_the_first_line_is_a_title_even_if_it_is_an_element(tmp_path):
    path = tmp_path / "a.cir"
    path.write_text("R9 a 0 1\nR1 a 0 2\n")
    with pytest.warns(XbarWarning, match="line 1, 'R9 a 0 1', looks like an element"):
        circuit = xbar.read_spice(str(path))
    assert [e.name for e in circuit.elements] == ["r1"]
    assert circuit.notes


def test_what_follows_the_end_is_not_read(tmp_path):
    assert read(tmp_path, "R1 a 0 2", ".END", "R2 a 0 3", "nonsense") == {"r1": 2.0}


def test_a_control_block_is_passed_over(tmp_path):
    lines = ["R1 a 0 2", ".control", "shell touch owned", "R3 a 0 1", ".endc", "R2 a 0 3"]
    assert read(tmp_path, *lines) == {"r1": 2.0, "r2": 3.0}


def test_windows_line_ends_and_capital_letters_are_no_obstacle(tmp_path):
    path = tmp_path / "a.cir"
    path.write_bytes(b"* t\r\nR1 A 0 1K\r\n+ M=2\r\nV1 A 0 DC 1\r\n.END\r\n")
    assert xbar.read_spice(path).solve().current["r1"] == pytest.approx(2e-3)


def test_parameters_may_be_used_before_they_are_defined(tmp_path):
    lines = ["R1 a 0 {b}", ".param b={2*c}", ".param c=3 d={b+c}", "R2 a 0 d", "R3 a 0 r='d*2'"]
    assert read(tmp_path, *lines) == {"r1": 6.0, "r2": 9.0, "r3": 18.0}


def test_a_shared_node_is_the_same_in_every_subcircuit(tmp_path):
    lines = [".global vdd", ".subckt s a", "R1 a vdd 1k", "R2 a m 1k", ".ends", "X1 b s"]
    elements = xbar.read_spice(write(tmp_path, *lines)).elements
    assert [(e.first, e.second) for e in elements] == [("b", "vdd"), ("b", "x1.m")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Q1 a 0 1 m"], r"deck\.cir:2: 'q1' is not understood: it is a bipolar transistor"),
        (["R1 a 0 1", "", "* x", "D1 a 0 d"], r"deck\.cir:5: 'd1' is not understood"),
        ([".func f(x) {x}", "R1 a 0 {f(1,2)}"], "f must have 1 arguments"),
        ([".func f(x)"], r"must be a function name\(arguments\)"),
        ([".func f(x) {f(x)}", "R1 a 0 {f(1)}"], "'f' calls itself"),
        ([".hdl x"], r"the directive '\.hdl' is not understood"),
        ([".if (1)"], r"\.if must be closed by \.endif"),
        ([".else"], r"\.else has no \.if before it"),
        ([".if (x)", ".endif"], "'\\(x\\)' must be a condition: the parameter 'x' is not defined"),
        (["R1 a 0"], "r1 must have one resistance, not 'nothing'"),
        (["R=1"], "'R=1' must have a name, 2 nodes, and a value"),
        (["R1 {a} 0 1"], "'{a}' is not a name"),
        (["R1 a 0 1k$ x"], "'1k\\$' must be a number"),
        (["R1 a 0 1 2"], "must have one resistance, not two"),
        (["R1 a 0 1 r=2"], "must have one resistance, not two"),
        (["R1 a 0 1 2 3"], "r1 must have one resistance, not '1 2 3'"),
        (["R1 a 0 1k2"], "'1k2' must be a number: LTspice reads a letter .*: write 1.2k"),
        (["R1 a 0 {v(a)}"], "only sources may depend on the circuit"),
        (["R1 a"], "'R1 a' must have a name, 2 nodes"),
        (["R1 a 0 1 rx=2"], "the parameter 'rx', which is not understood"),
        (["R1 a 0 rmod"], "'rmod' must be a number: the parameter 'rmod' is not defined"),
        (["R1 a 0 rmod", ".model rmod c"], "must be of type r or res, not 'c'"),
        (["R1 a 0 rmod", ".model rmod r rsh=1"], "or a model with rsh and a length"),
        (
            ["R1 a 0 rmod l=1", ".model rmod r rsh=1 narrow=1u"],
            "simulators differ; name the dialect",
        ),
        (["R1 a 0 rmod l=1", ".model rmod r rsh=1 foo=1u"], "'foo', which is not understood"),
        (["R1 a 0 -5"], r"a resistance must be from 0 upwards, not -5\.0 ohm"),
        (["R1 a 0 1 tc1=-1 temp=29"], r"a resistance must be from 0 upwards, not -1\.0 ohm"),
        (["R1 a 0 1e-200"], "a resistance must be from 1e-100"),
        (["R1 a 0 1 m=0"], "m must be positive"),
        (["R1 a 0 1", "r1 b 0 1"], r"deck\.cir:3: the name 'r1' is used twice"),
        (["R1 a 0 {x}"], r"deck\.cir:2: '\{x\}' must be a number: the parameter 'x' is not"),
        ([".param x={y} y={x}", "R1 a 0 {x}"], "is defined by itself"),
        ([".param x={x}", "R1 a 0 {x}"], "'x' is defined by itself"),
        ([".param x=1 x=2"], "the parameter 'x' is given twice"),
        ([".param x = 1 2", "R1 a 0 {x}"], "'2' is out of place"),
        ([".param x"], "a parameter must be written name=value, not 'x'"),
        (["R1 a 0 {1"], "a quote or brace is not closed"),
        (["R1 a 0 r="], "r must have a value"),
        (["L1 a 0 1n rser=-1"], "rser must be from 0 upwards"),
        (["C1 a 0 1n rlshunt=1"], "rlshunt is not understood"),
        ([".subckt s a", "R1 a 0 1 m=2", ".ends", "X1 b s m=2"], "simulators|name the dialect"),
        (["V1 a 0 sin(0)"], "sin must have at least two values"),
        (["V1 a 0 pat(1 0 0 1n 1n 1n b01)"], "'b01' is not defined|pat has no definite value"),
        (["V1 a 0 trrandom(1 1n 0 0)"], "trrandom has no definite value at time 0"),
        (["V1 a 0 pulse(0 1 -1n 1n)"], "pulse with a negative delay must have all its values"),
        (["V1 a 0 1 pulse 0 1 pulse 0 1"], "'pulse' is not understood"),
        (["V1 a 0 pwl(0 1 2)"], "pwl must have pairs"),
        (["V1 a 0 1 z9=2"], "'z9' is not understood"),
        (["I1 a 0 1 m=-1"], "m must be positive"),
        (["E1 a 0 b 0"], "e1 must have two nodes and a gain"),
        (["E1 a 0 b 0 table=1"], "e1 has 'table', which is not understood"),
        (["E1 a 0 laplace {v(a)} {1/s}"], "functions of frequency or time are not understood"),
        (["E1 a 0 value={v(b)*v(b)}"], "'{v\\(b\\)\\*v\\(b\\)}' must be linear"),
        (["E1 a 0 value={v()}"], "v\\(\\) is not understood"),
        (["E1 a 0 poly(2) b 0 c 0 0 1 1 5"], "POLY has products of voltages or currents"),
        (["E1 a 0 poly(2) b 0 c 0"], r"must have POLY\(n\), n controls and coefficients"),
        (["E1 a 0 poly(x) b 0 1"], r"must have POLY\(n\)"),
        (["F1 a 0 2"], "f1 must have a voltage source and a gain"),
        (["B1 a 0"], "'B1 a 0', which is not understood"),
        (["B1 a 0 v={abs(v(b))}"], "must be linear"),
        (["G1 a 0 b 0 1 m=0"], "m must be positive"),
        (["X1 a 0 none"], "the subcircuit 'none' is not defined"),
        (["X1"], "must have a name, nodes and a subcircuit"),
        ([".subckt s a b", ".ends", "X1 a s"], "must connect the 2 nodes of 's', not 1"),
        ([".subckt s a b", ".ends", "X1 a 0 s r=1"], "'s' has no parameter 'r'"),
        ([".subckt s a b", ".ends", "X1 a 0 s m=0"], "m must be positive"),
        ([".subckt s a b", "X1 a b s", ".ends", "X1 a 0 s"], "'s' contains itself"),
        ([".subckt s a b", "R1 a b 1"], r"deck\.cir:2: the subcircuit 's' has no \.ends"),
        ([".subckt s a a", ".ends", "X1 b c s"], "the nodes of 's' must differ"),
        ([".subckt s", ".ends", "X1 s", "X1 s"], "the name 'x1' is used twice"),
        ([".subckt s", ".ends t"], "has no matching .subckt"),
        ([".ends"], "has no matching .subckt"),
        ([".subckt"], "needs a name and its nodes"),
        (
            [".subckt s a", ".ends", ".subckt s a", "R1 a 0 1", ".ends", "X1 b s"],
            "the subcircuit 's' is defined twice",
        ),
        (
            [".subckt s a r=1", ".param r=2", ".ends", "X1 b s"],
            "'r' is a parameter of the subcircuit",
        ),
        ([".options rshunt=0"], "rshunt must be positive"),
        ([".options scale=2"], "the option scale changes the circuit"),
        ([".options gshunt=1n"], "the option gshunt changes the circuit"),
        ([".options whatever"], "'whatever' is not known to leave the operating point as it is"),
        ([".temp"], r"\.temp must have a temperature"),
        ([".temp hot"], "'hot' must be a number"),
        ([".connect a"], "must name two nodes"),
        (
            [".subckt s a", ".options rshunt=1", ".ends", "X1 a s"],
            r"deck\.cir:3: \.options must stand outside of subcircuits and \.if",
        ),
        ([".if (0)", ".temp 50", ".endif"], r"\.temp must stand outside"),
        ([".lib"], "must name a file and a section"),
        (["+ 1"], "'\\+' continues a statement, but there is none"),
        ([".data d a", "1"], r"\.data must be closed by \.enddata"),
        ([".control", "run"], r"\.control must be closed by \.endc"),
    ],
)
def test_what_is_not_understood_is_named_with_its_file_and_line(tmp_path, lines, message):
    with pytest.raises(FileError, match=message) as caught:
        read(tmp_path, *lines)
    assert str(caught.value).startswith("deck.cir:")


PIECES = [" ", "\n", "+", "{", "}", "(", ")", "=", "'", "*", "**", "0", "1e9", "1e400", "-", "m="]
PIECES += ["dc", "ac", "r=", "x1 ", ".param ", ".subckt a b", "\n.ends\n", "\n.include a\n", "nan"]
PIECES += ["\0", "é", "gnd", ",", ";", "$", "//", '"', "\\", "1k2", "meg", "9" * 50, "e99999999999"]
DECK = """* deck
.param x=1k y={2*x}
.subckt s a b r=1
R1 a m {r}
V1 m b 0.5
.ends
V1 a 0 dc 1 ac 2
R1 a b 'y/2' m=2
X1 b 0 s r={x}
I1 0 b 1m
.op
.end
"""


@pytest.mark.filterwarnings("ignore::xbar.XbarWarning")
def test_whatever_a_deck_says_it_is_solved_or_refused_but_never_crashes(tmp_path):
    rng = random.Random(0)
    refused = 0
    for _ in range(600):
        text = DECK
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(PIECES) + text[at + rng.choice([0, 0, 1, 3, 10]) :]
        (tmp_path / "deck.cir").write_text(text)
        try:
            xbar.read_spice(tmp_path / "deck.cir").solve()
        except XbarError:
            refused += 1
    assert 100 < refused < 600


def test_a_hundred_million_elements_in_nine_lines_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("xbar.circuit.deck.hierarchy._MOST", 1000)
    lines = [".subckt s0 a", "R1 a 0 1", ".ends"]
    for k in range(1, 9):
        lines += [f".subckt s{k} a", *(f"X{n} a s{k - 1}" for n in range(10)), ".ends"]
    with pytest.raises(FileError, match="fewer than 1000 elements"):
        read(tmp_path, *lines, "X1 a s8")


# files ----------------------------------------------------------------------------------------


def test_a_file_beside_the_deck_is_included_without_a_title(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "Cells.inc").write_text(".subckt s a\nR1 a 0 5\n.ends\n.inc 'more.inc'\n")
    (tmp_path / "lib" / "more.inc").write_text("R2 a 0 6\n")
    assert read(tmp_path, '.include "lib/Cells.inc"', "X1 a s") == {"r2": 6.0, "r.x1.r1": 5.0}


def test_no_file_outside_of_the_decks_folder_is_included(tmp_path):
    (tmp_path / "secret").write_text("R1 a 0 1\n")
    folder = tmp_path / "decks"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    for path in ("../secret", str(tmp_path / "secret"), "link", "/etc/passwd"):
        with pytest.raises(FileError, match=r"deck\.cir:2: .* only from the deck's folder"):
            xbar.read_spice(write(folder, f".include {path}"))


@pytest.mark.parametrize("name", ["n" * 300, "µ" * 200, "a/" * 3000, "sub/" + "n" * 256 + "/x"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(FileError, match="is not a file name"):
        read(tmp_path, f".include {name}")


def test_files_that_include_each_other_are_refused(tmp_path):
    (tmp_path / "a.inc").write_text(".include b.inc\n")
    (tmp_path / "b.inc").write_text(".include a.inc\n")
    with pytest.raises(FileError, match="includes itself"):
        read(tmp_path, ".include a.inc")


def test_what_is_no_deck_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"deck\.cir:2: .* must exist"):
        read(tmp_path, ".include none.inc")
    with pytest.raises(FileError, match="can't be read"):
        xbar.read_spice(tmp_path / "none.cir")
    with pytest.raises(FileError, match="can't be read"):
        xbar.read_spice(tmp_path)
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0")
    with pytest.raises(FileError, match="binary"):
        xbar.read_spice(tmp_path / "binary")
    with pytest.raises(FileError, match="Spectre's language"):
        read(tmp_path, "simulator lang=spectre")
