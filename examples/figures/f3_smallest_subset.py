"""F3: how many of 15 numbers it takes to come within 0.01, X, z ~ U(-1, 1).

The existence statistics of R. Burkholz and others (2022): subsets are tried by growing size until
one is within eps of the target; 0 numbers are tried first. Published: 0.404 % of 100,000 targets
fail and the mean size is 2.296; 3.55 % and 2.463 with products of two uniform numbers in place of
X. The mean is over all targets: one that fails counts with the size of its closest subset, as the
program shows that was published with the paper. Over those that are met alone it is 2.374 +- 0.003
for products, and hardly another for uniform numbers, of which few fail.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from drawing import Content, make
from numpy.typing import NDArray

from xbar.sizing.laws import Uniform, draw_banks
from xbar.statistics import share_estimate
from xbar.subset import solve_subset

ELEMENTS, EPS = 15, 0.01
PUBLISHED = (0.0103, 0.1371, 0.4492, 0.3578, 0.0410, 0.0038)
FAILS, MEAN = {"uniform": 0.00404, "products": 0.0355}, {"uniform": 2.296, "products": 2.463}
Floats = NDArray[np.float64]


def smallest_sizes(banks: Floats, targets: Floats, eps: float) -> NDArray[np.int64]:
    """(M,) the fewest elements of banks (M, K) that sum to within eps of targets (M,), or -1."""
    elements = banks.shape[1]
    size = np.where(np.abs(targets) <= eps, 0, -1)
    for count in range(1, elements + 1):
        chosen = np.array(list(combinations(range(elements), count)))
        masks = np.zeros((elements, len(chosen)))
        np.put_along_axis(masks, chosen.T, 1.0, axis=0)
        open_ = np.flatnonzero(size < 0)
        for part in np.array_split(open_, len(open_) * len(chosen) // 4_000_000 + 1):
            near = np.abs(banks[part] @ masks - targets[part, None]) <= eps
            size[part[near.any(axis=1)]] = count
    return size


def data(seed: int, trials: int = 100_000) -> Content:
    """Failures and sizes of the smallest subset within 0.01 of a target."""
    numbers = draw_banks(Uniform(-1, 1), 2 * ELEMENTS + 1, trials, seed)
    first, second, target = numbers[:, :ELEMENTS], numbers[:, ELEMENTS:-1], numbers[:, -1]
    rows = []
    for law, banks in (("uniform", first), ("products", first * second)):
        size = smallest_sizes(banks, target, EPS)
        hit = size[size >= 0]
        fails = share_estimate(trials - len(hit), trials)
        missed = size < 0
        every = size.copy()
        every[missed] = solve_subset(banks[missed], target[missed]).mask.sum(axis=1)
        shares = np.bincount(every, minlength=ELEMENTS + 1) / trials
        rows.append(
            {
                "law": law, "trials": trials, "fails": fails.value, "fails_low": fails.low,
                "fails_high": fails.high, "published_fails": FAILS[law],
                "mean_size": float(every.mean()), "error_of_mean": float(every.std() / trials**0.5),
                "published_mean": MEAN[law], "mean_size_of_hits": float(hit.mean()),
                **{f"size_{k}": float(share) for k, share in enumerate(shares[:7])},
            }
        )  # fmt: skip
    return {"rows": rows, "published_sizes": PUBLISHED}


def draw(axis: Any, content: Content) -> None:
    """Shares of sizes, beside the published ones."""
    first = content["rows"][0]
    sizes = np.arange(len(PUBLISHED))
    axis.bar(sizes - 0.2, [first[f"size_{k}"] for k in sizes], 0.4, label="measured")
    axis.bar(sizes + 0.2, content["published_sizes"], 0.4, label="published")
    axis.set(xlabel="elements in the smallest subset", ylabel="share of targets")
    low, high = 100 * first["fails_low"], 100 * first["fails_high"]
    axis.set_title(
        f"{100 * first['fails']:.3f} % fail ({low:.3f} to {high:.3f}; published 0.404), "
        f"mean size {first['mean_size']:.3f}",
        fontsize=10,
    )
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("f3_smallest_subset", data, draw)
