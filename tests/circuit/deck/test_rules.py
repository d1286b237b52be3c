"""What dialects read differently: by the named one's rule, else refused or remarked on."""

from __future__ import annotations

import math

import pytest

import xbar
from xbar.errors import FileError, SpecError, XbarWarning


def write(tmp_path, *lines):
    path = tmp_path / "deck.cir"
    path.write_text("\n".join(["* deck", *lines, ".end", ""]))
    return path


def ohms(tmp_path, text, dialect, *lines):
    """Resistance that a text stands for, by the voltage that 1 A makes."""
    path = write(tmp_path, "I1 0 a 1", f"R1 a 0 {text}", *lines)
    return xbar.read_spice(path, dialect).solve().voltage["a"]


NOT = "refused"
READINGS = [
    # text, and what ngspice, xyce, hspice, ltspice read
    ("1x", 1.0, 1e6, 1e6, 1.0),
    ("{log(100)}", math.log(100), 2.0, math.log(100), math.log(100)),
    ("{2^3}", 8.0, NOT, 8.0, NOT),
    ("{10-2**2}", 6.0, 6.0, 6.0, 6.0),
    ("{10+-2**2}", NOT, 6.0, NOT, NOT),
    ("{10+(-2)**3}", 18.0, 2.0, 2.0, 2.0),
    ("{10+pwr(-2,3)}", 18.0, 18.0, 2.0, 18.0),
    ("{10+pow(-2,3)}", 2.0, 2.0, 2.0, 2.0),
    ("{nint(2.5)}", 2.0, 3.0, 3.0, 3.0),
    ("{limit(5,1,3)}", NOT, 3.0, 5.0, 3.0),
    ("{agauss(7,1,3)}", NOT, 7.0, 7.0, NOT),
    ("{2mil}", NOT, 50.8e-6, 50.8e-6, 50.8e-6),
    ("4k7", NOT, NOT, NOT, 4700.0),
    ("{temper}", 27.0, 27.0, 25.0, 27.0),
    ("{e}", NOT, NOT, NOT, math.e),
    ("{exp}", NOT, math.e, NOT, NOT),
    ("{1k*vt}", NOT, 1e3 * 1.3806226e-23 * 300.15 / 1.6021918e-19, NOT, NOT),
    ("1k m=2", 500.0, 500.0, 500.0, 500.0),
    ("1k 1m 0", NOT, NOT, 1000.0, NOT),
]


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        (text, dialect, value)
        for text, *values in READINGS
        for dialect, value in zip(("ngspice", "xyce", "hspice", "ltspice"), values, strict=True)
    ],
)
def test_a_value_is_what_the_named_dialect_reads(tmp_path, text, dialect, expected):
    if text == "{2mil}" and dialect == "ngspice":
        assert ohms(tmp_path, text, dialect) == pytest.approx(2e-3)  # its formulas know milli only
    elif expected == NOT:
        with pytest.raises(FileError):
            ohms(tmp_path, text, dialect)
    else:
        assert ohms(tmp_path, text, dialect) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "1x",
        "{log(2)}",
        "{2^3}",
        "{10+-2**2}",
        "{10+(-2)**3}",
        "{10+(-2)**0.5}",
        "{10+pwr(-2,3)}",
        "{nint(2.5)}",
        "{2mil}",
    ],
)
def test_without_a_dialect_what_simulators_read_differently_is_refused(tmp_path, text):
    with pytest.raises(FileError, match="simulators") as caught:
        ohms(tmp_path, text, None)
    assert str(caught.value).startswith("deck.cir:3:")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["R1 a 0 rmod 1k", ".model rmod r r=2"], "multiplies its value"),
        (["R1 a 0 rmod l=9u w=1u", ".model rmod r rsh=1 narrow=1n"], "count twice in ngspice"),
        ([".subckt s p", "R1 p 0 1 m=2", ".ends", "X1 a s m=3"], "replaced by it in ngspice"),
    ],
)
def test_without_a_dialect_elements_that_differ_are_refused(tmp_path, lines, message):
    with pytest.raises(FileError, match=message):
        xbar.read_spice(write(tmp_path, "I1 0 a 1", *lines))


