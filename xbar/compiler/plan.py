"""The plan of a program: all that is decided before the first tile is programmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xbar.arrays import Floats
from xbar.compiler.mapping import SignedMapping, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.placement import PlacementReport
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.tables import Outline


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Outline):
    """What is to be programmed, on what, and how; with its tiles it is a ``Program``.

    Attributes:
        chip: the chip.
        graph: the network; None where bare matrices are compiled.
        weights: by layer, (G, outputs, inputs): what is to be programmed.
        options: how it is programmed.
        placement: how well its tiles are used.
        decided: whether its switches are those of a ticket of this chip, worth nothing on another.
    """

    chip: Chip
    graph: Graph | None
    weights: Mapping[str, Floats]
    options: Options = field(default_factory=Options)
    placement: PlacementReport | None = None
    decided: bool = False

    @property
    def hardware(self) -> Hardware:
        """The design of the chip."""
        return self.chip.hardware

    @property
    def mapping(self) -> SignedMapping:
        """The cells that a signed weight has."""
        return get_mapping(self.options.mapping)
