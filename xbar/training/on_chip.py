"""A network whose products are those of a program on its chip, and what may be trained of it.

    x ── unfold ──► rows ── DAC ──► realised + moved ── ADC ──► r ── (r - offset) / slope ──►

``realised`` is what the chip made of the program's weights, read exactly. What is trained are slope
and offset of each output, which the program can keep as its ``corrections``; and on request where
weights should move to from what the chip made of them. The chip then has to be programmed again,
and makes other errors.

Importing this module imports PyTorch: import it inside functions.

Shapes: G groups of a layer, M weights and E outputs of all layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xbar.arrays import Floats
from xbar.compiler.corrections import Corrections
from xbar.compiler.program import Program
from xbar.effects.ranges import Key
from xbar.effects.readout import MatrixReadout
from xbar.model.graph import Graph
from xbar.simulation.blocks import BlockCells
from xbar.simulation.calibration import Calibration
from xbar.simulation.readout import Watch
from xbar.training.live_graph import Learned, LiveGraph, learned_of
from xbar.training.network_read import TOGETHER, Cells, NetworkRead, StepRead, chain_of, normals
from xbar.training.recipe import Tuning

_MOVED, _GAIN, _SHIFT = 0.25, 0.5, 0.25
"""Rates over that of ``Tuning``: of weights, over their output's largest; of logarithms of gains;
of offsets, over the root mean square of an output's weights added up."""


