"""A data set on disk: inputs (N, ...) and, for accuracy, labels, in the forms that people save.

    .npz         inputs and labels, or x and y, images and targets, x_test and y_test, ...
    .npy         inputs alone
    .csv, .txt   numbers, one input a line, with a column of labels, see ``labelled_table``

What was assumed is said in notes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from xbar.errors import FileError, printable
from xbar.files import read_file
from xbar.npz import array_format, npz_shapes, read_npy, read_npz
from xbar.simulation.labelled_table import LABELS, read_labelled
from xbar.tables import Outline, few
from xbar.textfiles import decode

_INPUTS = (
    "inputs input x images image data features samples "
    "input_ids tokens pixel_values input_values input_features"
).split()
_SPLITS = ("", "test", "eval", "val", "valid", "validation", "train")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Outline):
    """Inputs and their labels.

    Attributes:
        inputs: inputs (N, ...).
        labels: class numbers (N,), or one-hot (N, C); None if unknown.
        notes: what was assumed when they were read, one sentence each.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    notes: tuple[str, ...] = ()


def read_dataset(path: str | Path, shape: Sequence[int | None] | None = None) -> Dataset:
    """The data set in a file: .npz, .npy or a table of text.

    Args:
        path: the file.
        shape: shape of one input of the network, which tells a table's labels from its inputs.

    Raises:
        FileError: the file can't be read, or has no inputs.
    """
    path = Path(path)
    form = array_format(path)
    if form == "npz":
        data = _from_archive(path)
    elif form == "npy":
        data = Dataset(read_npy(path), None)
    else:
        try:
            inputs, labels, notes = read_labelled(decode(read_file(path), "cp1252"), shape)
        except (ValueError, csv.Error) as error:
            raise FileError(f"{path}: is no table of numbers: {error}") from error
        data = Dataset(inputs, labels, notes)
    if data.inputs.ndim < 1 or len(data.inputs) == 0:
        raise FileError(f"{path}: 'inputs' must hold at least one input")
    return data


def _from_archive(path: Path) -> Dataset:
    shapes = {name: shape for name, (shape, _) in npz_shapes(path).items()}
    if not shapes:
        raise FileError(
            f"{path}: holds no arrays of numpy; write numpy.savez('test.npz', inputs=x, labels=y)"
        )
    inputs, labels = _choose(shapes)
    if inputs is None:
        raise FileError(
            f"{path}: must have an array 'inputs' (and 'labels' for accuracy), not {sorted(shapes)}"
        )
    arrays = read_npz(path, [name for name in (inputs, labels) if name is not None])
    notes = []
    if inputs != "inputs":
        notes.append(f"the array {printable(inputs)} holds the inputs")
    if labels not in (None, "labels"):
        notes.append(f"the array {printable(labels)} holds the labels")
    others = sorted(set(shapes) - {inputs, labels})
    if notes and others:
        notes.append(f"arrays not used: {few(others)}")
    return Dataset(arrays[inputs], None if labels is None else arrays[labels], tuple(notes))


def _choose(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str | None, str | None]:
    """The arrays of inputs and labels, by their usual names, else by their shapes."""
    for split in _SPLITS:
        inputs, labels = (_named(shapes, names, split) for names in (_INPUTS, LABELS))
        if inputs is not None:
            return inputs, labels
    ranked = sorted(shapes, key=lambda name: -len(shapes[name]))
    if len(ranked) == 1:
        return ranked[0], None
    if len(ranked) == 2:
        first, second = (shapes[name] for name in ranked)
        if len(first) > len(second) == 1 and first[0] == second[0]:
            return ranked[0], ranked[1]
    return None, None


def _named(shapes: Mapping[str, object], names: Sequence[str], split: str) -> str | None:
    """The array of one of these names, such as "x", "X_test" or "test_images" of a split."""
    found = {name.lower().replace("-", "_"): name for name in reversed(list(shapes))}
    for name in names:
        spelled = (f"{name}_{split}", f"{split}_{name}", name + split) if split else (name,)
        for each in spelled:
            if each in found:
                return found[each]
    return None
