"""State dicts: weights by name; the network comes from the user's code or from their shapes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, SpecError, UntrustedFileError, printable
from xbar.model.archive import read_archive
from xbar.model.checkpoint import Entry, choose_alone, list_entries, type_notes
from xbar.model.dense import dense_graph, infer_layers
from xbar.model.graph import Graph
from xbar.model.merge import merge_parts, refuse_low_rank
from xbar.model.pytorch import as_array, require_torch
from xbar.model.safetensors import is_safetensors, read_safetensors
from xbar.model.saved import Saved, dtype_of, read_saved_file, tensor_of
from xbar.model.scales import merge_scales
from xbar.model.scan import Archive
from xbar.model.source import Source

Array: TypeAlias = NDArray[Any]


def read_saved(data: bytes, source: Source) -> Graph:
    """Read a ``torch.save`` file: a state dict, a checkpoint with one, or a whole module."""
    try:
        entries = saved_entries(data, source.where)
    except UntrustedFileError:
        if not source.trust_pickle:
            raise
        return _trusted(data, source)
    return read_entries(entries, source, ordered=True)


def read_weights(data: bytes, source: Source) -> Graph:
    """Read a safetensors file. Its tensors are not in the module's order."""
    entries, notes = safetensors_entries(data, source.where)
    return read_entries(entries, source, ordered=False, notes=notes)


def saved_entries(data: bytes, where: str) -> list[Entry]:
    """The tensors in a ``torch.save`` file; nothing is unpickled.

    Raises:
        UntrustedFileError: it holds objects beside tensors, which only unpickling restores.
        FileError: it is damaged.
        ModelError: it holds no tensors.
    """
    try:
        saved = read_saved_file(data, where)
    except UntrustedFileError as error:
        raise _untrusted(where, str(error)) from None
    if saved.foreign is not None:
        raise _untrusted(where, saved.foreign)
    entries = list_entries(saved.tree, _reads(saved), where)
    return _some(entries, saved.tree, where)


def _reads(saved: Saved) -> Callable[[Any, str], tuple[str, Callable[[], Array]] | None]:
    def loader(part: Any, path: str) -> tuple[str, Callable[[], Array]] | None:
        tensor = tensor_of(part)
        return None if tensor is None else (dtype_of(tensor), lambda: saved.array(tensor, path))

    return loader


def _some(entries: list[Entry], tree: Any, where: str) -> list[Entry]:
    if not entries or not entries[0].key:
        keys = f"with keys {list(tree)[:5]}" if isinstance(tree, Mapping) else "as such"
        raise ModelError(
            f"{where}: the file holds a {type(tree).__name__} {keys}, not a state dict (tensors "
            "by name); save model.state_dict()"
        )
    return entries


def _untrusted(where: str, what: str) -> UntrustedFileError:
    return UntrustedFileError(
        f"{where}: this is a pickled object ({what[:80]}), not only a state dict, and loading it "
        "runs whatever code it carries; save model.state_dict() or a torch.export archive instead, "
        "or give --trust-pickle if you made the file yourself"
    )


def file_entries(data: bytes, where: str) -> list[Entry]:
    """The tensors in a file of either format; see the functions for each."""
    return (
        safetensors_entries(data, where)[0] if is_safetensors(data) else saved_entries(data, where)
    )


def safetensors_entries(data: bytes, where: str) -> tuple[list[Entry], tuple[str, ...]]:
    """The tensors in a safetensors file, also those that its writer left out as equal to others.

    Raises:
        FileError: it is damaged.
        ModelError: a tensor has a type without numpy equivalent.
    """
    contents = read_safetensors(data, where)

    def entry(name: str, stored: str) -> Entry:
        array = contents.tensors[stored]
        return Entry((), name, contents.dtypes[stored], lambda: array, name != stored)

    equal = {
        name: stored
        for name, stored in contents.metadata.items()
        if stored in contents.tensors and name not in contents.tensors
    }
    notes = (f"{name} is {stored}, as the file says" for name, stored in equal.items())
    names = {name: name for name in contents.tensors} | equal
    return [entry(name, stored) for name, stored in names.items()], tuple(notes)


