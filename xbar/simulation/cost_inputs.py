"""What the cost of a program is computed for: its constants, and voltages on its word lines.

Shapes: N vectors, G groups of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.compiler.stored_tiles import StoredTiles
from xbar.effects.dac import dac_steps, volts_per_unit
from xbar.effects.namespace import NUMPY
from xbar.hardware.cost import Cost
from xbar.simulation.data import Data
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import product

Reals = NDArray[np.floating[Any]]

INPUTS = 16
"""Number of network inputs whose activations are used."""

VECTORS = 64
"""Maximum number of evenly spaced vectors of a layer whose power is computed."""


def uniform_volts(program: Program, seed: int) -> dict[str, list[Reals]]:
    """By layer, volts (N, G, inputs) of each step."""
    hardware = program.chip.hardware
    result: dict[str, list[Reals]] = {}
    for number, (name, shape) in enumerate(program.plan.shapes.items()):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
        values = rng.uniform(-1.0, 1.0, (VECTORS, shape[0], shape[2]))
        values *= hardware.read_voltage
        result[name] = [step.copy() for _, step in dac_steps(hardware, values)]
    return result


def driven_volts(
    program: Program, inputs: ArrayLike | Mapping[str, ArrayLike], ranges: Ranges | None
) -> tuple[dict[str, list[Reals]], dict[str, int]]:
    """By layer, volts (N, G, inputs) of each step, and vectors per input, rounded up."""
    data = Data.of(program, inputs, None)
    watch = _Activations(program)
    some = data.first(program, INPUTS if program.graph is not None else VECTORS)
    some.run(program, watch)
    hardware = program.chip.hardware
    result: dict[str, list[Reals]] = {}
    for name, x in watch.seen.items():
        few = x[np.linspace(0, len(x) - 1, min(VECTORS, len(x))).astype(int)]
        full_input = None if ranges is None else ranges.inputs.get(name)
        volts = few * volts_per_unit(hardware, few, full_input, NUMPY)
        result[name] = [step.copy() for _, step in dac_steps(hardware, volts)]
    return result, {name: -(-len(x) // some.size) for name, x in watch.seen.items()}


@dataclass
class _Activations:
    """Exact products; records the inputs of each layer."""

    program: Program
    seen: dict[str, Floats] = field(default_factory=dict)

    def __call__(self, layer: str, x: Floats) -> Floats:
        self.seen[layer] = np.concatenate([self.seen[layer], x]) if layer in self.seen else x
        return product(x, self.program.weights[layer])


def with_constants(program: Program, constants: Cost) -> Program:
    """The same program on a chip with other constants of cost."""
    hardware = program.chip.hardware.model_copy(update={"cost": constants})
    plan = replace(program.plan, chip=replace(program.chip, hardware=hardware))
    if isinstance(program.tiles, StoredTiles):
        return Program(plan, program.tiles.on(plan))
    tiles = (replace(tile, chip=plan.chip) for tile in program.tiles)
    return Program(plan, tuple(tiles))
