"""A data set on disk: an .npz archive with ``inputs`` (N, ...) and ``labels`` (N,) for accuracy."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs (N, ...) and their class numbers (N,), if known."""

    inputs: NDArray[Any]
    labels: NDArray[Any] | None


def read_dataset(path: str | Path) -> Dataset:
    """The data set in an .npz archive.

    Raises:
        FileError: it can't be read, or has no ``inputs``.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise FileError(f"{path}: must be an .npz archive with an array 'inputs'")
            arrays = {name: content[name] for name in content.files}
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror or error})") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: is no readable .npz archive ({error})") from error
    if "inputs" not in arrays:
        raise FileError(
            f"{path}: must have an array 'inputs' (and 'labels' for accuracy), not {sorted(arrays)}"
        )
    if arrays["inputs"].ndim < 1 or len(arrays["inputs"]) == 0:
        raise FileError(f"{path}: 'inputs' must hold at least one input")
    return Dataset(arrays["inputs"], arrays.get("labels"))
