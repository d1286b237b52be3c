"""Design of a bank's nominal values for a given spread, number of resistors and yield.

With equal nominals only the spread fills the gaps between multiples of the nominal value, which
takes about 1.25/sigma resistors for targets at mid-scale, 2.5/sigma at a quarter. Geometric nominal
values leave no gaps as long as each is at most the sum of all smaller ones,
w_i (1 + k sigma) <= sum of the smaller ones, so

    ratio <= 1 + 1/(1 + 4 sigma)            and bits are about K log2(ratio).

Above that ratio a few chips have gaps. The best ratio for a spread and a yield is found by Monte
Carlo and compared with rivals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import SupportsIndex

from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.draw import check_seed
from xbar.sizing.precision import (
    MIDDLE,
    MOST,
    Precision,
    Window,
    check_yield,
    enough_samples,
    precision,
)
from xbar.sizing.rivals import Rival, rivals
from xbar.statistics import Estimate

_RATIOS = tuple(round(1.0 + 0.05 * step, 2) for step in range(21))  # 1 to 2
_SIEVE, _SIEVE_YIELD, _KEPT = 200, 0.98, 6


@dataclass(frozen=True, eq=False)
class Candidate:
    """One set of nominal values.

    Attributes:
        name: "equal", "ratio 1.4", "segmented 1.4" or "as given".
        bank: the bank with these nominals.
        range: ratio of the largest to the smallest nominal value.
        precision: Monte Carlo of the worst target of each bank.
        bits: bits reached at the yield, with confidence interval.
    """

    name: str
    bank: Bank
    range: float
    precision: Precision
    bits: Estimate


@dataclass(frozen=True, eq=False)
class BankDesign:
    """The best bank, and the alternatives it was compared with.

    Attributes:
        bank: the best bank.
        best: its figures, from banks independent of those used for the selection.
        candidates: candidates that passed the screening, best first, with figures from the banks
            used for the selection.
        rivals: other uses of as many devices.
        yield_: fraction of banks that must reach the bits.
        window: target range, as fractions of the span.
        contiguous_ratio: the rule 1 + 1/(1 + 4 sigma).
    """

    bank: Bank
    best: Candidate
    candidates: tuple[Candidate, ...]
    rivals: tuple[Rival, ...]
    yield_: float
    window: Window
    contiguous_ratio: float

    def rows(self) -> list[tuple[str, float, str]]:
        """(name, bits at the yield, remark) of the candidates and rivals, most bits first."""
        remark = "each resistor measured, none tuned"
        mine = [(f"subset, {c.name}", c.bits.value, remark) for c in self.candidates]
        others = [(rival.name, rival.bits, rival.needs) for rival in self.rivals]
        return sorted(mine + others, key=lambda row: -row[1])


def design_bank(
    bank: Bank,
    yield_: float,
    window: Window = MIDDLE,
    largest_range: float = math.inf,
    samples: int | None = None,
    *,
    seed: SupportsIndex,
) -> BankDesign:
    """Find the nominal values with the most bits for any target.

    Args:
        bank: bank with K (at most 22), spread, sigma, switches and stuck resistors, each the same
            for all resistors. Its own nominals are one of the candidates; the others start from its
            largest conductance.
        yield_: fraction of banks that must reach the bits, between 0 and 1.
        window: target range, two fractions of each bank's span.
        largest_range: largest ratio of nominal values that can be manufactured.
        samples: banks for evaluating the best candidate; None takes 2,500 or 5 expected failures,
            whichever is more. Candidates are compared on a fifth of them, after screening.
        seed: random seed, 0 to 2^64 - 1.

    Raises:
        SpecError: an argument is invalid, or the bank lists values other than ``nominal``.

    >>> bank = Bank(resistors=10, nominal="10k", spread="normal", sigma=0.05)
    >>> design = design_bank(bank, yield_=0.99, seed=0)
    >>> 1.6 < design.bank.ratio <= 1.9, design.best.bits.value > 7.5
    (True, True)
    """
    check_yield(yield_)
    count = enough_samples(yield_, 5) if samples is None else samples
    if largest_range < 1:
        raise SpecError(f"largest_range must be at least 1, not {largest_range}")
    if bank.resistors > MOST["any target"]:
        raise SpecError(
            f"banks designed for any target must have at most {MOST['any target']} resistors, "
            f"not {bank.resistors}"
        )
    _check_one_spread(bank)
    number = check_seed(seed)
    easy = min(yield_, _SIEVE_YIELD)
    found = _compare(_choices(bank, largest_range), easy, window, _SIEVE, number)
    kept = [(one.name, one.bank) for one in found[:_KEPT] + _named(found[_KEPT:])]
    found = _compare(kept, yield_, window, max(count // 5, 1), number)
    first = found[0]
    # independent banks, as the best of many candidates is biased on the banks that selected it
    fresh = (number + 1) % 2**64
    best = _judge(first.name, first.bank, yield_, window, count, fresh)
    return BankDesign(
        bank=first.bank,
        best=best,
        candidates=tuple(found),
        rivals=rivals(bank, yield_, window, seed=number),
        yield_=yield_,
        window=window,
        contiguous_ratio=_contiguous(bank),
    )


def contiguous_ratio(sigma: float) -> float:
    """The largest ratio whose sums leave no gap at 4 sigma: 1 + 1/(1 + 4 sigma).

    >>> round(contiguous_ratio(0.1), 3)
    1.714
    """
    return 1.0 + 1.0 / (1.0 + 4.0 * sigma)


def _contiguous(bank: Bank) -> float:
    """``contiguous_ratio`` for the largest spread of a branch."""
    if bank.switch is None and bank.series == 0 and not isinstance(bank.sigma, tuple):
        return contiguous_ratio(bank.sigma)
    return contiguous_ratio(float(bank.branch_sigmas.max()))


def _check_one_spread(bank: Bank) -> None:
    """Refuse values that belong to the resistors of the bank, not to others' nominal values."""
    listed = [name for name, each in bank.lists() if isinstance(each, tuple) and name != "nominal"]
    if listed:
        raise SpecError(
            f"bank.{listed[0]} must be one value for a design of other nominal values, not "
            f"{bank.resistors}: each belongs to its own resistor; give one, or design the bank of "
            "a process by xbar silicon design"
        )


