"""Plan of a program: everything decided before the first tile is programmed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.corrections import Corrections
from xbar.compiler.mapping import SignedMapping, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.placement import PlacementReport
from xbar.compiler.weights import raw_of, shapes_of
from xbar.errors import SpecError, warn
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.tables import Facts, Outline, count, few, percent


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Outline):
    """Network, chip and options of a compilation; with tiles it is a ``Program``.

    Attributes:
        chip: chip to program.
        graph: network; None for bare matrices.
        weights: target weights (G, outputs, inputs) by layer.
        options: options of the compilation.
        placement: tile utilisation.
        decided: whether its switches are those of a ticket, which is valid for this chip only.
        corrections: digital corrections of the layers' outputs; None without.
    """

    chip: Chip
    graph: Graph | None
    weights: Mapping[str, Floats]
    options: Options = field(default_factory=Options)
    placement: PlacementReport | None = None
    decided: bool = False
    corrections: Corrections | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Shape (G, outputs, inputs) of each layer's matrix, in order; no weight is read."""
        return shapes_of(self.weights)

    def raw(self, layer: str) -> NDArray[Any]:
        """A layer's target weights (G, outputs, inputs) in the type in which they are held."""
        return raw_of(self.weights, layer)

    @property
    def hardware(self) -> Hardware:
        """The design of the chip."""
        return self.chip.hardware

    @property
    def mapping(self) -> SignedMapping:
        """The mapping of signed weights to cells."""
        return get_mapping(self.options.mapping)

    def facts(self, tiles: int, resistors: int) -> Facts:
        """The lines of a program's card, of so many tiles and resistors a weight."""
        tile, name = self.hardware.tile, self.hardware.name
        used = "" if self.placement is None else f", {percent(self.placement.utilisation)} used"
        weights = sum(map(math.prod, self.shapes.values()))
        chosen = self.options.model_dump(exclude_defaults=True, exclude={"extents", "fitted"})
        chosen |= {"wires": "fit"} if self.options.fitted is not None else {}
        return [
            (count(len(self.weights), "layer"), few([*self.weights])),
            ("tiles", f"{tiles} of {tile.word_lines} x {tile.bit_lines}{used}"),
            ("weights", f"{weights:,}, {resistors} resistors each"),
            ("chip", self.chip.origin + (f", design {name}" if name else "")),
            ("options", ", ".join(f"{key}={value!r}" for key, value in chosen.items())),
            ("corrected", "" if self.corrections is None else str(self.corrections)),
        ]

    def on(self, chip: Chip) -> Plan:
        """The plan on another chip of its shape; its options tell when switches were chosen.

        Raises:
            SpecError: cells were tuned on a chip of later.
        """
        if self.corrections is not None and not self.chip.is_same(chip):
            warn(
                f"the program's digital corrections were found on another chip than "
                f"{chip.origin}, and stay as they are; calibrate it again there"
            )
        options, later = self.options, self.hardware.later
        tuned = options.programming not in ("subset", "nominal")
        if tuned and later is not None and not options.aged:
            raise SpecError(
                "cells that were tuned on a chip of later must stay there, as time counts from "
                "programming; compile the network for chip.programmed"
            )
        chosen = options.chosen
        if not options.aged and chosen is None and later is not None:
            chosen = later.moment
        now = None if chip.hardware.later is None else chip.hardware.later.moment
        update = {
            "aged": now is not None and now != chosen,
            "chosen": None if now == chosen else chosen,
        }
        return replace(self, chip=chip, options=options.model_copy(update=update))
