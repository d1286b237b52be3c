"""A program on disk is the program: same bytes from the same seed, or a refusal."""

import gc
import json
import pickle
import tracemalloc

import numpy as np
import pytest
import torch

import xbar
from xbar.compiler import bundles, store, stored_tiles
from xbar.compiler.store import check_store
from xbar.errors import FileError
from xbar.model import interpret

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
    with np.load(tmp_path / "a" / "tiles" / "0.npz") as bundle:
        for row, tile in zip(bundle["mask"], program.tiles, strict=True):
            bits = np.unpackbits(row, bitorder="little")[: tile.mask.size]
            np.testing.assert_array_equal(bits.reshape(tile.mask.shape), tile.mask)
        scales = [placed.scale for tile in program.tiles for placed in tile.blocks]
        np.testing.assert_array_equal(bundle["scale"], np.concatenate(scales))


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path, program):
    program.save(tmp_path / "a")
    xbar.Program.load(tmp_path / "a").save(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("c2", [None, -1e-3])
def test_a_measured_chip_travels_with_its_program(tmp_path, c2):
    on = np.random.default_rng(2).uniform(1e-6, 2e-5, (8, 6, 7, 9))
    bend = {} if c2 is None else {"c2": np.full(on.shape, c2)}
    np.savez(tmp_path / "chip.npz", on=on, **bend)
    chip = xbar.Chip.from_measurement(tmp_path / "chip.npz", HARDWARE)
    program = xbar.compile(WEIGHTS, chip)
    program.save(tmp_path / "a.xbar")
    (tmp_path / "chip.npz").unlink()
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    np.testing.assert_array_equal(loaded.chip.measurement.c2, chip.measurement.c2)
    assert (loaded.chip.measurement.c2 is None) == (c2 is None)
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


@pytest.fixture
def late(monkeypatch):
    """Every program is read when it is used, in bundles of three tiles, as large ones are."""
    monkeypatch.setattr(store, "WHOLE", -1)
    monkeypatch.setattr(bundles, "MOST_TILES", 3)
    monkeypatch.setattr(stored_tiles, "BUNDLES", 1)


@pytest.mark.usefixtures("late")
def test_a_program_that_is_read_late_is_the_same_program(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(9, 7), torch.nn.ReLU(), torch.nn.Linear(7, 5))
    torch.manual_seed(0)
    program = xbar.compile(module, HARDWARE, input_shape=(9,), seed=3)
    program.save(tmp_path / "a")
    assert len(contents(tmp_path / "a")) > 8
    loaded = xbar.Program.load(tmp_path / "a")
    assert len(loaded.tiles) == len(program.tiles) > 6
    for name, matrix in program.matrices("nodal").items():
        np.testing.assert_array_equal(loaded.matrices("nodal")[name], matrix)
        np.testing.assert_array_equal(loaded.weights[name], program.weights[name])
        assert [tile.index for tile in loaded.tiles_of(name)] == [
            tile.index for tile in program.tiles_of(name)
        ]
        assert [(t.index, n, p.block) for t, n, p in loaded.blocks_of(name)] == [
            (t.index, n, p.block) for t, n, p in program.blocks_of(name)
        ]
    assert [tile.index for tile in loaded.tiles[::-2]] == [
        tile.index for tile in program.tiles[::-2]
    ]
    assert loaded.tiles[-1].wire_errors == program.tiles[-1].wire_errors
    inputs = np.random.default_rng(0).standard_normal((4, 9))
    np.testing.assert_array_equal(loaded.run(inputs, "nodal"), program.run(inputs, "nodal"))
    again = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_array_equal(again.run(inputs, "nodal"), program.run(inputs, "nodal"))
    loaded.save(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with pytest.raises(IndexError):
        loaded.tiles[len(loaded.tiles)]


@pytest.mark.usefixtures("late")
def test_a_bundle_that_changes_after_loading_is_told_when_it_is_used(tmp_path, program):
    program.save(tmp_path / "a")
    loaded = xbar.Program.load(tmp_path / "a")
    loaded.tiles[0]
    for name in ("tiles/1.npz", "weights/0.npy"):
        content = bytearray((tmp_path / "a" / name).read_bytes())
        content[-1] ^= 1
        (tmp_path / "a" / name).write_bytes(content)
    with pytest.raises(FileError, match=r"a: tiles/1\.npz was changed after it was written"):
        loaded.tiles[3]
    with pytest.raises(FileError, match=r"a: weights/0\.npy was changed after the program was"):
        loaded.weights["a"]
    count, faults = check_store(tmp_path / "a")
    assert count == len(contents(tmp_path / "a")) - 1
    assert [fault.split()[0] for fault in faults] == ["tiles/1.npz", "weights/0.npy"]


def test_arrays_that_are_equal_are_stored_once(tmp_path):
    same = np.random.default_rng(3).standard_normal((4, 6))
    other = same.copy()
    other[0, 0] += 1
    weights = {"a": same, "b": same.copy(), "c": other}
    xbar.compile(weights, HARDWARE, seed=0).save(tmp_path / "a")
    assert [name for name in contents(tmp_path / "a") if "weights/" in name] == [
        "weights/0.npy",
        "weights/1.npy",
    ]
    for name, matrix in xbar.Program.load(tmp_path / "a").weights.items():
        np.testing.assert_array_equal(matrix[0], weights[name])


@pytest.mark.parametrize(("lines", "resistors"), [(128, 6), (64, 8)])
def test_a_program_takes_little_more_than_its_switches_and_its_weights(tmp_path, lines, resistors):
    """By the design's numbers: K bits a cell, and eight bytes a weight of a bare matrix."""
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors), tile=xbar.Tile(word_lines=lines, bit_lines=lines)
    )
    weights = np.random.default_rng(0).standard_normal((lines * 4, lines * 8))
    program = xbar.compile(weights, design, seed=0)
    program.save(tmp_path / "a")
    sizes = {name: len(content) for name, content in contents(tmp_path / "a").items()}
    switches = len(program.tiles) * lines * lines * resistors / 8
    assert len(program.tiles) == 64
    held = sum(size for name, size in sizes.items() if not name.startswith(("man", "weights")))
    assert held <= 1.1 * switches
    assert sizes["weights/0.npy"] == weights.nbytes + 128


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("changed_after_loading", [False, True])
def test_rows_of_a_table_that_changed_are_never_looked_up(
    tmp_path, monkeypatch, changed_after_loading
):
    monkeypatch.setattr(interpret, "_SMALL", 0)  # tables are not kept
    module = torch.nn.Sequential(torch.nn.Embedding(30, 6), torch.nn.Linear(6, 4))
    graph = xbar.model.from_module(module, (5,), input_dtype="int64")
    xbar.compile(graph, HARDWARE, seed=0).save(tmp_path / "a")
    (file,) = (
        each for each in (tmp_path / "a" / "weights").iterdir() if np.load(each).shape == (30, 6)
    )
    loaded = xbar.Program.load(tmp_path / "a")
    tokens = np.array([[3, 29, 0, 3, 7]])
    if changed_after_loading:  # and after its first use
        intact = xbar.Program.load(tmp_path / "a").run(tokens)
        np.testing.assert_array_equal(loaded.run(tokens), intact)
    table = np.load(file)
    table[29] += 1
    np.save(file, table)
    with pytest.raises(FileError, match=r"npy was changed after the program was written"):
        loaded.run(tokens)


