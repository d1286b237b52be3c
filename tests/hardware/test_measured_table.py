"""A table of a measured chip means the same whatever program, country or habit wrote it."""

import numpy as np
import pytest

from xbar.errors import FileError, SpecError, XbarWarning
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

DESIGN = Hardware(bank=Bank(resistors=1, nominal="100k"), tile=Tile(word_lines=2, bit_lines=2))
ON = np.array([10, 11, 12, 13]) * 1e-6
PLACES = ["0,0,0,0", "0,0,1,0", "0,1,0,0", "0,1,1,0"]


def write(path, head, cells, before=""):
    lines = [head, *(f"{place},{cell}" for place, cell in zip(PLACES, cells, strict=True))]
    path.write_text(before + "\n".join(lines) + "\n")
    return path


def read(path, **options):
    return Chip.from_measurement(path, DESIGN, **options)


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("Tile,Word Line,Bit-Line,Resistor,G_on (µS)", [10, 11, 12, 13]),
        ("TILE,WL,BL,DEVICE,ON/uS", [10, 11, 12, 13]),
        ("tile,row,column,k,on in nS", [10000, 11000, 12000, 13000]),
        ("tile no,row index,column_index,k,on_uS", [10, 11, 12, 13]),
        ("tile,row,col,k,Conductance [1e-6 S]", [10, 11, 12, 13]),
        ("tile,row,col,k,conductance on [siemens]", ["1e-5", "1.1E-05", "+1.2e-5", "1.3d-5"]),
        ("tile,row,col,k,R_on [kohm]", [100, 1e3 / 11, 1e3 / 12, 1e3 / 13]),
        ("tile,row,col,k,Resistance", [1e5, 1e6 / 11, 1e6 / 12, 1e6 / 13]),
        ("tile,row,col,k,on [kΩ]", [100, 1e3 / 11, 1e3 / 12, 1e3 / 13]),
        ("Kachel,Zeile,Spalte,Widerstand Nr,Leitwert [µS]", [10, 11, 12, 13]),
        ("tile,row,col,R no,R [kohm]", [100, 1e3 / 11, 1e3 / 12, 1e3 / 13]),
        ("tile,row,col,dev,cond [uA/V]", [10, 11, 12, 13]),
        ("tile,row,col,dev,G (mA/V)", [0.01, 0.011, 0.012, 0.013]),
        ("tile,row,col,k,on", ["10 uS", "11µS", "12000 nS", f"{1e3 / 13} kohm"]),
        ("tile,row,col,k,on", ["10u", "11 µ", "12000n", "0.013m"]),
        ("tile,row,col,k,on [uS]", ["1０", "１１", "12", "13"]),
        ("tile,row,col,k,on [uS],remark", ["10,a", '11,"b,c"', "12,", "13,#d"]),
        ("tile,row,col,k,on [uS]", ['"10,0"', '"11"', '"12,00"', '"13"']),
        ("tile,row,col,k,on [uS],off", ["10,0", "11,0", "12,0", "13,0"]),
    ],
)
def test_names_units_and_numbers_are_read_in_their_usual_spellings(tmp_path, head, cells):
    chip = read(write(tmp_path / "a.csv", head, cells))
    np.testing.assert_allclose(chip.on(0).ravel(), ON, rtol=1e-12)
    assert not chip.stuck(0).any()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "   "])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_do_not_matter(tmp_path, delimiter, ending):
    lines = ["tile,word_line,bit_line,resistor,on [uS]"]
    lines += [f"{place},{g:.1f}" for place, g in zip(PLACES, ON * 1e6, strict=True)]
    text = ending.join(line.replace(",", delimiter) for line in lines)
    (tmp_path / "a.txt").write_bytes(text.encode())
    np.testing.assert_allclose(read(tmp_path / "a.txt").on(0).ravel(), ON, rtol=1e-12)


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_do_not_matter(tmp_path, encoding):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on [µS]", [10, 11, 12, 13])
    path.write_bytes(path.read_text().encode(encoding))
    np.testing.assert_allclose(read(path).on(0).ravel(), ON, rtol=1e-12)


