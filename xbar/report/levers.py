"""What each lever against harsh wires would give, what was chosen, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xbar.compiler.levers.record import Fitted
from xbar.compiler.program import Program
from xbar.report.metrics import LayerMetrics
from xbar.tables import percent, table


@dataclass(frozen=True)
class LayerLevers:
    """One layer.

    Attributes:
        name: name of the layer.
        inputs: inputs that a block of it has at most.
        outputs: outputs likewise; both of the tile where nothing is said.
        tiles: number of tiles that hold it.
        before: relative error of the effective weights expected on whole tiles.
        expected: that expected as it is laid.
        reached: that of the program; None where wires change nothing.
    """

    name: str
    inputs: int
    outputs: int
    tiles: int
    before: float
    expected: float
    reached: float | None


@dataclass(frozen=True)
class Levers:
    """A program that was compiled with ``wires="fit"``.

    Attributes:
        fitted: what was tried and chosen.
        layers: each layer with tiles.
    """

    fitted: Fitted
    layers: tuple[LayerLevers, ...]

    @classmethod
    def of(cls, program: Program, metrics: Sequence[LayerMetrics]) -> Levers | None:
        """The record of a program; None if nothing was to be fitted.

        Args:
            program: the program.
            metrics: its layers.
        """
        fitted = program.options.fitted
        if fitted is None:
            return None
        own = {each.layer: (each.inputs, each.outputs) for each in program.options.extents}
        rows, bit_lines = program.hardware.usable_cells
        size = rows, program.mapping.columns(bit_lines)
        told = {layer.name: layer for layer in metrics}
        layers = tuple(
            LayerLevers(
                one.layer,
                *own.get(one.layer, size),
                told[one.layer].tiles,
                one.before,
                one.expected,
                told[one.layer].wires_after,
            )
            for one in fitted.layers
            if one.layer in told
        )
        return cls(fitted, layers)

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return {
            "max_tiles": self.fitted.max_tiles,
            "levers": [lever.model_dump(mode="json") for lever in self.fitted.levers],
            "layers": [asdict(layer) for layer in self.layers],
        }

    @property
    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Two tables: title, names of the columns, rows."""
        laid = [
            [
                one.name,
                f"{one.inputs} x {one.outputs}",
                f"{one.tiles}",
                percent(one.before),
                percent(one.expected),
                percent(one.reached),
            ]
            for one in self.layers
        ]
        head = ["layer", "a block at most", "tiles", "on whole tiles", "expected", "reached"]
        return [self.fitted.tried, ("errors of the weights behind the wires", head, laid)]

    def __str__(self) -> str:
        return "\n".join(table(title, head, rows) for title, head, rows in self.tables)
