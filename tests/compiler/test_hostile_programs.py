"""A program folder is data: nothing in it runs, and no number in it is believed unchecked."""

import json
import os
import pickle
import shutil
import sys

import numpy as np
import pytest
from program_folders import HARDWARE, WEIGHTS, refused, reseal

import xbar
from xbar.compiler.chunks import FREE_BYTES
from xbar.compiler.store import check_store
from xbar.errors import XbarError


def test_a_resealed_folder_is_still_a_program(folder):
    reseal(folder)
    assert set(xbar.Program.load(folder).matrices()) == set(WEIGHTS)


class Bomb:
    """What a pickle of it runs when it is loaded."""

    def __reduce__(self):
        return os.system, ("touch escaped",)


V2_ARRAY = {
    "zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "order": "C", "fill_value": 0,
    "compressor": None, "filters": [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}],
}  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", ["tiles/mask", "matrices/0", "chip/on", "tiles/more"])
def test_a_zarr_v2_folder_with_a_pickle_filter_is_refused_and_runs_nothing(
    tmp_path, folder, name, whole, monkeypatch
):
    """The filters that xbar 0.1.0 ran with numcodecs 0.16.1 to 0.16.5, in one array or all."""
    monkeypatch.chdir(tmp_path)
    array = folder / name
    shutil.rmtree(array, ignore_errors=True)
    if whole:
        for file in folder.rglob("zarr.json"):
            file.rename(file.with_name(".zgroup"))
            file.with_name(".zgroup").write_text('{"zarr_format": 2}')
    array.mkdir()
    (array / ".zarray").write_text(json.dumps(V2_ARRAY))
    (array / "zarr.json").write_text("{}")  # which made it an array of the program
    (array / "0").write_bytes(pickle.dumps(Bomb()))
    reseal(folder)
    refused(folder)
    assert check_store(folder)[1]
    assert not (tmp_path / "escaped").exists()


def metadata(folder, name, **changes):
    file = folder / name / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    reseal(folder)


PICKLE = {"name": "numcodecs.pickle", "configuration": {"protocol": 5}}
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}


@pytest.mark.parametrize(
    "changes",
    [
        {"codecs": [BYTES, ZSTD, PICKLE]},
        {"codecs": [PICKLE, BYTES, ZSTD]},
        {"codecs": [{"name": "vlen-utf8"}, ZSTD]},
        {"codecs": [BYTES]},
        {"codecs": [BYTES, {"name": "blosc", "configuration": {}}]},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}, ZSTD]},
        {"codecs": []},
        {"zarr_format": 2},
        {"node_type": "group"},
        {"data_type": "string"},
        {"data_type": "object"},
        {"data_type": {"name": "numpy.void", "configuration": {}}},
        {"data_type": "float32"},
        {"fill_value": 1.0},
        {"fill_value": 0},
        {"fill_value": "NaN"},
        {"attributes": {"x": 1}},
        {"storage_transformers": [{"name": "x"}]},
        {"dimension_names": ["x"]},
        {"chunk_grid": {"name": "rectilinear", "configuration": {"chunk_shape": [9]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**40]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 3]}}},
        {"chunk_grid": {"name": "regular", "configuration": {}}},
        {"chunk_grid": 3},
        {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}},
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}},
        {"shape": [-1]},
        {"shape": [2**40]},
        {"shape": [2**62, 2**62]},
        {"shape": [1.5]},
        {"shape": [True]},
        {"shape": "9"},
        {"shape": []},
        {"more": None},
    ],
)
def test_metadata_that_xbar_does_not_write_is_refused(folder, changes):
    metadata(folder, "tiles/scale", **changes)
    refused(folder, "tiles/scale|bytes of memory")