@pytest.mark.usefixtures("late")
def test_a_hundred_passes_do_not_grow_the_memory(tmp_path):
    """Of a network with more tiles than stay in memory, through new and old readers."""
    module = torch.nn.Sequential(torch.nn.Linear(36, 12), torch.nn.ReLU(), torch.nn.Linear(12, 6))
    xbar.compile(module, HARDWARE, input_shape=(36,), seed=0).save(tmp_path / "a")
    loaded = xbar.Program.load(tmp_path / "a")
    assert len(loaded.tiles) > 10
    inputs = np.random.default_rng(1).standard_normal((2, 36))
    reader = loaded.reader("nodal")

    def traced(passes):
        for _ in range(passes):
            reader(inputs)
            loaded.run(inputs, "nodal")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = traced(40)  # numpy keeps small arrays for a while
        grown = traced(100) - before
    finally:
        tracemalloc.stop()
    assert grown < 100 * (36 * 12 * 8) // 4  # of each pass a quarter of the first matrix


def test_single_precision_is_stored_as_it_is(tmp_path):
    single = np.random.default_rng(0).standard_normal((30, 40), dtype=np.float32)
    for name, matrix in (("single", single), ("double", single.astype(np.float64))):
        xbar.compile({"w": matrix}, xbar.Hardware(), seed=1, output=tmp_path / name)
    sizes = [
        (tmp_path / name / "weights" / "0.npy").stat().st_size for name in ("single", "double")
    ]
    assert sizes[1] - sizes[0] == 4 * single.size
    loaded = [xbar.Program.load(tmp_path / name) for name in ("single", "double")]
    for program in loaded:
        assert program.weights["w"].dtype == np.float64
        np.testing.assert_array_equal(program.weights["w"][0], single)
    np.testing.assert_array_equal(*(program.matrices()["w"] for program in loaded))
    loaded[0].save(tmp_path / "again")
    for file in (tmp_path / "single").rglob("*.np[yz]"):
        assert (
            file.read_bytes()
            == (tmp_path / "again" / file.relative_to(tmp_path / "single")).read_bytes()
        )


@pytest.mark.usefixtures("late")
def test_a_program_that_was_loaded_by_a_relative_path_is_read_from_any_folder(
    tmp_path, program, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    program.save("a")
    loaded = xbar.Program.load("a")
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    for name, matrix in program.matrices().items():
        np.testing.assert_array_equal(loaded.matrices()[name], matrix)
        np.testing.assert_array_equal(loaded.weights[name], program.weights[name])
