"""What is written for the chip is what was programmed, read by Verilog, by us, and by people."""

import csv
import json
import re
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.compiler.devices import COLUMNS, plain_name, read_devices, safe_name
from xbar.compiler.emit import Configuration
from xbar.compiler.options import Options
from xbar.compiler.sealed import seal
from xbar.compiler.words import read_words, words_text
from xbar.errors import FileError, SpecError

WEIGHTS = {
    "a": np.random.default_rng(0).standard_normal((5, 9)),
    "b": np.random.default_rng(1).standard_normal((2, 3, 4)),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=9, stuck_open=0.02, stuck_closed=0.02, on_off_ratio=50),
    tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0, bit_wire=2.0),
)
HOSTILE = [
    'fc",1\n2,3',
    '=HYPERLINK("x")',
    "-1+1",
    "@00 ff",
    '*/ `include "/etc/passwd" //',
    "back\\slash\\n",
    "\x1b[2J\r\u2028\udc80é漢",
    " ",
]


@pytest.fixture(scope="module")
def program():
    return xbar.compile(WEIGHTS, HARDWARE, seed=4)


@pytest.fixture(scope="module")
def folder(program, tmp_path_factory):
    path = tmp_path_factory.mktemp("emit") / "out"
    program.write_configuration(path)
    return path


@pytest.fixture(scope="module")
def verilog(iverilog, tmp_path_factory):
    """Every word of a file as Icarus Verilog reads it, (W, B, K) with resistor 0 first."""
    bench = Path(__file__).with_name("read_words.v")
    place = tmp_path_factory.mktemp("verilog")

    def read(file, shape):
        names = ("WORD_LINES", "BIT_LINES", "RESISTORS")
        sizes = [f"-Pread_words.{name}={size}" for name, size in zip(names, shape, strict=True)]
        built = place / "read_words.vvp"
        for command in ([iverilog, "-Wall", *sizes, "-o", built, bench], ["vvp", "-n", built]):
            arguments = [f"+file={file}"] if command[0] == "vvp" else []
            result = subprocess.run(
                [*map(str, command), *arguments], capture_output=True, text=True, check=True
            )
            assert result.stderr == ""
        lines = result.stdout.split()  # a warning would be among them
        bits = [[{"0": False, "1": True}[bit] for bit in reversed(line)] for line in lines]
        return np.array(bits).reshape(shape)

    return read


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_verilog_reads_every_switch_of_every_tile(verilog, program, folder):
    for tile in program.tiles:
        read = verilog(folder / f"tile{tile.index}.hex", tile.mask.shape)
        np.testing.assert_array_equal(read, tile.mask)


@pytest.mark.parametrize("resistors", [1, 4, 5, 8, 12, 13, 31, 64])
def test_verilog_reads_words_of_any_width(verilog, tmp_path, resistors):
    mask = np.random.default_rng(resistors).random((3, 18, resistors)) < 0.5
    file = tmp_path / "tile0.hex"
    file.write_text(words_text(mask, 0, "cell", file.name))
    np.testing.assert_array_equal(verilog(file, mask.shape), mask)
    np.testing.assert_array_equal(read_words(file), mask)


def test_both_files_come_back_as_the_masks(program, folder):
    written = Configuration.open(folder)
    assert written.shape == (6, 7, 9)
    assert list(written.tiles) == [tile.index for tile in program.tiles]
    for tile in program.tiles:
        for form in ("readmemh", "csv"):
            np.testing.assert_array_equal(written.mask(tile.index, form), tile.mask)


