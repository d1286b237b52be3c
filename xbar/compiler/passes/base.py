"""What a pass of the compiler is, and what passes hand on: one tile on its way to its program.

A pass is a function from one ``TileState`` to the next, in a file of its own that ends with a
``Pass``: its name, what it needs, what it makes, and the jobs that it applies to. The list of them
is ``PASSES`` in ``xbar/compiler/pipeline.py``.

Shapes: W x B cells of a tile, K resistors a cell; R inputs and C outputs of a block, E elements of
a weight's bank.
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
from xbar.hardware.chip import Chip, Resistors
from xbar.subset.scaling import Reach

if TYPE_CHECKING:
    from xbar.compiler.passes.set_scales import Expected

Masks: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TileJob:
    """What there is to do on one tile.

    Attributes:
        index: which tile of the chip.
        blocks: what lies on it.
        weights: by block, (R, C) what is to be programmed.
        chip: what it is programmed on.
        options: how.
        kept: by block, (R, C) which weights are switched in with all their resistors, where that
            was decided already (a ticket of this chip); None to choose subsets.
        units: by block, siemens per unit weight, of all columns or (C,), where ``kept`` is given or
            a layer has one scale.
        expected: what error to expect of the chip's banks; None to find out.
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
        """The cells that a signed weight has."""
        return get_mapping(self.options.mapping)

    @cached_property
    def tuned(self) -> TunedCells | None:
        """How its cells are tuned; None where the chip's resistors are switched."""
        return TunedCells.of(self.options, self.chip)

    @property
    def chooses(self) -> bool:
        """Whether a subset of each measured bank is chosen."""
        return self.kept is None and self.options.programming == "subset"


_LATER: Any = None  # until a pass makes it; ``in_order`` sees to it that none needs it before


@dataclass(frozen=True, eq=False)
class TileState:
    """One tile between two passes.

    Attributes:
        job: what there is to do.
        blocks: the job's, on the lines where they lie now.
        resistors: what is known of the tile's resistors.
        mask: (W, B, K) switches of the cells that weights share, closed before all others.
        banks: by block, what the switches of each weight reach.
        reach: by block, the targets (R, C) that weights can have.
        scales: by block, (C,) siemens that stand for a weight of one.
        choices: by block, (R, C, E) switches that are closed.
        tile: the programmed tile.
        achieved: by block, (R, C) siemens that the weights have, wires included where the tile was
            programmed for them.
    """

    job: TileJob
    blocks: tuple[Block, ...]
    resistors: Resistors = _LATER
    mask: Masks = _LATER
    banks: tuple[SignedBank, ...] = _LATER
    reach: tuple[Reach, ...] = _LATER
    scales: tuple[Floats, ...] = _LATER
    choices: tuple[Masks, ...] = _LATER
    tile: ProgrammedTile = _LATER
    achieved: tuple[Floats, ...] = _LATER


@dataclass(frozen=True)
class Pass:
    """One step of the compiler on one tile.

    Attributes:
        name: its file's.
        run: the step.
        needs: attributes of ``TileState`` that it reads; some earlier pass makes each.
        makes: those that it makes, or makes anew.
        applies: whether a job has a use for it; passes step aside for the jobs of others.
    """

    name: str
    run: Callable[[TileState], TileState]
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    applies: Callable[[TileJob], bool] = lambda job: True
