"""Levers against harsh wires, chosen by the error that is to be expected: ``wires="fit"``.

Subsets for the wires are found by ``passes/correct_wires.py``, whatever the layout. Before that the
compiler can lay a network so that wires do less:

    extents     blocks of fewer inputs and outputs, the rest of each tile open: all layers alike,
                and by layer (``extents.py``)
    packing     each block on a tile of its own, next to driver and sense amplifier
    order       large inputs and outputs next to driver and amplifier, which wire-aware programming
                does by itself; or in their own order

Each way is told with its error: the root mean square over layers of what a sample of the layer's
tiles has when it is programmed for the design (``sample.py``). The least error on at most
``max_tiles`` tiles is chosen. A layer's errors are as good as none below ``GOOD``, or near what
ideal wires would leave (``correct_wires.py`` asks for no more), and of ways whose errors differ by
less than a tenth the one of the fewest tiles is taken. What another drive or sense of the tile
would give is told too, but a chip can't choose its design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xbar.compiler.block import Block
from xbar.compiler.checks import check_chip_size
from xbar.compiler.levers.extents import (
    PARTS,
    STEP,
    Candidate,
    candidates,
    least,
    part_of,
    step_of,
)
from xbar.compiler.levers.record import Extent, Fitted, LayerFit, Lever, State
from xbar.compiler.levers.sample import MOST, Sampler
from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import Options
from xbar.compiler.passes.correct_wires import GOOD, HARSH, NEAR
from xbar.compiler.placement import Matrices, Tiles, place, usable
from xbar.errors import SpecError
from xbar.hardware.chip import Chip

TIMES = 2
"""So many times the tiles that a network takes anyway, where nothing else is said."""

_NAMES = {0.75: "3/4 of the lines", 0.5: "1/2 of the lines", 0.25: "1/4 of the lines"}


@dataclass(frozen=True)
class Fit:
    """That the layout is to be chosen.

    Attributes:
        max_tiles: number of tiles; None for ``TIMES`` those that the network takes on whole tiles.
            A measured chip has no more than were measured.
        threads: number of threads; None for one per CPU.
    """

    max_tiles: int | None = None
    threads: int | None = None


@dataclass(frozen=True, eq=False)
class Way:
    """One way to lay the network.

    Attributes:
        name: what it is.
        options: options that lay it so.
        tiles: blocks of each tile.
        errors: by layer, what to expect.
        floors: by layer, the error that none is better than.
    """

    name: str
    options: Options
    tiles: Tiles
    errors: dict[str, float]
    floors: dict[str, float]

    @property
    def expected(self) -> float:
        """Root mean square over layers."""
        return float(np.sqrt(np.mean([e**2 for e in self.errors.values()]))) if self.errors else 0.0

    @property
    def counted(self) -> float:
        """``expected``, where no layer's error is less than its floor."""
        errors = [max(error, self.floors[one]) for one, error in self.errors.items()]
        return float(np.sqrt(np.mean(np.square(errors or [0.0]))))

    @property
    def harsh(self) -> list[str]:
        """The layers whose errors could be less."""
        return [layer for layer, error in self.errors.items() if error > self.floors[layer]]


def fit_levers(matrices: Matrices, chip: Chip, options: Options, fit: Fit | None = None) -> Options:
    """The options with extents, packing and order of lines of least expected error.

    Args:
        matrices: target weights (G, outputs, inputs) by layer.
        chip: chip to program, of whose design the tiles are.
        options: options of the compilation, for the wires.
        fit: what it may take.

    Raises:
        SpecError: ``max_tiles`` or the chip's tiles are fewer than the network takes anyway, or
            extents are given already.
    """
    if options.extents:
        raise SpecError("options.extents must be left out with wires 'fit', which chooses them")
    fit = fit or Fit()
    search = _Search.of(Sampler(matrices, chip.hardware, options, fit.threads))
    whole = search.way("whole tiles", options)
    check_chip_size(chip, len(whole.tiles))
    most = _budget(fit.max_tiles, len(whole.tiles), chip.tiles)
    tried = [whole]
    if whole.harsh:
        tried += search.extents(whole, most)
    best = _best(tried, most)
    if best.harsh:
        for other in search.variants(best):
            tried.append(other)
            best = _best([best, other], most)
    levers = [_told(way, best, most) for way in tried]
    levers += search.other_design(whole)
    layers = tuple(
        LayerFit(layer=layer, before=whole.errors[layer], expected=error)
        for layer, error in best.errors.items()
    )
    fitted = Fitted(levers=tuple(levers), layers=layers, max_tiles=most)
    return best.options.model_copy(update={"fitted": fitted})


def _budget(asked: int | None, needed: int, there: int | None) -> int:
    if asked is not None and asked < needed:
        raise SpecError(
            f"max_tiles must be at least {needed}, the tiles that the network takes anyway, not "
            f"{asked}"
        )
    most = TIMES * needed if asked is None else asked
    return most if there is None else min(most, there)


def _best(ways: Sequence[Way], most: int) -> Way:
    """Of the ways that fit, and are as good as the best, the first one of the fewest tiles.

    The first way of all always fits.
    """
    fitting = [way for way in ways if len(way.tiles) <= most]
    least_error = min(way.counted for way in fitting)
    good = [way for way in fitting if way.counted <= STEP * least_error]
    return min(good, key=lambda way: len(way.tiles))


def _told(way: Way, best: Way, most: int) -> Lever:
    state: State = "chosen" if way is best else "possible"
    if len(way.tiles) > most:
        state = "too many tiles"
    return Lever(name=way.name, expected=way.expected, tiles=len(way.tiles), state=state)