def test_the_table_alone_gives_back_the_matrix_of_each_layer(program, folder):
    """Sums of the listed conductances, and nothing else, are what the chip realises."""
    achieved = {name: np.zeros_like(m, shape=(m.size,)) for name, m in program.weights.items()}
    target, residual = ({n: a.copy() for n, a in achieved.items()} for _ in range(2))
    for tile in program.tiles:
        for row in rows_of(folder / f"tile{tile.index}.csv"):
            if row["layer"]:
                name = row["layer"]
                place = tuple(int(row[key]) for key in ("group", "output", "input"))
                at = np.ravel_multi_index(place, program.weights[name].shape)
                achieved[name][at] += int(row["sign"]) * float(row["conductance_siemens"])
                target[name][at] = float(row["target_siemens"])
                residual[name][at] = float(row["residual_siemens"])
    for name, whole in program.matrices().items():
        # siemens per unit weight differ by column, but not between target and achieved
        scale = target[name] / program.weights[name].ravel()
        np.testing.assert_allclose(achieved[name] / scale, whole.ravel(), rtol=1e-12)
        np.testing.assert_allclose(
            achieved[name] - target[name], residual[name], atol=1e-12 * abs(target[name]).max()
        )


def test_a_line_says_what_the_chip_and_the_tile_say_of_the_resistor(program, folder):
    tile = program.tiles[1]
    rows = rows_of(folder / "tile1.csv")
    assert len(rows) == 6 * 7 * 9
    assert any(row["stuck"] == "1" for row in rows)
    for row in rows:
        place = tuple(int(row[key]) for key in ("word_line", "bit_line", "resistor"))
        assert int(row["tile"]) == 1
        assert int(row["switched_in"]) == tile.mask[place]
        assert int(row["stuck"]) == program.chip.stuck(1)[place]
        assert float(row["conductance_siemens"]) == tile.branch[place]
        source = tile.source_of(*place[:2])
        told = [row[key] for key in ("layer", "group", "output", "input", "sign")]
        assert told == ([""] * 5 if source is None else [str(part) for part in source])
        assert (row["target_siemens"] == "") == (source is None)


@pytest.mark.parametrize("layout", ["columns", "rows"])
def test_cells_over_several_lines_are_written_as_cells(verilog, tmp_path, layout):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=3, layout=layout), tile=xbar.Tile(word_lines=12, bit_lines=12)
    )
    program = xbar.compile({"a": WEIGHTS["a"][:, :4]}, hardware, seed=0)
    program.write_configuration(tmp_path / "out")
    for tile in program.tiles:
        file = tmp_path / "out" / f"tile{tile.index}.hex"
        np.testing.assert_array_equal(verilog(file, tile.mask.shape), tile.mask)
        assert "line {} + k".format("3 b" if layout == "columns" else "3 w") in file.read_text()
        np.testing.assert_array_equal(
            Configuration.open(tmp_path / "out").mask(tile.index, "csv"), tile.mask
        )


def test_reference_cells_belong_to_every_output_and_have_no_target(tmp_path):
    program = xbar.compile(
        {"a": WEIGHTS["a"]}, HARDWARE, seed=4, options=Options(mapping="reference")
    )
    program.write_configuration(tmp_path / "out")
    tile = program.tiles[0]
    np.testing.assert_array_equal(Configuration.open(tmp_path / "out").mask(0, "csv"), tile.mask)
    block = tile.blocks[0].block
    for row in rows_of(tmp_path / "out" / "tile0.csv"):
        if row["bit_line"] == "6" and int(row["word_line"]) in block.word_lines:
            assert (row["layer"], row["output"], row["sign"]) == ("a", "-1", "-1")
            assert row["target_siemens"] == row["residual_siemens"] == ""
        elif row["layer"]:
            assert row["sign"] == "1"
            assert row["target_siemens"] != ""


def test_tuned_devices_have_a_table_and_no_words(tmp_path):
    hardware = HARDWARE.model_copy(update={"bank": xbar.Bank(resistors=3)})
    options = Options(programming="write-verify")
    program = xbar.compile({"a": WEIGHTS["a"]}, hardware, seed=4, options=options)
    with pytest.raises(SpecError, match="format must be 'csv' for programming 'write-verify'"):
        program.write_configuration(tmp_path / "out")
    program.write_configuration(tmp_path / "out", "csv")
    total = np.zeros((6, 7))
    for row in rows_of(tmp_path / "out" / "tile1.csv"):
        total[int(row["word_line"]), int(row["bit_line"])] += float(row["conductance_siemens"])
    np.testing.assert_allclose(total, program.tiles[1].conductance, rtol=1e-12)


