"""Reads an ONNX file: structure, and tensors inside it or in external files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, ToolError, UntrustedFileError
from xbar.files import is_file

Array: TypeAlias = NDArray[Any]

DTYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
        9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
    }
)  # fmt: skip
"""numpy names of ONNX's numeric types."""


def is_onnx(data: bytes) -> bool:
    """Whether a file may be ONNX: its first field is the format version."""
    return data[:1] == b"\x08"


def parse(data: bytes, where: str) -> Any:
    """Parse the model's structure, without reading tensors.

    Raises:
        FileError: the file is damaged or not an ONNX model.
        ModelError: it has model-local functions.
        ToolError: onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise ToolError("reading an ONNX model needs onnx; install it with: pip install xbar[onnx]")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise FileError(
            f"{where}: this is not an ONNX model, or it is damaged or cut short"
        ) from None
    if not model.HasField("graph") or not model.graph.node:
        raise FileError(f"{where}: this ONNX model has no graph; it is damaged or cut short")
    if model.functions:
        raise ModelError(
            f"{where}: the model has local functions; inline them with "
            "onnx.inliner.inline_local_functions and save it again"
        )
    return model


class Tensors:
    """Reads tensors; external files must be in the model's folder."""

    def __init__(self, path: Path) -> None:
        """Start for the model at a path."""
        self.where = path.name
        self._folder = path.resolve().parent

    def check(self, tensors: Iterator[Any]) -> None:
        """Reject paths outside the model's folder, before any is read.

        Raises:
            UntrustedFileError: a tensor's path is outside the folder.
            FileError: the file is missing.
        """
        for tensor in tensors:
            if tensor.data_location == 1:
                self._external(tensor)

    def read(self, tensor: Any) -> Array:
        """Contents of a tensor; bfloat16 becomes float32.

        Raises:
            FileError: it is damaged.
            ModelError: it does not contain plain numbers.
        """
        name, shape = tensor.name[:80], tuple(tensor.dims)
        if tensor.data_type not in DTYPES:
            raise ModelError(f"{self.where}: {name!r} holds numbers of type {tensor.data_type}")
        dtype = DTYPES[tensor.data_type]
        if min(shape, default=0) < 0:
            raise FileError(f"{self.where}: {name!r} has the shape {shape}")
        if tensor.data_location == 1:
            return self._flat(self._outside(tensor), dtype, shape, name)
        if tensor.HasField("raw_data"):
            return self._flat(tensor.raw_data, dtype, shape, name)
        return self._typed(tensor, shape, name)

    def _flat(self, raw: bytes, dtype: str, shape: tuple[int, ...], name: str) -> Array:
        half = dtype == "bfloat16"
        kind = np.dtype("<u2") if half else np.dtype(dtype).newbyteorder("<")
        if math.prod(shape) * kind.itemsize != len(raw):
            raise FileError(
                f"{self.where}: {name!r} of shape {shape} needs {math.prod(shape) * kind.itemsize} "
                f"bytes, the file has {len(raw)}"
            )
        flat: Array = np.frombuffer(raw, kind)
        if half:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        try:
            return flat.reshape(shape).astype("float32" if half else dtype, copy=False)
        except ValueError:  # too many axes, or sizes whose product overflows beside a 0
            raise FileError(f"{self.where}: {name!r} has the shape {str(shape)[:80]}") from None

    def _typed(self, tensor: Any, shape: tuple[int, ...], name: str) -> Array:
        """A tensor whose elements are in a typed field."""
        from onnx import numpy_helper

        try:
            array = numpy_helper.to_array(tensor)
            array = array.astype(np.float32) if DTYPES[tensor.data_type] == "bfloat16" else array
            return np.array(array).reshape(shape)
        except (ValueError, TypeError, OverflowError) as error:
            raise FileError(f"{self.where}: {name!r} is damaged ({str(error)[:100]})") from None

    def _external(self, tensor: Any) -> tuple[Path, int, int | None]:
        """File, offset and length in bytes of an external tensor, checked."""
        given = {entry.key: entry.value for entry in tensor.external_data}
        location = given.get("location", "")
        path = (self._folder / location) if "\0" not in location else self._folder
        link = is_file(path) and path.is_symlink()
        if link or self._folder not in path.resolve().parents or "\\" in location:
            raise UntrustedFileError(
                f"{self.where}: {tensor.name[:60]!r} lies in {location[:80]!r}, outside the "
                "model's folder; save the model as one file"
            )
        if not is_file(path):
            raise FileError(f"{self.where}: the file {location[:80]!r} with its weights is missing")
        offset, length = given.get("offset", "0"), given.get("length")
        if not offset.isdecimal() or not (length is None or length.isdecimal()):
            raise FileError(f"{self.where}: {tensor.name[:60]!r} has an invalid offset")
        return path, int(offset), None if length is None else int(length)

    def _outside(self, tensor: Any) -> bytes:
        path, offset, length = self._external(tensor)
        size = path.stat().st_size
        length = size - offset if length is None else length
        if offset > size or length > size - offset:
            raise FileError(
                f"{self.where}: {tensor.name[:60]!r} lies at bytes {offset} to {offset + length} "
                f"of {path.name}, which has {size}"
            )
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


def all_tensors(graph: Any) -> Iterator[Any]:
    """Every tensor in a graph: initializers, and attributes of nodes, in subgraphs too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from all_tensors(inner)
