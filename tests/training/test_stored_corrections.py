"""Digital corrections on disk: what is written, and what of a changed folder is refused."""

import csv

import numpy as np
import pytest
from program_folders import archive_of, manifest_of, refused, reseal, store_archive

import xbar
from xbar.compiler.devices import plain_name
from xbar.training import calibrate

NAME = "corrections.npz"
DESIGN = xbar.Hardware(
    bank=xbar.Bank(resistors=4),
    tile=xbar.Tile(word_lines=8, bit_lines=8, word_wire=20, bit_wire=20),
    dac=xbar.Converter(bits=8),
    adc=xbar.Converter(bits=6),
)
WEIGHTS = {
    "=a": np.random.default_rng(0).normal(size=(3, 9)),
    "b": np.random.default_rng(1).normal(size=(2, 3, 4)),
}
INPUTS = {
    "=a": np.random.default_rng(2).normal(size=(40, 9)),
    "b": np.random.default_rng(3).normal(size=(40, 2, 4)),
}


@pytest.fixture(scope="module")
def plain():
    return xbar.compile(WEIGHTS, xbar.Chip.sample(DESIGN, 3))


@pytest.fixture(scope="module")
def made(plain):
    return calibrate(plain, INPUTS, ranges="max")


@pytest.fixture
def folder(made, tmp_path):
    made.save(tmp_path / "a.xbar")
    return tmp_path / "a.xbar"


def test_a_program_without_corrections_is_written_as_before(plain, tmp_path):
    plain.save(tmp_path / "a.xbar")
    assert "corrections" not in manifest_of(tmp_path / "a.xbar")
    assert not (tmp_path / "a.xbar" / NAME).exists()
    assert xbar.Program.load(tmp_path / "a.xbar").corrections is None


def test_all_outputs_of_all_layers_and_all_columns_are_there(made, folder):
    arrays = archive_of(folder, NAME)
    columns = sum(placed.block.shape[1] for tile in made.tiles for placed in tile.blocks)
    sizes = {name: len(each) for name, each in arrays.items()}
    assert sizes == {"slope": 9, "offset": 9, "inputs": 2, "currents": columns}
    np.testing.assert_array_equal(arrays["slope"][:3], made.corrections.slope["=a"][0])
    np.testing.assert_array_equal(arrays["offset"][3:], made.corrections.offset["b"].ravel())


@pytest.mark.parametrize(
    ("array", "values"),
    [
        ("slope", np.zeros(9)),
        ("slope", np.full(9, np.nan)),
        ("slope", -np.ones(9)),
        ("offset", np.full(9, np.inf)),
        ("offset", np.zeros(8)),
        ("offset", np.zeros(9, np.float32)),
        ("offset", None),
        ("inputs", -np.ones(2)),
        ("currents", np.zeros(3)),
    ],
)
def test_arrays_that_contradict_the_program_are_refused(folder, array, values):
    store_archive(folder, NAME, **{array: values})
    assert "corrections" in refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"what": "rows"},
        {"readout": "guess"},
        {"readout": None},
        {"inputs": 0},
        {"inputs": True},
        {"method": None},
        {"method": None, "trimmed": None},
        {"method": 3},
        {"moment": {"time": "soon"}},
        {"moment": 3},
        {"more": 1},
    ],
)
def test_a_record_that_is_none_is_refused(folder, change):
    reseal(folder, corrections={**manifest_of(folder)["corrections"], **change})
    refused(folder)


def test_a_file_without_its_record_and_a_record_without_its_file_are_refused(folder):
    whole = manifest_of(folder)
    manifest = {key: value for key, value in whole.items() if key != "corrections"}
    (folder / "manifest.json").write_bytes(xbar.compiler.sealed.seal(manifest))
    assert "belongs to nothing" in refused(folder)
    (folder / NAME).unlink()
    reseal(folder, corrections=whole["corrections"])
    assert "missing" in refused(folder)


def test_a_configuration_has_the_corrections_of_each_output(made, tmp_path):
    made.write_configuration(tmp_path / "words")
    with (tmp_path / "words" / "corrections.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {
        (plain_name(row["layer"]), int(row["group"]), int(row["output"])): (
            float(row["slope"]),
            float(row["offset"]),
        )
        for row in rows
    }
    assert len(found) == 9
    for (layer, group, output), (slope, offset) in found.items():
        mine = made.corrections.of(layer)
        assert (slope, offset) == (mine[0][group, output], mine[1][group, output])
    assert xbar.Configuration.open(tmp_path / "words").mask(0).shape == (8, 8, 4)