def test_hostile_names_break_neither_lines_nor_words(verilog, tmp_path):
    weights = {name: [[0.5, -0.25]] for name in HOSTILE}
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=3), tile=xbar.Tile(word_lines=2, bit_lines=2))
    program = xbar.compile(weights, hardware, seed=0)
    program.write_configuration(tmp_path / "out")
    names = set()
    for tile in program.tiles:
        words, table = (tmp_path / "out" / f"tile{tile.index}.{end}" for end in ("hex", "csv"))
        np.testing.assert_array_equal(verilog(words, (2, 2, 3)), tile.mask)
        np.testing.assert_array_equal(read_devices(table, (2, 2, 3)), tile.mask)
        assert words.read_bytes().isascii()
        lines = table.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1 + 2 * 2 * 3
        for row in rows_of(table):
            assert not row["layer"].startswith(("=", "+", "-", "@"))
            names.add(plain_name(row["layer"]))
    assert names == set(HOSTILE)


@pytest.mark.parametrize("name", [*HOSTILE, "layers.0.fc1", "µ"])
def test_a_safe_name_is_one_printable_line_and_comes_back(name):
    assert safe_name(name).isprintable()
    assert plain_name(safe_name(name)) == name


def test_the_same_program_writes_the_same_bytes_also_after_loading(program, folder, tmp_path):
    program.save(tmp_path / "a.xbar")
    xbar.Program.load(tmp_path / "a.xbar").write_configuration(tmp_path / "again")
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    assert len(list((tmp_path / "again").iterdir())) == len(list(folder.iterdir()))


def test_only_the_chosen_tiles_and_format_are_written(program, tmp_path):
    program.write_configuration(tmp_path / "out", "readmemh", [2, 0, 2])
    assert names_in(tmp_path / "out") == ["configuration.json", "tile0.hex", "tile2.hex"]
    with pytest.raises(SpecError, match="holds no csv of tile 0"):
        Configuration.open(tmp_path / "out").mask(0, "csv")
    with pytest.raises(SpecError, match="holds no readmemh of tile 1"):
        Configuration.open(tmp_path / "out").mask(1)


def test_what_cant_be_written_is_refused_and_leaves_nothing(program, tmp_path):
    with pytest.raises(SpecError, match="tile must be from 0 to"):
        program.write_configuration(tmp_path / "out", tiles=[99])
    with pytest.raises(SpecError, match="at least one tile"):
        program.write_configuration(tmp_path / "out", tiles=[])
    with pytest.raises(SpecError, match="format must be one of readmemh, csv, both, not 'xml'"):
        program.write_configuration(tmp_path / "out", "xml")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileError, match="exists already"):
        program.write_configuration(tmp_path / "mine")
    with pytest.raises(FileError, match="is not replaced"):
        program.write_configuration(tmp_path / "mine", force=True)


def test_an_older_configuration_is_replaced_when_forced(program, tmp_path):
    program.write_configuration(tmp_path / "out", tiles=[0, 1])
    program.write_configuration(tmp_path / "out", "csv", tiles=[2], force=True)
    assert names_in(tmp_path / "out") == ["configuration.json", "tile2.csv"]