def test_a_models_r_is_the_value_in_ngspice_and_a_factor_elsewhere(tmp_path):
    model = ".model rmod r r=3"
    assert ohms(tmp_path, "rmod", "ngspice", model) == pytest.approx(3)
    assert ohms(tmp_path, "rmod 1k", "ngspice", model) == pytest.approx(1e3)
    assert ohms(tmp_path, "rmod 1k", "xyce", model) == pytest.approx(3e3)
    assert ohms(tmp_path, "1k rmod", "ltspice", model) == pytest.approx(3e3)


def test_the_etched_width_counts_on_both_sides_in_ngspice_and_once_in_xyce(tmp_path):
    model = ".model rmod r rsh=8 narrow=1u"
    assert ohms(tmp_path, "rmod l=10u w=4u", "ngspice", model) == pytest.approx(8 * 10 / 2)
    assert ohms(tmp_path, "rmod l=10u w=4u", "xyce", model) == pytest.approx(8 * 9 / 3)


@pytest.mark.parametrize("dialect", ["xyce", "hspice", "ltspice"])
def test_every_m_around_an_element_multiplies(tmp_path, dialect):
    lines = [".subckt t p", "R1 p 0 24 m=2", ".ends", ".subckt s p", "X1 p t m=3", ".ends"]
    path = write(tmp_path, "I1 0 a 1", "X1 a s m=4", *lines)
    assert xbar.read_spice(path, dialect).solve().voltage["a"] == pytest.approx(1.0)


@pytest.mark.parametrize("dialect", [None, "ngspice"])
def test_an_a_after_a_number_is_told_to_be_atto_elsewhere(tmp_path, dialect):
    path = write(tmp_path, "I1 0 a 10A", "R1 a 0 1")
    with pytest.warns(XbarWarning, match="'10a' is read as 10; HSPICE and newer versions"):
        assert xbar.read_spice(path, dialect).solve().voltage["a"] == pytest.approx(10)
    assert xbar.read_spice(path, "hspice").solve().voltage["a"] == pytest.approx(1e-17)


@pytest.mark.parametrize(
    ("dialect", "grounds", "others"),
    [
        ("ngspice", ["gnd", "GND"], ["gnd!", "ground"]),
        ("ltspice", ["gnd"], ["gnd!"]),
        ("hspice", ["gnd", "gnd!", "ground"], []),
        ("xyce", [], ["gnd", "gnd!", "ground"]),
    ],
)
def test_ground_has_the_names_of_the_dialect(tmp_path, dialect, grounds, others):
    for name in grounds:
        path = write(tmp_path, "I1 0 a 1", f"R1 a {name} 2")
        assert xbar.read_spice(path, dialect).solve().voltage["a"] == pytest.approx(2)
    for name in others:
        path = write(tmp_path, "I1 0 a 1", f"R1 a {name} 2", f"R2 {name} 0 3")
        op = xbar.read_spice(path, dialect).solve()
        assert op.voltage["a"] == pytest.approx(5)
        path = write(tmp_path, ".preprocess replaceground true", "I1 0 a 1", f"R1 a {name} 2")
        assert xbar.read_spice(path, dialect).solve().voltage["a"] == pytest.approx(2)


def test_a_port_with_the_name_of_ground_is_ground_and_told(tmp_path):
    lines = [".subckt s p gnd", "R1 p gnd 1", ".ends", "I1 0 a 1", "X1 a b s", "R2 b 0 1"]
    with pytest.warns(XbarWarning, match="the port 'gnd' is the node '0' everywhere"):
        op = xbar.read_spice(write(tmp_path, *lines)).solve()
    assert (op.voltage["a"], op.voltage["b"]) == (pytest.approx(1), 0)
    assert xbar.read_spice(write(tmp_path, *lines), "xyce").solve().voltage["a"] == pytest.approx(2)


