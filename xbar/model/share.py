"""How many of a network's weights go to crossbars, and which stay digital.

Weights are the numbers of constants of two or more axes that a product takes. Tables that are
looked up, such as embeddings, multiply nothing and are told apart; biases and norms are not
counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from xbar.errors import warn
from xbar.model.digital import find_digital
from xbar.model.evaluate import Constants
from xbar.model.graph import Graph, Node, references
from xbar.model.lower import find_layers, find_products
from xbar.model.stored import dtype_of, shape_of, size_of
from xbar.tables import count

MOST_SILENT = 0.1
"""Share of digital weights above which a user is told before the work begins."""
_LISTED = 5
_TABLES = frozenset("embedding embedding_bag index_select index gather take take_along_dim".split())
_ONE_BY_ONE = frozenset("mul div addcmul cdist".split())


@dataclass(frozen=True)
class DigitalWeights:
    """Weights of one product that stay digital.

    Attributes:
        product: name of the product, as in ``Graph.digital``.
        constants: names of the constants.
        weights: number of weights.
        reason: why they stay digital.
    """

    product: str
    constants: tuple[str, ...]
    weights: int
    reason: str

    def __str__(self) -> str:
        name = self.constants[0].removesuffix(".weight")
        more = f" and {len(self.constants) - 1} more" if len(self.constants) > 1 else ""
        return f"{name}{more}: {count(self.weights, 'weight')}, because {self.reason}"


@dataclass(frozen=True)
class Share:
    """A network's weights by where they are.

    Attributes:
        on_tiles: number of weights of layers.
        digital: those that stay digital, largest first.
        tables: numbers in tables that are looked up.
    """

    on_tiles: int
    digital: tuple[DigitalWeights, ...]
    tables: int

    @property
    def ratio(self) -> float:
        """Digital weights relative to all."""
        digital = sum(each.weights for each in self.digital)
        return digital / (digital + self.on_tiles) if digital else 0.0

    @property
    def chosen(self) -> bool:
        """Whether the user chose what stays digital."""
        return all(each.reason.startswith(("not selected", "excluded")) for each in self.digital)

    def __str__(self) -> str:
        total = self.on_tiles + sum(each.weights for each in self.digital)
        lines = [f"{100 * self.ratio:.0f} % of the network's {total:,} weights stay digital"]
        lines += map(str, self.digital[:_LISTED])
        rest = sum(each.weights for each in self.digital[_LISTED:])
        return "; ".join([*lines, f"{count(rest, 'weight')} more"] if rest else lines)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "on_tiles": self.on_tiles,
            "digital": sum(each.weights for each in self.digital),
            "tables": self.tables,
            "products": [
                {
                    "name": each.product,
                    "constants": list(each.constants),
                    "weights": each.weights,
                    "reason": each.reason,
                }
                for each in self.digital
            ],
        }


def weigh(graph: Graph) -> Share:
    """Count a network's weights.

    Raises:
        ModelError: a layer has a non-finite weight or bias.
    """
    known = Constants(graph.nodes, graph.constants)
    nodes = {node.name: node for node in graph.nodes}
    left_out, reasons = dict(graph.left_out), dict(find_digital(graph))
    layers, products = find_layers(graph), find_products(graph)
    used = {products[layer.nodes[0]].weight.constant for layer in layers}
    digital = []
    for layer in layers:
        if layer.name in left_out:
            constant = products[layer.nodes[0]].weight.constant
            reason = left_out[layer.name]
            digital.append(DigitalWeights(layer.name, (constant,), math.prod(layer.shape), reason))
    tables: dict[str, None] = {}
    for node in nodes.values():
        name = node.op.split(".")[1] if "." in node.op else ""
        if node.name in known:
            continue
        found = [each for each in _matrices(node, known) if each not in used]
        if name in _TABLES:
            tables |= dict.fromkeys(found)
        elif found and (node.name in reasons or name in _ONE_BY_ONE):
            reason = reasons.get(node.name, f"{name} takes them one by one, not as a matrix")
            size = sum(size_of(graph.constants, each) for each in found)
            digital.append(DigitalWeights(node.name, tuple(found), size, reason))
            used.update(found)
    return Share(
        on_tiles=sum(math.prod(layer.shape) for layer in layers if layer.name not in left_out),
        digital=tuple(sorted(digital, key=lambda each: -each.weights)),
        tables=sum(size_of(graph.constants, name) for name in tables if name not in used),
    )


def warn_of_digital(graph: Graph) -> None:
    """Warn if a large part of the weights stays digital that the user did not choose."""
    share = weigh(graph)
    if share.ratio > MOST_SILENT and not share.chosen:
        warn(str(share))


def _matrices(node: Node, known: Constants) -> list[str]:
    """Constants of two or more axes that a node multiplies, directly or computed from."""
    found: dict[str, None] = {}
    if "scaled_dot_product" in node.op:  # queries, keys and values; a mask is only added
        node = replace(node, args=node.args[:3], kwargs={})
    for name in references(node):
        for constant in known.sources(name) if name in known else ():
            dtype = dtype_of(known.arrays, constant)
            axes = len(shape_of(known.arrays, constant))
            if axes > 1 and (dtype.kind == "f" or dtype.itemsize == 1):
                found[constant] = None
    return list(found)