def _compare(
    choices: list[tuple[str, Bank]], yield_: float, window: Window, samples: int, seed: int
) -> list[Candidate]:
    found = [_judge(name, bank, yield_, window, samples, seed) for name, bank in choices]
    return sorted(found, key=lambda candidate: (-candidate.bits.value, candidate.range))


def _named(candidates: list[Candidate]) -> list[Candidate]:
    """Reference candidates, listed however good they are."""
    return [one for one in candidates if one.name in ("equal", "ratio 2", "as given")]


def _judge(
    name: str, bank: Bank, yield_: float, window: Window, samples: int, seed: int
) -> Candidate:
    found = precision(bank, bank.resistors, window, "any target", samples, seed=seed)
    nominal = bank.nominal_conductance
    return Candidate(
        name, bank, float(nominal.max() / nominal.min()), found, found.at_yield(yield_)
    )


def _choices(bank: Bank, largest_range: float) -> list[tuple[str, Bank]]:
    """Named banks within the range: equal, geometric, segmented (half equal), and as given."""
    count = bank.resistors
    first = float(bank.ohms.min())
    ratios = {*_RATIOS, round(_contiguous(bank), 3)}
    limit = math.log(largest_range) + 1e-12 if math.isfinite(largest_range) else math.inf
    choices = []
    for ratio in sorted(ratios):
        if (count - 1) * math.log(ratio) <= limit:
            name = "equal" if ratio == 1 else f"ratio {ratio:g}"
            geometric = bank.model_copy(update={"nominal": first, "ratio": ratio})
            choices.append((name, geometric))
        low = count // 2
        if ratio > 1 and count > 3 and low * math.log(ratio) <= limit:
            steps = [0] * (count - low) + list(range(1, low + 1))
            listed = tuple(first * ratio**step for step in steps)
            segmented = bank.model_copy(update={"nominal": listed, "ratio": 1.0})
            choices.append((f"segmented {ratio:g}", segmented))
    if isinstance(bank.nominal, tuple) or bank.ratio not in ratios:
        choices.append(("as given", bank))
    return choices
