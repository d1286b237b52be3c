"""Program folders that were changed, with all their checksums right, as an attacker would."""

import hashlib
import json
import warnings

import numpy as np
import pytest

import xbar
from xbar.compiler import store
from xbar.compiler.bundles import npz_bytes
from xbar.compiler.sealed import seal
from xbar.errors import FileError

WEIGHTS = {
    "a": np.random.default_rng(0).standard_normal((5, 9)),
    "b": np.random.default_rng(1).standard_normal((2, 3, 4)),
    "nothing": np.zeros((3, 2)),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=9), tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0)
)


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
    """A program is refused in one line, whole when it is loaded or late when it is used."""
    whole = store.WHOLE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileError, match=match) as error:
            xbar.Program.load(folder)
        try:
            store.WHOLE = -1
            with pytest.raises(FileError, match=match) as late:
                used(xbar.Program.load(folder))
        finally:
            store.WHOLE = whole
    assert "\n" not in str(error.value)
    assert "\n" not in str(late.value)
    return str(error.value)


def used(program):
    """Every part of a program, used once."""
    for tile in program.tiles:
        repr(tile)
    for name in program.weights:
        assert np.isfinite(program.weights[name]).all()
    return program.matrices()


def archive_of(folder, name):
    with np.load(folder / name) as archive:
        return dict(archive)


def store_archive(folder, name, **changes):
    """Change arrays of an archive, None to leave one out; all checksums are made right."""
    arrays = {**archive_of(folder, name), **changes}
    arrays = {key: array for key, array in arrays.items() if array is not None}
    (folder / name).write_bytes(npz_bytes(arrays))
    reseal(folder)
