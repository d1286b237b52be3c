"""A program folder is data: nothing in it runs, and no number in it is believed unchecked."""

import hashlib
import json
import os
import pickle
import shutil
import sys
import warnings

import numpy as np
import pytest

import xbar
from xbar.compiler.chunks import DTYPES, FREE_BYTES, read_arrays
from xbar.compiler.sealed import seal
from xbar.compiler.store import check_store
from xbar.errors import FileError, XbarError

WEIGHTS = {
    "a": np.random.default_rng(0).standard_normal((5, 9)),
    "b": np.random.default_rng(1).standard_normal((2, 3, 4)),
    "nothing": np.zeros((3, 2)),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=9), tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0)
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "a.xbar"
    chip = tmp_path_factory.mktemp("chip") / "chip.npz"
    np.savez(chip, on=np.random.default_rng(2).uniform(1e-6, 2e-5, (8, 6, 7, 9)))
    xbar.compile(WEIGHTS, xbar.Chip.from_measurement(chip, HARDWARE)).save(folder)
    return folder


@pytest.fixture
def folder(tmp_path, original):
    return shutil.copytree(original, tmp_path / "a.xbar")


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_bytes())


def reseal(folder, **changes):
    """Make a manifest whose checksums are all right, as an attacker would."""
    manifest = {**manifest_of(folder), **changes}
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    )
    if "files" not in changes:
        manifest["files"] = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names
        }
    (folder / "manifest.json").write_bytes(seal(manifest))