class OnChip(nn.Module):
    """A network in training for one chip.

    Args:
        program: the program to begin with; its corrections are those that are trained on.
        readout: how the chip is read.
        tuning: settings.

    Attributes:
        program: what the chip was programmed with last.
        moves: whether weights are trained too.

    Raises:
        ModelError: a layer can't be trained.
    """

    def __init__(self, program: Program, readout: MatrixReadout, tuning: Tuning) -> None:
        super().__init__()
        assert program.graph is not None
        self.readout, self.tuning, self.moves = readout, tuning, True
        self._first = program.graph
        self.learned: Mapping[str, Learned] = learned_of(program.graph)
        self._live = LiveGraph(program.graph)
        self._shapes = program.plan.shapes
        outputs = sum(groups * rows for groups, rows, _ in self._shapes.values())
        weights = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self.gain = nn.Parameter(torch.zeros(outputs))
        self.shift = nn.Parameter(torch.zeros(outputs))
        self.moved = nn.Parameter(torch.zeros(weights))
        self.realised: torch.Tensor
        self.scale: torch.Tensor
        self.wanted: torch.Tensor
        self.unit: torch.Tensor
        self.power: torch.Tensor
        self.size: torch.Tensor
        self._noisy = program.hardware.variation.read_noise > 0
        for name in ("realised", "scale", "power", "wanted", "unit"):
            self.register_buffer(name, torch.zeros(weights, dtype=torch.float64))
        self.register_buffer("size", torch.zeros(outputs))
        self._ranges = None if program.corrections is None else program.corrections.ranges
        trimmed = self._ranges is not None and self._ranges.trimmed
        calibrated = tuning.calibrate is not None or trimmed
        self._chain = chain_of(program.hardware, calibrated=calibrated)
        self._method = None if program.corrections is None else program.corrections.method
        self.place(program)
        self._begin(program.corrections)

    def place(self, program: Program) -> None:
        """Go on with what the chip makes of another program for the same cells."""
        self.program = program
        blocks = tuple(tuple(placed.block for placed in tile.blocks) for tile in program.tiles)
        graph = program.graph
        assert graph is not None
        self._network = NetworkRead(graph, blocks, self._chain, self._ranges)
        self._read_out(program)
        wanted = {name: np.asarray(program.weights[name]) for name in self._shapes}
        self._put("wanted", _flat(wanted))
        # a weight of 0 may have no cell, and stays 0
        units = {n: np.abs(w).max(axis=2, keepdims=True) * (w != 0) for n, w in wanted.items()}
        self._put("unit", _flat(units))
        powers = [np.sqrt((w**2).sum(axis=2)) for w in wanted.values()]
        sizes = [np.full(each.size, np.sqrt((each**2).mean())) for each in powers]
        self._put("size", np.concatenate(sizes))
        with torch.no_grad():
            self.moved.zero_()

    def _read_out(self, program: Program) -> None:
        """What the chip made of the weights, as it is read."""
        made, scale, power = (
            {name: np.full(shape, value) for name, shape in self._shapes.items()}
            for value in (0.0, 1.0, 0.0)
        )
        self._lines: dict[Key, Floats] = {}
        for number, tile in enumerate(program.tiles):
            powers = tile.noise_power(self.readout) if self._noisy else [None] * len(tile.blocks)
            every = zip(tile.blocks, tile.difference(self.readout), powers, strict=True)
            for place, (placed, siemens, squares) in enumerate(every):
                block = placed.block
                if "amplifier" in self._chain.names:
                    self._lines[number, place] = BlockCells(tile, place).lines(self.readout)
                block.put(made[block.layer], siemens / placed.scale)
                block.put(scale[block.layer], np.broadcast_to(placed.scale, siemens.shape))
                if squares is not None:
                    block.put(power[block.layer], squares)
        for name, values in (("realised", made), ("scale", scale), ("power", power)):
            self._put(name, _flat(values))

    def _put(self, name: str, values: Floats) -> None:
        own = self.get_buffer(name)
        own.copy_(torch.from_numpy(values))

    def _begin(self, corrections: Corrections | None) -> None:
        """Begin with a program's corrections."""
        if corrections is None:
            return
        slope, offset = (_flat(each) for each in (corrections.slope, corrections.offset))
        with torch.no_grad():
            self.gain.copy_(torch.from_numpy(-np.log(slope)))
            size = np.where(self.size.numpy() > 0, self.size.numpy(), 1.0)
            self.shift.copy_(torch.from_numpy(-offset / slope / size))

    def corrected(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Slope and offset (G, outputs) by layer."""
        slope = (-self.gain).exp()
        offset = -self.shift * self.size * slope
        found, done = {}, 0
        for name, (groups, rows, _) in self._shapes.items():
            part = slice(done, done + groups * rows)
            found[name] = slope[part].reshape(groups, rows), offset[part].reshape(groups, rows)
            done += groups * rows
        return found

    def forward(self, x: torch.Tensor, draw: torch.Generator | None = None) -> torch.Tensor:
        """Outputs (N, ...) for inputs (N, ...); with converters' and amplifiers' noise if drawn."""
        found: torch.Tensor = self._live(x, {}, self._read(self._network, draw))
        return found

    def _read(
        self, network: NetworkRead, draw: torch.Generator | None, watch: Watch | None = None
    ) -> StepRead:
        flat = self.realised + self.moved * self.unit if self.moves else self.realised
        power, lines = self.power if self._noisy else None, self._lines or None
        cells = Cells(flat * self.scale, self.scale, power, lines=lines)
        normal = normals(draw)
        return StepRead(network, cells, self.program.chip, normal, watch, self.corrected())

    def calibrate(self, inputs: torch.Tensor) -> None:
        """Find the converters' ranges from inputs (N, ...) anew, if they are calibrated."""
        how, before = self.tuning.calibrate, self._network
        if how is None or not self._chain.acting:
            return

        def run(read: NetworkRead, watch: Watch) -> None:
            step = self._read(read, None, watch)
            for part in inputs.split(TOGETHER):
                self._live(part, {}, step)

        with torch.no_grad():
            self._ranges = before.calibrated(run, Calibration(how))
        self._method = how
        self._network = replace(before, ranges=self._ranges)

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is trained, with the factor of each on the rate."""
        kinds = [([self.gain], _GAIN), ([self.shift], _SHIFT)]
        return [([self.moved], _MOVED), *kinds] if self.moves else kinds

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that changes in training, by name."""
        return {name: each.detach().numpy().copy() for name, each in self.named_parameters()}

    def kept_values(self) -> dict[str, NDArray[Any]]:
        """What a step keeps for later ones, beside what is learned: nothing."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take a state again."""
        with torch.no_grad():
            for name, each in self.named_parameters():
                each.copy_(torch.from_numpy(np.array(state[name])))

    def first_bad(self, x: torch.Tensor) -> str:
        """Where numbers are not finite first, as the end of a message; "" if that is not found."""
        with torch.no_grad():
            values = self._live.values(x, {}, self._read(self._network, None))
        for layer in self._first.layers:
            for node in layer.nodes:
                if not bool(torch.isfinite(values[node]).all()):
                    return f", first in the outputs of layer {layer.name}"
        return ""

    def digital(self) -> LiveGraph:
        """The network as it was."""
        return self._live

    def stale(self) -> float:
        """Error of what arrives: none, it is read when the chip is programmed."""
        return 0.0

    def load(self) -> torch.Tensor:
        """Mean of all weights over their output's largest."""
        return (self.wanted + self.moved * self.unit).abs().sum() / self.unit.sum()

    @property
    def kept(self) -> float:
        """Share of weights that are not 0."""
        return float((self.unit > 0).double().mean())

    def graph(self) -> Graph:
        """The network with the weights of now, to be programmed."""
        flat = (self.wanted + self.moved.detach() * self.unit).numpy()
        new, done = {}, 0
        for name, each in self.learned.items():
            count = int(np.prod(self._shapes[name]))
            first = self._first.constants[each.weight]
            part = np.empty(count)
            part[each.place.ravel()] = flat[done : done + count]
            new[each.weight] = part.reshape(first.shape).astype(first.dtype)
            done += count
        every = {name: new.get(name, self._first.constants[name]) for name in self._first.constants}
        return replace(self._first, constants=every)

    def corrections(self, inputs: int) -> Corrections:
        """The corrections of now, for a program; trained on so many inputs."""
        found = {
            name: [each.detach().double().numpy() for each in both]
            for name, both in self.corrected().items()
        }
        later = self.program.hardware.later
        return Corrections(
            "trained",
            {name: slope for name, (slope, _) in found.items()},
            {name: offset for name, (_, offset) in found.items()},
            inputs,
            self.readout,
            None if later is None else later.moment,
            self._ranges,
            self._method,
        )


def _flat(values: Mapping[str, Any]) -> Floats:
    """All layers' values one after another."""
    return np.concatenate([np.ravel(each) for each in values.values()])
