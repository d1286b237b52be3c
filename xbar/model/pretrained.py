"""Classes of the package ``transformers``, built without weights and exported.

Only code of the installed package runs: a folder's ``config.json`` chooses one of its classes by
name and gives numbers, nothing else. Parameters have a shape but no memory; what a class computes
itself, such as the frequencies of rotary positions, is computed.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch.nn.modules.module import register_module_parameter_registration_hook

from xbar.errors import ModelError, SpecError
from xbar.model.export import quiet
from xbar.usercode import summary

JSON: TypeAlias = Any

# what would choose code or types other than the installed package's own, or compute otherwise
_LEFT_OUT = frozenset(
    str.split(
        "attn_implementation experts_implementation auto_map dtype torch_dtype quantization_config "
        "transformers_version use_cache return_dict output_attentions output_hidden_states"
    )
)
_TASKS = (
    "MODEL_FOR_CAUSAL_LM_MAPPING", "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING", "MODEL_MAPPING",
)  # fmt: skip
"""Where a class is looked for if a configuration names none."""
_LAYERS = re.compile(r"layer(?!_?(?:norm|drop))|experts|num_blocks")
"""Entries that count parts with tensors of their own."""
_FEW = 256
_ROWS = re.compile(r"positions?($|_)|position_embeddings|num_labels|n_ctx|type_vocab")
"""Entries that count what a module computes itself."""
_MOST_ROWS = 1 << 24
EXAMPLE = 16
"""Tokens of the example with which a network is exported for any number of tokens."""


@dataclass(frozen=True, eq=False)
class Blank:
    """A module without weights.

    Attributes:
        module: the module, in evaluation mode.
        name: name of its class.
        parameters: shape of each parameter, by all names that it has.
        buffers: what the module computes itself, by name.
        most: number of tokens that it was made for; None if its configuration does not tell.
    """

    module: torch.nn.Module
    name: str
    parameters: Mapping[frozenset[str], tuple[int, ...]]
    buffers: Mapping[str, NDArray[Any]]
    most: int | None


def build_blank(record: Mapping[str, JSON], tensors: int, where: str) -> Blank:
    """Build the class that a configuration names, without weights.

    Args:
        record: content of config.json.
        tensors: number of tensors that there are for it, which bounds its layers.
        where: name of config.json for messages.

    Raises:
        ModelError: the package has no such class, or can't build it with these numbers.
    """
    kind = record.get("model_type")
    known = transformers.CONFIG_MAPPING
    if not isinstance(kind, str) or kind not in known:
        raise ModelError(
            f"{where}: model_type must be one that transformers {transformers.__version__} has, "
            f"such as 'llama', not {str(kind)[:60]!r}; code in the folder is never run"
        )
    _check_sizes(record, tensors, where)
    with _told(f"{where}: transformers does not take it as a {kind} configuration"):
        config: Any = known[kind].from_dict(_plain(record))
    chosen = _class_of(record, config, where)
    with _told(f"{where}: transformers can't build {chosen.__name__} with it"):
        module = _without_memory(chosen, config)
    if module.main_input_name != "input_ids" or config.is_encoder_decoder:
        raise ModelError(
            f"{where}: {chosen.__name__} takes more than tokens; give the network by torch.export"
        )
    buffers = {name: buffer.numpy(force=True) for name, buffer in module.named_buffers()}
    _check_buffers(buffers, where)
    names: dict[int, list[str]] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
        shapes[id(parameter)] = tuple(parameter.shape)
    most = getattr(config, "max_position_embeddings", None)
    return Blank(
        module,
        chosen.__name__,
        {frozenset(names[each]): shapes[each] for each in names},
        buffers,
        most if type(most) is int and most > 0 else None,
    )


def export_tokens(blank: Blank, tokens: int | None, where: str) -> bytes:
    """The archive of a module that takes tokens (N, T), for any N.

    Args:
        blank: the module.
        tokens: number T of tokens; None for any, as far as the module allows it.
        where: name of the folder for messages.

    Raises:
        ModelError: PyTorch can't export it.
    """
    count = tokens or min(EXAMPLE, blank.most or EXAMPLE)
    sizes = {0: torch.export.Dim.AUTO} | ({} if tokens else {1: torch.export.Dim.AUTO})
    buffer = io.BytesIO()
    with _told(f"{where}: PyTorch can't export {blank.name}"), quiet(), torch.no_grad(), _silent():
        example = {"input_ids": torch.zeros((2, count), dtype=torch.int64)}
        program = torch.export.export(
            blank.module, (), example, dynamic_shapes={"input_ids": sizes}, strict=False
        )
        torch.export.save(program, buffer)
    return buffer.getvalue()


def _plain(record: JSON) -> JSON:
    """A configuration without what would choose code or types, at any depth."""
    if isinstance(record, dict):
        kept = {k: v for k, v in record.items() if k not in _LEFT_OUT and not k.startswith("_")}
        return {key: _plain(value) for key, value in kept.items()}
    return [_plain(each) for each in record] if isinstance(record, list) else record


def _check_sizes(record: JSON, tensors: int, where: str) -> None:
    """Refuse numbers for which the module alone would fill the memory, at any depth."""
    if isinstance(record, list):
        for each in record:
            _check_sizes(each, tensors, where)
    if not isinstance(record, dict):
        return
    for key, value in record.items():
        if type(value) is int and _LAYERS.search(key) and value > max(tensors, _FEW):
            raise ModelError(
                f"{where}: {key} is {value}, but the folder's files hold {tensors} tensors; "
                "configuration and weights must be of one network"
            )
        if type(value) is int and _ROWS.search(key) and value > _MOST_ROWS:
            raise ModelError(f"{where}: {key} must be at most {_MOST_ROWS}, not {value}")
        _check_sizes(value, tensors, where)


def _check_buffers(buffers: Mapping[str, NDArray[Any]], where: str) -> None:
    """Refuse a configuration whose own numbers come to none, as frequencies of a rope_theta of 0.

    Minus infinity stands for a place that is masked.
    """
    for name, values in buffers.items():
        wrong = values[~(values < np.inf)] if values.dtype.kind == "f" else values[:0]
        if wrong.size:
            raise ModelError(
                f"{where}: its numbers must give {name} that are numbers, not {wrong.flat[0]}; "
                "look at what they are computed from, such as rope_theta, which must be above 0"
            )


def _class_of(record: Mapping[str, JSON], config: Any, where: str) -> Any:
    """The package's class that a configuration names, or the usual one for its type."""
    listed = record.get("architectures")
    if not listed:
        tables = (getattr(transformers, name) for name in _TASKS)
        return next(table[type(config)] for table in tables if type(config) in table)
    name = listed[0] if isinstance(listed, list) else listed
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    fits = isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)
    if found is None or not fits or found.config_class is not type(config):
        raise ModelError(
            f"{where}: its architecture {str(name)[:60]!r} must be a class of transformers for "
            f"{record.get('model_type')!r}; code in the folder is never run"
        )
    return found


