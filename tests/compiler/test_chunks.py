"""What zarr writes of an array is what is read, without zarr."""

import numpy as np
import pytest

from xbar.compiler.chunks import DTYPES, read_arrays


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