def refused(folder, match=None):
    """A program is refused in one line; returns it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileError, match=match) as error:
            xbar.Program.load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


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


def paths_of(value, path=()):
    """The place of every value in a JSON document."""
    yield path
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from paths_of(value[key], (*path, key))


ODD = (None, True, -1, 0, 1, 2, 7, 10**6, 2**63, 10**30, 0.5, -0.5, 1e308, "", "x", [], [0], [0, 0],
       {}, {"from": 0, "to": 10**12}, {"from": 3, "to": 1}, [[]], ["x"])  # fmt: skip


def test_a_manifest_that_lies_with_the_right_checksum_is_refused_or_consistent(folder):
    """Whatever is changed: one line, or a program whose every part can be used."""
    whole, rng = manifest_of(folder), np.random.default_rng(3)
    places = [path for path in paths_of(whole) if path and path[0] not in ("files", "checksum")]
    accepted = 0
    for trial in range(300):
        manifest = json.loads(json.dumps(whole))
        target, last = manifest, places[int(rng.integers(len(places)))]
        for key in last[:-1]:
            target = target[key]
        if trial % 6 == 0:
            del target[last[-1]]
        else:
            target[last[-1]] = ODD[int(rng.integers(len(ODD)))]
        (folder / "manifest.json").write_bytes(seal(manifest))
        try:
            program = xbar.Program.load(folder)
        except FileError as error:
            assert "\n" not in str(error)
            continue
        accepted += 1
        repr(program), repr(program.tiles[0])
        matrices = program.matrices()
        assert {name: m.shape for name, m in matrices.items()} == {
            name: w.shape for name, w in WEIGHTS.items()
        }
        assert all(np.isfinite(m).all() for m in matrices.values())
    assert accepted < 100


def edited(folder, edit):
    manifest = manifest_of(folder)
    edit(manifest)
    (folder / "manifest.json").write_bytes(seal(manifest))


def block(manifest, tile=0, number=0):
    return manifest["tiles"][tile]["blocks"][number]["block"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: block(m).update(layer="z"), "none of the network"),
        (lambda m: block(m).update(group=1), "group must be under 1"),
        (lambda m: block(m).update(inputs={"from": 0, "to": 10**15}), "numbers from 0 to 8"),
        (lambda m: block(m).update(word_lines={"from": 1, "to": 8}), "numbers from 0 to 5"),
        (lambda m: block(m).update(columns=[0, 0, 1]), "stands twice"),
        (lambda m: block(m).update(columns=[0]), "have lengths"),
        (lambda m: block(m).update(inputs=[1.0, 2.0]), "numbers from 0 to 8"),
        (lambda m: m["tiles"].pop(), "tiles/mask has"),
        (lambda m: m["tiles"].append(m["tiles"][0]), "tiles/mask has|two places|must be"),
        (lambda m: m["tiles"].__setitem__(1, m["tiles"][0]), "two places|scale"),
        (lambda m: m["placement"].update(tiles=3), "not those placed"),
        (lambda m: m.update(seed=5), "belongs to no array"),
        (lambda m: m["hardware"]["bank"].update(resistors=8), "on must have|shape"),
        (lambda m: m["hardware"]["tile"].update(word_lines=5), "shape|numbers from"),
        (lambda m: m["network"].update(names=["a", "b", "b"]), "each once"),
        (lambda m: m["network"].update(names=["a", "b"]), "belongs to no array"),
        (lambda m: m.update(decided=1), "true or false"),
        (lambda m: m.update(more=1), "must not have a key 'more'"),
    ],
)
def test_a_lie_is_told_by_what_it_contradicts(folder, edit, message):
    edited(folder, edit)
    refused(folder, message)


def store(folder, name, array, **options):
    """Replace an array of the folder, by zarr, and make the checksums right."""
    import zarr

    shutil.rmtree(folder / name)
    zarr.open_group(store=folder, mode="r+").create_array(name, data=array, **options)
    reseal(folder)


def load_array(folder, name):
    import zarr

    return np.asarray(zarr.open_group(store=folder, mode="r")[name][...])


def test_arrays_that_contradict_the_manifest_are_refused(folder):
    scale, mask = load_array(folder, "tiles/scale"), load_array(folder, "tiles/mask")
    assert mask.shape == (mask.shape[0], 6, 7, 2)  # nine resistors: two bytes, seven bits unused
    beyond = mask.copy()
    beyond[0, 0, 0, 1] |= 0x80
    for name, array, message in [
        ("tiles/scale", scale[:-1], "scale"),
        ("tiles/scale", np.append(scale, 1.0), "scales, one an output"),
        ("tiles/scale", -scale, "positive"),
        ("tiles/scale", scale * np.nan, "positive"),
        ("tiles/scale", scale.astype(np.float32), "scale"),
        ("tiles/scale", scale[None], "one axis"),
        ("tiles/mask", mask[:-1], "tiles/mask has"),
        ("tiles/mask", mask[:, :-1], "switches must be"),
        ("tiles/mask", mask.astype(np.int16), "switches must be"),
        ("tiles/mask", beyond, "beyond 9 resistors"),
    ]:
        keep = shutil.copytree(folder / name, folder.parent / "keep")
        store(folder, name, array)
        refused(folder, message)
        shutil.rmtree(folder / name)
        shutil.move(keep, folder / name)
    reseal(folder)
    for name, array in [
        ("matrices/0", np.ones((1, 5, 9))[:, :4]),
        ("matrices/0", np.full((1, 5, 9), np.inf)),
        ("matrices/0", np.ones((5, 9))),
        ("matrices/2", np.ones((1, 3, 2))),  # weights that no tile has
        ("chip/on", -np.ones((8, 6, 7, 9))),
        ("chip/stuck", np.full((8, 6, 7, 9), 5, dtype=np.int8)),
        ("chip/on", np.ones((2, 6, 7, 9))),
    ]:
        keep = shutil.copytree(folder / name, folder.parent / "keep")
        store(folder, name, array)
        refused(folder)
        shutil.rmtree(folder / name)
        shutil.move(keep, folder / name)


def test_an_old_format_is_told_with_what_to_do(folder):
    manifest = manifest_of(folder)
    del manifest["checksum"]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 4}))
    refused(folder, r"has format 4, this xbar reads 5; write it again")
    assert "format 4" in check_store(folder)[1][0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_zarr_writes_is_what_is_read(tmp_path, dtype):
    """Every type, chunks of every kind, zeros without a file, sizes of 0 and no axes at all."""
    import zarr

    rng = np.random.default_rng(4)
    arrays = {
        "0": rng.integers(0, 100, (7, 5)).astype(dtype),
        "1": np.array(3).astype(dtype),
        "2": np.zeros((4, 4), dtype),
        "3": np.ones((0, 3), dtype),
        "4": np.concatenate([np.zeros(6), rng.integers(0, 100, 7)]).astype(dtype),
    }
    group = zarr.open_group(store=tmp_path, mode="w", zarr_format=3).create_group("g")
    for name, array in arrays.items():
        chunks = {"0": (2, 3), "4": (3,)}.get(name, "auto")
        group.create_array(name, data=array, chunks=chunks)
    files = {
        file.relative_to(tmp_path).as_posix(): file.stat().st_size
        for file in tmp_path.rglob("*")
        if file.is_file()
    }
    read = read_arrays(
        lambda name: (tmp_path / name).read_bytes(), files, [f"g/{name}" for name in arrays]
    )
    for name, array in arrays.items():
        assert read[f"g/{name}"].dtype == array.dtype
        np.testing.assert_array_equal(read[f"g/{name}"], array)


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
