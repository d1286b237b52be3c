"""The distribution of numbers of devices: normal, lognormal, a mixture of two, or a table.

Normal or lognormal, whichever is likelier; where the data doubt it (p below 5 %), the mixture if
its BIC is less (Schwarz, Ann. Stat. 6, 461, 1978); the table where they contradict what was chosen
(p below 1 %, of a mixture 0.5 %). Mixtures are fitted by expectation and maximisation.

Shapes: N devices, S samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from xbar.arrays import Floats
from xbar.hardware.fit.statistics import likelihood_ends, normal_p
from xbar.hardware.quantiles import Rows, shares, standardised

LEAST = 8
"""Devices below which no distribution is told from another."""
_LEAST_OF_TWO = 40
_LEAST_OF_TABLE = 20
_DOUBTED, _CONTRADICTED = 0.05, 0.01
_STRONG = 6.0
"""What BIC must gain to tell normal from lognormal, or for a mixture on the logarithmic scale:
"strong" evidence by Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995)."""
_WIDEST_NORMAL = 0.45
"""Largest relative standard deviation of a normal law: a wider one has conductances below 0."""
_NARROWEST = 0.02
"""Least standard deviation of a part of a mixture, over that of all."""
_STEPS = 200
_HOPELESS = 10.0
"""A² that a law without any fitted parameter exceeds with a probability below 1e-4."""
_SAMPLES = 199
_THIN, _MANY = 1000, 10_000
"""Numbers of a sample in a mixture's test, and quantiles that stand for more of the data."""


@dataclass(frozen=True)
class Mixture:
    """Two normal parts: shares, centres and standard deviations (2,), centres rising."""

    share: Floats
    centre: Floats
    sigma: Floats
    loss: float

    def below(self, x: Floats) -> Floats:
        """(...) share that is below numbers (...)."""
        from scipy.special import ndtr

        each = ndtr((np.asarray(x)[..., None] - self.centre) / self.sigma)
        result: Floats = (self.share * each).sum(-1)
        return result

    def quantiles(self, share: Floats) -> Floats:
        """(R,) numbers below which shares (R,) are, by bisection; ends at 1e-9."""
        from scipy.special import ndtri

        reach = float(ndtri(1e-9))
        low = np.full(share.shape, (self.centre + reach * self.sigma).min())
        high = np.full(share.shape, (self.centre - reach * self.sigma).max())
        inside = np.clip(share, 1e-9, 1.0 - 1e-9)
        for _ in range(60):
            middle = (low + high) / 2.0
            left = self.below(middle) < inside
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        result: Floats = (low + high) / 2.0
        return result


@dataclass(frozen=True)
class Choice:
    """The distribution that was chosen.

    Attributes:
        kind: "normal", "lognormal", "mixture" or "table".
        logarithmic: whether a mixture is of logarithms.
        mixture: its parts.
        test: name of the test against the data.
        statistic: its statistic.
        p: its p-value.
        rejected: what the data contradict, where the table was chosen.
        rival: of "normal" and "lognormal" the other one, where the data hardly tell them apart.
    """

    kind: str
    logarithmic: bool = False
    mixture: Mixture | None = None
    test: str = ""
    statistic: float = 0.0
    p: float = 1.0
    rejected: str = ""
    rival: str = ""


