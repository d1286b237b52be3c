"""A ticket's effective weights on a chip with wires.

A cell's IR drop depends on all cells that are switched in. While a mask is trained, the exact
transfer matrix of each tile gives the weights under the current mask, and its derivatives give the
value of each weight in the opposite switch state; the following steps choose between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.hardware.chip import Chip
from xbar.pruning.initial import scaled
from xbar.training.chip_weights import Shapes, cells_of, read_tiles
from xbar.training.layers import States

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Wires:
    """Placement of a network's layers on a chip.

    Attributes:
        chip: chip with wires.
        shapes: shape (G, outputs, inputs) of each layer, in the graph's layer order.
        scales: weight per siemens of each layer.
        layers: module of each layer.
    """

    chip: Chip
    shapes: Shapes
    scales: Mapping[str, float]
    layers: Mapping[str, Any]

    def states(self, masks: Masks) -> dict[str, States]:
        """Effective weights with wires, when kept and when pruned, with these masks programmed.

        Args:
            masks: mask of each layer, of the shape of the module's weight.
        """
        switches = {name: masks[name].reshape(shape) for name, shape in self.shapes.items()}
        readings = read_tiles(self.chip, self.shapes, switches)
        return scaled(cells_of(self.chip, self.shapes, readings), self.scales, self.layers)
