"""A ticket: a network, and the mask that says which of its weights are kept.

    model   its weights as they count: a pruned one is 0, or on a chip what its open cells leak
    mask    by layer, True where a weight is kept
    chip    None: any chip may be programmed with the weights, by subset selection
            a chip: the weights are its own conductances, and the mask goes to its switches as it is

Shapes: G groups of a layer; (G, outputs, inputs) is the matrix that goes to the tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph
from xbar.tables import Card, Facts, few, percent
from xbar.training.recipe import Epoch

if TYPE_CHECKING:
    from torch import nn

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False, repr=False)
class Ticket(Card):
    """A network and which of its weights are kept.

    Attributes:
        model: a torch module in evaluation mode, with the weights as they count.
        mask: by layer, an array of the shape of the module's ``weight``; True where it is kept.
        input_shape: of one input, without the batch axis.
        method: how the mask was found, such as "edge-popup".
        seed: that it was found with.
        history: one entry an epoch; empty where nothing was trained.
        chip: the chip whose own conductances the weights are; None if they are free numbers.
        certificate: what a construction proves about its network; None for others.
    """

    model: nn.Module
    mask: Masks
    input_shape: tuple[int, ...]
    method: str
    seed: int = 0
    history: tuple[Epoch, ...] = ()
    chip: Chip | None = None
    certificate: Any = None

    def __post_init__(self) -> None:
        check_masks(self.model, self.mask)

    def _facts(self) -> Facts:
        shares = [f"{name} {percent(float(mask.mean()))}" for name, mask in self.mask.items()]
        return [
            ("method", f"{self.method}, seed {self.seed}"),
            ("input", str(self.input_shape)),
            ("kept", f"{percent(self.kept)}: {few(shares)}"),
            ("epochs", str(len(self.history) or "")),
            ("chip", "any" if self.chip is None else f"its own: {self.chip.origin}"),
        ]

    @property
    def kept(self) -> float:
        """Share of the masked layers' weights that are kept."""
        total = sum(mask.size for mask in self.mask.values())
        return sum(int(mask.sum()) for mask in self.mask.values()) / total

    def graph(self) -> Graph:
        """The network as the compiler takes it, batch norms folded.

        Raises:
            ModelError: PyTorch can't export it, or it runs a masked layer nowhere.
        """
        return self._graph

    def switches(self) -> Mapping[str, NDArray[np.bool_]] | None:
        """By layer (G, outputs, inputs): which weights are switched in; None without a chip.

        A weight that is switched in has all resistors of both its cells closed, one that is not
        has all of them open.
        """
        if self.chip is None:
            return None
        return by_layer(self.graph(), self.mask)

    def units(self) -> Mapping[str, NDArray[np.float64]]:
        """By layer (G, outputs): siemens that stand for a weight of one; empty without a chip."""
        switches = self.switches()
        if self.chip is None or switches is None:
            return {}
        from xbar.training.chip_weights import units_of

        return units_of(self.graph(), self.chip, switches)

    @cached_property
    def _graph(self) -> Graph:
        from xbar.model.read import from_module

        graph = from_module(self.model, self.input_shape)
        missing = sorted(set(self.mask) - {layer.name for layer in graph.layers})
        if missing:
            raise ModelError(
                f"{missing[0]}: the network must use each masked layer, but it never multiplies by "
                "this one; leave it out of the mask"
            )
        return graph


def by_layer(graph: Graph, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays of the weights' shapes as (G, outputs, inputs), in the order of the graph's layers.

    Args:
        graph: the network.
        arrays: by layer, of the shape of the module's ``weight``; layers without one are left out.
    """
    from xbar.model.lower import find_products

    products = find_products(graph)
    found = {}
    for layer in graph.layers:
        if layer.name in arrays:
            product = products[layer.nodes[0]]
            view = arrays[layer.name].transpose(product.weight.axes)
            found[layer.name] = np.ascontiguousarray(product.matrix(view))
    return found


def check_masks(model: nn.Module, masks: Masks) -> None:
    """Each mask must be that of a weight of the model.

    Raises:
        SpecError: there is none, it names no layer, or it has another shape or type.
    """
    if not masks:
        raise SpecError("a ticket must have a mask for at least one layer")
    modules = dict(model.named_modules())
    for name, mask in masks.items():
        path = "" if name == "weight" else name
        weight = getattr(modules.get(path), "weight", None)
        if weight is None:
            raise SpecError(
                f"{name}: a mask must be named like a layer of the network, one of "
                f"{', '.join(layer_names(model)) or 'none'}"
            )
        if mask.dtype != np.bool_ or mask.shape != tuple(weight.shape):
            raise SpecError(
                f"{name}: its mask must be bool of shape {tuple(weight.shape)} like its weight, "
                f"not {mask.dtype} of shape {mask.shape}"
            )


def layer_names(model: nn.Module) -> list[str]:
    """Names of the modules with a weight of two or more axes, as the graph's layers are named."""
    return [
        name or "weight"
        for name, module in model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) >= 2
    ]
