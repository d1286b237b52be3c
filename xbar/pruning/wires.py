"""A ticket's weights as a chip with wires reads them.

What wires take from a cell depends on all that is switched in. While a mask is learned, the exact
transfer matrix of each tile gives the weights under the current mask, and its slopes what each of
them would be if it were switched the other way; the next steps choose among these.
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
    """How a network's layers lie on a chip.

    Attributes:
        chip: with its wires.
        shapes: (G, outputs, inputs) by layer, in the order of the graph's layers.
        scales: by layer, weight that a siemens stands for.
        layers: the modules by layer.
    """

    chip: Chip
    shapes: Shapes
    scales: Mapping[str, float]
    layers: Mapping[str, Any]

    def states(self, masks: Masks) -> dict[str, States]:
        """What each weight is with the wires, kept and pruned, while these masks are programmed.

        Args:
            masks: by layer, of the shape of the module's weight.
        """
        switches = {name: masks[name].reshape(shape) for name, shape in self.shapes.items()}
        readings = read_tiles(self.chip, self.shapes, switches)
        return scaled(cells_of(self.chip, self.shapes, readings), self.scales, self.layers)