def choose(x: Floats, seed: int, *, positive: bool = True) -> Choice:
    """The distribution of numbers (N,).

    Args:
        x: (N,) numbers, N at least 8.
        seed: seed of the samples that test a mixture.
        positive: whether the numbers are conductances, which may be lognormal.
    """
    wide = positive and x.std() > _WIDEST_NORMAL * x.mean()
    scales = [] if wide else [(False, x, 0.0)]
    if positive:
        logarithm = np.log(x)
        scales.append((True, logarithm, float(logarithm.sum())))
    count = len(x)
    found = [(_normal_loss(y) + more, _plain(y, log)) for log, y, more in scales]
    found.sort(key=lambda each: each[0])
    least, best = found[0]
    if len(found) > 1 and 2.0 * (found[1][0] - least) < _STRONG:
        best = replace(best, rival=found[1][1].kind)
    if best.p < _DOUBTED and count >= _LEAST_OF_TWO:
        bic = _bic(least, 2, count)
        for log, y, more in scales:
            mixture = two_parts(y)
            gain = _STRONG if best.mixture is not None else 0.0
            if mixture is not None and _bic(mixture.loss + more, 5, count) < bic - gain:
                bic = _bic(mixture.loss + more, 5, count)
                best = Choice("mixture", log, mixture)
    if best.mixture is not None:
        statistic, p = _mixture_p(np.log(x) if best.logarithmic else x, best.mixture, seed)
        best = Choice(best.kind, best.logarithmic, best.mixture, "Anderson-Darling", statistic, p)
    least_p = _CONTRADICTED if best.mixture is None else 1.0 / (_SAMPLES + 1)
    if best.p <= least_p and count >= _LEAST_OF_TABLE:
        return Choice("table", test=best.test, statistic=best.statistic, p=best.p,
                      rejected=best.kind)  # fmt: skip
    return best


def _plain(y: Floats, logarithmic: bool) -> Choice:
    statistic, p = normal_p(y)
    kind = "lognormal" if logarithmic else "normal"
    return Choice(kind, test="Anderson-Darling", statistic=statistic, p=p)


def _normal_loss(y: Floats) -> float:
    return len(y) * (math.log(float(y.std())) + 0.5 * math.log(2.0 * math.pi) + 0.5)


def _bic(loss: float, parameters: int, count: int) -> float:
    return 2.0 * loss + parameters * math.log(count)


def mixture_rows(mixture: Mixture, *, logarithmic: bool) -> tuple[Rows, float, float]:
    """The table of a mixture's quantiles; its mean and standard deviation in its own units."""
    share = shares(10**9)
    value = mixture.quantiles(share)
    value = np.exp(value) if logarithmic else value
    from xbar.hardware.quantiles import moments

    return standardised(share, value), *moments(share, value)


def two_parts(y: Floats) -> Mixture | None:
    """The likeliest mixture of two normal parts of numbers (N,); None where one part is too few."""
    every, floor = len(y), _NARROWEST * float(y.std())
    y = _thinned(y)
    count = len(y)
    ordered = np.sort(y)
    cuts = [int(count * at) for at in (0.1, 0.25, 0.5, 0.75, 0.9)]
    starts = np.array(
        [
            [len(part) / count, part.mean(), max(part.std(), floor)]
            for cut in cuts
            for part in (ordered[:cut], ordered[cut:])
        ]
    ).reshape(len(cuts), 2, 3)
    share, centre, sigma = np.moveaxis(starts, -1, 0)
    share, centre, sigma, loss = _maximise(np.tile(y, (len(cuts), 1)), share, centre, sigma, floor)
    best = int(np.argmin(np.where(share.min(1) * count >= 5.0, loss, math.inf)))
    if share[best].min() * count < 5.0 or not math.isfinite(loss[best]):
        return None
    order = np.argsort(centre[best])
    parts = share[best][order], centre[best][order], sigma[best][order]
    return Mixture(*parts, float(loss[best]) * every / count)


def _thinned(y: Floats) -> Floats:
    """Numbers (N,), or 10,000 of their quantiles, which say the same."""
    return y if len(y) <= _MANY else np.quantile(y, (np.arange(_MANY) + 0.5) / _MANY)


