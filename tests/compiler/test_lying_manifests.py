"""A manifest whose checksums are right and whose numbers lie is refused, or is consistent."""

import json
import shutil

import numpy as np
import pytest
from program_folders import WEIGHTS, manifest_of, refused, reseal

import xbar
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
