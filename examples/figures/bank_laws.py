"""What sets a bank's precision: bits for any target, for six laws and for geometric banks of 16.

Targets lie between a quarter and three quarters of full scale; worst, 1 % and median of 2,500.
"""

from __future__ import annotations

from typing import Any

from drawing import Content, make

from xbar.hardware.bank import Bank
from xbar.sizing.laws import BankLaw, Law, Lognormal, Normal, Uniform
from xbar.sizing.precision import precision

KNOWN = {
    "U(0, 1)": ((3.0, 4.2, 6.3), (5.5, 7.9, 9.5), (10.4, 11.7, 12.7)),
    "lognormal 0.5": ((2.3, 5.0, 6.4), (2.9, 8.3, 9.5), (10.8, 11.7, 12.6)),
    "N(1, 0.3)": ((3.8, 4.5, 6.3), (5.2, 7.8, 9.4), (10.2, 11.5, 12.4)),
    "N(1, 0.2)": ((3.5, 3.9, 5.9), (4.4, 6.1, 9.1), (9.0, 10.5, 12.2)),
    "N(1, 0.1)": ((3.2, 3.4, 4.0), (3.9, 4.4, 5.7), (5.0, 5.3, 9.1)),
    "N(1, 0.05)": ((3.1, 3.2, 3.4), (3.7, 3.9, 4.3), (4.4, 4.5, 5.0)),
}
LAWS: tuple[Law, ...] = (
    Uniform(), Lognormal(0.5), Normal(0.3), Normal(0.2), Normal(0.1), Normal(0.05),
)  # fmt: skip
GEOMETRIC = {
    (1.9, 0.02): (14.9, 14.9, 15.0), (1.8, 0.05): (13.6, 13.7, 13.9),
    (1.65, 0.1): (12.1, 12.3, 13.1), (1.5, 0.2): (11.1, 11.9, 13.1), (2.0, 0.05): (3.4, 4.0, 6.3),
}  # fmt: skip


def data(seed: int, sizes: tuple[int, ...] = (8, 12, 16), samples: int = 2500) -> Content:
    """Bits for any target of banks of six laws, and of geometric banks."""
    asked: list[tuple[Law, int, tuple[float, float, float]]] = [
        (law, n, known)
        for law in LAWS
        for n, known in zip((8, 12, 16), KNOWN[law.name], strict=True)
        if n in sizes
    ]
    for (ratio, sigma), known in GEOMETRIC.items() if 16 in sizes else ():
        asked.append((BankLaw(Bank(spread="normal", sigma=sigma, ratio=ratio)), 16, known))
    rows = []
    for law, n, known in asked:
        found = precision(law, n, samples=samples, seed=seed)
        one, half = found.at_yield(0.99), found.median
        rows.append(
            {
                "law": law.name, "n": n, "worst": found.worst, "one_percent": one.value,
                "one_low": one.low, "one_high": one.high, "median": half.value,
                "median_low": half.low, "median_high": half.high, "known_worst": known[0],
                "known_one": known[1], "known_median": known[2],
            }
        )  # fmt: skip
    return {"samples": samples, "rows": rows}


def draw(axis: Any, content: Content) -> None:
    """Median and 1 % against n; geometric banks at 16."""
    for number, law in enumerate(LAWS):
        rows = [row for row in content["rows"] if row["law"] == law.name]
        n = [row["n"] for row in rows]
        axis.plot(n, [row["median"] for row in rows], f"C{number}o-", label=law.name)
        axis.plot(n, [row["one_percent"] for row in rows], f"C{number}o:", ms=3)
    place = float("inf")
    for row in sorted(content["rows"], key=lambda row: -row["median"]):
        if "ratio" in row["law"]:
            place = min(row["median"], place - 0.35)
            axis.plot(16.3, row["median"], "k_", ms=9)
            axis.text(16.5, place, row["law"], fontsize=6, va="center")
    axis.set(xlabel="elements n", ylabel="bits for any target", xlim=(7.5, 20.5))
    axis.set_title("median (solid), 1 % (dotted); geometric banks of 16 at the right", fontsize=10)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("bank_laws", data, draw)
