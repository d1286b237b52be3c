"""Reader of ``torch.save`` files: nothing is unpickled, and PyTorch is not needed.

    zip, since PyTorch 1.6      data.pkl            a pickle that refers to storages by key
                                data/0 ...          their raw numbers
    one file, before            five pickles        magic number, version, system, object, keys
                                numbers             of each key: their count, then as raw bytes

A pickle is parsed to a tree of data (``read_objects``). Names in it of anything but tensors and a
few harmless containers are reported: the file can then only be trusted whole.
"""

from __future__ import annotations

import io
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, printable
from xbar.model.scan import Archive
from xbar.model.tensors import item_type, strided
from xbar.model.torchscript.objects import Call, Global, Stored, Tree, read_saved_objects

Array: TypeAlias = NDArray[Any]

STORAGES: Mapping[str, str] = MappingProxyType(
    {
        "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
        "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
        "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
        "Untyped": "uint8",
    }
)  # fmt: skip
_HARMLESS = re.compile(
    r"collections\.(OrderedDict|defaultdict|Counter|deque)"
    r"|(builtins|__builtin__)\.(dict|list|set|frozenset|tuple|int|float|bool|str|bytes|bytearray"
    r"|complex|slice|range|xrange|object|type|long|unicode|NoneType)"
    r"|torch\.(\w+Storage|Size|device|Tensor|dtype|[a-z]+\d+\w*|half|float|double|bool|long|int)"
    r"|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.storage\.(UntypedStorage|TypedStorage)|torch\.serialization\._get_layout"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)|torch\.torch_version\.TorchVersion"
    r"|numpy\.(dtype|ndarray|\w+\d+)|numpy\.(_core|core)\.multiarray\.(scalar|_reconstruct)"
    r"|_codecs\.encode|copyreg\._reconstructor|copy_reg\._reconstructor"
    r"|argparse\.Namespace|types\.SimpleNamespace|pathlib\.\w*Path|typing\.Any"
    r"|datetime\.(datetime|date|time|timedelta|timezone)|decimal\.Decimal|fractions\.Fraction"
    r"|omegaconf\.[\w.]+|(pytorch_lightning|lightning)\.[\w.]*AttributeDict"
    r"|torch\.optim\.[\w.]+"
)
"""Names beside the tensors that are passed over; any other makes the file one to be trusted."""
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_MOST_PICKLE = 1 << 26
"""Maximum size of the pickle of a zip file in bytes."""
_MOST_COPIES = 4
"""Maximum size of all tensors, as a multiple of the storages that they are parts of."""
_SPARE = 1 << 24
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(eq=False)
class Saved:
    """The object in a ``torch.save`` file.

    Attributes:
        tree: the object as data; :meth:`array` reads its tensors.
        foreign: a name in the pickle that is not harmless, or None.
    """

    tree: Tree
    foreign: str | None
    where: str
    read: Callable[[str], bytes]
    most: int
    _arrays: dict[Any, Array] = field(default_factory=dict)
    _size: int = 0

    def array(self, tensor: Call, name: str) -> Array:
        """The numbers of a tensor; equal parts of a storage are one array.

        Raises:
            FileError: it is damaged.
            ModelError: it is not a dense tensor of plain numbers.
        """
        where = f"{self.where}: {printable(name[:80])}"
        try:
            key, dtype, offset, shape, strides = _layout(tensor, where)
        except _DAMAGED as error:
            raise FileError(f"{where}: its description is damaged ({error})") from None
        part = (key, dtype, offset, shape, strides)
        if part not in self._arrays:
            raw = self.read(key)
            self._arrays[part] = strided(raw, dtype, shape, strides, offset, where)
            self._size += self._arrays[part].nbytes
            if self._size > self.most:
                raise FileError(
                    f"{where}: the tensors up to it are larger than {self.most} bytes, "
                    f"{_MOST_COPIES} times their storages; save clones of them"
                )
        return self._arrays[part]


