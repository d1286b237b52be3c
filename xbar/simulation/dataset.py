"""A data set on disk: an .npz archive with ``inputs`` (N, ...) and ``labels`` (N,) for accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from xbar.errors import FileError
from xbar.npz import read_npz
from xbar.tables import Outline


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Outline):
    """Inputs (N, ...) and their class numbers (N,), if known."""

    inputs: NDArray[Any]
    labels: NDArray[Any] | None


def read_dataset(path: str | Path) -> Dataset:
    """The data set in an .npz archive.

    Raises:
        FileError: the file can't be read, or has no ``inputs``.
    """
    path = Path(path)
    arrays = read_npz(path)
    if "inputs" not in arrays:
        raise FileError(
            f"{path}: must have an array 'inputs' (and 'labels' for accuracy), not {sorted(arrays)}"
        )
    if arrays["inputs"].ndim < 1 or len(arrays["inputs"]) == 0:
        raise FileError(f"{path}: 'inputs' must hold at least one input")
    return Dataset(arrays["inputs"], arrays.get("labels"))