def test_memory_stays_that_of_one_tile(tmp_path):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=8), tile=xbar.Tile(word_lines=16, bit_lines=16)
    )
    weight = np.random.default_rng(0).standard_normal((8, 16 * 12))
    peaks = []
    for count in (2, 12):
        program = xbar.compile({"fc": weight[:, : 16 * count]}, hardware, seed=0)
        assert len(program.tiles) == count
        tracemalloc.start()
        program.write_configuration(tmp_path / str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one_tile = (tmp_path / "2" / "tile0.csv").stat().st_size
    assert peaks[1] - peaks[0] < one_tile / 2


def test_a_changed_file_is_told_and_every_damage_is_one_line(program, tmp_path):
    program.write_configuration(tmp_path / "out", tiles=[0])
    shape = program.tiles[0].mask.shape
    for form, reader in (("readmemh", read_words), ("csv", lambda file: read_devices(file, shape))):
        written = Configuration.open(tmp_path / "out")
        file = tmp_path / "out" / written.tiles[0][form]
        good = file.read_bytes()
        middle = len(good) // 2
        for bad in (
            good[:middle],
            good[:-2],
            b"",
            good[:middle] + b"\xff" + good[middle:],
            good + good[-40:],
            good.replace(b"\n", b"\n\n@", 9),
        ):
            file.write_bytes(bad)
            with pytest.raises(FileError, match="was changed"):
                written.mask(0, form)
            with pytest.raises(FileError) as error:
                reader(file)
            assert "\n" not in str(error.value)
        file.unlink()
        with pytest.raises(FileError, match="can't be read"):
            written.mask(0, form)
        file.write_bytes(good)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "diary"},
        {"format": 99},
        {"files": {}},
        {"tiles": 7},
        {"tiles": [{"tile": 0, "readmemh": "../../etc/passwd"}]},
        {"word_lines": "many"},
        {"word_lines": 1.5},
        {"bit_lines": 0},
        {"resistors": True},
        {"tiles": [{"tile": -1}]},
        {"tiles": [[]]},
        {"tiles": None},
    ],
)
def test_an_index_that_lies_is_a_file_error(folder, tmp_path, change):
    """Also if its checksum is right."""
    content = json.loads((folder / "configuration.json").read_text())
    if change == {"tiles": [{"tile": 0, "readmemh": "../../etc/passwd"}]}:
        content["files"]["../../etc/passwd"] = "0" * 64
    (tmp_path / "configuration.json").write_bytes(seal({**content, **change}))
    with pytest.raises(FileError, match=r"damaged|format|describe|list its files|not its own"):
        Configuration.open(tmp_path)


def test_one_changed_byte_of_the_index_is_refused(folder, tmp_path):
    whole = (folder / "configuration.json").read_bytes()
    for position in np.random.default_rng(0).integers(0, len(whole), 100):
        changed = bytearray(whole)
        changed[position] ^= 1 << int(position) % 8
        (tmp_path / "configuration.json").write_bytes(changed)
        with pytest.raises(FileError) as error:
            Configuration.open(tmp_path)
        assert "\n" not in str(error.value)


def test_a_shape_that_the_files_do_not_hold_is_refused_without_memory(folder, tmp_path):
    """Of 8 EB of resistors, in words and in a table."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    content = json.loads((copy / "configuration.json").read_text())
    large = dict.fromkeys(("word_lines", "bit_lines", "resistors"), 2**21)
    (copy / "configuration.json").write_bytes(seal({**content, **large}))
    written = Configuration.open(copy)
    for form in ("readmemh", "csv"):
        with pytest.raises(FileError, match=r"can't list|holds"):
            written.mask(0, form)


def test_a_folder_without_index_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match=r"has no configuration\.json"):
        Configuration.open(tmp_path)
    (tmp_path / "configuration.json").write_text("{")
    with pytest.raises(FileError, match="is damaged"):
        Configuration.open(tmp_path)


def test_the_documentation_names_every_column_and_shows_the_head_of_the_words():
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    table = text[text.index("### Table") : text.index("## A netlist")]
    assert set(COLUMNS) <= set(re.findall(r"`(\w+)`", table))
    mask = np.zeros((64, 64, 8), dtype=np.bool_)
    for line in words_text(mask, 3, "cell", "tile3.hex").splitlines()[:6]:
        assert line in text.splitlines()


def test_the_index_states_the_format_that_the_documentation_describes(folder):
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\| `configuration\.json` \| kind, format \((\d+)\)", text)
    assert json.loads((folder / "configuration.json").read_text())["format"] == int(told)


def test_the_head_of_the_table_names_quantity_and_unit(folder):
    assert (folder / "tile0.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert COLUMNS[-3:] == ("conductance_siemens", "target_siemens", "residual_siemens")