def _without_memory(chosen: Any, config: Any) -> Any:
    """The module, its parameters zeros that share one number."""
    config.use_cache, config.return_dict = False, True
    handle = register_module_parameter_registration_hook(_on_meta)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), _silent():
            config._attn_implementation = "sdpa" if chosen._supports_sdpa else "eager"
            module = chosen(config).eval()
    finally:
        handle.remove()
    blank: dict[int, torch.nn.Parameter] = {}
    for part in module.modules():
        for name, old in part._parameters.items():
            if old is not None and id(old) not in blank:
                shared = torch.zeros((1,) * old.ndim, dtype=old.dtype).expand(old.shape)
                blank[id(old)] = torch.nn.Parameter(shared, requires_grad=False)
            part._parameters[name] = None if old is None else blank[id(old)]
    return module


def _on_meta(_: torch.nn.Module, __: str, given: torch.nn.Parameter | None) -> Any:
    """A parameter without memory in place of one that is being registered."""
    if given is None or given.is_meta:
        return None
    return torch.nn.Parameter(given.to("meta"), requires_grad=False)


@contextmanager
def _silent() -> Iterator[None]:
    """The package's log without its advice, which is about training and downloads."""
    log = logging.getLogger("transformers")
    disabled, log.disabled = log.disabled, True
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        log.disabled = disabled


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of the package as one line."""
    try:
        yield
    except (KeyboardInterrupt, SpecError, ModelError):
        raise
    # code of others, which may raise anything for numbers that it was not written for
    except BaseException as error:
        raise ModelError(f"{what}: {summary(error)}") from None
