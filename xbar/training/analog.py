"""Layers that multiply as a chip with converters and read noise does, for training.

    x ──► scale to the DAC's range ──► DAC ──► V ──► tile ──► I+ - I- ──► ADC ──► Σ over tiles ──► y

The numbers are those of ``xbar.simulation.readout`` with a converter a column and ranges by tile; a
bit-serial DAC counts as one that sends the whole value. Backwards, rounding counts as nothing, and
what a converter clips has no gradient.

Shapes: M vectors, G groups, R inputs and C outputs of a layer. PyTorch is imported with this file:
import it in functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.training.chip_weights import Shapes, placement_of, powers_of

CREST = 4.0
"""As in ``xbar.simulation.ranges``: a column's root-sum-square current, times this, is the ADC's
range where the design names none."""


@dataclass(frozen=True, eq=False)
class AnalogLayer:
    """What one layer's product needs.

    Attributes:
        chip: with converters and read noise.
        scale: weight that a siemens stands for.
        blocks: (group, inputs, outputs) of each tile's block.
        power: (2, G, C, R) siemens², the sum of the resistors' squares, open and switched in.
        kept: gives the mask (G, C, R) in use.
    """

    chip: Chip
    scale: float
    blocks: tuple[tuple[int, torch.Tensor, torch.Tensor], ...]
    power: torch.Tensor
    kept: Callable[[], torch.Tensor]

    def product(self, rows: torch.Tensor, matrix: torch.Tensor, *, noise: bool) -> torch.Tensor:
        """(M, G, C) for vectors (M, G, R) and the weights (G, C, R)."""
        hardware = self.chip.hardware
        full = hardware.read_voltage
        peak = rows.detach().abs().amax(dim=(1, 2), keepdim=True)
        unit = full / torch.where(peak > 0, peak, torch.ones_like(peak))
        voltage = rows * unit
        if hardware.dac is not None:
            voltage = _rounded(voltage, torch.tensor(full), hardware.dac.top)
        conductance = matrix / self.scale
        power = None
        if noise and hardware.variation.read_noise:
            power = torch.where(self.kept(), self.power[1], self.power[0])
        # blocks side by side and above each other: each is converted by itself, then added
        current = torch.zeros(len(rows), *matrix.shape[:2])
        for group, inputs, outputs in self.blocks:
            part, seen = conductance[group][outputs][:, inputs], voltage[:, group, inputs]
            read = seen @ part.T
            if power is not None:
                variance = seen.detach() ** 2 @ power[group][outputs][:, inputs].T
                deviation = hardware.variation.read_noise * variance.clamp(min=0).sqrt()
                read = read + deviation * torch.randn_like(read)
            if hardware.adc is not None:
                read = _rounded(read, self._range(part.detach(), full), hardware.adc.top)
            current = current.index_put(
                (torch.arange(len(rows))[:, None], torch.tensor(group), outputs[None]),
                read,
                accumulate=True,
            )
        return current * self.scale / unit

    def _range(self, conductance: torch.Tensor, voltage: float) -> torch.Tensor:
        adc = self.chip.hardware.adc
        if adc is not None and adc.range is not None:
            return torch.tensor(adc.range)
        worst = conductance.abs().sum(dim=1)
        typical = CREST * (conductance**2).sum(dim=1).sqrt()
        largest = voltage * torch.minimum(worst, typical).max()
        return largest if largest > 0 else torch.tensor(1.0)


def attach(
    layers: Mapping[str, Any],
    chip: Chip,
    shapes: Shapes,
    scales: Mapping[str, float],
    kept: Callable[[str], torch.Tensor],
) -> None:
    """Let modules multiply as the chip does, until ``detach``.

    Args:
        layers: linear layers and two-dimensional convolutions, by name.
        chip: whose converters and read noise act.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        scales: by layer, weight that a siemens stands for.
        kept: gives a layer's mask in use, of its weight's shape.

    Raises:
        SpecError: a module is of another kind.
    """
    blocks: dict[str, list[Any]] = {name: [] for name in shapes}
    for tile in placement_of(chip, shapes):
        for block in tile:
            inputs, outputs = torch.from_numpy(block.inputs), torch.from_numpy(block.outputs)
            blocks[block.layer].append((block.group, inputs, outputs))
    powers = powers_of(chip, shapes)
    for name, module in layers.items():
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
        shape = shapes[name]
        layer = AnalogLayer(
            chip,
            scales[name],
            tuple(blocks[name]),
            torch.from_numpy(powers[name]).float(),
            partial(_reshaped, kept, name, shape),
        )
        module.forward = partial(_forward, module, layer, shape)


def detach(layers: Mapping[str, Any]) -> None:
    """Let modules multiply as they are again."""
    for module in layers.values():
        module.__dict__.pop("forward", None)


def _reshaped(
    kept: Callable[[str], torch.Tensor], name: str, shape: tuple[int, int, int]
) -> torch.Tensor:
    return kept(name).reshape(shape)


def _forward(
    module: Any, layer: AnalogLayer, shape: tuple[int, int, int], x: torch.Tensor
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


def _rounded(value: torch.Tensor, full: torch.Tensor, top: int) -> torch.Tensor:
    """The nearest of 2 top + 1 levels up to full scale; the gradient goes straight through."""
    clipped = torch.minimum(torch.maximum(value, -full), full)
    level = full / top
    return clipped + ((clipped / level).round() * level - clipped).detach()
