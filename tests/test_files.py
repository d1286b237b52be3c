"""A write is whole or absent: whatever stands at the path is the old file or the new one."""

import io
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.errors import FileError
from xbar.files import cache_folder, read_regular, write_text
from xbar.npz import read_npz

DESIGN = xbar.Hardware(tile=xbar.Tile(word_lines=4, bit_lines=4))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_text_file_is_written_whole_and_alone(tmp_path):
    write_text(tmp_path / "a.txt", "µ\n")
    assert (tmp_path / "a.txt").read_bytes() == "µ\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_caches_lie_where_the_user_wants_them_or_it_is_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    for given, folder in (("/caches", "/caches"), ("", None), ("relative", None)):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache_folder("part") == Path(folder or "/home/someone/.cache") / "xbar" / "part"

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(FileError, match="no home; set XDG_CACHE_HOME to the absolute path"):
        cache_folder("part")


def test_an_existing_file_stays_unless_forced(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileError, match="exists already"):
        write_text(path, "new")
    assert path.read_text() == "old"
    write_text(path, "new", force=True)
    assert path.read_text() == "new"


def test_a_device_or_pipe_is_not_replaced_even_by_force(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(FileError, match="is a device or pipe, which is not replaced"):
            write_text(path, "x", force=True)
    assert names(tmp_path) == ["pipe"]
    assert Path("/dev/null").is_char_device()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"can't be written \(No space left"):
        write_text(path, "new", force=True)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


HEAD = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"


def archive_of(header, data=bytes(24), name="a.npy"):
    """An .npz archive made by hand, its checksums right whatever it holds."""
    text = header + b" " * (117 - len(header)) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, array)
    return buffer.getvalue()


def test_arrays_come_back_by_name(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.arange(4), y=np.ones((2, 0), dtype=np.complex128))
    arrays = read_npz(path)
    assert sorted(arrays) == ["x", "y"]
    np.testing.assert_array_equal(arrays["x"], np.arange(4))
    path.write_bytes(archive_of(HEAD))
    np.testing.assert_array_equal(read_npz(path)["a"], np.zeros(3))
    path.write_bytes(archive_of(HEAD, name="notes.txt"))
    assert read_npz(path) == {}


@pytest.mark.parametrize(
    "content",
    [
        archive_of(HEAD.replace(b"(3,)", b"(4,)")),
        archive_of(HEAD.replace(b"(3,)", b"(1000000000000000,)")),
        archive_of(HEAD.replace(b"(3,)", b"(-3,)")),
        archive_of(HEAD.replace(b"(3,)", b"((((")),
        archive_of(HEAD.replace(b"'<f8'", b"'|O'")),
        archive_of(HEAD.replace(b"'<f8'", b"'<f8', 'a'")),
        archive_of(HEAD.replace(b"'<f8'", b"'")),
        archive_of(HEAD.replace(b"(3,)", b"__import__('os').getcwd()")),
        archive_of(b""),
    ],
)
def test_an_array_of_another_form_is_a_file_error(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(FileError, match="not a readable") as refused:
        read_npz(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_changed_anywhere_gives_arrays_or_one_line(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, inputs=np.eye(3), labels=np.arange(3))
    whole = path.read_bytes()
    refusals = []
    for position in range(0, len(whole), 3):
        for flip in (0x01, 0x20, 0xFF):
            changed = bytearray(whole)
            changed[position] ^= flip
            path.write_bytes(changed)
            try:
                read_npz(path)
            except FileError as error:  # any other exception fails the test
                refusals.append(str(error))
    assert len(refusals) > len(whole) // 2
    assert not any("\n" in line for line in refusals)


def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert read_regular(tmp_path / "file") == b"content"
        for name in ("link", "folder", "pipe", "socket", "none"):
            with pytest.raises(FileError, match=name):
                read_regular(tmp_path / name)
    with pytest.raises(FileError, match="not a regular file"):
        read_regular(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "x" * 300 + "/y"])
@pytest.mark.parametrize(
    "use",
    [
        xbar.Program.load,
        xbar.read_spice,
        lambda path: xbar.read_model(path, (3,)),
        xbar.Hardware.load,
        lambda path: xbar.Chip.from_measurement(path, xbar.Hardware()),
        lambda path: write_text(Path(path), "text"),
        lambda path: xbar.compile({"fc": np.eye(2)}, xbar.Chip.sample(DESIGN, 0)).save(path),
    ],
    ids=["program", "deck", "model", "design", "measurement", "text", "save"],
)
def test_a_name_that_no_file_can_have_is_a_file_error(tmp_path, monkeypatch, use, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError):
        use(name)
    assert not list(tmp_path.iterdir())
