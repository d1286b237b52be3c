"""Decks that are small and would take much: refused with the limit named, within seconds.

A random deck is solved or refused with an error of xbar's own, whatever it says.
"""

from __future__ import annotations

import os
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xbar
from xbar.errors import FileError, XbarError


def write(tmp_path, text):
    path = tmp_path / "deck.cir"
    path.write_bytes(text if isinstance(text, bytes) else f"* deck\n{text}\n".encode())
    return path


def chain(lines, count, last):
    """``count`` lines, each of which uses the one before twice."""
    return "\n".join([*(line for k in range(1, count) for line in lines(k)), last])


MANY = 100_000
BOMBS = {
    "elements of subcircuits": (
        ".subckt s0 a\nR1 a 0 1\n.ends\n"
        + chain(
            lambda k: [f".subckt s{k} a", *(f"X{n} a s{k - 1}" for n in range(10)), ".ends"],
            9,
            "X1 a s8",
        ),
        "fewer than 20000 elements and instances",
    ),
    "empty instances": (
        ".subckt s0 a\n.ends\n"
        + chain(
            lambda k: [f".subckt s{k} a", *(f"X{n} a s{k - 1}" for n in range(10)), ".ends"],
            9,
            "X1 a s8",
        ),
        "fewer than 20000 elements and instances",
    ),
    "long names": (
        ".subckt s a\n"
        + "\n".join(f"R{k} a 0 1" for k in range(300))
        + f"\n.ends\nX{'n' * 800_000} a s",
        "names of fewer than 200000000 characters",
    ),
    "many ports": (
        f".subckt s {' '.join(f'p{k}' for k in range(3000))}\n.ends\n.subckt t a\n"
        + "\n".join(f"X{k} {'a ' * 3000} s" for k in range(40))
        + "\n.ends\n"
        + "\n".join(f"X{k} a t" for k in range(1000)),
        "fewer than 400000 operations",
    ),
    "functions that call twice": (
        ".func f0(x) {x}\n"
        + chain(lambda k: [f".func f{k}(x) {{f{k - 1}(x)+f{k - 1}(x)}}"], 26, "R1 a 0 {f25(1)}"),
        "fewer than 400000 operations",
    ),
    "functions within functions": (
        ".func f0(x) {x}\n"
        + chain(lambda k: [f".func f{k}(x) {{f{k - 1}(x)}}"], 99, "R1 a 0 {f98(1)}"),
        "calls itself, or is nested too deeply",
    ),
    "definitions within definitions": (
        "\n".join(f".subckt s{k} a" for k in range(30_000)),
        "within 50 others",
    ),
    "choices within choices": (".if (1)\n" * 30_000, "nested more than 50 deep"),
    "braces": (f"R1 a 0 {'{' * MANY}", "not closed"),
    "parentheses": (f"R1 a 0 {{{'(' * 1500}1{')' * 1500}}}", "nested too deeply"),
    "a long formula": (f"R1 a 0 {{1{'+1' * MANY}}}", "shorter than 4000 characters"),
    "digits": (f"R1 a 0 {'1' * MANY}!", "must be a number"),
    "equals signs": (f"R1 a 0 {'=' * MANY}", "must have one resistance"),
    "a parameter by itself": (".param p={p}\nR1 a 0 {p}", "defined by itself"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_deck_that_would_take_much_is_refused_with_the_limit(tmp_path, name, monkeypatch):
    monkeypatch.setattr("xbar.circuit.deck.hierarchy._MOST", 20_000)
    monkeypatch.setattr("xbar.circuit.deck.scope._MOST_WORK", 400_000)
    text, message = BOMBS[name]
    with pytest.raises(FileError, match=message) as caught:
        xbar.read_spice(write(tmp_path, text))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "\n" * MANY,
        " " * MANY,
        "*" * MANY,
        "\n".join("*" + "x" * 300 for _ in range(1000)),
        "R1 a 0 1" + ", " * MANY,
        "R1 a 0 1\n" + "+\n" * MANY,
        ".if (0)\n.endif\n" * 20_000,
        "\n".join(f".param p{k}={{p{k - 1}+1}}" for k in range(6_000, 0, -1)) + "\n.param p0=1",
        "\n".join(f".param p{k}={{p{k + 1}+1}}" for k in range(6_000)),
        ".subckt s a\nR1 a 0 1\n.ends\n" * 20_000,
    ],
)
def test_much_of_what_has_no_effect_is_read(tmp_path, text):
    circuit = xbar.read_spice(write(tmp_path, text + "\nR9 x 0 1"))
    assert [element.name for element in circuit.elements if element.name == "r9"]


