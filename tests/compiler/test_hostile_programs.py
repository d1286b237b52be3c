"""A program folder is data: nothing in it runs, and no number in it is believed unchecked."""

import io
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest
from program_folders import WEIGHTS, archive_of, manifest_of, refused, reseal, used

import xbar
from xbar.compiler.store import check_store
from xbar.errors import FileError


def test_a_resealed_folder_is_still_a_program(folder):
    reseal(folder)
    assert set(xbar.Program.load(folder).matrices()) == set(WEIGHTS)


class Bomb:
    """What a pickle of it runs when it is loaded."""

    def __reduce__(self):
        return os.system, ("touch escaped",)


@pytest.mark.parametrize(
    "name", ["tiles/0.npz", "index.npz", "weights/0.npy", "chip/on.npy", "chip/stuck.npy"]
)
def test_a_pickle_in_place_of_an_array_is_refused_and_runs_nothing(
    tmp_path, folder, name, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)
    for content in (pickle.dumps(Bomb()), stream.getvalue(), archived(scale=stream.getvalue())):
        (folder / name).write_bytes(content)
        reseal(folder)
        refused(folder)
        assert check_store(folder)[1]
    assert not (tmp_path / "escaped").exists()


def archived(method=zipfile.ZIP_STORED, **members):
    """An archive of files, which need not be arrays."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def test_archives_that_xbar_does_not_write_are_refused(folder):
    stored = archive_of(folder, "index.npz")
    plain = {}
    for name, array in stored.items():
        part = io.BytesIO()
        np.save(part, array)
        plain[name] = part.getvalue()
    whole = archived(**plain)
    for content, message in (
        (b"", "not a readable .npz"),
        (whole[:-30], "not a readable .npz"),
        (whole[:40] + b"x" + whole[41:], "not a readable .npz"),
        (archived(zipfile.ZIP_DEFLATED, **plain), "compressed"),
        (archived(**{**plain, "counts": plain["counts"][:-1]}), "does not hold"),
        (archived(**{**plain, "counts": b"x"}), "not a readable .npz"),
        (archived(**plain, more=plain["counts"]), "must not have an array 'more'"),
        (archived(counts=plain["counts"]), "must have an array"),
    ):
        (folder / "index.npz").write_bytes(content)
        reseal(folder)
        refused(folder, message)
    with zipfile.ZipFile(folder / "index.npz", "w") as archive:
        archive.writestr("README", "precious")
    reseal(folder)
    refused(folder, "other things than arrays")
    (folder / "index.npz").write_bytes(whole)
    reseal(folder)
    assert set(used(xbar.Program.load(folder))) == set(WEIGHTS)


def test_a_compressed_bomb_is_refused_before_memory_is_taken(folder):
    """An archive of zeros that inflates to a thousand times its size."""
    import tracemalloc

    size = 1 << 27
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (size,)}
    )
    bomb = archived(zipfile.ZIP_DEFLATED, counts=header.getvalue() + bytes(size))
    for name in ("index.npz", "tiles/0.npz"):
        keep = (folder / name).read_bytes()
        (folder / name).write_bytes(bomb)
        reseal(folder)
        tracemalloc.start()
        refused(folder, "compressed")
        assert tracemalloc.get_traced_memory()[1] < size // 2
        tracemalloc.stop()
        (folder / name).write_bytes(keep)


@pytest.mark.parametrize(
    "name",
    [
        "tiles/1.npz", "tiles/00.npz", "tiles/-1.npz", "tiles/0.npy", "weights/3.npy", "more",
        "weights/00.npy", "weights/zarr.json", "more/zarr.json", ".zgroup", "tiles/.zattrs",
        "chip/off", "chip/more.npy", "manifest.json.bak", "index.npy", "tiles/٠.npz",
    ],
)  # fmt: skip
def test_a_file_that_belongs_to_nothing_is_refused_even_if_it_is_listed(folder, name):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "tiles/0.npz", file)
    reseal(folder)
    refused(folder, "belongs to nothing of the program")


@pytest.mark.parametrize("kind", ["link", "linked folder", "pipe", "device", "empty folder"])
def test_what_is_neither_file_nor_folder_is_refused_and_not_opened(tmp_path, folder, kind):
    victim = folder / "tiles/0.npz"
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
    (folder / "tiles/0.npz").write_bytes(b"x")
    (folder / "chip/off.npy").unlink()
    (folder / "thesis.tex").write_text("precious")
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"seed": null', b'"seed": 5'))
    count, faults = check_store(folder)
    assert count == len([file for file in folder.rglob("*") if file.is_file()]) - 1
    assert [fault.split()[0] for fault in faults] == [
        "manifest.json", "chip/off.npy", "thesis.tex", "tiles/0.npz",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["manifest.json", "index.npz", "tiles/0.npz", "weights/0.npy"])
def test_a_sparse_file_is_refused_by_its_size_and_not_read(folder, name):
    """It claims 100 GB, and takes no place on the disk."""
    os.truncate(folder / name, 10**11)
    with pytest.raises(FileError, match=r"at most .* bytes, not 100,000,000,000|must be an \.npy"):
        used(xbar.Program.load(folder))


def test_a_moment_of_choice_that_the_design_has_not_is_refused(folder):
    options = manifest_of(folder)["options"]
    for chosen in ({"time": 3600.0}, {"temperature": -3.0}, {"stuck_open": 2.0}, {"path": [0.0]}):
        reseal(folder, options=options | {"aged": True, "chosen": chosen})
        refused(folder)