def _maximise(
    y: Floats, share: Floats, centre: Floats, sigma: Floats, floor: float | Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Parts (S, 2) of samples (S, N), and losses (S,), from parts (S, 2) at the start."""
    floor, before = np.broadcast_to(floor, (len(y),))[:, None], np.full(len(y), math.inf)
    for _ in range(_STEPS):
        weight, loss = _weights(y, share, centre, sigma)
        mass = np.maximum(weight.sum(1), 1e-300)
        share = mass / y.shape[1]
        centre = (weight * y[..., None]).sum(1) / mass
        spread = (weight * (y[..., None] - centre[:, None]) ** 2).sum(1) / mass
        sigma = np.maximum(np.sqrt(spread), floor)
        if (np.abs(before - loss) < 1e-7 * np.abs(loss) + 1e-9).all():
            break
        before = loss
    return share, centre, sigma, _weights(y, share, centre, sigma)[1]


def _weights(y: Floats, share: Floats, centre: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Probabilities (S, N, 2) that numbers are of each part, and losses (S,)."""
    z = (y[..., None] - centre[:, None]) / sigma[:, None]
    density = (share / sigma)[:, None] * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    total = np.maximum(density.sum(-1), 1e-300)
    return density / total[..., None], -np.log(total).sum(-1)


def mixture_ends(y: Floats, mixture: Mixture, *, relative: bool) -> tuple[Floats, Floats]:
    """(5,) lower and upper ends of the intervals of the first share, centres and deviations.

    Args:
        y: (N,) numbers.
        mixture: their likeliest.
        relative: whether deviations are those over the centres.
    """
    every, y = len(y), _thinned(y)
    scale, odds = float(y.std()), math.log(mixture.share[0] / mixture.share[1])
    own = mixture.sigma / mixture.centre if relative else mixture.sigma

    def parts(at: Floats) -> tuple[Floats, Floats, Floats]:
        first = 1.0 / (1.0 + math.exp(-odds - at[0]))
        centre = mixture.centre + scale * at[1:3]
        sigma = own * np.exp(at[3:]) * (centre if relative else 1.0)
        return np.array([first, 1.0 - first]), centre, sigma

    def loss(at: Floats) -> float:
        share, centre, sigma = (each[None] for each in parts(at))
        if not (sigma > 0).all():
            return math.inf
        return float(_weights(y[None], share, centre, sigma)[1][0]) * every / len(y)

    def told(at: Floats) -> Floats:
        first = 1.0 / (1.0 + np.exp(-odds - at[0]))
        return np.concatenate([[first], mixture.centre + scale * at[1:3], own * np.exp(at[3:])])

    with np.errstate(over="ignore"):
        low, high = (told(end) for end in likelihood_ends(loss, np.zeros(5), every - 5))
    return low, high


def _mixture_p(y: Floats, mixture: Mixture, seed: int) -> tuple[float, float]:
    """Anderson and Darling's A² of numbers (N,) against a mixture, and p by 199 fitted samples.

    The samples have at most 1000 numbers: the statistic's law hardly depends on how many.
    """
    own = _square(y, mixture)
    if own > _HOPELESS:
        return own, 1.0 / (_SAMPLES + 1)
    rng = np.random.default_rng(seed)
    part = (rng.uniform(size=(_SAMPLES, min(len(y), _THIN))) >= mixture.share[0]).astype(int)
    samples = mixture.centre[part] + mixture.sigma[part] * rng.normal(size=part.shape)
    given = [
        np.tile(each, (_SAMPLES, 1)) for each in (mixture.share, mixture.centre, mixture.sigma)
    ]
    floor = _NARROWEST * samples.std(1)
    share, centre, sigma, _ = _maximise(samples, given[0], given[1], given[2], floor)
    found = [
        _square(samples[s], Mixture(share[s], centre[s], sigma[s], 0.0)) for s in range(_SAMPLES)
    ]
    return own, (1.0 + float((np.array(found) >= own).sum())) / (_SAMPLES + 1.0)


def _square(y: Floats, mixture: Mixture) -> float:
    below = np.clip(mixture.below(np.sort(y)), 1e-15, 1.0 - 1e-15)
    odd = 2.0 * np.arange(1, len(y) + 1) - 1.0
    return -len(y) - float((odd * (np.log(below) + np.log1p(-below[::-1]))).sum()) / len(y)
