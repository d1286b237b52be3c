"""A program on disk is the program: same bytes from the same seed, or a refusal."""

import json

import numpy as np
import pytest

import xbar
from xbar.compiler.store import check_store
from xbar.errors import FileError

WEIGHTS = {
    "a": np.random.default_rng(0).standard_normal((5, 9)),
    "b": np.random.default_rng(1).standard_normal((2, 3, 4)),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=9, stuck_open=0.01),
    tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0, bit_wire=2.0),
    adc=xbar.Converter(bits=8),
)


@pytest.fixture
def program():
    return xbar.compile(WEIGHTS, HARDWARE, seed=4)


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_a_program_comes_back_whole(tmp_path, program):
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.chip.hardware == program.chip.hardware
    assert loaded.chip.seed == 4
    for a, b in zip(loaded.tiles, program.tiles, strict=True):
        (a_part,), (b_part,) = a.blocks, b.blocks
        assert a_part.block == b_part.block
        assert (a.reached, a.wire_errors) == (b.reached, b.wire_errors)
        np.testing.assert_array_equal(a.mask, b.mask)
        np.testing.assert_array_equal(a_part.scale, b_part.scale)
        np.testing.assert_array_equal(a.conductance, b.conductance)
    for name, matrix in program.matrices("nodal").items():
        np.testing.assert_array_equal(loaded.matrices("nodal")[name], matrix)


def test_two_compilations_with_one_seed_write_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        xbar.compile(WEIGHTS, HARDWARE, seed=4).save(tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    xbar.compile(WEIGHTS, HARDWARE, seed=5).save(tmp_path / "c")
    assert contents(tmp_path / "c") != contents(tmp_path / "a")


def test_many_small_tiles_are_one_file_that_numpy_reads(tmp_path, program):
    """A network of ten thousand tiles would else be ten thousand files."""
    program.save(tmp_path / "a")
    assert len(program.tiles) > 3
    assert [name for name in contents(tmp_path / "a") if "tiles/" in name] == ["tiles/0.npz"]
    with np.load(tmp_path / "a" / "tiles" / "0.npz") as piece:
        for row, tile in zip(piece["mask"], program.tiles, strict=True):
            bits = np.unpackbits(row, bitorder="little")[: tile.mask.size]
            np.testing.assert_array_equal(bits.reshape(tile.mask.shape), tile.mask)
        scales = [placed.scale for tile in program.tiles for placed in tile.blocks]
        np.testing.assert_array_equal(piece["scale"], np.concatenate(scales))


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path, program):
    program.save(tmp_path / "a")
    xbar.Program.load(tmp_path / "a").save(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_measured_chip_travels_with_its_program(tmp_path):
    on = np.random.default_rng(2).uniform(1e-6, 2e-5, (8, 6, 7, 9))
    np.savez(tmp_path / "chip.npz", on=on)
    chip = xbar.Chip.from_measurement(tmp_path / "chip.npz", HARDWARE)
    program = xbar.compile(WEIGHTS, chip)
    program.save(tmp_path / "a.xbar")
    (tmp_path / "chip.npz").unlink()
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    np.testing.assert_array_equal(loaded.chip.on(3), on[3])
    np.testing.assert_array_equal(loaded.matrices()["a"], program.matrices()["a"])


def test_an_existing_program_stays_unless_forced(tmp_path, program):
    program.save(tmp_path / "a.xbar")
    before = contents(tmp_path / "a.xbar")
    with pytest.raises(FileError, match="exists already"):
        program.save(tmp_path / "a.xbar")
    xbar.compile({"z": [[1.0]]}, HARDWARE, seed=0).save(tmp_path / "a.xbar", force=True)
    assert contents(tmp_path / "a.xbar") != before
    assert [path.name for path in tmp_path.iterdir()] == ["a.xbar"]


def test_a_folder_that_is_no_program_is_never_replaced(tmp_path, program):
    (tmp_path / "a").mkdir()
    with pytest.raises(FileError, match="is not replaced"):
        program.save(tmp_path / "a", force=True)


def test_every_changed_missing_or_added_file_is_told(tmp_path, program):
    program.save(tmp_path / "a.xbar")
    good = contents(tmp_path / "a.xbar")
    for name, content in good.items():
        path = tmp_path / "a.xbar" / name
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(FileError):
            xbar.Program.load(tmp_path / "a.xbar")
        path.unlink()
        with pytest.raises(FileError):
            xbar.Program.load(tmp_path / "a.xbar")
        path.write_bytes(content)
    (tmp_path / "a.xbar" / "more").write_text("x")
    with pytest.raises(FileError, match="more does not belong to it"):
        xbar.Program.load(tmp_path / "a.xbar")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"kind": "diary"},
        {"files": None},
        {"hardware": {"bank": 3}},
        {"tiles": [{"blocks": [{"layer": "none"}]}]},
        {"network": {"graph": None, "names": []}},
        {"network": {"graph": {"nodes": "x"}, "names": []}},
        {"seed": "x"},
        {"tiles": 7},
        {"options": {"mapping": "x"}},
    ],
)
def test_a_manifest_that_lies_is_a_file_error(tmp_path, program, change):
    program.save(tmp_path / "a.xbar")
    path = tmp_path / "a.xbar" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FileError):
        xbar.Program.load(tmp_path / "a.xbar")


def test_what_is_no_program_is_a_file_error(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name, message in [
        ("none", "does not exist"),
        ("file", "is not a directory"),
        ("empty", "has no manifest.json"),
    ]:
        with pytest.raises(FileError, match=message):
            xbar.Program.load(tmp_path / name)
        with pytest.raises(FileError, match=message):
            check_store(tmp_path / name)
