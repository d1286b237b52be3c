"""The bits that weights have on chips of a design, measured by compiling random ones.

Gaussian weights fill the tile; each is compiled for a sampled chip with the wires of the drawing,
and what the array would do is compared with what was asked for. Two errors are told apart:

- of the weights, at small voltages: what subset choice and wires leave;
- of the bend of the branches' current, for inputs uniform within the read voltage: the rms of the
  current that is not in proportion to v, by the rms of v.

Both are relative to the largest weight. An rms error e is that of a uniform quantiser of
log2(2 / (e sqrt(12))) bits.

Shapes: W x B cells of K branches; R inputs and C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xbar.arrays import Floats

if TYPE_CHECKING:
    from xbar.compiler.tile import ProgrammedTile
    from xbar.hardware.spec import Hardware

ENOUGH = 2000
"""Weights that make an rms known to a few per cent."""
MOST = 64
"""Chips that are sampled for them."""


def bits_of(error: float) -> float:
    """Bits of the uniform quantiser with this rms error, relative to the largest weight.

    The step is 2 / 2^bits and the rms error of rounding to it step / sqrt(12).

    >>> round(bits_of(2 / 2**8 / 12**0.5), 9)
    8.0
    """
    return float(np.log2(2 / (error * np.sqrt(12)))) if error > 0 else float("inf")


def calibrated_gain(read: Floats, target: Floats, axis: int | None = None) -> Floats:
    """The gain that ``read`` is divided by for the least rms error, over all weights or an axis.

    The sum of read squared, by that of read times target; 1 where that is not positive.

    >>> calibrated_gain(np.array([0.9, -1.8]), np.array([1.0, -2.0]))
    array(0.9)
    """
    top, bottom = (read**2).sum(axis), np.asarray((read * target).sum(axis))
    gain: Floats = np.divide(top, bottom, out=np.ones_like(bottom), where=bottom > 0)
    return gain


@dataclass(frozen=True)
class Held:
    """How far weights are from what they should be.

    Attributes:
        weight: rms error of the weights at small voltages, relative to the largest.
        bend: rms error by the bend of the branches, likewise.
        other: rms errors of the weights under other conditions, without and with one gain
            calibrated, by name of the condition.
    """

    weight: float
    bend: float
    other: Mapping[str, tuple[float, float]]

    @property
    def bits(self) -> float:
        """Bits with both errors."""
        return bits_of(float(np.hypot(self.weight, self.bend)))


def chips_needed(word_lines: int, bit_lines: int, least: int = 1) -> int:
    """Number of chips that hold 2,000 weights, from ``least`` to 64.

    >>> chips_needed(64, 64), chips_needed(64, 64, 3), chips_needed(8, 8)
    (1, 3, 63)
    """
    return min(max(least, -(-ENOUGH // (word_lines * max(bit_lines // 2, 1)))), MOST)


def measure_bits(
    hardware: Hardware,
    chips: int | None = None,
    seed: int = 0,
    shifts: Mapping[str, Floats] | None = None,
) -> Held:
    """The errors of random weights on sampled chips of a design, rms over all of them.

    Args:
        hardware: design; its bank may have a ``nonlinearity`` by resistor.
        chips: number of chips; None for as many as hold 2,000 weights, at most 64.
        seed: seed of the first chip; weights have the same.
        shifts: relative changes (K,) of G after programming, by name of a condition.
    """
    from xbar.compiler import compiler
    from xbar.hardware.chip import Chip

    tile = hardware.tile
    outputs = max(tile.bit_lines // 2, 1)
    count = chips or chips_needed(tile.word_lines, tile.bit_lines)
    wires = max(tile.word_wire, tile.bit_wire) > 0
    rows = []
    for each in range(seed, seed + count):
        weights = np.random.default_rng(each).standard_normal((outputs, tile.word_lines))
        chip = Chip.sample(hardware, each)
        program = compiler.compile({"weights": weights}, chip, wire_aware=wires)
        rows.append(_errors(program.tiles[0], shifts or {}))
    mean = np.sqrt(np.mean(np.square(rows), axis=0))
    pairs = mean[2:].reshape(-1, 2).tolist()
    other = {name: (raw, rest) for name, (raw, rest) in zip(shifts or (), pairs, strict=True)}
    return Held(float(mean[0]), float(mean[1]), other)


def _errors(tile: ProgrammedTile, shifts: Mapping[str, Floats]) -> list[float]:
    """Errors of one tile: of its weights, by the bend, and two of each condition."""
    part, branch = tile.blocks[0], tile.branch
    largest = float(np.abs(part.weight).max())

    def weights(cells: Floats) -> Floats:
        found: Floats = tile.mapping.difference(cells, part.block) / part.scale
        return found

    def rms(error: Floats) -> float:
        return float(np.sqrt(np.mean(error**2))) / largest

    found = [rms(weights(_through_wires(tile, branch)) - part.weight), 0.0]
    law, volts = tile.chip.hardware.bank.nonlinearity, tile.chip.hardware.read_voltage
    if law is not None:
        bent = [weights(each.sum(axis=-1)) for each in tile.powers()]
        found[1] = rms(_bend(bent, law.test or 0.0, volts))
    for shift in shifts.values():
        read = weights(_through_wires(tile, branch * (1 + shift)))
        gain = calibrated_gain(read, part.weight)
        found += [rms(read - part.weight), rms(read / gain - part.weight)]
    return found


def _bend(terms: Sequence[Floats], test: float, volts: float) -> Floats:
    """Error of weights by their bend, rms over v uniform within +-volts, relative to that of v.

    Args:
        terms: weights of v², v³ and, perhaps, v |v|.
        test: volts between which the weights of v are right.
        volts: the largest voltage.
    """
    square, cube = terms[:2]
    kink = terms[2] if len(terms) > 2 else np.zeros_like(square)
    nodes, shares = np.polynomial.legendre.leggauss(4)  # exact up to v⁷
    mean = np.zeros_like(square)
    for v, share in zip(volts * (nodes + 1) / 2, shares / 2, strict=True):
        odd = cube * (v**2 - test**2) + kink * (v - test)
        # v² is even and the others are odd, so that their products have no mean
        mean += share * v**2 * ((square * v) ** 2 + odd**2)
    return np.asarray(np.sqrt(3 * mean) / volts)


def _through_wires(tile: ProgrammedTile, branch: Floats) -> Floats:
    """(W, B) siemens a cell with branches (W, B, K), wires included."""
    from xbar.circuit.crossbar import Crossbar
    from xbar.compiler.layout import wires_of

    return Crossbar(branch.sum(axis=-1), **wires_of(tile.chip.hardware)).transfer.T
