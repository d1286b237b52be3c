"""Configuration files against ones that are written by hand, and each damage by its name."""

import numpy as np
import pytest

from xbar.compiler.devices import COLUMNS, read_devices, safe_name
from xbar.compiler.words import read_words, words_text
from xbar.errors import FileError

MASK = np.zeros((4, 4, 5), dtype=bool)
MASK[0, 0, 0] = MASK[0, 1, 4] = MASK[3, 3] = True
TEXT = """\
// xbar configuration words, format 1, tile 7
// word_lines 4 bit_lines 4 resistors 5 layout rows
// one word a cell: word line w, bit line b is switches[4 * w + b]
// bit k of a word, bit 0 the lowest, is resistor k: 1 switched in, 0 open
// resistor k of a cell lies on the array's word line 5 w + k
// reg [4:0] switches [0:15]; initial $readmemh("t.hex", switches);
@0 01 10 00 00
@4 00 00 00 00
@8 00 00 00 00
@c 00 00 00 1f
"""
TABLE = ",".join(COLUMNS) + "\n"


def row(word_line, bit_line, resistor, on):
    places = {"word_line": word_line, "bit_line": bit_line, "resistor": resistor}
    return ",".join(str({**places, "switched_in": on}.get(name, 0)) for name in COLUMNS) + "\n"


def test_a_tile_of_16_cells_is_written_with_one_digit_an_address():
    assert words_text(MASK, 7, "rows", "t.hex") == TEXT


@pytest.mark.parametrize(
    ("resistors", "word"),
    [(1, "1"), (4, "f"), (5, "1f"), (8, "ff"), (9, "1ff"), (12, "fff"), (13, "1fff")],
)
def test_a_word_has_the_fewest_digits_that_hold_its_bits(resistors, word):
    text = words_text(np.ones((1, 1, resistors), dtype=bool), 0, "cell", "t")
    assert text.splitlines()[-1] == f"@0 {word}"


def test_what_is_written_by_hand_is_read(tmp_path):
    (tmp_path / "t.hex").write_text(TEXT)
    np.testing.assert_array_equal(read_words(tmp_path / "t.hex"), MASK)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@4 ", "@5 ", "word line 1 must be its address and 4 words, not '@5 00"),
        ("@4 00", "@4", "word line 1 must be its address and 4 words"),
        ("@4 00", "@4 00 00", "word line 1 must be its address and 4 words"),
        ("@4 ", "4 ", "word line 1 must be its address and 4 words"),
        ("1f\n", "1f", "must hold 4 word lines, not 4; write it again"),
        ("@c 00 00 00 1f\n", "", "must hold 4 word lines, not 3"),
        ("1f\n", "1f\n@10 00 00 00 00\n", "must hold 4 word lines, not 5"),
        ("1f\n", "20\n", "word line 3 has a word of more than 5 bits"),
        ("format 1", "format 2", "has format 2, this xbar reads 1"),
        ("resistors 5", "resistors 0", "4 x 4 cells of 0 resistors are not a tile"),
        ("resistors 5", "resistors 65", "4 x 4 cells of 65 resistors are not a tile"),
        ("// xbar", "// xbra", "is not a file of configuration words"),
        (TEXT[TEXT.index("\n") :], "", "is not a file of configuration words"),
    ],
)
def test_each_damage_is_told(tmp_path, old, new, message):
    (tmp_path / "t.hex").write_text(TEXT.replace(old, new))
    with pytest.raises(FileError, match=message):
        read_words(tmp_path / "t.hex")


def test_a_table_with_each_resistor_once_is_read(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE + row(0, 1, 0, 1) + row(0, 0, 0, 0))
    expected = np.array([[[False], [True]]])
    np.testing.assert_array_equal(read_devices(tmp_path / "t.csv", (1, 2, 1)), expected)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(0, 2, 0, 1), "line 3 is not a resistor of 1 x 2 cells"),
        (row(0, -1, 0, 1), "line 3 is not a resistor of 1 x 2 cells"),
        (row(0, 1, 0, 2), "line 3 is not a resistor of 1 x 2 cells"),
        (row(0, 0, 0, 1), "line 3 repeats a resistor"),
        (row(0, "one", 0, 1), "line 3 must name a resistor"),
        ("0,1\n", f"line 3 must have {len(COLUMNS)} fields, not 2"),
        ("", "lists 1 of 2 resistors"),
    ],
)
def test_a_table_with_anything_else_is_refused(tmp_path, bad, message):
    (tmp_path / "t.csv").write_text(TABLE + row(0, 0, 0, 0) + bad)
    with pytest.raises(FileError, match=message):
        read_devices(tmp_path / "t.csv", (1, 2, 1))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("=1+1", "\\x3d1+1"),
        ("＝1+1", "\\uff1d1+1"),
        ("＋1", "\\uff0b1"),
        ("－1", "\\uff0d1"),
        ("＠sum", "\\uff20sum"),
        ("+x", "\\x2bx"),
        ("-x", "\\x2dx"),
        ("@x", "\\x40x"),
        ("a\tb", "a\\tb"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_name_that_a_spreadsheet_would_compute_is_escaped(name, safe):
    assert safe_name(name) == safe
