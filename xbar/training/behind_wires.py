"""A network whose weights are what arrives of conductances behind a design's wires.

    v (resistors) ── dead zone, grain ──► d ── exact wires ──► E ── x column's gain ──► weight

Importing this module imports PyTorch: import it inside functions.

Shapes: G groups of a layer, M weights of all layers, C columns of all blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xbar.arrays import Floats
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.training.arrays import Arrays
from xbar.training.arriving import Arriving
from xbar.training.live_graph import Learned, LiveGraph, learned_of
from xbar.training.recipe import Tuning

_BIAS_RATE = 0.25
"""Rate of biases, relative to their size, over that of conductances."""


class BehindWires(nn.Module):
    """A network in training for a design.

    Args:
        graph: the network.
        hardware: the design.
        tuning: settings.
        wired: whether its wires are there.

    Raises:
        ModelError: a layer can't be trained.
        SpecError: the design has no room for a weight.
    """

    def __init__(self, graph: Graph, hardware: Hardware, tuning: Tuning, *, wired: bool) -> None:
        super().__init__()
        self._graph, self._tuning = graph, tuning
        self.learned: Mapping[str, Learned] = learned_of(graph)
        self._live = LiveGraph(graph)
        matrices = {layer.name: layer.matrix for layer in graph.layers}
        self._shapes = {name: matrix.shape for name, matrix in matrices.items()}
        chip = Chip.sample(hardware, 0)
        step = chip.on(0) - chip.off(0)
        self.resistor = float(np.median(step))
        self._most = float(hardware.bank.resistors)
        leak = float(chip.off(0).sum(axis=-1).mean())
        self.arrays = Arrays.of(hardware, matrices, leak, wired=wired)
        wanted = np.concatenate([matrix.ravel() for matrix in matrices.values()])
        self.arriving = Arriving(self.arrays, self.resistor, tuning)
        self._inverse = {
            name: torch.from_numpy(np.argsort(each.place, axis=None))
            for name, each in self.learned.items()
        }
        self._column = torch.from_numpy(self.arrays.column)
        self.v = nn.Parameter(torch.from_numpy(self._start(wanted)))
        self.gain = nn.Parameter(self._gains(wanted))
        self._first = {
            each.bias: torch.from_numpy(np.array(graph.constants[each.bias], np.float32))
            for each in self.learned.values()
            if each.bias is not None
        }
        self._sizes = {key: _size(value) for key, value in self._first.items()}
        self.shift = nn.ParameterList(
            nn.Parameter(torch.zeros_like(value)) for value in self._first.values()
        )

    def _start(self, wanted: Floats) -> NDArray[np.float32]:
        """(M,) resistors in proportion to the weights, as many for each column's largest."""
        largest = np.zeros(int(self.arrays.column.max()) + 1)
        np.maximum.at(largest, self.arrays.column, np.abs(wanted))
        top = largest[self.arrays.column]
        found = np.divide(wanted, top, out=np.zeros_like(wanted), where=top > 0)
        return (found * self._tuning.largest).astype(np.float32)

    def _gains(self, wanted: Floats) -> torch.Tensor:
        """(C,) logarithms of the gains by which what arrives comes closest to the weights."""
        signed = self._grained(self.v.detach(), None).numpy().astype(np.float64) * self.resistor
        arrives = self.arrays.effective(self.arrays.crossings(signed)) / self.resistor
        count = int(self.arrays.column.max()) + 1
        power = np.bincount(self.arrays.column, arrives**2, count)
        product = np.bincount(self.arrays.column, arrives * wanted, count)
        gain = np.divide(product, power, out=np.zeros(count), where=power > 0)
        usual = np.median(gain[gain > 0]) if (gain > 0).any() else 1.0
        return torch.from_numpy(np.log(np.where(gain > 0, gain, usual)).astype(np.float32))

    def _grained(self, v: torch.Tensor, draw: torch.Generator | None) -> torch.Tensor:
        """(M,) conductances in resistors: dead zone with the straight-through gradient, grain."""
        near = v.clamp(-self._most, self._most)
        d = near + (torch.where(near.abs() > self._tuning.dead, near, 0.0) - near).detach()
        if draw is not None and self._tuning.grain:
            d = d * (1 + self._tuning.grain * torch.randn(d.shape, generator=draw))
        return d

    def weights(self, draw: torch.Generator | None = None) -> dict[str, torch.Tensor]:
        """The graph's constants as they now are, by name; with new devices if they are drawn."""
        d = self._grained(self.v, draw)
        e = self.arriving(d, exact=draw is None or not torch.is_grad_enabled())
        flat, found, done = e * self.gain.exp()[self._column], {}, 0
        for name, each in self.learned.items():
            count = int(np.prod(self._shapes[name]))
            part, done = flat[done : done + count], done + count
            shape = self._graph.constants[each.weight].shape
            found[each.weight] = part[self._inverse[name]].reshape(shape)
        for (name, first), shift in zip(self._first.items(), self.shift, strict=True):
            found[name] = first + self._sizes[name] * shift
        return found

    def forward(self, x: torch.Tensor, draw: torch.Generator | None = None) -> torch.Tensor:
        """Outputs (N, ...) for inputs (N, ...)."""
        y: torch.Tensor = self._live(x, self.weights(draw))
        return y

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is trained, with the factor of each on the rate."""
        return [([self.v, self.gain], 1.0), ([*self.shift], _BIAS_RATE)]

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that changes in training, by name."""
        own = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {
            name: value.detach().numpy().copy()
            for name, value in own.items()
            if not name.startswith("_live.")
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take a state again.

        Raises:
            ValueError: it is none of this network's.
        """
        own = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        own = {name: value for name, value in own.items() if not name.startswith("_live.")}
        if own.keys() != state.keys() or any(
            tuple(own[name].shape) != value.shape for name, value in state.items()
        ):
            raise ValueError("the state is that of another network")
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(torch.from_numpy(np.array(value)))

    def first_bad(self, x: torch.Tensor) -> str:
        """Where numbers are not finite first, as the end of a message; "" if that is not found.

        Infinities within the network may be meant, as in a mask before a softmax, but not a
        layer's.
        """
        with torch.no_grad():
            weights = self.weights()
            values = self._live.values(x, weights)
        for owner, each in self.learned.items():
            for name in (each.weight, each.bias):
                if name in weights and not bool(torch.isfinite(weights[name]).all()):
                    return f", first in the weights of layer {owner}"
        layers = {node: layer.name for layer in self._graph.layers for node in layer.nodes}
        for node in self._graph.nodes:
            value, layer = values[node.name], layers.get(node.name)
            if node.op == "constant" or not isinstance(value, torch.Tensor):
                continue
            if bool(value.isnan().any()) or (layer is not None and bool(value.isinf().any())):
                where = f"operation {node.name}" if layer is None else f"layer {layer}"
                return f", first in the outputs of {where}"
        return ""

    def digital(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The network as it was."""
        return self._live

    def stale(self) -> float:
        """Largest error of what arrived in steps since this was last asked."""
        return self.arriving.told()

    @property
    def kept(self) -> float:
        """Share of weights outside the dead zone."""
        return float((self.v.detach().abs() > self._tuning.dead).float().mean())

    def graph(self) -> Graph:
        """The network with the effective weights and biases of now."""
        with torch.no_grad():
            new = {
                name: value.numpy().astype(self._graph.constants[name].dtype)
                for name, value in self.weights().items()
            }
        every = {name: new.get(name, self._graph.constants[name]) for name in self._graph.constants}
        return replace(self._graph, constants=every)


def _size(value: torch.Tensor) -> float:
    """A bias's own size, by which its steps are scaled."""
    size = float((value**2).mean() ** 0.5)
    return size if size > 0 else 1.0