def test_nodes_of_xyce_that_begin_with_a_dollar_and_g_are_shared_and_a_colon_goes_down(tmp_path):
    lines = [".subckt s p", "R1 p q 1", "V1 q r 0", "R2 r $gx 1", ".ends", "R3 $gx 0 2"]
    lines += ["I1 0 a 1", "X1 a s", "E1 b 0 x1:q 0 1", "F1 0 c x1:v1 1", "R4 c 0 1", "R5 b 0 1"]
    op = xbar.read_spice(write(tmp_path, *lines), "xyce").solve()
    expected = {"a": 4, "x1.q": 3, "$gx": 2, "b": 3, "c": 1}
    assert {node: op.voltage[node] for node in expected} == pytest.approx(expected)


def test_hspice_lets_the_decks_parameters_win_so_that_both_are_refused(tmp_path):
    lines = [".param r=1", ".subckt s p r=2", "R1 p 0 {r}", ".ends", "X1 a s", "I1 0 a 1"]
    with pytest.raises(FileError, match="in HSPICE the deck's wins"):
        xbar.read_spice(write(tmp_path, *lines), "hspice")
    local = write(tmp_path, *lines, ".option parhier=local")
    assert xbar.read_spice(local, "hspice").solve().voltage["a"] == pytest.approx(2)


def test_an_instance_of_xyce_sets_what_the_subcircuit_only_uses_or_defines(tmp_path):
    lines = ["I1 0 a 1", ".subckt s p params: q=1", ".param t=5", "R1 p 0 {u+t+q}", ".ends"]
    path = write(tmp_path, *lines, "X1 a s params: u=2 t={u+1} q=7")
    assert xbar.read_spice(path, "xyce").solve().voltage["a"] == pytest.approx(2 + 3 + 7)
    with pytest.raises(FileError, match="'s' has no parameter 'u'"):
        xbar.read_spice(path)
    with pytest.raises(FileError, match="'s' has no parameter 'w'"):
        xbar.read_spice(write(tmp_path, *lines, "X1 a s u=2 w=3"), "xyce")


def test_connected_nodes_are_one_and_what_follows_an_alteration_is_not_read(tmp_path):
    lines = [".connect b c", "V1 a 0 1", "R1 a b 1k", "R2 c 0 1k", ".alter", "R2 c 0 5k"]
    with pytest.warns(XbarWarning, match=r"read up to \.alter"):
        op = xbar.read_spice(write(tmp_path, *lines), "hspice").solve()
    assert op.voltage["b"] == op.voltage["c"] == pytest.approx(0.5)


def test_an_unknown_dialect_is_refused(tmp_path):
    with pytest.raises(SpecError, match="dialect must be one of ngspice, xyce, hspice, ltspice"):
        xbar.read_spice(write(tmp_path, "R1 a 0 1"), "pspice")
    assert xbar.read_spice(write(tmp_path, "R1 a 0 1"), "LTspice").elements


# what is assumed is told ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message", "volts"),
    [
        ([".param q=5", ".step param q 2 4 1", "R1 a 0 {q}"], "first value is taken: q = 2", 2),
        ([".step param q list 3 4", "R1 a 0 {q}"], "first value is taken: q = 3", 3),
        ([".step lin R1 4 5 1", "R1 a 0 9"], "first value is taken: r1 = 4", 4),
        ([".step i1 2 5 1", "R1 a 0 9"], "first value is taken: i1 = 2", 18),
        ([".step temp 37 47 10", "R1 a 0 1 tc1=0.1"], "first value is taken: temp = 37", 2),
        ([".temp 47 57", "R1 a 0 1 tc1=0.1"], "the first is taken", 3),
        ([".param q=1", ".param q=6", "R1 a 0 {q}"], "'q' is defined again; the last", 6),
        (["R1 a 0 7", ".control", "alter R1=1", ".endc"], "'alter R1=1' may change the circuit", 7),
        (
            [".param q=1 r={3*q}", ".if (q==1)", ".param q=2", ".endif", "R1 a 0 {r}"],
            "'q' is defined again within .if",
            6,
        ),
        ([".preprocess addresistors nodcpath 1g", "R1 a 0 8"], "no resistors are added", 8),
        ([".param q=2", ".options loca conparam=q", "R1 a 0 {q}"], "is not run; parameters", 2),
    ],
)
def test_what_is_assumed_is_a_warning_and_a_note(tmp_path, lines, message, volts):
    with pytest.warns(XbarWarning, match=message):
        circuit = xbar.read_spice(write(tmp_path, "I1 0 a 1", *lines))
    assert any(message in note for note in circuit.notes)
    assert circuit.solve().voltage["a"] == pytest.approx(volts)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the deck has no element"),
        ([".subckt top a", "R1 a 0 1", ".ends"], "instantiate one of them, such as 'top'"),
        (["R1 a 0 1k RES l=1u a=1p"], "the model 'res' is not defined"),
        (["V1 a gnd! 1", "R1 a gnd! 1", "R2 a 0 1"], "the node 'gnd!' is ground in HSPICE"),
    ],
)
def test_what_a_reader_may_not_expect_is_told(tmp_path, lines, message):
    with pytest.warns(XbarWarning, match=message):
        xbar.read_spice(write(tmp_path, *lines))