def test_a_decimal_comma_groups_thousands_by_points(tmp_path):
    rows = ["0;0;0;0;10.000,0", "0;0;1;0;11000,0", "0;1;0;0;12.000,5", "0;1;1;0;13000"]
    (tmp_path / "a.csv").write_text("\n".join(["tile;wl;bl;k;on [nS]", *rows]))
    on = read(tmp_path / "a.csv").on(0).ravel()
    np.testing.assert_allclose(on, [1e-5, 1.1e-5, 1.20005e-5, 1.3e-5], rtol=1e-12)


def test_a_semicolon_file_may_have_decimal_points(tmp_path):
    rows = ["0;0;0;0;10.125", "0;0;1;0;11.500", "0;1;0;0;12.001", "0;1;1;0;13.000"]
    (tmp_path / "a.csv").write_text("\n".join(["tile;wl;bl;k;on [uS]", *rows]))
    on = read(tmp_path / "a.csv").on(0).ravel()
    np.testing.assert_allclose(on, [1.0125e-5, 1.15e-5, 1.2001e-5, 1.3e-5], rtol=1e-12)


@pytest.mark.parametrize(
    "before",
    [
        "# 0.2 V, 300 K\n",
        "\n\n",
        "Wafer 7,lot 3\n\n",
        "sep=,\n",
        "% exported\n// by hand\n",
    ],
)
def test_lines_before_the_head_are_passed_over(tmp_path, before):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on", ["10u", "11u", "12u", "13u"], before)
    chip = read(path)
    np.testing.assert_allclose(chip.on(0).ravel(), ON, rtol=1e-12)
    assert ("before the head" in " ".join(chip.measurement.notes)) == ("Wafer" in before)


def test_a_line_of_units_below_the_head_counts(tmp_path):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on\n,,,,[uS]", [10, 11, 12, 13])
    np.testing.assert_allclose(read(path).on(0).ravel(), ON, rtol=1e-12)


def test_the_head_that_numpy_writes_as_a_comment_is_the_head(tmp_path):
    table = np.array([[*map(int, p.split(",")), g] for p, g in zip(PLACES, ON, strict=True)])
    path = tmp_path / "a.txt"
    np.savetxt(path, table, header="tile word_line bit_line resistor on")
    np.testing.assert_allclose(read(path).on(0).ravel(), ON, rtol=1e-12)


@pytest.mark.parametrize(
    ("unit", "factor"), [("uS", 1), ("nS", 1e3), ("mS", 1e-3), ("1e-6 S", 1), ("kohm", None)]
)
def test_the_callers_unit_is_that_of_bare_numbers_in_every_format(tmp_path, unit, factor):
    numbers = 1e-3 / ON if factor is None else ON * 1e6 * factor
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on", numbers)
    np.savez(tmp_path / "a.npz", on=numbers.reshape(1, 2, 2, 1))
    np.save(tmp_path / "a.npy", numbers.reshape(1, 2, 2, 1))
    for each in (path, tmp_path / "a.npz", tmp_path / "a.npy"):
        np.testing.assert_allclose(read(each, unit=unit).on(0).ravel(), ON, rtol=1e-12)


@pytest.mark.parametrize(
    "cell", ["", "nan", "NaN", "N/A", "-", "#DIV/0!", "-nan(ind)", "OL", "n.a.", "#NV", "#WERT!"]
)
def test_a_device_without_a_value_is_open_and_counted(tmp_path, cell):
    chip = read(write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS]", [10, cell, 12, 13]))
    np.testing.assert_allclose(chip.on(0).ravel(), ON * [1, 0, 1, 1], rtol=1e-12)
    assert chip.stuck(0).ravel().tolist() == [0, -1, 0, 0]
    assert chip.measurement.notes == ("1 resistor not measured, so taken as open",)
    assert "1 resistor not measured" in repr(chip)
    closed = np.ones((2, 2, 1), dtype=bool)
    assert chip.branch(0, closed).ravel().tolist() == pytest.approx((ON * [1, 0, 1, 1]).tolist())


