"""A ticket: a network and the mask of its kept weights.

    model   effective weights: a pruned one is 0, or on a chip the leakage of its open cells
    mask    by layer, True where a weight is kept
    chip    None: any chip can be programmed with the weights, by subset selection
            a chip: the weights are its own conductances, and the mask is its switch states

Shapes: G groups of a layer; (G, outputs, inputs) is the matrix mapped to the tiles.
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
    """A network and the mask of its kept weights.

    Attributes:
        model: torch module in evaluation mode, with effective weights.
        mask: mask of each layer, of the shape of the module's ``weight``; True where kept.
        input_shape: shape of one input, without the batch axis.
        method: method that found the mask, such as "edge-popup".
        seed: random seed of the method.
        history: one entry per epoch; empty if nothing was trained.
        chip: chip whose conductances are the weights; None for arbitrary weights.
        certificate: error bounds proved by a construction; None for other methods.
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
        """Fraction of the masked layers' weights that are kept."""
        total = sum(mask.size for mask in self.mask.values())
        return sum(int(mask.sum()) for mask in self.mask.values()) / total

    def graph(self) -> Graph:
        """The network as a graph for the compiler, batch norms folded.

        Raises:
            ModelError: PyTorch can't export it, or a masked layer is never used.
        """
        return self._graph

    def switches(self) -> Mapping[str, NDArray[np.bool_]] | None:
        """Switch states by layer, (G, outputs, inputs); None without a chip.

        All switches of both cells of a weight are closed if it is switched in, else open.
        """
        if self.chip is None:
            return None
        return by_layer(self.graph(), self.mask)

    def units(self) -> Mapping[str, NDArray[np.float64]]:
        """Siemens per unit weight by layer, (G, outputs); empty without a chip."""
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
    """Reshape arrays of the weights' shapes to (G, outputs, inputs), in the graph's layer order.

    Args:
        graph: the network.
        arrays: array of each layer, of the shape of the module's ``weight``; layers without an
            array are omitted.
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
    """Check that each mask matches a weight of the model.

    Raises:
        SpecError: there is no mask, or one has an unknown layer name or the wrong shape or type.
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
    """Names of the modules with a weight of two or more axes, as in the graph's layers."""
    return [
        name or "weight"
        for name, module in model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) >= 2
    ]