def test_directives_need_no_blank_before_a_parenthesis_and_cdl_may_glue_its_slash(tmp_path):
    lines = [".param k=2", ".if(k==1)", "R1 a 0 1", ".elseif(k==2)", "R1 a 0 2", ".endif"]
    lines += ["I1 0 a 1", ".subckt s p", "R1 p 0 2", ".ends", "XI0 a /s", "X1 a / s"]
    op = xbar.read_spice(write(tmp_path, *lines)).solve()
    assert op.voltage["a"] == pytest.approx(2 / 3)


def test_of_values_within_and_after_a_choice_the_last_one_counts(tmp_path):
    choice = [".if (1)", ".if (1)", ".param r=2", ".endif", ".endif"]
    path = write(tmp_path, *choice, ".param r=7", "I1 0 a 1", "R1 a 0 {r}")
    assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(7)


@pytest.mark.parametrize(
    "part", ["sw*agauss(0,1,1)*3", "agauss(0,1,1)*sw*3", "agauss(0,1,1)/7*3*sw", "-gauss(1,2,3)*sw"]
)
def test_a_random_part_that_is_switched_off_is_no_obstacle(tmp_path, part):
    path = write(tmp_path, f".param sw=0 r={{5+{part}}}", "I1 0 a 1", "R1 a 0 {r}")
    assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(5)
    path.write_text(path.read_text().replace("sw=0", "sw=1"))
    with pytest.raises(FileError, match=r"a?gauss is a random draw"):
        xbar.read_spice(path)


def test_a_draw_plus_0_is_a_draw(tmp_path):
    path = write(tmp_path, "I1 0 a 1", "R1 a 0 {agauss(1,1,1)+0*5}")
    with pytest.raises(FileError, match="agauss is a random draw"):
        xbar.read_spice(path)


def test_the_remarks_of_a_deck_are_bounded(tmp_path):
    lines = [f".step param q{k} 1 2 1" for k in range(100)]
    with pytest.warns(XbarWarning):
        circuit = xbar.read_spice(write(tmp_path, "R1 a 0 1", *lines))
    assert len(circuit.notes) == 21
    assert circuit.notes[-1] == "and 80 more remarks of this kind"


@pytest.mark.parametrize(
    "first", ["R0 b a 4", "V9 a 0 sin(0 1 1k)", "E1 b 0 a 0 2", ".param q=1", ".include x.inc"]
)
def test_a_first_line_that_is_no_title_is_told_and_named_where_a_node_dangles(tmp_path, first):
    path = tmp_path / "deck.cir"
    path.write_text(f"{first}\nR1 a 0 1\nR2 b c 1\n")
    with pytest.warns(XbarWarning, match="line 1, .* was taken as the title"):
        circuit = xbar.read_spice(path)
    with pytest.raises(xbar.XbarError, match=r"'b', 'c' are not \(line 1"):
        circuit.solve(floating="refuse")


@pytest.mark.parametrize(
    "title",
    [
        "Voltage divider",
        "R-2R ladder of 4 bits",
        "resistors test deck 1",
        "* V1 a 0 1",
        "Iout 2 mA",
    ],
)
def test_a_title_of_words_is_no_element(tmp_path, title):
    path = tmp_path / "deck.cir"
    path.write_text(f"{title}\nR1 a 0 1\n")
    assert xbar.read_spice(path).notes == ()