def test_archives_count_missing_values_and_noise_as_tables_do(tmp_path):
    on = np.array([10e-6, np.nan, -1e-8, 12e-6]).reshape(1, 2, 2, 1)
    off = np.array([1e-9, 2e-9, np.nan, -1e-9]).reshape(1, 2, 2, 1)
    np.savez(tmp_path / "a.npz", on=on, off=off)
    chip = read(tmp_path / "a.npz")
    assert chip.on(0).ravel().tolist() == [10e-6, 0, 0, 12e-6]
    assert chip.off(0).ravel().tolist() == [1e-9, 2e-9, 0, 0]
    assert chip.stuck(0).ravel().tolist() == [0, -1, 0, 0]
    assert chip.measurement.notes == (
        "1 negative conductance on, down to -10 nS, taken for noise around 0",
        "1 conductance off not measured, so taken as 0",
        "1 negative conductance off, down to -1 nS, taken for noise around 0",
        "1 resistor not measured, so taken as open",
    )


def test_faults_have_words(tmp_path):
    cells = ["10,open", "11,Closed", "12,ok", "13,"]
    chip = read(write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS],stuck", cells))
    assert chip.stuck(0).ravel().tolist() == [-1, 1, 0, 0]


def test_the_bend_of_each_branch_is_read_beside_its_conductance(tmp_path):
    cells = ['10,"-1,2e-3"', "11,-1e-3", "12,", "13,0"]
    chip = read(write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS],c2", cells))
    np.testing.assert_array_equal(chip.measurement.c2.ravel(), [-1.2e-3, -1e-3, np.nan, 0])


def test_what_can_only_be_0_may_be_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("row,col,on\n0,0,10u\n0,1,11u\n1,0,12u\n1,1,13u\n")
    chip = read(tmp_path / "a.csv")
    np.testing.assert_allclose(chip.on(0).ravel(), ON, rtol=1e-12)
    assert "no column tile" in chip.measurement.notes[0]
    several = DESIGN.model_copy(update={"bank": Bank(resistors=2, nominal="100k")})
    with pytest.raises(SpecError, match=r"no column resistor|first line must be"):
        Chip.from_measurement(tmp_path / "a.csv", several)


@pytest.mark.parametrize(
    ("head", "cells", "message"),
    [
        ("on [V]", [1, 2, 3, 4], "must be in a unit of conductance or resistance.*not 'V'"),
        ("on (measured)", [1, 2, 3, 4], "must be in a unit .*not 'measured'"),
        ("R_on [uS]", [1, 2, 3, 4], "is called a resistance, but its unit is S"),
        ("on,on [uS]", ["1,1"] * 4, "on stands twice"),
        ("on", ["10 V", 1, 2, 3], "line 2: on must be in S or ohm, not '10 V'"),
        ("on [uS]", [1, "10 ohm", 2, 3], "line 3: on must be in S, not '10 ohm'"),
        ("on [uS]", [1, "10 u", 2, 3], "line 3: on has a prefix in '10 u' and one in its unit"),
        ("R_on", [1e5, 0, 1e5, 1e5], "line 3: on must be above 0 ohm"),
        ("on", ["0,00001"] * 4, "line 2: has 6 values, but .* names 5; decimal commas"),
        ("on [ohm]", ['"100,000"'] * 4, "line 2: on: '100,000' may be read in two ways"),
        ("on", ["1.0.0", 1, 2, 3], "line 2: on: a quantity must be"),
        ("on", ["1_0", 1, 2, 3], "line 2: on: a quantity must be"),
        ("on", ["inf", 1, 2, 3], "on must be finite"),
        ("on", ["1e999", 1, 2, 3], "finite"),
        ("on", ["short", 1, 2, 3], "line 2: on: a quantity must be"),
        ("on,stuck", ["1e-5,x", "1,0", "1,0", "1,0"], "line 2: stuck must be -1"),
        ("on,stuck", ["1e-5,2", "1,0", "1,0", "1,0"], "line 2: stuck must be -1"),
        ("on,c2", ["1e-5,x", "1,0", "1,0", "1,0"], "line 2: c2 must be a number in 1/V, not 'x'"),
        ("on\n,,,,V", [1, 2, 3, 4], "must be in a unit of conductance"),
        ("on [uS]\n,,,,uS", [1, 2, 3, 4], "the unit of the column on is stated twice"),
    ],
)
def test_what_has_no_one_meaning_is_refused_with_its_line(tmp_path, head, cells, message):
    with pytest.raises(SpecError, match=message) as caught:
        read(write(tmp_path / "a.csv", f"tile,wl,bl,k,{head}", cells))
    assert "\n" not in str(caught.value)


