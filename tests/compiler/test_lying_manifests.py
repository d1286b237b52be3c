"""A manifest whose checksums are right and whose numbers lie is refused, or is consistent."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from program_folders import (
    HARDWARE,
    WEIGHTS,
    archive_of,
    manifest_of,
    refused,
    reseal,
    store_archive,
    used,
)

import xbar
from xbar.compiler import store
from xbar.compiler.sealed import seal
from xbar.compiler.store import check_store
from xbar.errors import FileError


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


def test_a_manifest_that_lies_with_the_right_checksum_is_refused_or_consistent(folder, monkeypatch):
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
        monkeypatch.setattr(store, "WHOLE", -1 if trial % 2 else 1 << 23)
        try:
            program = xbar.Program.load(folder)
            matrices = used(program)
        except FileError as error:
            assert "\n" not in str(error)
            continue
        accepted += 1
        repr(program)
        named = dict(zip(manifest["network"]["names"], WEIGHTS.values(), strict=True))
        assert {name: m.shape for name, m in matrices.items()} == {
            name: w.shape for name, w in named.items()
        }
        assert all(np.isfinite(m).all() for m in matrices.values())
    assert accepted < 100


def edited(folder, edit):
    manifest = manifest_of(folder)
    edit(manifest)
    (folder / "manifest.json").write_bytes(seal(manifest))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m["tiles"].update(count=5), "index.npz must have 5 tiles|blocks|is missing"),
        (lambda m: m["tiles"].update(count=10**12), "is missing"),
        (lambda m: m["tiles"].update(bundle=2), "belongs|is missing|a bundle must have"),
        (lambda m: m["tiles"].update(count=0), "belongs to nothing"),
        (lambda m: m["placement"].update(tiles=3), "not those placed"),
        (lambda m: m.update(seed=5), "belongs to nothing|measured must be null"),
        (lambda m: m.update(measured=7), "chip/on.npy must be an .npy file"),
        (lambda m: m.update(measured=2**31), "chip/on.npy must be an .npy file"),
        (lambda m: m["hardware"]["bank"].update(resistors=8), "on.npy must be"),
        (lambda m: m["hardware"]["tile"].update(word_lines=5), "on.npy must be"),
        (lambda m: m["network"].update(names=["a", "b", "b"]), "each once"),
        (lambda m: m["network"].update(names=["a", "b"]), "one for each name"),
        (lambda m: m["network"]["arrays"].pop(), "one for each name"),
        (lambda m: array(m).update(file="weights/7.npy"), "no array's file"),
        (lambda m: array(m).update(file="chip/on.npy"), "no array's file"),
        (lambda m: array(m).update(file="../a.xbar/weights/0.npy"), "no array's file"),
        (lambda m: array(m).update(file="weights/1.npy"), "must be an .npy file|belongs"),
        (lambda m: array(m).update(dtype="float32"), "must be an .npy file of float32"),
        (lambda m: array(m).update(dtype="object"), "dtype must be one of"),
        (lambda m: array(m).update(shape=[1, 9, 5]), "must be an .npy file of float64"),
        (lambda m: array(m).update(shape=[2**40, 2**40]), "can't have the shape"),
        (lambda m: array(m).update(shape=[-1]), "list of sizes"),
        (lambda m: array(m).update(offset=0), "must have a key"),
        (lambda m: m.update(decided=1), "true or false"),
        (lambda m: m.update(more=1), "must not have a key 'more'"),
    ],
)
def test_a_lie_is_told_by_what_it_contradicts(folder, edit, message):
    edited(folder, edit)
    refused(folder, message)


def array(manifest):
    return manifest["network"]["arrays"][0]


def elsewhere(file, **changes):
    """The record of an array in a file outside of the program."""
    record = {
        "dtype": "float64", "shape": [1, 5, 9], "file": file, "offset": 128, "held": "float64",
        "sha256": "0" * 64,
    }  # fmt: skip
    return {**record, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "was changed after the program was written; put the model back"),
        ({"file": "../nowhere"}, "can't be read"),
        ({"file": ".."}, "is not a regular file"),
        ({"file": "../pipe"}, "is not a regular file"),
        ({"file": "/dev/zero"}, "is not a regular file"),
        ({"file": "a\0b"}, "hexadecimal"),
        ({"offset": 1000}, "must have 1,360 bytes"),
        ({"offset": -8}, "offset and held"),
        ({"offset": 2**60}, "offset and held"),
        ({"held": "int64"}, "offset and held"),
        ({"held": "object"}, "offset and held"),
        ({"sha256": "x"}, "hexadecimal"),
        ({"sha256": None}, "hexadecimal"),
        ({"more": 1}, "must not have a key"),
    ],
)
def test_a_reference_that_lies_reads_nothing_that_is_not_the_models(folder, changes, message):
    shutil.move(folder / "weights" / "0.npy", folder.parent / "model")
    os.mkfifo(folder.parent / "pipe")
    edited(folder, lambda m: m["network"]["arrays"].__setitem__(0, elsewhere("../model")))
    reseal(folder)
    edited(folder, lambda m: array(m).update(changes))
    refused(folder, message)


def test_an_honest_reference_is_read(folder):
    shutil.move(folder / "weights" / "0.npy", folder.parent / "model")
    content = (folder.parent / "model").read_bytes()[128:]
    record = elsewhere("../model", sha256=hashlib.sha256(content).hexdigest())
    edited(folder, lambda m: m["network"]["arrays"].__setitem__(0, record))
    reseal(folder)
    np.testing.assert_array_equal(xbar.Program.load(folder).weights["a"][0], WEIGHTS["a"])
    assert check_store(folder)[1] == []


ROWS = str.split("layer group inputs outputs first_input first_output word_line column")


def rows_of(folder, **changes):
    """The rows of the index, the first one changed."""
    rows = archive_of(folder, "index.npz")["rows"].astype(np.uint64)
    for name, value in changes.items():
        rows[0, ROWS.index(name)] = value
    return rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": 3}, "layer must be under 3"),
        ({"layer": 2**63}, "whole numbers"),
        ({"group": 1}, "group is not of its layer"),
        ({"inputs": 0}, "at least one"),
        ({"inputs": 10**15}, "inputs must be numbers under 9"),
        ({"first_input": 9}, "inputs must be numbers under 9"),
        ({"first_output": 2**61}, "outputs must be numbers under 5"),
        ({"word_line": 7}, "word_lines must be numbers under 6"),
        ({"column": 0}, "indices must be listed"),
        ({"first_input": 2}, "two places|no place"),
        ({"first_output": 2}, "two places|no place"),
        ({"inputs": 1}, "no place|must have shape|has other blocks"),
    ],
)
def test_blocks_that_contradict_the_network_are_refused(folder, changes, message):
    store_archive(folder, "index.npz", rows=rows_of(folder, **changes))
    refused(folder, message)


def test_lists_of_indices_are_checked_like_ranges(folder):
    rows, first = rows_of(folder), archive_of(folder, "index.npz")
    count = int(rows[0, 2])
    listed = np.concatenate([np.arange(count), first["listed"]]).astype(np.uint64)
    rows[0, 4] = 0
    twice, beyond = listed.copy(), listed.copy()
    twice[1], beyond[1] = 0, 9
    for change, message in ((twice, "stands twice"), (beyond, "numbers under 9")):
        store_archive(folder, "index.npz", rows=rows, listed=change)
        refused(folder, message)
    for name in ("index.npz", "tiles/0.npz"):
        store_archive(folder, name, rows=rows, listed=listed)
    assert set(used(xbar.Program.load(folder))) == set(WEIGHTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": lambda a: a[:-1]}, "scale must have shape"),
        ({"scale": lambda a: np.append(a, 1.0)}, "scale must have shape"),
        ({"scale": lambda a: -a}, "positive"),
        ({"scale": lambda a: a * np.nan}, "positive"),
        ({"scale": lambda a: a.astype(np.float32)}, "scale must have shape"),
        ({"scale": lambda a: a[None]}, "scale must have shape"),
        ({"mask": lambda a: a[:-1]}, "mask must have shape"),
        ({"mask": lambda a: a[:, :-1]}, "mask must have shape"),
        ({"mask": lambda a: a.astype(np.int16)}, "mask must have shape"),
        ({"mask": lambda a: a | np.uint8(0x80)}, "beyond those of its cells"),
        ({"residual": lambda a: -a - 1}, "residual must be finite"),
        ({"residual": lambda a: a[:, :2]}, "residual must have shape"),
        ({"residual": lambda a: a * np.inf}, "residual must be finite"),
        ({"tally": lambda a: a.astype(np.int64) - 1}, "whole numbers from 0"),
        ({"tally": lambda a: a[:-1]}, "tally must have shape"),
        ({"rounds": lambda a: a + np.uint8(1)}, "error must have shape"),
        ({"rounds": lambda a: a[:-1]}, "rounds must have shape"),
        ({"error": lambda a: np.append(a, 0.1)}, "error must have shape"),
        ({"counts": lambda a: a[:-1]}, "counts must add up"),
        ({"counts": lambda a: a + np.uint64(2**63)}, "whole numbers"),
        ({"counts": lambda a: a.astype(float)}, "whole numbers"),
        ({"rows": lambda a: a[:, :-1]}, "counts, rows and listed must be"),
        ({"listed": lambda a: np.append(a, 0).astype(np.uint8)}, "indices must be listed"),
        ({"scale": None}, "must have an array 'scale'"),
        ({"more": np.zeros(1)}, "must not have an array 'more'"),
    ],
)
def test_arrays_of_a_bundle_that_contradict_it_are_refused(folder, changes, message):
    bundle = archive_of(folder, "tiles/0.npz")
    made = {n: change(bundle[n]) if callable(change) else change for n, change in changes.items()}
    store_archive(folder, "tiles/0.npz", **made)
    refused(folder, message)


@pytest.fixture
def shared(tmp_path):
    """A program with two blocks on one tile."""
    folder = tmp_path / "shared.xbar"
    xbar.compile({"a": np.ones((1, 2)), "b": np.ones((1, 2))}, HARDWARE, seed=0).save(folder)
    assert archive_of(folder, "index.npz")["counts"].tolist() == [2]
    return folder


def test_blocks_of_a_bundle_are_those_of_the_index(shared):
    rows = archive_of(shared, "tiles/0.npz")["rows"].copy()
    rows[1, 6] -= 1  # the word line before
    store_archive(shared, "tiles/0.npz", rows=rows)
    refused(shared, r"has other blocks than index\.npz")


def test_two_blocks_in_one_cell_are_refused(shared):
    rows = archive_of(shared, "index.npz")["rows"].copy()
    rows[1, 6:] = rows[0, 6:]
    store_archive(shared, "index.npz", rows=rows)
    store_archive(shared, "tiles/0.npz", rows=rows)
    refused(shared, "two blocks share a cell")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("weights/0.npy", np.full((1, 5, 9), np.inf)),
        ("weights/2.npy", np.ones((1, 3, 2))),  # weights that no tile has
        ("chip/on.npy", -np.ones((8, 6, 7, 9))),
        ("chip/stuck.npy", np.full((8, 6, 7, 9), 5, dtype=np.int8)),
        ("chip/on.npy", np.ones((2, 6, 7, 9))),
        ("chip/on.npy", np.ones((8, 6, 7, 9), dtype=np.float32)),
        ("weights/0.npy", np.asfortranarray(np.ones((1, 5, 9)))),
    ],
)
def test_numbers_that_cannot_be_are_refused(folder, name, array):
    np.save(folder / name, array)
    reseal(folder)
    refused(folder)


def test_an_old_format_is_told_with_what_to_do(folder):
    manifest = manifest_of(folder)
    del manifest["checksum"]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 4}))
    refused(folder, r"has format 4, this xbar reads 6; write it again")
    assert "format 4" in check_store(folder)[1][0]
