"""A data set on disk: inputs (N, ...) and, for accuracy, labels, in the forms that people save.

    .npz         inputs and labels, or x and y, images and targets, x_test and y_test, ...
    .npy         inputs alone
    .bin         tokens as bare 16- or 32-bit whole numbers, see ``read_dataset``
    .csv, .txt   numbers, one input a line, with a column of labels, see ``labelled_table``

What was assumed is said in notes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, SpecError, printable, warn
from xbar.files import check_regular, read_file
from xbar.npz import array_format, npz_shapes, read_npy, read_npz
from xbar.simulation.labelled_table import LABELS, read_labelled
from xbar.tables import Outline, few
from xbar.textfiles import decode

_INPUTS = (
    "inputs input x images image data features samples "
    "input_ids tokens pixel_values input_values input_features"
).split()
_MASKS = ("attention_mask", "mask")
BARE = ("uint16", "uint32")
"""Types of tokens in files without a header."""
_LOOKED_AT = 1 << 16
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


def read_dataset(
    path: str | Path,
    shape: Sequence[int | None] | None = None,
    *,
    tokens: int | None = None,
    dtype: str | None = None,
) -> Dataset:
    """The data set in a file: .npz, .npy, .bin or a table of text.

    A stream of tokens (.bin, or .npy with one axis of whole numbers) is mapped into memory: only
    what is used of it is read.

    Args:
        path: the file.
        shape: shape of one input of the network, which tells a table's labels from its inputs.
        tokens: number of tokens that the network knows; None if it takes none.
        dtype: type of the tokens of a .bin file, "uint16" or "uint32", little-endian. None:
            uint16, or uint32 if the network knows more tokens than those have.

    Raises:
        FileError: the file can't be read, or has no inputs.
        SpecError: a type is given for another kind of file.
    """
    path = Path(path)
    form = array_format(path)
    bare = not form and path.suffix.lower() == ".bin"
    if dtype is not None and (not bare or dtype not in BARE):
        raise SpecError(f"a type of tokens, {' or '.join(BARE)}, is for .bin files, not {dtype!r}")
    if bare:
        data = _from_bare(path, dtype, tokens)
    elif form == "npz":
        data = _from_archive(path)
    elif form == "npy":
        data = Dataset(read_npy(path, mapped=True), None)
    else:
        try:
            inputs, labels, notes = read_labelled(decode(read_file(path), "cp1252"), shape)
        except (ValueError, csv.Error) as error:
            raise FileError(f"{path}: is no table of numbers: {error}") from error
        data = Dataset(inputs, labels, notes)
    if data.inputs.ndim < 1 or len(data.inputs) == 0:
        raise FileError(f"{path}: 'inputs' must hold at least one input")
    return data


def _from_bare(path: Path, dtype: str | None, tokens: int | None) -> Dataset:
    """The tokens in a file of bare numbers."""
    check_regular(path)
    notes = []
    if dtype is None:
        dtype = BARE[1] if tokens is not None and tokens > 1 << 16 else BARE[0]
        notes.append(f"the tokens are {dtype}, little-endian; --dtype says otherwise")
    kind = np.dtype(dtype).newbyteorder("<")
    size = path.stat().st_size
    if size == 0 or size % kind.itemsize:
        raise FileError(
            f"{path}: must be a whole number of tokens of {kind.itemsize} bytes ({dtype}), not "
            f"{size} bytes"
        )
    try:
        stream = np.memmap(path, kind, mode="r")
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: can't be read ({error})") from error
    start = stream[:_LOOKED_AT]
    if kind.itemsize == 2 and len(start) > 7 and not start[1::2].any() and start.any():
        warn(
            f"{path}: every second token is 0, as where numbers of 32 bits are read as ones of 16; "
            "give --dtype uint32 if they are"
        )
    return Dataset(stream, None, tuple(notes))


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
    mask = _named(shapes, _MASKS, "")
    if mask in others and not read_npz(path, [mask])[mask].all():
        warn(
            f"{path}: {mask} has zeros, but no mask is used: padding counts as tokens; give labels "
            "that are negative at places that are not scored, or inputs without padding"
        )
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