def test_two_statements_of_a_unit_must_agree(tmp_path):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS]", [10, 11, 12, 13])
    assert read(path, unit="uS").on(0).ravel() == pytest.approx(ON)
    with pytest.raises(SpecError, match="states another unit"):
        read(path, unit="mS")
    named = write(tmp_path / "b.csv", "tile,wl,bl,k,R_on", [1e5] * 4)
    with pytest.raises(SpecError, match="states another unit"):
        read(named, unit="uS")
    with pytest.raises(SpecError, match="unit must be in a unit of conductance"):
        read(path, unit="volt")


@pytest.mark.parametrize(
    ("numbers", "unit"),
    [(ON * 1e6, "uS"), (ON * 1e9, "nS"), (1 / ON, "ohm"), (1e-3 / ON, "kohm"), (ON * 1e3, "mS")],
)
def test_numbers_far_from_the_design_are_remarked_on_with_the_likely_unit(tmp_path, numbers, unit):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on", numbers)
    with pytest.warns(XbarWarning, match=rf"siemens\? They may be in {unit}: "):
        chip = read(path)
    np.testing.assert_allclose(chip.on(0).ravel(), numbers)
    assert read(path, unit=unit).on(0).ravel() == pytest.approx(ON)


def test_a_median_within_a_factor_of_five_is_silent_and_beyond_is_not(tmp_path):
    for factor in (0.21, 4.8):
        read(write(tmp_path / "a.csv", "tile,wl,bl,k,on", np.full(4, factor * 1e-5)))
    for factor in (0.19, 5.1):
        with pytest.warns(XbarWarning, match=r"times the design's nominal one: siemens\?$"):
            read(write(tmp_path / "a.csv", "tile,wl,bl,k,on", np.full(4, factor * 1e-5)))


def test_each_resistor_of_a_binary_bank_is_held_to_its_own_nominal_value(tmp_path):
    bank = Bank(resistors=4, nominal="10k", ratio=10)
    design = Hardware(bank=bank, tile=Tile(word_lines=1, bit_lines=1))
    np.savez(tmp_path / "a.npz", on=bank.nominal_conductance.reshape(1, 1, 1, 4))
    np.testing.assert_array_equal(
        Chip.from_measurement(tmp_path / "a.npz", design).on(0)[0, 0], bank.nominal_conductance
    )


def test_one_resistor_that_conducts_more_off_than_on_is_remarked_on(tmp_path):
    cells = ["1e-5,1e-9", "1e-5,1e-5", "1e-7,1e-5", "1.1e-5,1e-9"]
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on,off", cells)
    with pytest.warns(XbarWarning, match="1 resistor of 4 conduct more off than on.*word_line 1"):
        read(path)


def test_gaps_and_repeats_are_named_with_their_lines(tmp_path):
    head = "tile,wl,bl,k,on\n"
    body = [f"{place},1e-5\n" for place in PLACES]
    (tmp_path / "a.csv").write_text(head + "".join(body + body[1:2]))
    with pytest.raises(SpecError, match=r"bit_line 1, .* stands 2 times, in lines 3, 6"):
        read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(head + "".join(body[:2] + body[3:]))
    with pytest.raises(SpecError, match=r"word_line 1, bit_line 0, resistor 0 does not stand$"):
        read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(head + "".join(body) + "2147483647,0,0,0,1e-5\n")
    with pytest.raises(SpecError, match=r"tile 1, word_line 0, .* does not stand, nor do 85"):
        read(tmp_path / "a.csv")


