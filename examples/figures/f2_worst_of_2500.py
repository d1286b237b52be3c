"""F2: error of the best subset against n, and the worst of 2,500: X ~ U(-1, 1), z ~ U(-1/2, 1/2).

The median falls by 0.97 bit with each number. The worst of 2,500 is heavy-tailed, so it comes with
its range over several lots, and quantiles stand beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from drawing import Content, make

from xbar.sizing.laws import Uniform, draw_banks, draw_shares
from xbar.statistics import quantile_estimate
from xbar.subset import solve_subset

SIZES = (5, 10, 15, 20, 25, 30)
MEDIANS = (2.7e-2, 1.2e-3, 4.6e-5, 1.6e-6, 5.5e-8, 2.0e-9)
WORST = (0.50, 0.44, 0.086, 2.3e-3, 3.6e-5, 1.2e-6)
LOT = 2500


def data(seed: int, sizes: tuple[int, ...] = SIZES, lots: int = 9) -> Content:
    """Median, 99 % and worst of 2,500 errors of the best subset of n numbers."""
    rows = []
    for n, known, worst in zip(SIZES, MEDIANS, WORST, strict=True):
        if n not in sizes:
            continue
        banks = draw_banks(Uniform(-1, 1), n, lots * LOT, seed)
        target = draw_shares(lots * LOT, seed) - 0.5
        error = np.abs(np.asarray(solve_subset(banks, target).residual))
        each = error.reshape(lots, LOT).max(axis=1)
        found = quantile_estimate(np.sort(error), 0.5)
        rows.append(
            {
                "n": n, "median": found.value, "low": found.low, "high": found.high,
                "known_median": known, "percent_99": float(np.quantile(error, 0.99)),
                "worst": float(np.median(each)), "worst_least": float(each.min()),
                "worst_most": float(each.max()), "known_worst": worst,
            }
        )  # fmt: skip
    bits = np.polyfit([row["n"] for row in rows], [np.log2(row["median"]) for row in rows], 1)
    return {"samples": lots * LOT, "bits_per_element": -float(bits[0]), "rows": rows}


def draw(axis: Any, content: Content) -> None:
    """Worst, 99 % and median against n."""
    rows = content["rows"]
    n = [row["n"] for row in rows]
    worst = np.array([[row[f"worst{end}"] for row in rows] for end in ("", "_least", "_most")])
    spread = np.abs(worst[1:] - worst[0])
    axis.errorbar(n, worst[0], spread, marker="o", capsize=3, label="worst of 2,500, range of lots")
    axis.plot(n, [row["percent_99"] for row in rows], "o-", label="99 %")
    label = f"median: {content['bits_per_element']:.2f} bits an element"
    axis.plot(n, [row["median"] for row in rows], "o-", label=label)
    axis.plot(n, [row["known_median"] for row in rows], "kx", label="median, known")
    axis.set(yscale="log", xlabel="elements n", ylabel="|error| of the best subset")
    axis.set_title("X ~ U(-1, 1), z ~ U(-1/2, 1/2)", fontsize=10)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("f2_worst_of_2500", data, draw)
