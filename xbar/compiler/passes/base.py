"""Interface of a compiler pass, and the state of a tile between passes.

A pass is a function from one ``TileState`` to the next, in a separate file that ends with a
``Pass``: its name, the attributes it needs and makes, and the jobs it applies to. ``PASSES`` in
``xbar/compiler/pipeline.py`` lists them.

Shapes: W x B cells of a tile, K resistors per cell; R inputs and C outputs of a block, E elements
of a weight's bank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.block import Block
from xbar.compiler.mapping import SignedBank, SignedMapping, get_mapping
from xbar.compiler.options import Options
from xbar.compiler.tile import ProgrammedTile
from xbar.compiler.tuned import TunedCells
from xbar.hardware.chip import Chip
from xbar.hardware.fabricate import Resistors
from xbar.subset.scaling import Reach

if TYPE_CHECKING:
    from xbar.compiler.passes.set_scales import Expected
    from xbar.compiler.whole_life import LifeBank

Masks: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TileJob:
    """Input of the compilation of one tile.

    Attributes:
        index: index of the tile on the chip.
        blocks: blocks on the tile.
        weights: target weights (R, C) by block.
        chip: chip to program.
        options: options of the compilation.
        kept: masks (R, C) by block of the weights with all resistors switched in, for a ticket of
            this chip; None to choose subsets.
        units: siemens per unit weight by block, one number or (C,), with ``kept`` or if a layer has
            one scale.
        expected: expected error of the chip's banks; None to measure it.
    """

    index: int
    blocks: tuple[Block, ...]
    weights: tuple[Floats, ...]
    chip: Chip
    options: Options
    kept: tuple[Masks, ...] | None = None
    units: tuple[float | Floats, ...] = ()
    expected: Expected | None = None

    @property
    def mapping(self) -> SignedMapping:
        """The mapping of signed weights to cells."""
        return get_mapping(self.options.mapping)

    @cached_property
    def tuned(self) -> TunedCells | None:
        """Model of tuned cells; None for switched resistors."""
        return TunedCells.of(self.options, self.chip)

    @property
    def chooses(self) -> bool:
        """Whether a subset of each measured bank is chosen."""
        return self.kept is None and self.options.programming == "subset"


_LATER: Any = None  # until a pass makes it; ``in_order`` checks that none needs it before


@dataclass(frozen=True, eq=False)
class TileState:
    """One tile between two passes.

    Attributes:
        job: job of the tile.
        blocks: blocks of the job, on their current lines.
        resistors: measured or nominal resistors of the tile.
        mask: switches (W, B, K) of shared cells, closed before all others.
        banks: signed banks of the weights, by block.
        reach: range of the weights (R, C), by block.
        life: banks at all points of the chip's life, by block, where they are chosen for.
        scales: siemens per unit weight (C,), by block.
        choices: closed switches (R, C, E), by block.
        tile: programmed tile.
        achieved: achieved conductances (R, C) by block, siemens, wires included after wire-aware
            programming.
    """

    job: TileJob
    blocks: tuple[Block, ...]
    resistors: Resistors = _LATER
    mask: Masks = _LATER
    banks: tuple[SignedBank, ...] = _LATER
    reach: tuple[Reach, ...] = _LATER
    life: tuple[LifeBank, ...] = _LATER
    scales: tuple[Floats, ...] = _LATER
    choices: tuple[Masks, ...] = _LATER
    tile: ProgrammedTile = _LATER
    achieved: tuple[Floats, ...] = _LATER

    def having(self, **made: Any) -> TileState:
        """The state with what a pass made.

        ``dataclasses.replace`` takes several times as long, which small tiles notice.
        """
        if not made.keys() <= vars(self).keys():
            raise TypeError(f"a tile's state has no {sorted(made.keys() - vars(self).keys())}")
        later = TileState.__new__(TileState)
        vars(later).update(vars(self))
        vars(later).update(made)
        return later


@dataclass(frozen=True, eq=False)
class Pass:
    """One step of the compiler on one tile.

    Attributes:
        name: name of its file.
        run: function from state to state.
        needs: attributes of ``TileState`` that it reads; each must be made by an earlier pass.
        makes: attributes that it sets or replaces.
        applies: predicate of the jobs that the pass applies to.
    """

    name: str
    run: Callable[[TileState], TileState]
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    applies: Callable[[TileJob], bool] = lambda job: True