def test_a_spreadsheet_programs_own_file_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(SpecError, match=r"save the sheet as \.csv"):
        read(tmp_path / "a.xlsx")


def test_names_of_columns_can_not_command_the_terminal(tmp_path):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS],\x1b[2J", ["10,", "11,", "12,", "13,"])
    assert read(path).measurement.notes == ("columns not used: ?[2J",)
    write(path, "\x1b[2J", ["1,", "1,", "1,", "1,"])
    with pytest.raises(SpecError) as caught:
        read(path)
    assert "\x1b" not in str(caught.value)


def test_a_directory_and_nothing_are_file_errors(tmp_path):
    with pytest.raises(FileError, match="Is a directory"):
        read(tmp_path)
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "cells",
    [["10 uS", "11 uS", "12", "13 uS"], ["12", "10u", "11u", "13u"], ["1e5", "83 kohm"] * 2],
)
def test_a_number_without_a_unit_among_numbers_with_one_is_refused_not_taken_as_siemens(
    tmp_path, cells
):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on", cells)
    with pytest.raises(SpecError, match="a unit in every cell or in none"):
        read(path)
    zero = write(tmp_path / "b.csv", "tile,wl,bl,k,on", ["10 uS", "11 uS", "0", "13 uS"])
    np.testing.assert_allclose(read(zero).on(0).ravel(), ON * [1, 1, 0, 1], rtol=1e-12)


def test_a_cell_with_another_prefix_than_the_head_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on [mS]", ["10 uS", "11 uS", "12 uS", "13 uS"])
    with pytest.raises(SpecError, match=r"line 2.*another unit"):
        read(path)
    below = write(tmp_path / "b.csv", "tile,wl,bl,k,on\n,,,,mS", ["10 uS", 11, 12, 13])
    with pytest.raises(SpecError, match=r"line 3.*another unit"):
        read(below)
    same = write(tmp_path / "c.csv", "tile,wl,bl,k,on [S]", ["10 uS", "11µS", "12 uS", "13 uS"])
    np.testing.assert_allclose(read(same).on(0).ravel(), ON, rtol=1e-12)


@pytest.mark.parametrize("head", ["R (kOhm)", "R_on_kohm", "R_on in kΩ", "r on/kOhm"])
def test_a_resistance_may_be_called_r_and_its_unit_may_follow_an_underscore(tmp_path, head):
    path = write(tmp_path / "a.csv", f"tile,wl,bl,k,{head}", 1e-3 / ON)
    np.testing.assert_allclose(read(path).on(0).ravel(), ON, rtol=1e-12)


@pytest.mark.parametrize("cell", ["9.9E37", "9.91e+37", "-9.9E37"])
@pytest.mark.parametrize("other", ["12", "nan"])
def test_what_an_instrument_writes_for_no_reading_is_no_conductance(tmp_path, cell, other):
    chip = read(write(tmp_path / "a.csv", "tile,wl,bl,k,on [uS]", [10, cell, other, 13]))
    assert chip.stuck(0).ravel().tolist()[1] == -1
    np.testing.assert_allclose(chip.on(0).ravel()[[0, 1, 3]], ON[[0, 1, 3]] * [1, 0, 1], rtol=1e-12)


def test_a_single_wild_conductance_is_remarked_on_at_its_place(tmp_path):
    path = write(tmp_path / "a.csv", "tile,wl,bl,k,on", [1e-5, 1.1e-5, 12, 1.3e-5])
    with pytest.warns(
        XbarWarning, match=r"1 resistor of 4 .* word_line 1, .*12 S: a short"
    ) as told:
        assert read(path).on(0)[1, 0, 0] == 12
    assert len(told) == 1
