"""Choose subsets again until the *effective* weights, wires included, are the wanted ones.

The exact transfer matrix of the programmed array tells what each weight really is. Each round
adds what is missing to the subset's target and chooses anew:

    P <- P + (Z - D(P)) / a      Z wanted, D effective difference, a attenuation of the cell

A new subset also changes how much current its lines carry, and with it every neighbour's IR drop.
So subsets are chosen with a second wish: to keep the total conductance of both cells
(``xbar.subset.pair``), and from the third round on only the worse half of the weights moves. The
column's scale is lowered first by the attenuation, so that attenuated targets stay within reach.

The round with the least error is kept. On 64 x 64 tiles of 8 resistors a cell of 100 kohm behind
1 ohm segments the error fell from 12 % of the weights to under 0.05 % within eight rounds, and
from 60 % to 0.4 % where the resistors have 10 kohm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Indices
from xbar.compiler.mapping import Floats, SignedBank
from xbar.compiler.passes.choose_subsets import choose_subsets, joined, joined_values
from xbar.compiler.passes.set_scales import Expected, set_scales
from xbar.compiler.tile import ProgrammedTile, pack
from xbar.subset.pair import solve_pair

Choice = NDArray[np.bool_]

ROUNDS = 10
"""At most so many corrections."""

PATIENCE = 3
"""Rounds without a new best before it stops."""

KEEP_TOTAL = 2.0**-9
"""What a siemens of changed total costs beside one of missed difference."""

FLOOR = 0.02
"""Attenuations below this are not trusted: such a cell hardly reaches its amplifier."""


def correct_wires(
    tile: ProgrammedTile, banks: Sequence[SignedBank], expected: Expected, *, alike: bool = False
) -> ProgrammedTile:
    """The tile with its subsets chosen for its wires; ``wire_errors`` tells each round's error.

    Reference cells stay as they are. A tile whose wires change nothing, and one that no round
    improves, comes back as it is.

    Args:
        tile: programmed without regard to its wires.
        banks: by block, of each weight.
        expected: what error to expect of them.
        alike: each block has one scale.
    """
    before = wire_error(tile)
    if tile.crossbar().ideal or before == 0.0:
        return tile
    bank = joined(banks)
    total = np.full(bank.offset.shape, np.median(np.abs(bank.element).sum(axis=-1)) / 2)
    choose = _choose if tile.mapping.bit_lines_per_column == 2 else _choose_single
    choice = choose(bank, wanted_of(tile), total)
    attenuation = _attenuation(_with_choice(tile, choice))
    parts = []
    for part, own, loss in zip(tile.blocks, banks, attenuation, strict=True):
        scale = set_scales(own, part.weight / loss, expected, alike=alike)
        # so low that attenuated targets stay within reach
        parts.append(replace(part, scale=np.minimum(scale, part.scale)))
    current = replace(tile, blocks=tuple(parts))
    wanted = wanted_of(current)
    loss = joined_values(attenuation)
    aim = wanted / loss
    errors, best = [before], tile
    for number in range(1, ROUNDS + 1):
        fresh = choose(bank, aim, total)
        if number > 2:
            miss = np.abs(wanted - effective_of(current))
            fresh = np.where((miss < np.median(miss))[..., None], choice, fresh)
        choice = fresh
        current = _with_choice(current, choice)
        errors.append(wire_error(current))
        if errors[-1] < min(errors[:-1]):
            best = current
        elif number - int(np.argmin(errors)) >= PATIENCE:
            break
        total = (np.abs(bank.element) * choice).sum(axis=-1)
        achieved = bank.offset + (bank.element * choice).sum(axis=-1)
        aim = achieved + (wanted - effective_of(current)) / loss
    return replace(best, wire_errors=tuple(errors[: int(np.argmin(errors)) + 1]))


def wire_error(tile: ProgrammedTile) -> float:
    """Root mean square of effective minus wanted differences, over that of the wanted ones."""
    wanted = wanted_of(tile)
    power = float((wanted**2).sum())
    missed = float(((effective_of(tile) - wanted) ** 2).sum())
    return float(np.sqrt(missed / power)) if power > 0 else 0.0


def wanted_of(tile: ProgrammedTile) -> Floats:
    """(M,) siemens that the weights of all blocks should have."""
    return joined_values([part.target for part in tile.blocks])


def effective_of(tile: ProgrammedTile) -> Floats:
    """(M,) siemens that they have, wires included."""
    return joined_values(tile.difference("nodal"))


def _choose(bank: SignedBank, target: Floats, total: Floats) -> Choice:
    k = bank.element.shape[-1] // 2
    solution = solve_pair(
        bank.element[..., :k], -bank.element[..., k:], target - bank.offset, total, KEEP_TOTAL
    )
    choice: Choice = np.concatenate([solution.plus, solution.minus], axis=-1)
    choice &= bank.element != 0.0
    return choice


def _choose_single(bank: SignedBank, target: Floats, total: Floats) -> Choice:
    """With one cell a weight its total follows from its target: there is nothing to prefer."""
    del total
    return choose_subsets(bank, target)


def _with_choice(tile: ProgrammedTile, choice: Choice) -> ProgrammedTile:
    """The tile with a choice (M, E) for the weights of all its blocks."""
    mask, done = tile.mask, 0
    for part in tile.blocks:
        r, c = part.block.shape
        tile.mapping.switch(mask, part.block, choice[done : done + r * c].reshape(r, c, -1))
        done += r * c
    return replace(tile, packed=pack(mask))


def _attenuation(tile: ProgrammedTile) -> list[Floats]:
    """By block, (R, C): effective over programmed conductance of the weaker cell, smoothed."""
    from scipy.ndimage import median_filter

    gain, result = tile.gain(), []
    for part in tile.blocks:
        rows = part.block.word_lines[:, None]
        pair = [gain[rows, lines(part.block.columns)] for lines in _lines(tile)]
        weaker = np.clip(np.minimum(*pair), 0.0, 1.0)
        trusted = weaker > FLOOR
        typical = float(np.median(weaker[trusted])) if trusted.any() else 1.0
        smooth: Floats = median_filter(np.where(trusted, weaker, typical), size=5)
        result.append(smooth)
    return result


def _lines(tile: ProgrammedTile) -> tuple[Callable[[Indices], Indices], ...]:
    return tile.mapping.plus, tile.mapping.minus
