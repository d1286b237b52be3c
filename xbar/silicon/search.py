"""The search for the bank of least area that holds some bits: over K, ratio of lengths, length.

For K resistors, each ``ratio`` times as long as the one before, the bits grow with the first
length, because longer resistors load the wires less and bend less; so the shortest that holds the
bits is found by bisection. Banks that are larger than the best one so far are not tried, nor those
that can't hold the bits even with ideal wires. First on a coarse grid of ratios, then beside the
best one.

Lines of more than 64 cells are searched at 64 with wires of (lines / 64)² the ohms, which drop the
same part of a signal at the far end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from xbar.errors import SpecError
from xbar.silicon.bits import measure_bits
from xbar.silicon.lengths import LONGEST, LengthLaw

if TYPE_CHECKING:
    from xbar.silicon.layout.geometry import BankGeometry
    from xbar.silicon.process import Process

Report: TypeAlias = Callable[[int, int], None]
STEP = 1.12
"""Ratio of neighbouring first lengths that are tried."""
COARSE = (1.1, 1.05, 1.2, 1.02, 1.3, 1.4, 1.0)
"""Ratios of lengths that are tried first, likely ones in front."""
FINE = (-0.02, 0.02, -0.035, 0.035)
"""Further ratios, beside the best one."""
FEWEST, MOST = 2, 12
"""Resistors of the banks that are tried; subsets of more take minutes to choose for each bank."""
PATIENCE = 2
"""Further numbers of resistors that are tried without gain."""
SIDE = 64
"""Lines of an array that stands for a larger one."""


@dataclass(frozen=True)
class Limits:
    """Where a design is looked for.

    Attributes:
        word_lines: number of word lines.
        bit_lines: number of bit lines, at least 2.
        resistors: number of resistors of a bank; None for any from 2 to 12.
        ratio: least and largest ratio of successive lengths.
        switch_width: metres.
        seed: seed of the chips and weights.

    Raises:
        SpecError: a value is out of range.
    """

    word_lines: int = 64
    bit_lines: int = 64
    resistors: int | None = None
    ratio: tuple[float, float] = (1.0, 1.4)
    switch_width: float = 1e-6
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("word_lines", self.word_lines, 1),
            ("bit_lines", self.bit_lines, 2),
        ):
            if not least <= value <= 1024:
                raise SpecError(f"{name} must be from {least} to 1024, not {value}")
        if self.resistors is not None and not FEWEST <= self.resistors <= MOST:
            raise SpecError(f"resistors must be from {FEWEST} to {MOST}, not {self.resistors}")
        low, high = self.ratio
        if not 1 <= low <= high <= 2:
            raise SpecError(
                f"ratio must be a range within 1 to 2, such as 1.0:1.4, not {low:g}:{high:g}"
            )

    @property
    def counts(self) -> range:
        """The numbers of resistors that are tried."""
        if self.resistors is not None:
            return range(self.resistors, self.resistors + 1)
        return range(FEWEST, MOST + 1)


@dataclass(frozen=True, order=True)
class Candidate:
    """A bank by three numbers.

    Attributes:
        resistors: K.
        ratio: of successive lengths.
        first: metres of the first resistor.
    """

    resistors: int
    ratio: float
    first: float

    @property
    def asked(self) -> list[float]:
        """(K,) metres, not rounded to the grid of the masks."""
        return [self.first * self.ratio**k for k in range(self.resistors)]


@dataclass(eq=False)
class Search:
    """What has been tried; asking again with other bits repeats nothing.

    Attributes:
        process: the process.
        law: its branches by length.
        limits: where to look.
        report: called with the number of compiled tiles, and a guess of all.
        tried: bits by candidate, at the lines that are asked for.
        ideal: likewise with ideal wires and no bend, by number and ratio.
    """

    process: Process
    law: LengthLaw
    limits: Limits
    report: Report | None = None
    tried: dict[Candidate, float] = field(default_factory=dict)
    ideal: dict[tuple[int, float], float] = field(default_factory=dict)

    def geometry(self, candidate: Candidate) -> BankGeometry:
        """The drawing of a candidate's cell, its lengths on the grid of the masks."""
        from xbar.silicon.layout.geometry import BankGeometry

        process, width = self.process, self.limits.switch_width
        lengths = tuple(round(1e9 * process.length(each, "length")) for each in candidate.asked)
        return BankGeometry(lengths, round(1e9 * width), process.name)

    def best(self, bits: float) -> Candidate | None:
        """The candidate of least area that holds some bits; None if none does."""
        found: Candidate | None = None
        for count in self.limits.counts:
            if found is not None and count > found.resistors + PATIENCE:
                break
            for ratio in self._ratios():
                found = self._smaller(count, ratio, bits, found)
        if found is not None:
            count = found.resistors
            for ratio in self._beside(found.ratio):
                found = self._smaller(count, ratio, bits, found)
        return found

    def most(self) -> tuple[float, Candidate]:
        """The most bits of what was tried, and the candidate that holds them."""
        return max((bits, candidate) for candidate, bits in self.tried.items())

    def bits(self, candidate: Candidate) -> float:
        """Bits of a candidate on sampled chips, behind the wires of its drawing."""
        if candidate not in self.tried:
            self.tried[candidate] = self._measured(candidate)
            if self.report is not None:
                self.report(len(self.tried), max(60, len(self.tried) + 1))
        return self.tried[candidate]

    def _ratios(self) -> list[float]:
        low, high = self.limits.ratio
        within = [ratio for ratio in COARSE if low <= ratio <= high]
        return list(dict.fromkeys([*within, low, high]))

    def _beside(self, ratio: float) -> Iterator[float]:
        low, high = self.limits.ratio
        for step in FINE:
            if low <= ratio + step <= high:
                yield round(ratio + step, 4)

    def _smaller(
        self, count: int, ratio: float, bits: float, best: Candidate | None
    ) -> Candidate | None:
        """The shortest bank of this kind that holds the bits, if it is smaller than the best."""
        ladder = self._ladder(count, ratio)
        if best is not None:
            most = self.geometry(best).area
            ladder = [one for one in ladder if self.geometry(one).area < most]
        if not ladder or self._ideal_bits(count, ratio) < bits or self.bits(ladder[-1]) < bits:
            return best
        low, high = -1, len(ladder) - 1  # the bits hold at high, not at low
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.bits(ladder[middle]) >= bits else (middle, high)
        return ladder[high]

    def _ladder(self, count: int, ratio: float) -> list[Candidate]:
        """Candidates in order of their length."""
        least = float(self.law.model.length[0])
        longest = LONGEST / ratio ** (count - 1)
        if longest < least:
            return []
        steps = int(math.log(longest / least) / math.log(STEP) + 1e-9)
        return [Candidate(count, ratio, least * STEP**n) for n in range(steps + 1)]

    def _ideal_bits(self, count: int, ratio: float) -> float:
        from xbar.hardware.spec import Hardware
        from xbar.hardware.tile import Tile

        if (count, ratio) not in self.ideal:
            ladder = self._ladder(count, ratio)
            bank = self.law.at(ladder[len(ladder) // 2].asked).bank()
            hardware = Hardware(
                bank=bank.model_copy(update={"nonlinearity": None}),
                tile=Tile(word_lines=32, bit_lines=32),
            )
            held = measure_bits(hardware, seed=self.limits.seed)
            # the first length moves it by less than this, however short or long
            self.ideal[count, ratio] = held.bits + 0.5
        return self.ideal[count, ratio]

    def _measured(self, candidate: Candidate) -> float:
        from xbar.hardware.spec import Hardware
        from xbar.hardware.tile import Tile

        limits, drawn = self.limits, self.geometry(candidate)
        lines = [min(each, SIDE) for each in (limits.word_lines, limits.bit_lines)]
        # current gathers along a line, so what it drops goes with the square of the cells on it
        word, bit = ((limits.bit_lines / lines[1]) ** 2, (limits.word_lines / lines[0]) ** 2)
        tile = Tile(
            word_lines=lines[0],
            bit_lines=lines[1],
            word_wire=drawn.word_wire * word,
            bit_wire=drawn.bit_wire * bit,
        )
        bank = self.law.at([1e-9 * each for each in drawn.lengths]).bank()
        return measure_bits(Hardware(bank=bank, tile=tile), seed=limits.seed).bits