def test_a_long_chain_of_parameters_is_followed_in_any_order(tmp_path):
    lines = [f".param p{k}={{p{k - 1}+1}}" for k in range(1, 5000)]
    for order in (lines, lines[::-1]):
        text = "\n".join([*order, ".param p0=0", "I1 0 a 1", "R1 a 0 {p4999}"])
        assert xbar.read_spice(write(tmp_path, text)).elements[1].value == 4999


def test_inclusions_are_bounded_in_number_and_in_size(tmp_path):
    (tmp_path / "none.inc").write_text("* nothing\n")
    with pytest.raises(FileError, match="fewer than 1000 files"):
        xbar.read_spice(write(tmp_path, ".include none.inc\n" * 1001))
    (tmp_path / "big.inc").write_text("*" * 1_000_000)
    with pytest.raises(FileError, match="fewer than 33554432 characters"):
        xbar.read_spice(write(tmp_path, ".include big.inc\n" * 60))
    for k in range(20):
        (tmp_path / f"d{k}.inc").write_text(f".include d{k + 1}.inc\n")
    with pytest.raises(FileError, match=r"too deeply \(limit 16\)"):
        xbar.read_spice(write(tmp_path, ".include d0.inc"))


def test_what_is_no_regular_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="regular file"):
        xbar.read_spice(tmp_path / "pipe")
    with pytest.raises(FileError, match="must exist"):
        xbar.read_spice(write(tmp_path, ".include pipe"))


# random decks ---------------------------------------------------------------------------------

NAMES = st.sampled_from(['"q r"', *"a b 0 gnd x1.m $g1 n(1) é r1 v1 s".split()])
NUMBERS = st.sampled_from(
    "1 2.2k 0 -1 1e400 1x 10A 4k7 {p} {p*2+q} 'p?1:2' {v(a)} {-p**2} {log(p)} {i(v1)*2} {f(p)} "
    "{1/0} {9**999} { '' rm nan".split()
)
WORDS = st.sampled_from(
    "dc ac sin( pwl pulse poly(2) value= m= tc= r= params: l=1u w=1u td= td file ) ( , = + $ ; / * "
    "\\\\ \" '".split()
)
HEADS = st.sampled_from(
    "R1 R2 V1 V2 I1 C1 L1 E1 F1 G1 H1 B1 X1 X2 K1 D1 + . .param .func_f(x) .subckt_s .ends .if "
    ".else .endif .model_rm_r .include_deck.cir .lib_deck.cir .lib_deck.cir_tt .lib_tt .endl "
    ".step_param .temp .options .global .connect .end .control .endc .data .preprocess".split()
)
LINES = st.tuples(HEADS, st.lists(st.one_of(NAMES, NUMBERS, WORDS), max_size=8)).map(
    lambda parts: " ".join([parts[0].replace("_", " "), *parts[1]])
)
DECKS = st.lists(LINES, max_size=12).map("\n".join)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(
    st.one_of(st.binary(max_size=300), DECKS.map(lambda text: f"* deck\n{text}".encode())),
    st.sampled_from([None, "ngspice", "xyce", "hspice", "ltspice"]),
)
def test_whatever_a_random_deck_says_it_is_solved_or_refused(tmp_path_factory, data, dialect):
    path = tmp_path_factory.getbasetemp() / "deck.cir"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xbar.XbarWarning)
        try:
            op = xbar.read_spice(path, dialect).solve()
        except XbarError as error:
            assert str(error)
        else:
            assert all(abs(value) < float("inf") for value in op.voltage.values())