def test_a_group_with_more_than_a_groups_metadata_is_refused(folder):
    metadata(folder, "tiles", consolidated_metadata={"metadata": {}})
    refused(folder, r"tiles/zarr\.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 50000, '{"a": 1, "a": 2}', "NaN", "9" * 6000])
def test_metadata_that_is_no_strict_json_is_refused(folder, text):
    (folder / "tiles/scale/zarr.json").write_text(text)
    reseal(folder)
    refused(folder, r"tiles/scale/zarr\.json")


def test_a_shape_without_its_bytes_is_refused_before_memory_is_taken(folder):
    import tracemalloc

    for size in (FREE_BYTES, 2**40):  # of eight bytes each
        grid = {"name": "regular", "configuration": {"chunk_shape": [9]}}
        metadata(folder, "tiles/scale", shape=[size], chunk_grid=grid)
        tracemalloc.start()
        refused(folder, "bytes of memory")
        assert tracemalloc.get_traced_memory()[1] < FREE_BYTES
        tracemalloc.stop()


def test_a_compressed_bomb_is_refused_before_memory_is_taken(folder):
    """A chunk of zeros that is a thousand times its size, in the name of a small array."""
    from numcodecs.zstd import Zstd

    bomb = Zstd(level=19).encode(bytes(2**28))
    (folder / "tiles/scale/c/0").write_bytes(bomb)
    reseal(folder)
    refused(folder, "compressed")
    fake = bytearray(Zstd().encode(bytes(8)))
    fake[5] = 0  # a header that promises what does not follow
    for content in (b"", b"x" * 40, bytes(fake), bomb[:9], bomb[4:], bytes(200)):
        (folder / "tiles/scale/c/0").write_bytes(content)
        reseal(folder)
        refused(folder, "tiles/scale/c/0")


@pytest.mark.parametrize(
    "name",
    [
        "tiles/scale/c/1", "tiles/scale/c/00", "tiles/scale/c/-1", "tiles/scale/c/0.0",
        "tiles/scale/d", "tiles/more/zarr.json", "more/zarr.json", ".zgroup", "tiles/.zattrs",
        "tiles/mask/c/0/0/0", "tiles/mask/c/x/0/0/0", "chip/on/c/99/0/0/0", "manifest.json.bak",
        "tiles/scale/c/٠",
    ],
)  # fmt: skip
def test_a_file_that_belongs_to_no_array_is_refused_even_if_it_is_listed(folder, name):
    file = folder / name
    if file.is_dir():
        shutil.rmtree(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "tiles/scale/zarr.json", file)
    reseal(folder)
    refused(folder)


@pytest.mark.parametrize("kind", ["link", "linked folder", "pipe", "device", "empty folder"])
def test_what_is_neither_file_nor_folder_is_refused_and_not_opened(tmp_path, folder, kind):
    victim = folder / "tiles/scale/c/0"
    if kind == "link":
        shutil.move(victim, tmp_path / "elsewhere")
        victim.symlink_to(tmp_path / "elsewhere")
    elif kind == "linked folder":
        shutil.move(folder / "tiles", tmp_path / "tiles")
        (folder / "tiles").symlink_to(tmp_path / "tiles")
    elif kind == "pipe":
        victim.unlink()
        os.mkfifo(victim)
    elif kind == "device":
        victim.unlink()
        victim.symlink_to("/dev/zero")
    else:
        (folder / "tiles/empty").mkdir()
    refused(folder, "does not belong to it")
    assert check_store(folder)[1]


def test_a_manifest_that_is_a_pipe_or_a_link_is_refused(tmp_path, folder):
    shutil.move(folder / "manifest.json", tmp_path / "elsewhere")
    (folder / "manifest.json").symlink_to(tmp_path / "elsewhere")
    refused(folder, "link")
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    refused(folder, "not a regular file")


def test_one_changed_byte_anywhere_is_refused_and_told(folder):
    rng = np.random.default_rng(7)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole, name = file.read_bytes(), file.relative_to(folder).as_posix()
        count = 120 if name == "manifest.json" else 4
        for position in rng.integers(0, len(whole), count):
            changed = bytearray(whole)
            changed[position] ^= 1 << int(rng.integers(8))
            file.write_bytes(changed)
            refused(folder)
            _, faults = check_store(folder)
            assert faults[0].startswith(name)
            assert len(faults) == 1 or name == "manifest.json"
        file.write_bytes(whole)
    assert check_store(folder)[1] == []


def test_beside_a_changed_manifest_other_changes_are_told_too(folder):
    (folder / "tiles/scale/c/0").write_bytes(b"x")
    (folder / "chip/zarr.json").unlink()
    (folder / "thesis.tex").write_text("precious")
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"seed": null', b'"seed": 5'))
    count, faults = check_store(folder)
    assert count == len([file for file in folder.rglob("*") if file.is_file()]) - 1
    assert [fault.split()[0] for fault in faults] == [
        "manifest.json", "chip/zarr.json", "thesis.tex", "tiles/scale/c/0",
    ]  # fmt: skip


def test_reading_a_program_does_not_import_zarr(folder):
    import subprocess

    code = f"import sys, xbar; xbar.Program.load({str(folder)!r}); assert 'zarr' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_that_could_not_be_read_back_is_not_written(tmp_path):
    weights = {"a": np.ones((2, 2)), "nothing": np.zeros((3100, 3100))}
    program = xbar.compile(weights, HARDWARE, seed=0)
    with pytest.raises(XbarError, match="bytes of memory"):
        program.save(tmp_path / "a.xbar")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["manifest.json", "tiles/mask/zarr.json", "tiles/mask/c/0/0/0/0"])
def test_a_sparse_file_is_refused_by_its_size_and_not_read(folder, name):
    """It claims 100 GB, and takes no place on the disk."""
    os.truncate(folder / name, 10**11)
    refused(folder, "at most .* bytes, not 100,000,000,000")
