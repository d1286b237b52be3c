"""F6: bits for any target in (-1/2, 1/2) from n numbers of U(-1, 1), and what signs do to it.

Bits are -log2 of the largest error over the window, exactly. A bank whose numbers all have one
sign can't leave 0 in the other direction: the worst stays at 1 bit. Half of them negative cures it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from drawing import Content, make

from xbar.sizing.laws import DifferentialPair, Law, Uniform, draw_banks
from xbar.sizing.precision import largest_errors
from xbar.statistics import quantile_estimate

KNOWN = {8: (1.0, 1.1, 5.1), 12: (1.0, 3.8, 8.2), 16: (4.4, 7.0, 11.6)}
LAWS: tuple[Law, ...] = (Uniform(-1, 1), DifferentialPair(Uniform()))


def data(seed: int, sizes: tuple[int, ...] = (8, 12, 16), samples: int = 2500) -> Content:
    """Bits for any target of (-1/2, 1/2): worst, 1 % and median."""
    rows = []
    for law in LAWS:
        for n in sizes:
            error = largest_errors(draw_banks(law, n, samples, seed), -0.5, 0.5)
            bits = np.sort(-np.log2(error))
            one, half = quantile_estimate(bits, 0.01), quantile_estimate(bits, 0.5)
            known = KNOWN[n] if law is LAWS[0] else (None, None, None)
            rows.append(
                {
                    "law": law.name, "n": n, "worst": float(bits[0]), "one_percent": one.value,
                    "one_low": one.low, "one_high": one.high, "median": half.value,
                    "median_low": half.low, "median_high": half.high, "known_worst": known[0],
                    "known_one": known[1], "known_median": known[2],
                }
            )  # fmt: skip
    return {"samples": samples, "rows": rows}


def draw(axis: Any, content: Content) -> None:
    """Median, 1 % and worst of both laws."""
    for law, line in zip(LAWS, ("-", "--"), strict=True):
        rows = [row for row in content["rows"] if row["law"] == law.name]
        for key, colour in (("median", "C0"), ("one_percent", "C1"), ("worst", "C2")):
            values = [row[key] for row in rows]
            label = f"{key.replace('one_percent', '1 %')}, {law.name}"
            axis.plot(
                [row["n"] for row in rows], values, line, color=colour, marker="o", label=label
            )
    axis.set(xlabel="elements n", ylabel="bits, -log2 of the largest error")
    axis.set_title("any target in (-1/2, 1/2)", fontsize=10)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("f6_any_target", data, draw)
