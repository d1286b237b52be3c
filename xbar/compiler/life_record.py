"""What one mask for a chip's whole life reaches at each point, and how far from the best it may be.

Shapes: D points; R inputs and C outputs of a block, M = R C weights, E elements of a weight's bank.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xbar.arrays import Floats
from xbar.compiler.passes.choose_for_life import problems_for_life
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.compiler.whole_life import Ahead
from xbar.effects.expected import expected_error
from xbar.errors import SpecError, printable
from xbar.parallel import Progress
from xbar.subset.variants.several import EXACT, bounds_for_several, errors_over
from xbar.tables import count, percent, table
from xbar.units import format_temperature, format_time


@dataclass(frozen=True)
class LifePoint:
    """The weights at one point; errors are root mean square, relative to the layer's weights.

    Attributes:
        time: seconds since programming; None for as programmed.
        temperature: kelvin; None for the design's reference.
        gain: factor by which readings are compensated; 1 without compensation.
        expected: by layer, the error to expect, read noise included.
        reached: by layer, that of the chip's devices on the path of seed 0, without read noise.
    """

    time: float | None
    temperature: float | None
    gain: float
    expected: dict[str, float]
    reached: dict[str, float]

    @property
    def when(self) -> str:
        """Time and temperature as text."""
        parts = [] if self.time is None else [format_time(self.time)]
        if self.temperature is not None:
            parts.append(format_temperature(self.temperature))
        return ", ".join(parts)


@dataclass(frozen=True)
class LifeRecord:
    """One mask at all points.

    Attributes:
        points: the points.
        over: which of their errors is least, "worst" or "mean"; of each weight.
        outlook: what was known of devices, "law" or "devices".
        method: "exact", or "improved relaxation" where banks are too long for that.
        error: by layer, root mean square over weights of the error that counts, relative.
        bound: by layer, what no mask's error is below at these scales.
    """

    points: tuple[LifePoint, ...]
    over: str
    outlook: str
    method: str
    error: dict[str, float]
    bound: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary for ``json``."""
        return asdict(self)

    def __str__(self) -> str:
        head = ["layer", "at", "error to expect", "of its devices", "compensated gain"]
        rows = [
            [
                layer,
                point.when,
                percent(point.expected[layer]),
                percent(point.reached[layer]),
                f"{point.gain:.3f}",
            ]
            for layer in self.error
            for point in self.points
        ]
        title = (
            f"one mask for {count(len(self.points), 'point')}, least {self.over} error, by the "
            f"{self.outlook}, {self.method}"
        )
        ends = [
            f"{printable(layer)}: {self.over} error {percent(error)}, of no mask below "
            f"{percent(self.bound[layer])}\n"
            for layer, error in self.error.items()
        ]
        return table(title, head, rows) + "".join(ends)


@dataclass
class _Sums:
    """Squared errors in weights' units, of one layer."""

    target: float
    expected: Floats
    reached: Floats
    counted: float = 0.0
    bound: float = 0.0


def life_record(program: Program, progress: Progress | None = None) -> LifeRecord:
    """What a program's mask reaches over the life that it was chosen for.

    Raises:
        SpecError: it was not chosen for one.
    """
    life = program.options.whole_life
    if life is None:
        raise SpecError("the program must have been compiled for corners or life, and was not")
    chip = program.chip.then(program.options.chosen)
    ahead = Ahead.of(chip, program.options)
    points = len(ahead.chips)
    sums = {name: _Sums(0.0, np.zeros(points), np.zeros(points)) for name in program.plan.shapes}
    exact = True
    for number, tile in enumerate(program.tiles, 1):
        exact = _add(tile.fresh(), ahead, sums) and exact
        if progress is not None:
            progress(number, len(program.tiles))

    def relative(power: float, layer: str) -> float:
        return float(np.sqrt(power / sums[layer].target)) if sums[layer].target > 0 else 0.0

    return LifeRecord(
        tuple(
            LifePoint(
                *when,
                float(ahead.gains[j]),
                {name: relative(each.expected[j], name) for name, each in sums.items()},
                {name: relative(each.reached[j], name) for name, each in sums.items()},
            )
            for j, when in enumerate(life.points)
        ),
        life.over,
        life.outlook,
        "exact" if exact else "improved relaxation",
        {name: relative(each.counted, name) for name, each in sums.items()},
        {name: relative(each.bound, name) for name, each in sums.items()},
    )


def _add(tile: ProgrammedTile, ahead: Ahead, sums: dict[str, _Sums]) -> bool:
    """Add a tile's weights; whether all of them were chosen for exactly."""
    blocks, mask = [placed.block for placed in tile.blocks], tile.mask
    known = ahead.banks(tile.index, tile.mapping, blocks, mask)
    real = ahead.banks(tile.index, tile.mapping, blocks, mask, "devices")
    gain = expected_error(ahead.chips[0].hardware).gain
    exact = True
    for placed, bank, own in zip(tile.blocks, known, real, strict=True):
        chosen = tile.mapping.choice(mask, placed.block).reshape(placed.weight.size, -1)
        unit = np.broadcast_to(placed.scale, placed.weight.shape).reshape(-1) ** -2.0
        each = sums[placed.block.layer]
        element, goal, variance = problems_for_life(bank.flat(), placed.target.ravel(), gain)
        power = _biases(element, goal, chosen) ** 2 + np.einsum("mde,me->md", variance, chosen)
        path, aim, _ = problems_for_life(own.flat(), placed.target.ravel(), gain)
        each.target += float((placed.weight**2).sum())
        each.expected += unit @ power
        each.reached += unit @ _biases(path, aim, chosen) ** 2
        counted = errors_over(power, ahead.life.over)
        each.counted += float(unit @ counted)
        if (element.any(axis=1).sum(axis=1) > EXACT).any():
            bound = bounds_for_several(element, goal, variance)
            exact = False
            counted = np.where(bound < 0, counted, bound)
        each.bound += float(unit @ counted)
    return exact


def _biases(element: Floats, goal: Floats, chosen: Any) -> Floats:
    """(M, D) siemens by which choices (M, E) miss their goals (M, D)."""
    found: Floats = np.einsum("mde,me->md", element, chosen.astype(np.float64)) - goal
    return found