def _trusted(data: bytes, source: Source) -> Graph:
    """The network of a file that the user trusts to run its code."""
    from xbar.model import export

    require_torch("unpickling a module")
    import torch

    from xbar.model.modules import find_module

    loaded = export.unpickle(io.BytesIO(data), source.where)
    module, notes = find_module(loaded, source.where)
    if module is not None and (source.arch is None or module is loaded):
        source.refuse_state_options("a pickled module")
        graph = module_graph(module, source, "a pickled module")
        return replace(graph, notes=(*notes, *graph.notes))

    def loader(part: Any, path: str) -> tuple[str, Callable[[], Array]] | None:
        if not isinstance(part, torch.Tensor):
            return None
        where = f"{source.where}: {path}"
        return str(part.dtype).removeprefix("torch."), lambda: as_array(part, where)

    entries = list_entries(loaded, loader, source.where)
    return read_entries(_some(entries, loaded, source.where), source, ordered=True)


def read_entries(
    entries: Sequence[Entry], source: Source, ordered: bool, notes: tuple[str, ...] = ()
) -> Graph:
    """The network whose weights these are.

    Args:
        entries: tensors of the file or files.
        source: where they are from, and the caller's options.
        ordered: whether they are in the order in which the module defines its layers.
        notes: what was assumed so far.

    Raises:
        ModelError: they don't fit the module that ``arch`` builds.
        SpecError: ``arch`` or ``activation`` is missing or wrong.
    """
    graph = _inferred(entries, source, ordered) if source.arch is None else _built(entries, source)
    return replace(graph, notes=(*notes, *graph.notes))


def _built(entries: Sequence[Entry], source: Source) -> Graph:
    """The network of the module built by ``arch``."""
    assert source.arch is not None
    if source.activation is not None:
        raise SpecError("--activation is for a state dict without --arch; give one of the two")
    source.needed_shape("a state dict")
    require_torch("building a module")
    from xbar.model.fit import build

    module, notes = build(source.arch, entries, source.where)
    graph = module_graph(module, source, "a state dict")
    return replace(graph, notes=(*notes, *graph.notes))


def module_graph(module: Any, source: Source, what: str) -> Graph:
    """The network of a torch module, exported for the caller's shape and type of input."""
    from xbar.model.export import export_module
    from xbar.model.modules import unwrapped, with_floats

    shape, notes = source.needed_shape(what), list[str]()
    module = unwrapped(module)
    if (wider := with_floats(module)) is not None:
        module = wider
        notes.append("the module's 16-bit numbers are computed as float32")
    data = export_module(module, shape, source.wanted.bind, source.input_dtype)
    graph = read_archive(Archive(data, type(module).__name__), source)
    dtype = graph.inputs[0].dtype
    if source.input_dtype is None and dtype != "float32":
        notes.append(f"the network takes {dtype}, as of tokens: it can't be exported for float32")
    return replace(graph, notes=(*graph.notes, *notes))


def _inferred(entries: Sequence[Entry], source: Source, ordered: bool) -> Graph:
    source.wanted.refuse(source.where)
    try:
        entries, scaled = merge_scales(entries)
        merged, made = merge_parts(entries)
        chosen = choose_alone(merged, source.where)
        refuse_low_rank(chosen.entries)
        state = {name: entry.load() for name, entry in chosen.entries.items()}
        layers = infer_layers(state, ordered)
    except FileError:
        raise
    except ModelError as error:
        raise SpecError(
            f"{source.where}: this is a state dict, weights without a network, and "
            f"{printable(str(error))}; give "
            "the code that builds the network: --arch module:callable --input-shape 1,28,28"
        ) from None
    graph = dense_graph(layers, source)
    types = type_notes(chosen.entries.values())
    return replace(graph, notes=(*chosen.notes, *scaled, *made, *types, *graph.notes))
