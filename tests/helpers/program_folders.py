"""Program folders that were changed, with all their checksums right, as an attacker would."""

import hashlib
import json
import warnings

import numpy as np
import pytest

import xbar
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
    """A program is refused in one line; returns it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileError, match=match) as error:
            xbar.Program.load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)