@dataclass(frozen=True, eq=False)
class _Search:
    """Ways to lay a network, made and judged."""

    sampler: Sampler
    floors: dict[str, float]

    @classmethod
    def of(cls, sampler: Sampler) -> _Search:
        """The search in a network of these samples."""
        tiles = _placed(sampler, sampler.options.model_copy(update={"pack": "none"}))
        layers = _by_layer(tiles)
        ideal = sampler.without_wires().errors([*layers.values()])
        floors = [max(GOOD, NEAR * error) for error in ideal]
        return cls(sampler, dict(zip(layers, floors, strict=True)))

    def way(self, name: str, options: Options) -> Way:
        """The network laid with these options."""
        tiles = _placed(self.sampler, options)
        layers, swap = _by_layer(tiles), options.swap_lines != "never"
        found = self.sampler.errors([*layers.values()], swap=swap)
        return Way(name, options, tiles, dict(zip(layers, found, strict=True)), self.floors)

    def extents(self, whole: Way, most: int) -> list[Way]:
        """All layers alike, and by layer, where the layer needs it."""
        options = self.sampler.options
        size = usable(self.sampler.hardware, get_mapping(options.mapping))
        harsh, ways = whole.harsh, list[Way]()
        for part in PARTS[1:]:
            rows, columns = part_of(size, (part, part))
            extents = [Extent(layer=one, inputs=rows, outputs=columns) for one in harsh]
            update = {"extents": tuple(extents)}
            ways.append(self.way(_NAMES[part], options.model_copy(update=update)))
        ways.append(self._each_its_own(whole, harsh, most))
        # cut evenly, three quarters are often a half
        different = {_shapes(way.tiles): way for way in reversed([whole, *ways])}
        return [way for way in ways if different[_shapes(way.tiles)] is way]

    def _each_its_own(self, whole: Way, harsh: Sequence[str], most: int) -> Way:
        """The best extent of each layer, on so many tiles together."""
        hardware, options = self.sampler.hardware, self.sampler.options
        choices = {one: candidates(self.sampler.matrices, one, hardware, options) for one in harsh}
        costs = {one: self._costs(one, each, whole, most) for one, each in choices.items()}
        tiles = [[each.tiles for each in choices[one]] for one in harsh]
        alone = sum(counts[0] for counts in tiles)
        # layers that share tiles take fewer than alone; and none takes more than its most
        room = min(most - len(whole.tiles) + alone, sum(map(max, tiles)))
        while True:
            chosen = least(tiles, [costs[one] for one in harsh], room)
            extents = [
                choices[one][number].extent
                for one, number in zip(harsh, chosen, strict=True)
                if choices[one][number].parts != (1.0, 1.0)
            ]
            way = self.way("by layer", options.model_copy(update={"extents": tuple(extents)}))
            if len(way.tiles) <= most or room == alone:
                return way
            room = max(alone, room - (len(way.tiles) - most))

    def _costs(
        self, layer: str, choices: Sequence[Candidate], whole: Way, most: int
    ) -> list[float]:
        """The square of each one's error; infinite where it takes too many tiles."""
        small = [each for each in choices if each.tiles <= most and each.parts != (1.0, 1.0)]
        swap = self.sampler.options.swap_lines != "never"
        # on other chips than the ways: of many candidates the least is one with lucky chips, too
        found = self.sampler.errors([each.blocks for each in small], swap=swap, seed=MOST)
        errors = dict(zip(small, found, strict=True)) | {choices[0]: whole.errors[layer]}
        floor = self.floors[layer]
        return [
            step_of(max(errors[each], floor)) ** 2 if each in errors else np.inf for each in choices
        ]

    def variants(self, best: Way) -> list[Way]:
        """Other ways with the same extents."""
        ways, options = [], best.options
        if any(len(blocks) > 1 for blocks in best.tiles):
            alone = options.model_copy(update={"pack": "none"})
            ways.append(self.way(f"{best.name}, a tile a block", alone))
        if options.swap_lines != "never":
            kept = options.model_copy(update={"swap_lines": "never"})
            ways.append(self.way(f"{best.name}, lines as given", kept))
        return ways

    def other_design(self, whole: Way) -> list[Lever]:
        """What whole tiles driven and sensed at both ends would give; nothing if they have no need.

        Of designs where lines have one end each.
        """
        tile = self.sampler.hardware.tile
        if max(whole.errors.values(), default=0.0) <= HARSH or "both" in (tile.drive, tile.sense):
            return []
        ends = tile.model_copy(update={"drive": "both", "sense": "both"})
        design = self.sampler.hardware.model_copy(update={"tile": ends})
        other = replace(self, sampler=replace(self.sampler, hardware=design, _known={}))
        way = other.way("whole tiles, both ends used", whole.options)
        return [
            Lever(
                name=way.name, expected=way.expected, tiles=len(way.tiles), state="another design"
            )
        ]


def _placed(sampler: Sampler, options: Options) -> Tiles:
    mapping = get_mapping(options.mapping)
    return place(sampler.matrices, sampler.hardware, mapping, options).tiles


def _shapes(tiles: Tiles) -> tuple[object, ...]:
    return tuple(tuple((block.layer, *block.shape) for block in blocks) for blocks in tiles)


def _by_layer(tiles: Tiles) -> dict[str, list[tuple[Block, ...]]]:
    """By layer, the tiles that it lies on, that of its largest block first."""
    found: dict[str, list[tuple[int, int]]] = {}
    for index, blocks in enumerate(tiles):
        for layer in dict.fromkeys(block.layer for block in blocks):
            size = max(
                len(block.inputs) * len(block.outputs) for block in blocks if block.layer == layer
            )
            found.setdefault(layer, []).append((-size, index))
    return {layer: [tiles[index] for _, index in sorted(each)] for layer, each in found.items()}
