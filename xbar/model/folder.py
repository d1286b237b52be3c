"""Folders of the package ``transformers``: a configuration, and weights in safetensors files.

    config.json                      the class and its numbers
    model.safetensors                weights, or
    model.safetensors.index.json     the files that hold them

The class is one of the installed package's own; nothing in the folder is executed. It is built
without weights and exported; the weights stay in their files and are read when they are used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from xbar.errors import FileError, ModelError, SpecError, ToolError, printable
from xbar.files import is_file, read_file
from xbar.model.archive import read_archive
from xbar.model.checkpoint import Chosen, Entry, choose_for
from xbar.model.graph import Graph
from xbar.model.pytorch import require_torch
from xbar.model.safetensors import Located, locate_safetensors
from xbar.model.scales import scaled
from xbar.model.scan import Archive
from xbar.model.shards import locate_shards
from xbar.model.source import Source
from xbar.model.stored import Array, Stored, StoredArrays, check_readable
from xbar.tables import count, few

if TYPE_CHECKING:
    from xbar.model.pretrained import Blank

JSON: TypeAlias = Any

CONFIG = "config.json"
_MOST_CONFIG = 1 << 24
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}
"""Last parts of the names of norms' parameters in old files of BERT's family."""


def is_model_folder(path: Path) -> bool:
    """Whether a folder holds a configuration of ``transformers``."""
    return is_file(path / CONFIG)


def read_folder(path: Path, source: Source) -> Graph:
    """The network in a folder; its weights stay in their files.

    Raises:
        FileError: a file is missing, damaged or cut short.
        ModelError: configuration and weights don't fit, or there is no such class.
        SpecError: an option does not apply.
        ToolError: PyTorch or transformers is not installed.
    """
    source.refuse_state_options("a folder with its configuration")
    if source.wanted.bind:
        raise SpecError(
            f"{source.where}: of a folder's network the tokens are the only input, and "
            f"{few([*source.wanted.bind])} can't be bound; write a torch.export archive with it"
        )
    record = _config(path / CONFIG)
    located = _locate(path)
    tensors = {name: each for found in located for name, each in found.tensors.items()}
    require_torch("reading a language model")
    if find_spec("transformers") is None:
        raise ToolError(
            "reading a folder with a config.json needs the package transformers; install it with: "
            "pip install 'xbar[transformers]'"
        )
    from xbar.model.pretrained import build_blank, export_tokens

    shape = source.input_shape
    if source.input_dtype not in (None, "int64") or (shape is not None and len(shape) != 1):
        raise SpecError(
            f"{source.where}: a language model takes int64 tokens, whose number is all that can be "
            f"given: --input-shape 128, not {shape} of {source.input_dtype or 'int64'}"
        )
    blank = build_blank(record, len(tensors), f"{source.where}/{CONFIG}")
    tokens = None if shape is None else shape[0]
    if tokens and blank.most and tokens > blank.most:
        raise SpecError(
            f"{source.where}: {blank.name} takes up to {blank.most} tokens, not {tokens}"
        )
    arrays, notes = _match(blank, located, source.where)
    data = export_tokens(blank, tokens, source.where)
    graph = read_archive(Archive(data, blank.name), source, arrays)
    if record.get("auto_map"):
        own = f"{blank.name} is the installed package's class"
        notes = (*notes, f"the folder's own code (auto_map) is not run: {own}")
    taken = replace(graph.inputs[0], most=blank.most)
    return replace(graph, inputs=(taken,), notes=(*graph.notes, *notes))


def _config(path: Path) -> Mapping[str, JSON]:
    where = f"{path.parent.name}/{path.name}"
    data = read_file(path)
    try:
        if len(data) > _MOST_CONFIG:
            raise ValueError("it is too large")
        record = json.loads(data, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: is not valid JSON ({str(error)[:100]})") from None
    if not isinstance(record, dict):
        raise FileError(f"{where}: must be a JSON object")
    if record.get("quantization_config"):
        raise ModelError(
            f"{where}: its weights are quantised; dequantise the model before saving it"
        )
    return record


def _constant(text: str) -> float:
    """A number of a configuration that JSON does not know: infinities stand for no limit."""
    if text == "NaN":
        raise ValueError("NaN is not a number")
    return float(text)


def _locate(path: Path) -> list[Located]:
    """The folder's tensors, by file."""
    if is_file(path / _INDEX):
        return [*locate_shards(path / _INDEX).values()]
    found = sorted(path.glob("*.safetensors"))
    if is_file(path / _SINGLE):
        found = [path / _SINGLE]
    if len(found) == 1:
        return [locate_safetensors(found[0])]
    if found:
        raise FileError(
            f"{path.name}: {few([each.name for each in found])} are parts whose index, {_INDEX}, "
            "is missing"
        )
    raise FileError(
        f"{path.name}: beside {CONFIG} there must be {_SINGLE}, or {_INDEX} and the files that it "
        "names; model.save_pretrained(folder) writes them"
    )


