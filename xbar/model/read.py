"""Opens model files without executing anything in them.

The format is detected from the content, never from the file name:

    torch.export archive    read as data
    state dict, safetensors read as tensors only, also inside checkpoints and in several parts;
                            your own code, ``arch``, builds the module, or a sequence of linear
                            layers is inferred from the shapes
    pickled module          refused unless ``trust_pickle``: unpickling runs code from the file
    TorchScript             source interpreted symbolically, for feed-forward networks
    ONNX                    nodes converted to ATen operations
    folder with config.json the class of the installed package transformers, and safetensors
    others                  refused, with instructions for exporting the model
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from xbar.errors import FileError, SpecError
from xbar.files import mode_of, read_file
from xbar.model.archive import is_export, read_archive
from xbar.model.batchnorm import drop_unused, fold_batch_norms
from xbar.model.constants import evaluate_constants
from xbar.model.draws import refuse_draws
from xbar.model.folder import is_model_folder, read_folder
from xbar.model.graph import Graph
from xbar.model.onnx.convert import read_onnx
from xbar.model.onnx.file import is_onnx
from xbar.model.pytorch import require_torch
from xbar.model.safetensors import is_safetensors
from xbar.model.scan import Archive, list_members
from xbar.model.shards import is_index, read_shards
from xbar.model.signature import Wanted, check_bind
from xbar.model.source import HOW_TO_EXPORT, Source, check_dtype, check_shape
from xbar.model.state import module_graph, read_saved, read_weights
from xbar.model.torchscript.read import is_torchscript, read_torchscript
from xbar.model.unroll import unroll

if TYPE_CHECKING:
    import torch

_LEGACY = (b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"L119547037146038801333356L\n.")
"""What ``torch.save`` files before zip begin with, by pickle protocol, behind a few bytes."""


def read_model(
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    *,
    arch: str | None = None,
    activation: str | None = None,
    trust_pickle: bool = False,
    output: str | None = None,
    bind: Mapping[str, ArrayLike] | None = None,
    input_dtype: str | None = None,
) -> Graph:
    """The network in a file, batch norms folded and recurrent layers unrolled.

    Args:
        path: a torch.export archive, TorchScript, ONNX, a state dict or a checkpoint with one
            written by ``torch.save``, safetensors, or the .index.json of either's parts; or a
            folder of the package ``transformers``, with a config.json and safetensors files, whose
            weights stay there and are read when they are used.
        input_shape: shape of one input, without the batch axis; of a folder's network the number
            of tokens, any if it is left out. Required with ``arch``, for
            TorchScript, for a pickled module and for ONNX with dynamic sizes; otherwise checked
            against the file.
        arch: "module:callable" that builds the module for a state dict. It is imported from the
            current directory or the installed packages and called, so your own code runs.
        activation: activation between the layers of a state dict without ``arch`` that is a
            sequence of linear layers: "relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu" or
            "none". The last layer has none. Assumptions are recorded in the graph's notes.
        trust_pickle: whether to load a pickled module, which executes any code in the file.
        output: name of the output to return, where the model has several: its key or its number
            from 0, in ONNX its name.
        bind: values of all inputs but one by name, where the model takes several. A bound input is
            a constant, the same for each of the other's; its batch axis has size 1 or is left out.
        input_dtype: type of the inputs where the file leaves it open (``arch``, TorchScript, a
            pickled module): "float32", "int64", ... None: float32, or int64 if the network takes
            only that, as where an embedding comes first.

    Raises:
        FileError: missing, damaged, or not a model.
        UntrustedFileError: loading it could execute code in the file.
        ModelError: the network can't be read, exported or lowered.
        SpecError: ``input_shape``, ``input_dtype``, ``arch`` or ``activation`` is missing or does
            not fit.
        ToolError: PyTorch, or transformers, is needed and not installed.
    """
    where = Path(path).name
    wanted = Wanted(output, check_bind(bind))
    shape, dtype = check_shape(input_shape), check_dtype(input_dtype)
    source = Source(where, shape, arch, activation, trust_pickle, wanted, dtype)
    if is_model_folder(Path(path)):
        folder = Path(path).resolve()
        source = replace(source, where=folder.name)
        return source.check_fits(_finish(read_folder(folder, source), source))
    data = _read_bytes(Path(path))
    if data.startswith(b"PK"):
        graph = _read_zip(data, source)
    elif any(magic in data[:32] for magic in _LEGACY):
        graph = read_saved(data, source)
    elif is_safetensors(data):
        graph = read_weights(data, source)
    elif is_index(data):
        graph = read_shards(data, Path(path), source)
    elif is_onnx(data):
        graph = read_onnx(data, Path(path), source)
    else:
        raise FileError(f"{where}: {_foreign(data)}; {HOW_TO_EXPORT}")
    return source.check_fits(_finish(graph, source))


def from_module(
    module: torch.nn.Module,
    input_shape: Sequence[int],
    *,
    output: str | None = None,
    bind: Mapping[str, ArrayLike] | None = None,
    input_dtype: str | None = None,
) -> Graph:
    """The graph of a PyTorch module in evaluation mode, as from :func:`read_model`.

    The module is exported with ``torch.export`` for any batch size and is not modified.

    Args:
        module: module that takes one tensor, or several of which all but one are bound.
        input_shape: shape of one input, without the batch axis.
        output: as for :func:`read_model`.
        bind: as for :func:`read_model`; names are those of the module's ``forward``, and a batch
            axis, of size 1, is not left out.
        input_dtype: as for :func:`read_model`.

    Raises:
        ModelError: the module can't be exported, or has non-finite weights.
        SpecError: the shape is invalid.
        ToolError: PyTorch is not installed.
    """
    require_torch("exporting a module")
    shape = check_shape(input_shape)
    if shape is None:
        raise SpecError("exporting a module needs input_shape, such as (1, 28, 28)")
    name = type(module).__name__
    wanted = Wanted(output, check_bind(bind))
    source = Source(name, shape, wanted=wanted, input_dtype=check_dtype(input_dtype))
    return _finish(module_graph(module, source, "a module"), source)


def _finish(graph: Graph, source: Source) -> Graph:
    refuse_draws(drop_unused(graph), source.where)
    graph = fold_batch_norms(drop_unused(unroll(evaluate_constants(graph))))
    _ = graph.layers  # rejects non-finite weights here rather than at first use
    return graph


def _read_bytes(path: Path) -> bytes:
    if stat.S_ISDIR(mode_of(path)):
        raise FileError(f"{path}: a model must be a file, but this is a directory{_inside(path)}")
    data = read_file(path)
    if not data:
        raise FileError(f"{path}: the file is empty")
    return data


def _inside(folder: Path) -> str:
    """Advice on what to give instead of a folder."""
    for pattern in ("*.index.json", "*.safetensors", "*.bin", "*.pt*", "*.onnx"):
        for each in sorted(folder.glob(pattern)):
            return f"; give the model in it, such as {each.name}"
    return "; the folder of a language model has a config.json"


def _foreign(data: bytes) -> str:
    if data[:1] == b"\x80" and data[1:2] <= b"\x05":
        return "this is a bare pickle, which runs code when it is loaded"
    return "this is not a model format that xbar reads"


def _read_zip(data: bytes, source: Source) -> Graph:
    names = list_members(data, source.where)
    if is_export(names):
        source.refuse_state_options("a torch.export archive")
        return read_archive(Archive(data, source.where), source)
    if is_torchscript(names):
        return read_torchscript(data, source)
    if "data.pkl" in names:
        return read_saved(data, source)
    raise FileError(f"{source.where}: this zip file is not a PyTorch model; {HOW_TO_EXPORT}")
