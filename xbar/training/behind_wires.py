"""A network whose weights are what arrives of conductances behind a design's wires.

    v (resistors) ── dead zone, grain ──► d ── exact wires ──► E ── x column's gain ──► weight

With converters or read noise the network's products are read as the simulation reads them
(``network_read.py``), else they are products with these weights.

Importing this module imports PyTorch: import it inside functions.

Shapes: G groups of a layer, M weights of all layers, C columns of all blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xbar.arrays import Floats
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.simulation.calibration import Calibration
from xbar.simulation.readout import Watch
from xbar.training.aged import Ages, Then, designs_of
from xbar.training.arrays import Arrays
from xbar.training.live_graph import Learned, LiveGraph, learned_of
from xbar.training.network_read import TOGETHER, Cells, NetworkRead, StepRead, normals
from xbar.training.recipe import Tuning
from xbar.training.side import Side, started, with_side

_BIAS_RATE = 0.25
"""Rate of biases, relative to their size, over that of conductances."""


@dataclass(frozen=True, eq=False)
class Now:
    """What is on the tiles at a moment; each (M,).

    Attributes:
        then: the moment.
        d: conductances as programmed, in usual resistors.
        aged: the same at the moment.
        e: what arrives of them.
        gain: weight per resistor that arrives, what is compensated included.
        factor: ``aged`` over ``d``; None for devices as programmed.
    """

    then: Then
    d: torch.Tensor
    aged: torch.Tensor
    e: torch.Tensor
    gain: torch.Tensor
    factor: torch.Tensor | None = None


class BehindWires(nn.Module):
    """A network in training for a design.

    Args:
        graph: the network.
        hardware: the design.
        tuning: settings.
        wired: whether its wires are there.
        device: where arrays are solved: "cpu", or "cuda" for a card.

    Raises:
        ModelError: a layer can't be trained.
        SpecError: the design has no room for a weight.
    """

    def __init__(
        self,
        graph: Graph,
        hardware: Hardware,
        tuning: Tuning,
        *,
        wired: bool,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self._sides: tuple[Side, ...] = ()
        if tuning.lora:
            graph, self._sides = with_side(graph, tuning.lora)
        self._graph, self._tuning = graph, tuning
        self.learned: Mapping[str, Learned] = learned_of(graph)
        self._live = LiveGraph(graph)
        matrices = {layer.name: layer.matrix for layer in graph.layers}
        self._shapes = {name: matrix.shape for name, matrix in matrices.items()}
        self._counts = [matrix.size for matrix in matrices.values()]
        full = [np.full(each.size, np.abs(each).max(), np.float32) for each in matrices.values()]
        self._full = torch.from_numpy(np.concatenate(full))
        chip = Chip.sample(hardware, 0)
        step = chip.on(0) - chip.off(0)
        self.resistor = float(np.median(step))
        self._most = float(hardware.bank.resistors)
        arrays = Arrays.of(hardware, matrices, 0.0, wired=wired, lines=graph.lines)
        arrays = replace(arrays, device=device)
        every = [hardware, *designs_of(hardware, tuning)]
        self._then = [Then(graph, arrays, each, self.resistor, tuning) for each in every]
        self.moments, self._fresh = nn.ModuleList(self._then), self._then[0]
        self.arrays: Arrays = self._fresh.arriving.arrays
        self._ages = Ages(arrays, every[1:]) if len(every) > 1 else None
        if self._fresh.network is not None and tuning.calibrate is not None:
            for name, count in self._fresh.network.converters.items():
                self.register_buffer(name, torch.full((count,), torch.nan, dtype=torch.float64))
        wanted = np.concatenate([matrix.ravel() for matrix in matrices.values()])
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
        begin = started(self._sides, graph, 0).values()
        self.side = nn.ParameterList(nn.Parameter(torch.from_numpy(each)) for each in begin)
        self.v.requires_grad_(not self._sides)  # with side weights the arrays stay as they are

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

    def _now(self, draw: torch.Generator | None) -> Now:
        """What is on the tiles, at a moment that is drawn or as programmed, and what arrives."""
        d, gain = self._grained(self.v, draw), self.gain.exp()[self._column]
        usual = self._grained(self.v.detach(), None)
        exact = draw is None or not torch.is_grad_enabled()
        if self._ages is None or draw is None:
            return Now(self._fresh, d, d, self._fresh.arriving(d, usual, exact=exact), gain)
        which, seed, new = self._ages.choose(draw, keep=not exact)
        then = self._then[1 + which]
        if new and not exact:
            then.arriving.anew()
        factor = self._ages.factors(d, which, seed)
        e = then.arriving(d * factor, usual * factor, exact=exact)
        if self._tuning.compensate:
            gain = gain * self._lost(e.detach(), factor, gain.detach())
        return Now(then, d, d * factor, e, gain, factor)

    def _lost(self, e: torch.Tensor, factor: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """(M,) by how much weaker each layer's weights were programmed, in least squares."""
        found = []
        for now, before in zip(
            (e * gain).split(self._counts), (e / factor * gain).split(self._counts), strict=True
        ):
            power = (before**2).sum()
            ratio = (now * before).sum() / power.clamp(min=1e-30)
            found.append(torch.where(ratio > 0, 1 / ratio.clamp(min=1e-6), 1.0).expand(len(now)))
        return torch.cat(found)

    def _noised(self, flat: torch.Tensor, draw: torch.Generator | None) -> torch.Tensor:
        """(M,) weights within their layer's full scale, with noise in proportion to it.

        That is its largest weight at the start: one that grew would add noise to all others, of
        which the gradient of their mean loss knows nothing.
        """
        if not self._tuning.weight_noise:
            return flat
        flat = torch.minimum(torch.maximum(flat, -self._full), self._full)
        if draw is None:
            return flat
        noise = torch.randn(flat.shape, generator=draw)
        return flat + self._tuning.weight_noise * self._full * noise

    def _constants(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """The graph's constants by name, for weights (M,)."""
        found, done = {}, 0
        for name, each in self.learned.items():
            count = int(np.prod(self._shapes[name]))
            part, done = flat[done : done + count], done + count
            shape = self._graph.constants[each.weight].shape
            found[each.weight] = part[self._inverse[name]].reshape(shape)
        for (name, first), shift in zip(self._first.items(), self.shift, strict=True):
            found[name] = first + self._sizes[name] * shift
        for side, first, second in zip(self._sides, self.side[::2], self.side[1::2], strict=True):
            found |= {side.first: side.sizes[0] * first, side.second: side.sizes[1] * second}
        return found

    def weights(self, draw: torch.Generator | None = None) -> dict[str, torch.Tensor]:
        """The graph's constants as they now are, by name; with new devices if they are drawn."""
        now = self._now(draw)
        return self._constants(self._noised(now.e * now.gain, draw))

    def forward(self, x: torch.Tensor, draw: torch.Generator | None = None) -> torch.Tensor:
        """Outputs (N, ...) for inputs (N, ...); with new devices and noise if they are drawn."""
        now = self._now(draw)
        flat = self._noised(now.e * now.gain, draw)
        constants, network = self._constants(flat), now.then.network
        if network is None:
            y: torch.Tensor = self._live(x, constants)
            return y
        seed = 0 if draw is None else int(torch.randint(2**31, (1,), generator=draw))
        normal = normals(draw)
        read = StepRead(
            network.within(dict(self.named_buffers())),
            self._cells(now, flat, noise=draw is not None),
            Chip.sample(now.then.hardware, seed),
            normal,
        )
        found: torch.Tensor = self._live(x, constants, read)
        return found

    def _cells(self, now: Now, flat: torch.Tensor, *, noise: bool) -> Cells:
        """What is read of weights (M,)."""
        conductance = flat / now.gain * self.resistor
        power = self._power(now) if noise and now.then.squares is not None else None
        before = None if now.factor is None else conductance.detach() / now.factor
        return Cells(conductance, self.resistor / now.gain, power, before)

    def _power(self, now: Now) -> torch.Tensor:
        """(M,) expected sum of squares of the resistors of each pair as read, siemens².

        Those that are on have their weight's own attenuation, those that are off the column's mean.
        """
        assert now.then.squares is not None
        on, off = now.then.squares
        count, some = now.d.detach().abs(), now.d.detach() != 0
        arrives = torch.where(some, (now.e / torch.where(some, now.aged, 1.0)) ** 2, 0.0).detach()
        columns = int(self._column.max()) + 1
        total, number = torch.zeros(columns), torch.zeros(columns)
        total.index_add_(0, self._column, arrives)
        number.index_add_(0, self._column, some.to(count.dtype))
        column = (total / number.clamp(min=1.0))[self._column]
        return count * arrives * on + (2 * self._most - count) * column * off

    def calibrate(self, inputs: torch.Tensor) -> None:
        """Find the converters' ranges from inputs (N, ...) anew, if they are calibrated.

        As ``simulate(calibrate=...)`` does: by the network as it now is, without noise.
        """
        how, network = self._tuning.calibrate, self._fresh.network
        if how is None or network is None:
            return
        with torch.no_grad():
            now = self._now(None)
            flat = now.e * now.gain
            constants, cells = self._constants(flat), self._cells(now, flat, noise=False)
            chip = Chip.sample(self._fresh.hardware, 0)

            def run(read: NetworkRead, watch: Watch) -> None:
                step = StepRead(read, cells, chip, None, watch)
                for part in inputs.split(TOGETHER):
                    self._live(part, constants, step)

            ranges = network.calibrated(run, Calibration(how))
            own = dict(self.named_buffers())
            for name, value in network.numbers(ranges).items():
                own[name].copy_(torch.from_numpy(value))

    def load(self) -> torch.Tensor:
        """Mean conductance of all weights, in usual resistors."""
        return self.v.clamp(-self._most, self._most).abs().mean()

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is trained, with the factor of each on the rate."""
        arrays = [self.gain] if self._sides else [self.v, self.gain]
        return [([*arrays, *self.side], 1.0), ([*self.shift], _BIAS_RATE)]

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that changes in training, by name."""
        learned = {name: each.detach().numpy().copy() for name, each in self.named_parameters()}
        kept = [each for each in self.named_buffers() if not each[0].startswith("_live.")]
        return learned | {name: each.numpy().copy() for name, each in kept}

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

    def digital(self) -> LiveGraph:
        """The network as it was."""
        return self._live

    def stale(self) -> float:
        """Largest error of what arrived in steps since this was last asked."""
        return max(each.arriving.told() for each in self._then)

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
        lines = self.arrays.lines if self.arrays.wired else self._graph.lines
        return replace(self._graph, constants=every, lines=lines)


def _size(value: torch.Tensor) -> float:
    """A bias's own size, by which its steps are scaled."""
    size = float((value**2).mean() ** 0.5)
    return size if size > 0 else 1.0