def _match(
    blank: Blank, located: Sequence[Located], where: str
) -> tuple[StoredArrays, tuple[str, ...]]:
    """The module's tensors by its own names, and what was assumed."""
    entries, places = _entries(located, where)
    chosen = choose_for([*blank.parameters], entries, where)
    if chosen.missing:
        raise ModelError(
            f"{where}: {blank.name} as {CONFIG} describes it has {few(sorted(chosen.missing))}, "
            "which the folder's files don't hold; configuration and weights must be of one network"
        )
    _refuse_more(chosen, where)
    _refuse_scales(chosen, where)
    items: dict[str, Stored | Array] = dict(blank.buffers)
    for names, shape in blank.parameters.items():
        given = [chosen.entries[name].path for name in sorted(names) if name in chosen.entries]
        given += [name for name in sorted(names) if name in places and name not in given]
        first = places[given[0]]
        if first.shape != shape:
            raise ModelError(
                f"{where}: {printable(given[0])} has shape {first.shape} in the file, but "
                f"{CONFIG} gives {shape}; configuration and weights must be of one network"
            )
        check_readable(f"{where}: {printable(given[0])}", first.held, "float32")
        for other in given[1:]:
            _check_equal(first, places[other], (given[0], other), where)
        items |= dict.fromkeys(names, replace(first, dtype="float32"))
    types = Counter(each.held for each in places.values() if each.held != "float32")
    notes = [
        f"{count(number, 'tensor')} stored as {held}: computed as float32"
        for held, number in types.items()
    ]
    if chosen.unused:
        names_ = few(sorted(each.path for each in chosen.unused))
        notes.append(f"tensors of the files that {blank.name} does not have: {names_}")
    return StoredArrays(items), (*chosen.notes, *notes)


def _entries(located: Sequence[Located], where: str) -> tuple[list[Entry], dict[str, Stored]]:
    """The tensors of all files as entries of a checkpoint, and where each is."""
    places: dict[str, Stored] = {}
    for found in located:
        equal = {
            name: found.tensors[stored]
            for name, stored in found.metadata.items()
            if stored in found.tensors and name not in found.tensors
        }
        for name, each in {**found.tensors, **equal}.items():
            head, _, last = name.rpartition(".")
            own = f"{head}.{_OLD_NAMES[last]}" if head and last in _OLD_NAMES else name
            if own in places and name not in equal:
                raise FileError(f"{where}: several of the files' tensors are {printable(own)}")
            places.setdefault(own, each)
    return [Entry((), name, each.held, each.read) for name, each in places.items()], places


def _refuse_more(chosen: Chosen, where: str) -> None:
    """Refuse files with more layers than the configuration has."""

    def form(name: str) -> str:
        return re.sub(r"\d+", "#", name)

    used = {form(entry.path) for entry in chosen.entries.values()}
    more = [e.path for e in chosen.unused if "#" in form(e.path) and form(e.path) in used]
    if more:
        raise ModelError(
            f"{where}: the files hold {few(sorted(more))} as well, which {CONFIG} has no layer "
            "for; configuration and weights must be of one network"
        )


def _refuse_scales(chosen: Chosen, where: str) -> None:
    """Refuse weights that the files hold without their scales."""
    paths = [entry.path for entry in chosen.entries.values()]
    found = scaled(paths, [entry.path for entry in chosen.unused])
    if found:
        raise ModelError(
            f"{where}: {few(found)} must be multiplied by scales beside them in the files; "
            "dequantise the model before saving it"
        )


def _check_equal(one: Stored, other: Stored, names: tuple[str, str], where: str) -> None:
    """Check that two tensors which the module holds as one are equal."""
    if one.shape != other.shape or one.held != other.held or (one.read() != other.read()).any():
        raise ModelError(
            f"{where}: {names[0]} and {names[1]} are one tensor as {CONFIG} says (tied), but "
            "differ in the files"
        )
