"""``xbar emit``: what the library writes, exit codes, one line for errors."""

import json

import numpy as np
import pytest

import xbar
from xbar.compiler.emit import Configuration

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5), tile=xbar.Tile(word_lines=8, bit_lines=8, word_wire=1.0)
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emit")
    weight = np.random.default_rng(0).standard_normal((4, 20))
    xbar.compile({"fc": weight}, HARDWARE, seed=0).save(folder / "out.xbar")
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_emit_writes_what_the_library_writes(call, work, tmp_path):
    code, out, _ = call("emit", work / "out.xbar", "-o", tmp_path / "cli", "--json")
    assert code == 0
    program = xbar.Program.load(work / "out.xbar")
    program.write_configuration(tmp_path / "python")
    for file in (tmp_path / "python").iterdir():
        assert (tmp_path / "cli" / file.name).read_bytes() == file.read_bytes()
    content = json.loads(out)
    assert content["tiles"] == [0, 1, 2]
    assert sorted([*content["files"], "configuration.json"]) == names_in(tmp_path / "cli")


def test_emit_writes_the_tiles_and_the_format_that_are_asked_for(call, work, tmp_path):
    arguments = ("emit", work / "out.xbar", "--tiles", "2,0", "--format", "readmemh")
    code, out, _ = call(*arguments, "-o", tmp_path / "out")
    assert code == 0
    assert "2 tiles of 8 x 8 cells, 5 resistors a cell" in out
    assert names_in(tmp_path / "out") == ["configuration.json", "tile0.hex", "tile2.hex"]
    mask = Configuration.open(tmp_path / "out").mask(2)
    np.testing.assert_array_equal(mask, xbar.Program.load(work / "out.xbar").tiles[2].mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tiles", "3"), "tile must be from 0 to 2, not 3"),
        (("--tiles", "-1"), "tile must be from 0 to 2, not -1"),
        (("--tiles", "x"), "--tiles must be numbers"),
        (("--format", "hex"), "format must be one of readmemh, csv, both, not 'hex'"),
    ],
)
def test_what_does_not_exist_is_one_line_and_writes_nothing(
    refused, work, tmp_path, arguments, message
):
    assert message in refused("emit", work / "out.xbar", "-o", tmp_path / "out", *arguments)
    assert names_in(tmp_path) == []


def test_an_existing_folder_is_replaced_by_force_only(call, refused, work, tmp_path):
    arguments = ("emit", work / "out.xbar", "-o", tmp_path / "out", "--tiles", "0")
    assert call(*arguments)[0] == 0
    assert "exists already" in refused(*arguments)
    assert call(*arguments, "--format", "csv", "--force")[0] == 0
    assert names_in(tmp_path / "out") == ["configuration.json", "tile0.csv"]
    assert "is not replaced" in refused(
        "emit", work / "out.xbar", "-o", work / "out.xbar", "--tiles", "0", "--force"
    )


def test_what_is_no_program_is_refused(refused, tmp_path):
    assert "does not exist" in refused("emit", tmp_path / "none", "-o", tmp_path / "out")
