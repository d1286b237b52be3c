"""What zarr writes of an array is what is read, without zarr."""

import numpy as np
import pytest

from xbar.compiler.chunks import _MAGIC, DTYPES, _content_size, read_arrays


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


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_791, 65_792, 200_000])
@pytest.mark.parametrize("checksum", [False, True])
def test_the_size_of_a_frame_stands_in_its_header(size, checksum):
    """Written by the library, whose frames may end with a checksum of their content."""
    from numcodecs import Zstd

    assert _content_size(Zstd(checksum=checksum).encode(bytes(size))) == size


@pytest.mark.parametrize("flag", [1, 2, 3])
def test_a_frame_that_wants_a_dictionary_has_no_size_that_is_believed(flag):
    """RFC 8878, 3.1.1.1: descriptor, dictionary number of 1, 2 or 4 bytes, then the size."""
    number = bytes([7] * (1, 2, 4)[flag - 1])
    assert _content_size(_MAGIC + bytes([1 << 5 | flag]) + number + bytes([9])) is None
    assert _content_size(_MAGIC + bytes([1 << 5]) + bytes([9, 0])) == 9
