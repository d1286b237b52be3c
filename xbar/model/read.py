"""Model files, opened without running anything that they carry.

The kind of a file is told by its content, never by its name:

    torch.export archive    read as data
    state dict              loaded as tensors only; your own code, ``arch``, builds the module
    pickled module          refused unless ``trust_pickle``: unpickling runs code from the file
    TorchScript, others     refused, with the way to export the model
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbar.errors import FileError, ModelError, SpecError, UntrustedFileError
from xbar.model.archive import is_export, read_archive
from xbar.model.batchnorm import drop_unused, fold_batch_norms
from xbar.model.constants import cut_constants
from xbar.model.graph import Graph
from xbar.model.pytorch import require_torch
from xbar.model.scan import Archive, list_members

if TYPE_CHECKING:
    import torch

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_HOW_TO_EXPORT = (
    "write a torch.export archive: model.eval(); "
    "program = torch.export.export(model, (example,)); torch.export.save(program, 'model.pt2')"
)


@dataclass(frozen=True)
class _Source:
    """What the caller said beside the path."""

    where: str
    input_shape: tuple[int, ...] | None
    arch: str | None
    trust_pickle: bool


def read_model(
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    *,
    arch: str | None = None,
    trust_pickle: bool = False,
) -> Graph:
    """The network in a file, batch norms folded.

    Args:
        path: a torch.export archive, or a state dict that ``torch.save`` wrote.
        input_shape: one input's shape, without the batch axis. Needed for a state dict or a
            pickled module; checked against an archive.
        arch: "module:callable" that builds the module for a state dict. It is imported from the
            current directory or the installed packages, and called: it is your own code that runs.
        trust_pickle: load a pickled module, which runs whatever code the file carries.

    Raises:
        FileError: missing, damaged, or not a model.
        UntrustedFileError: loading it could run code that it carries.
        ModelError: the network can't be read, exported or lowered.
        SpecError: ``input_shape`` or ``arch`` is missing or does not fit.
        ToolError: PyTorch is needed and not installed.
    """
    where = Path(path).name
    source = _Source(where, _check_shape(input_shape), arch, trust_pickle)
    data = _read_bytes(Path(path))
    if data.startswith(b"PK"):
        return _read_zip(data, source)
    if data.startswith(_LEGACY):
        return _read_saved(data, source)
    raise FileError(f"{where}: {_foreign(data)}; {_HOW_TO_EXPORT}")


def from_module(module: torch.nn.Module, input_shape: Sequence[int]) -> Graph:
    """The graph of a PyTorch module in evaluation mode, batch norms folded.

    The module is exported with ``torch.export`` for any batch size. It is left as it was.

    Args:
        module: takes one tensor and returns one.
        input_shape: one input's shape, without the batch axis.

    Raises:
        ModelError: the module can't be exported, or its layers have weights that are not finite.
        SpecError: the shape is not allowed.
        ToolError: PyTorch is not installed.
    """
    require_torch("exporting a module")
    from xbar.model.export import export_module

    shape = _check_shape(input_shape)
    if shape is None:
        raise SpecError("exporting a module needs input_shape, such as (1, 28, 28)")
    name = type(module).__name__
    return _finish(read_archive(Archive(export_module(module, shape), name)))


def _finish(graph: Graph) -> Graph:
    graph = fold_batch_norms(drop_unused(cut_constants(graph)))
    _ = graph.layers  # refuses weights that are not finite, here rather than at the first use
    return graph


def _check_shape(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    sizes = tuple(shape)
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise SpecError(
            f"input_shape must be positive whole numbers such as (1, 28, 28), not {shape!r}"
        )
    return sizes


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise FileError(f"{path}: a model must be a file, but this is a directory")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: it can't be read: {error}") from None
    if not data:
        raise FileError(f"{path}: the file is empty")
    return data


def _foreign(data: bytes) -> str:
    if data[:1] == b"\x80" and data[1:2] <= b"\x05":
        return "this is a bare pickle, which runs code when it is loaded"
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return "this is a safetensors file, which holds weights without a network"
    if data[:1] == b"\x08" and b"onnx" in data[:200].lower():
        return "this is an ONNX model, which can't be read yet"
    return "this is no PyTorch model"


def _read_zip(data: bytes, source: _Source) -> Graph:
    names = list_members(data, source.where)
    if is_export(names):
        return _fitting(_finish(read_archive(Archive(data, source.where))), source)
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise ModelError(
            f"{source.where}: this is TorchScript, which is not read; from the module that it was "
            f"made of, {_HOW_TO_EXPORT}"
        )
    if "data.pkl" in names:
        return _read_saved(data, source)
    raise FileError(f"{source.where}: this zip file is no PyTorch model; {_HOW_TO_EXPORT}")


def _fitting(graph: Graph, source: _Source) -> Graph:
    want, got = graph.inputs[0].shape[1:], source.input_shape
    if got is not None and (
        len(got) != len(want) or any(a not in (None, b) for a, b in zip(want, got, strict=True))
    ):
        raise SpecError(f"{source.where}: the model takes inputs of shape {want}, not {got}")
    return graph


def _read_saved(data: bytes, source: _Source) -> Graph:
    """A file of ``torch.save``: a state dict, or a whole module."""
    require_torch("reading a state dict")
    from xbar.model import export

    state = export.load_state(io.BytesIO(data), source.where)
    if state is not None:
        return _from_state(state, source)
    if not source.trust_pickle:
        raise UntrustedFileError(
            f"{source.where}: this is a pickled object, not a state dict, and loading it runs "
            "whatever code it carries; save model.state_dict() or a torch.export archive instead, "
            "or give --trust-pickle if you made the file yourself"
        )
    module = export.unpickle_module(io.BytesIO(data), source.where)
    return from_module(module, _needed_shape(source, "a pickled module"))


def _needed_shape(source: _Source, what: str) -> tuple[int, ...]:
    if source.input_shape is None:
        raise SpecError(
            f"{source.where}: {what} needs the shape of one input; "
            "add --input-shape, such as --input-shape 1,28,28"
        )
    return source.input_shape


def _from_state(state: dict[str, Any], source: _Source) -> Graph:
    from xbar.model import export

    if source.arch is None:
        raise SpecError(
            f"{source.where}: this is a state dict, weights without a network; say what builds the "
            "network: --arch module:callable --input-shape 1,28,28"
        )
    shape = _needed_shape(source, "a state dict")
    return from_module(export.build(source.arch, state, source.where), shape)
