"""The recursion of the covered share against exact simulation, U(-1, 1), eps = 2^-4 to 2^-10.

One step is exact: E[v_t | past] = v + v (1 - v)/2 for the process truncated to (-1/2, 1/2).
Iterated it runs ahead of the mean at mid-range, since v (1 - v) is concave.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from drawing import Content, make

from xbar.sizing.theory import expected_coverage, simulate_coverage, theorem_resistors

EXPONENTS = (4, 6, 8, 10)
STEPS = 60
KNOWN = {4: (8.9, 17), 6: (14.7, 23), 8: (19.9, 30), 10: (24.1, 33)}


def data(seed: int, runs: int = 10_000) -> Content:
    """Residuals of the recursion, and steps until all but 2 eps is covered."""
    rows, curves = [], {}
    for k in EXPONENTS:
        eps = 2.0**-k
        share = simulate_coverage(STEPS, eps, runs, seed=seed)
        before, after = share[:, :-1], share[:, 1:]
        residual = (after - before - before * (1 - before) / 2).mean(axis=1)
        steps = (share > 1 - 2 * eps).argmax(axis=1)
        rows.append(
            {
                "eps": eps, "runs": runs, "mean_residual": float(residual.mean()),
                "standard_error": float(residual.std() / np.sqrt(runs)),
                "mean_steps": float(steps.mean()), "known_mean": KNOWN[k][0],
                "percent_99": float(np.quantile(steps, 0.99)), "known_99": KNOWN[k][1],
                "theorem": theorem_resistors(eps),
            }
        )  # fmt: skip
        curves[str(k)] = share.mean(axis=0).tolist()
    return {"rows": rows, "mean_coverage": curves}


def draw(axis: Any, content: Content) -> None:
    """Mean covered share and the iterated recursion."""
    for number, (k, curve) in enumerate(content["mean_coverage"].items()):
        label = f"eps = 2^-{k}, mean of simulation"
        axis.plot(curve[:45], color=f"C{number}", label=label)
        iterated = [expected_coverage(n, 2.0 ** -int(k)) for n in range(45)]
        axis.plot(iterated, color=f"C{number}", ls="--")
    axis.set(xlabel="numbers", ylabel="share of (-1/2, 1/2) within eps of a sum")
    axis.set_title("dashed: the recursion, iterated", fontsize=10)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    make("recursion", data, draw)
