"""Arrays from files that nobody vouches for: read as data, and never more than the file holds."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from xbar.errors import FileError
from xbar.npz import npz_shapes, read_npy, read_npz


def header(shape, dtype="<f8"):
    stream = io.BytesIO()
    record = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, record)
    return stream.getvalue()


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_only_the_arrays_that_are_wanted_are_read(tmp_path):
    whole = io.BytesIO()
    np.save(whole, np.arange(3))
    path = archive(tmp_path / "a.npz", on=whole.getvalue(), other=b"no array at all")
    assert list(read_npz(path, ("on", "off"))) == ["on"]
    np.testing.assert_array_equal(read_npz(path, ("on",))["on"], np.arange(3))
    with pytest.raises(FileError, match="not a readable"):
        read_npz(path)


def test_shapes_come_from_the_headers_alone(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 3), np.float32), b=np.array(["x"]))
    assert npz_shapes(tmp_path / "a.npz") == {"a": ((2, 3), np.dtype("f4")), "b": ((1,), "<U1")}


def test_an_archive_that_would_fill_the_memory_is_refused_before_it_is_inflated(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("xbar.npz._INFLATED", 1 << 20)  # of 256 MiB, to be quick
    path = archive(tmp_path / "a.npz", on=header((4_000_000,)) + bytes(32_000_000))
    assert path.stat().st_size < 40_000
    tracemalloc.start()
    with pytest.raises(FileError, match=r"0\.032 GB of memory, more than 100 times the file"):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    assert read_npz(path, ()) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((2**62,)) + bytes(8), "which it does not hold"),
        (header((2**40, 2**40)) + bytes(8), "which it does not hold"),
        (header((2,)) + bytes(8), "which it does not hold"),
        (header((2,)) + bytes(24), "which it does not hold"),
        (header((-1,)) + bytes(8), "no size"),
        (header((2**62,), "<U0"), "no size"),
        (header((1,), "|O") + b"\x80\x04N.", "Python objects"),
        (b"\x93NUMPY\x03\x00" + header((1,))[8:] + bytes(8), "version"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "not a readable"),
        (b"", "not a readable"),
    ],
)
def test_a_header_that_lies_is_refused_in_archives_and_alone(tmp_path, content, message):
    with pytest.raises(FileError, match=message):
        read_npz(archive(tmp_path / "a.npz", on=content))
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_npy(tmp_path / "a.npy")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    whole = header((1,)) + bytes(8)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("on.npy", whole)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("on.npy", whole)
    with pytest.raises(FileError, match="two arrays are called 'on'"):
        read_npz(tmp_path / "a.npz")


def test_large_arrays_that_compress_well_but_honestly_are_read(tmp_path):
    zeros = np.zeros((16, 64, 64, 8), np.int8)
    np.savez_compressed(tmp_path / "a.npz", stuck=zeros)
    assert (tmp_path / "a.npz").stat().st_size < zeros.nbytes / 500
    assert read_npz(tmp_path / "a.npz")["stuck"].shape == zeros.shape
