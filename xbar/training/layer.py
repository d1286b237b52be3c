"""PyTorch layers that multiply as a chip does.

``AnalogLayer`` has the conductances of a program; ``attach`` makes modules in training multiply by
their own weights. Both read through the chain of ``xbar.effects``, as the simulation does. Rounding
has the straight-through gradient; clipped values have gradient 0.

Shapes: M vectors, G groups, R inputs and C outputs of a layer. Importing this module imports
PyTorch: import it inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from xbar.compiler.block import Block
from xbar.compiler.program import Program
from xbar.effects.chain import Chain, Reading
from xbar.effects.namespace import Precision
from xbar.effects.ranges import Key
from xbar.effects.readout import Readout
from xbar.effects.stage import Draw
from xbar.effects.torch_namespace import TorchArrays
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.training.chip_weights import Shapes, placement_of, powers_of
from xbar.training.layer_read import LayerRead, Part, Pile, block_of, piles_of


@dataclass(frozen=True, eq=False)
class AnalogLayer:
    """One layer of a program: the product of ``AnalogProducts``, with gradients.

    Attributes:
        program: program that is read.
        layer: name of the layer.
        readout: "ideal", "nodal" or "nonlinear".
        seed: seed of the read noise; the draws are those of ``AnalogProducts``.
        effects: names of the active effects; None for all of the hardware.
        ranges: calibrated ranges of converters, if any.
    """

    program: Program
    layer: str
    readout: Readout = "ideal"
    seed: int = 0
    effects: Collection[str] | None = None
    ranges: Ranges | None = None
    _made: dict[Precision, tuple[Reading, Draw]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, program: Program, layer: str, readout: Readout = "ideal", *, seed: int = 0
    ) -> AnalogLayer:
        """A layer of a program with all effects of its hardware.

        Raises:
            SpecError: unknown layer or read-out, or the design lacks what it needs.
        """
        if layer not in program.weights:
            raise SpecError(f"layer must be one of {', '.join(program.weights)}, not {layer!r}")
        made = cls(program, layer, readout, seed)
        _ = made.products("float64").chain
        return made

    def products(self, precision: Precision) -> AnalogProducts:
        """The same read-out by numpy."""
        return AnalogProducts(
            self.program, self.readout, self.seed, self.effects, self.ranges, precision
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (M, G, C) for inputs (M, G, R), float64 or float32 as the inputs are."""
        precision: Precision = "float64" if x.dtype == torch.float64 else "float32"
        if precision not in self._made:
            products, xp = self.products(precision), TorchArrays(precision)
            normal = products.draw(self.layer)
            self._made[precision] = (
                products.reading(self.layer).on(xp),
                lambda shape: xp.asarray(normal(shape)),
            )
        reading, draw = self._made[precision]
        y: torch.Tensor = reading.product(x, draw)
        return y


@dataclass(frozen=True, eq=False)
class TrainedLayer:
    """The analog product of a layer in training.

    Attributes:
        chip: the chip.
        chain: active effects.
        scale: weight per siemens.
        piles: blocks of each stage.
        power: sum of the resistors' squares (2, G, C, R), siemens², switched out and in.
        kept: function returning the current mask (G, C, R).
    """

    chip: Chip
    chain: Chain
    scale: float
    piles: tuple[Pile, ...]
    power: torch.Tensor
    kept: Callable[[], torch.Tensor]

    def product(self, rows: torch.Tensor, matrix: torch.Tensor, *, noise: bool) -> torch.Tensor:
        """(M, G, C) for vectors (M, G, R) and the weights (G, C, R)."""
        xp = TorchArrays("float64" if rows.dtype == torch.float64 else "float32")
        power = None
        if noise and "variance" in self.chain.changed:
            power = torch.where(self.kept(), self.power[1], self.power[0])
        conductance = matrix / self.scale
        unit = torch.tensor(1 / self.scale, dtype=xp.dtype)
        parts = {
            key: Part(
                block_of(conductance, block),
                unit,
                None if power is None else block_of(power, block),
            )
            for pile in self.piles
            for key, block in pile
        }
        groups, outputs, inputs = matrix.shape
        read = LayerRead(self.chip, self.chain, (groups, outputs, inputs), self.piles)
        numbers = torch.randn if noise else torch.zeros  # of amplifiers and ADCs, too
        y: torch.Tensor = read.reading(parts, xp).product(rows, partial(numbers, dtype=xp.dtype))
        return y


def attach(
    layers: Mapping[str, Any],
    chip: Chip,
    shapes: Shapes,
    scales: Mapping[str, float],
    kept: Callable[[str], torch.Tensor],
) -> None:
    """Make modules multiply as the chip does, until ``detach``.

    Wires are not added here: the modules' weights already include them.

    Args:
        layers: linear layers and two-dimensional convolutions, by name.
        chip: chip with the converters and read noise.
        shapes: shapes (G, outputs, inputs) by layer, in the order of the graph's layers.
        scales: weight per siemens, by layer.
        kept: function returning a layer's current mask, of its weight's shape.

    Raises:
        SpecError: a module is neither linear nor a two-dimensional convolution.
    """
    blocks: dict[str, list[tuple[Key, Block]]] = {name: [] for name in shapes}
    for tile, placed in enumerate(placement_of(chip, shapes)):
        for number, block in enumerate(placed):
            blocks[block.layer].append(((tile, number), block))
    powers = powers_of(chip, shapes)
    chain = Chain.of(chip.hardware, "ideal")
    for name, module in layers.items():
        check_layer(name, module)
        shape = shapes[name]
        layer = TrainedLayer(
            chip,
            chain,
            scales[name],
            piles_of(blocks[name], chain),
            torch.from_numpy(powers[name]),
            partial(_reshaped, kept, name, shape),
        )
        module.forward = partial(_forward, module, layer, shape)


def check_layer(name: str, module: Any) -> None:
    """Check that a module multiplies by a matrix of its weights.

    Raises:
        SpecError: it is neither linear nor a Conv2d with numeric padding.
    """
    plain = isinstance(module, nn.Linear) or (
        isinstance(module, nn.Conv2d)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
    if not plain:
        raise SpecError(
            f"{name}: analog training takes linear layers and Conv2d with padding in numbers, "
            f"not {type(module).__name__}; leave analog out"
        )


def detach(layers: Mapping[str, Any]) -> None:
    """Restore the modules' own products."""
    for module in layers.values():
        module.__dict__.pop("forward", None)


def _reshaped(
    kept: Callable[[str], torch.Tensor], name: str, shape: tuple[int, int, int]
) -> torch.Tensor:
    return kept(name).reshape(shape)


def _forward(
    module: Any, layer: TrainedLayer, shape: tuple[int, int, int], x: torch.Tensor
) -> torch.Tensor:
    matrix = module.weight.reshape(shape)
    if isinstance(module, nn.Linear):
        y = layer.product(x.reshape(-1, 1, x.shape[-1]), matrix, noise=module.training)
        return y.reshape(*x.shape[:-1], -1)
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(
            x.shape[2:], module.padding, module.dilation, module.kernel_size, module.stride,
            strict=True,
        )
    ]  # fmt: skip
    rows = nn.functional.unfold(
        x, module.kernel_size, module.dilation, module.padding, module.stride
    )
    y = layer.product(
        rows.transpose(1, 2).reshape(-1, shape[0], shape[2]), matrix, noise=module.training
    )
    return y.reshape(len(x), math.prod(size), -1).transpose(1, 2).reshape(len(x), -1, *size)