# files ----------------------------------------------------------------------------------------


def test_a_variable_in_a_path_is_expanded_and_never_shown(tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "r.inc").write_text("R1 a 0 5\n")
    for name in ("$KIT", "${KIT}", "$(KIT)", "%KIT%"):
        path = write(tmp_path, "I1 0 a 1", f'.include "{name}/r.inc"')
        monkeypatch.setenv("KIT", "parts")
        assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(5)
        monkeypatch.setenv("KIT", "/somewhere/private")
        with pytest.raises(FileError, match="only from the deck's folder") as caught:
            xbar.read_spice(path)
        assert "private" not in str(caught.value)
        monkeypatch.delenv("KIT")
        with pytest.raises(FileError, match="'KIT' is not set"):
            xbar.read_spice(path)


def test_a_library_gives_its_section_and_sections_may_use_others(tmp_path):
    (tmp_path / "p.lib").write_text(
        ".lib tt\n.lib 'p.lib' all\n.param r=2\n.endl tt\n.lib ff\n.param r=1\n.endl\n"
        ".lib all\n.param s=10\n.endl all\n.param never=1\n"
    )
    path = write(tmp_path, "I1 0 a 1", ".lib p.lib TT", "R1 a 0 {r*s}")
    assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(20)
    with pytest.raises(FileError, match="must have the section 'ss', and has tt, ff, all"):
        xbar.read_spice(write(tmp_path, ".lib p.lib ss"))
    with pytest.raises(FileError, match="'s' is not defined"):
        xbar.read_spice(write(tmp_path, ".lib p.lib ff", "R1 a 0 {r*s}"))


def test_file_names_are_found_in_any_case_and_with_backslashes(tmp_path):
    (tmp_path / "Sub").mkdir()
    (tmp_path / "Sub" / "Cells.LIB").write_text("R1 a 0 5\n")
    path = write(tmp_path, "I1 0 a 1", r".include Sub\cells.lib")
    assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_deck_is_read_in_any_encoding_and_with_any_line_ends(tmp_path, encoding, end):
    text = end.join(["* título", "I1 0 añ 10µ", "R§1 añ 0 1kΩ", ".end", ""])
    path = tmp_path / "deck.cir"
    path.write_bytes(text.encode(encoding))
    op = xbar.read_spice(path).solve()
    assert op.voltage["añ"] == pytest.approx(0.01)
    assert op.current["r§1"] == pytest.approx(1e-5)


def test_latin_1_is_what_is_no_utf_8(tmp_path):
    path = tmp_path / "deck.cir"
    path.write_bytes("* título\nI1 0 a 10µ\nR1 a 0 1k\n".encode("latin-1"))
    assert xbar.read_spice(path).solve().voltage["a"] == pytest.approx(0.01)


def test_comments_begin_with_a_star_a_semicolon_two_slashes_or_a_dollar_word(tmp_path):
    lines = [
        "I1 0 a$1 1 $ one",
        "R1 a$1 b 1 ; two",
        "R2 b c 1 // three",
        "  * four",
        "R3 c 0",
        "+ 1",
    ]
    lines += ["* within", "$ five", "R4 a$1 c 1e9\\\\", "m=1e-9"]
    op = xbar.read_spice(write(tmp_path, *lines)).solve()
    assert op.voltage["a$1"] == pytest.approx(3, abs=1e-8)


def test_series_and_parallel_resistances_of_ltspice_and_of_a_port_count(tmp_path):
    lines = [
        "V1 a 0 3 Rser=1",
        "L1 a b 1m Rser=1",
        "C1 b 0 1u Rpar=1",
        "V2 p 0 ac 1 dc 2 portnum 1",
    ]
    path = write(tmp_path, *lines, "+ z0 50", "R1 p 0 50")
    op = xbar.read_spice(path, "ltspice").solve()
    assert (op.voltage["a"], op.voltage["b"]) == (pytest.approx(2), pytest.approx(1))
    assert op.current["v1"] == pytest.approx(-1)
    assert op.voltage["p"] == pytest.approx(1)