def read_saved_file(data: bytes, where: str) -> Saved:
    """Read a ``torch.save`` file of either format.

    Raises:
        FileError: it is damaged.
        UntrustedFileError: its pickle has instructions that ``torch.save`` never writes.
    """
    if data.startswith(b"PK"):
        archive = Archive(data, where)
        pickle = archive.read("data.pkl")
        if len(pickle) > _MOST_PICKLE:
            raise FileError(f"{where}: its pickle is larger than {_MOST_PICKLE} bytes")
        if "byteorder" in archive and archive.read("byteorder") != b"little":
            raise ModelError(f"{where}: its numbers are big-endian; save it on another machine")
        tree, names, _ = read_saved_objects(io.BytesIO(pickle), where)
        # E731: one of two readers of the same type; a def of it in one branch has no type there
        read: Callable[[str], bytes] = lambda key: archive.read(f"data/{key}")  # noqa: E731
    else:
        tree, names, storages = _read_legacy(data, where)
        read = storages.__getitem__
    foreign = next((name for name in names if not _HARMLESS.fullmatch(name)), None)
    return Saved(tree, foreign, where, read, _MOST_COPIES * len(data) + _SPARE)


def _read_legacy(data: bytes, where: str) -> tuple[Tree, tuple[str, ...], Mapping[str, bytes]]:
    file = io.BytesIO(data)
    try:
        magic, version, system = (read_saved_objects(file, where)[0] for _ in range(3))
        if magic != _MAGIC or version != _VERSION:
            raise FileError(f"{where}: it is not what torch.save writes")
        if system.get("little_endian") is not True:
            raise ModelError(f"{where}: its numbers are big-endian; save it on another machine")
        tree, names, stored = read_saved_objects(file, where)
        types = {each.description[2]: _storage_type(each) for each in stored}
        storages = {key: _numbers(file, types[key]) for key in read_saved_objects(file, where)[0]}
    except _DAMAGED as error:
        raise FileError(
            f"{where}: the file is damaged or cut short ({type(error).__name__})"
        ) from None
    return tree, names, storages


def _numbers(file: IO[bytes], dtype: str) -> bytes:
    count = int.from_bytes(file.read(8), "little")
    raw = file.read(count * item_type(dtype).itemsize)
    if len(raw) != count * item_type(dtype).itemsize:
        raise ValueError("storage")
    return raw


def tensor_of(tree: Tree) -> Call | None:
    """The tensor that a part of the tree is, without the wrappings of a parameter; None if not.

    >>> tensor_of(Call("torch._utils._rebuild_tensor_v2", ())).function
    'torch._utils._rebuild_tensor_v2'
    >>> tensor_of({"epoch": 3})
    """
    for _ in range(4):
        if not isinstance(tree, Call) or not isinstance(tree.arguments, tuple):
            return None
        arguments = tree.arguments
        if tree.function.startswith("torch._utils._rebuild_parameter") and arguments:
            tree = arguments[0]
        elif tree.function == "torch._tensor._rebuild_from_type_v2" and len(arguments) == 4:
            tree = Call(getattr(arguments[0], "name", ""), arguments[2])
        elif tree.function.startswith("torch._utils._rebuild_"):
            return tree
    return None


def dtype_of(tensor: Call) -> str:
    """Name of a tensor's type in the file; "" if it is not a dense tensor."""
    try:
        return _layout(tensor, "")[1]
    except (ModelError, *_DAMAGED):
        return ""


def _layout(tensor: Call, where: str) -> tuple[str, str, int, tuple[int, ...], tuple[int, ...]]:
    """Storage's key, type, offset, shape and strides of a tensor."""
    kind, arguments = tensor.function.removeprefix("torch._utils."), tensor.arguments
    if kind not in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
        raise ModelError(f"{where}: {kind[:60]} is no dense tensor of plain numbers")
    stored, offset, shape, strides = arguments[:4]
    if any(isinstance(each, dict) and each for each in arguments[6:]):
        raise ModelError(f"{where}: it is the conjugate or negative of what is stored")
    if not isinstance(stored, Stored):
        raise TypeError("storage")
    dtype = _storage_type(stored)
    if kind == "_rebuild_tensor_v3":
        dtype = _number_type(arguments[6])
    sizes, steps = (tuple(operator.index(n) for n in _sequence(s)) for s in (shape, strides))
    return str(stored.description[2]), dtype, operator.index(offset), sizes, steps


def _sequence(tree: Tree) -> Any:
    return tree.arguments[0] if isinstance(tree, Call) and tree.function == "torch.Size" else tree


def _storage_type(stored: Stored) -> str:
    word, kind, _, _, _, *view = stored.description
    if word != "storage" or any(each is not None for each in view):
        raise ValueError("storage")
    return STORAGES[kind.name.split(".")[-1].removesuffix("Storage")]


def _number_type(tree: Tree) -> str:
    if not isinstance(tree, Global):
        raise TypeError("type")
    dtype = tree.name.removeprefix("torch.")
    np.dtype(item_type(dtype))
    return dtype
