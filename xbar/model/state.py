"""State dicts: weights by name; the network comes from the user's code or from their shapes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError, UntrustedFileError
from xbar.model.archive import read_archive
from xbar.model.dense import dense_graph, infer_layers
from xbar.model.graph import Graph
from xbar.model.pytorch import as_array, require_torch
from xbar.model.safetensors import read_safetensors
from xbar.model.scan import Archive
from xbar.model.source import Source


def read_saved(data: bytes, source: Source) -> Graph:
    """Read a ``torch.save`` file: a state dict or a whole module."""
    require_torch("reading a state dict")
    from xbar.model import export

    state = export.load_state(io.BytesIO(data), source.where)
    if state is None:
        return _unpickled(data, source)
    if source.arch is not None:
        return _built(state, source)
    arrays = {str(k): as_array(v, f"{source.where}: {k}") for k, v in state.items()}
    return _inferred(arrays, source, ordered=True)


def read_weights(data: bytes, source: Source) -> Graph:
    """Read a safetensors file. Its tensors are not in the module's order."""
    arrays = read_safetensors(data, source.where)
    if source.arch is None:
        return _inferred(arrays, source, ordered=False)
    require_torch("building a module")
    import torch

    return _built({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}, source)


def _unpickled(data: bytes, source: Source) -> Graph:
    from xbar.model import export

    if not source.trust_pickle:
        raise UntrustedFileError(
            f"{source.where}: this is a pickled object, not a state dict, and loading it runs "
            "whatever code it carries; save model.state_dict() or a torch.export archive instead, "
            "or give --trust-pickle if you made the file yourself"
        )
    source.refuse_state_options("a pickled module")
    module = export.unpickle_module(io.BytesIO(data), source.where)
    shape = source.needed_shape("a pickled module")
    name = type(module).__name__
    data = export.export_module(module, shape, source.wanted.bind)
    return read_archive(Archive(data, name), source)


def _built(state: dict[str, Any], source: Source) -> Graph:
    """The network of the module built by ``arch``."""
    from xbar.model import export

    assert source.arch is not None
    if source.activation is not None:
        raise SpecError("--activation is for a state dict without --arch; give one of the two")
    shape = source.needed_shape("a state dict")
    module = export.build(source.arch, state, source.where)
    data = export.export_module(module, shape, source.wanted.bind)
    return read_archive(Archive(data, type(module).__name__), source)


def _inferred(state: Mapping[str, NDArray[Any]], source: Source, ordered: bool) -> Graph:
    source.wanted.refuse(source.where)
    try:
        layers = infer_layers(state, ordered)
    except ModelError as error:
        raise SpecError(
            f"{source.where}: this is a state dict, weights without a network, and {error}; give "
            "the code that builds the network: --arch module:callable --input-shape 1,28,28"
        ) from None
    return dense_graph(layers, source)
