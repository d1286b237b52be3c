"""What was asked of tickets, and what the experiments found: from their files in <output>.

    python examples/tickets/claims.py [--output build/tickets]

Two tables: how far edge-popup stays below the dense network, mean against mean, and all else. What
an experiment did not measure has no row. Bold: not reached.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from construct_networks import Row, report
from ticket_networks import TITLES

LIMITS = {"50%": (1.0, 1.5), "30%": (1.0, 1.5), "10%": (2.0, 2.0)}
"""Points below dense by kept share: of drawn weights, of a chip's."""
BEATEN = {"perceptron": 2.5, "lenet": 5.0}
"""Points by which a ticket of a chip must beat logistic regression."""
REWOUND = "lottery ticket, rewound to epoch 1"
Claim = tuple[str, str, float, bool]


def gaps(folder: Path) -> list[Row]:
    """Points that edge-popup's mean is below the dense network's."""
    rows: list[Row] = []
    for task in ("perceptron", "lenet"):
        curves = _read(folder, f"curves_{task}")
        for method, each in curves.get("each", {}).items():
            if not method.startswith("edge-popup"):
                continue
            row: Row = {"network": TITLES[task], "method": method}
            for share, limits in LIMITS.items():
                head = f"{share.replace('%', ' %')} kept (at most {_either(limits)})"
                row[head] = ""
                if share in each:
                    points = np.mean(curves["whole"]["dense"]) - np.mean(each[share])
                    good = bool(points <= limits["chip" in method])
                    row[head] = _marked(f"{points:.1f}", good)
            rows.append(row)
    return rows


def others(folder: Path) -> Iterator[Claim]:
    """What is claimed, what was asked, what was found and whether it suffices."""
    controls = _read(folder, "chips_controls").get("each", {})
    for task, title in TITLES.items():
        curves = _read(folder, f"curves_{task}")
        dense = np.mean(curves["whole"]["dense"]) if curves else np.nan
        rewound = curves.get("each", {}).get(REWOUND, {})
        if task in BEATEN and "20%" in rewound:
            points = float(dense - np.mean(rewound["20%"]))
            what = f"{title}: {REWOUND}, 20 % kept, points below dense"
            yield what, "at most 1", points, points <= 1
        if task in controls:
            yield from _controls(title, controls[task])
        if task in controls and task in BEATEN and curves:
            ticket = np.mean([one["the ticket"] for one in controls[task]])
            points = float(ticket - np.mean(curves["whole"]["logistic regression"]))
            what = f"{title}: a chip's ticket above logistic regression, points"
            yield what, f"at least {BEATEN[task]}", points, points >= BEATEN[task]
    yield from _constructions(folder)


def _controls(title: str, each: list[dict[str, float]]) -> Iterator[Claim]:
    """The worst seed of what must fail, and of what must agree."""
    for key in list(each[0])[-2:]:
        worst = max(one[key] for one in each)
        yield f"{title}: {key}, greatest of the seeds, %", "under 20", worst, worst < 20
    differ = max(one["answers of the two that differ"] for one in each)
    yield f"{title}: answers in which the chip differs from its ticket, %", "0", differ, differ == 0


def _constructions(folder: Path) -> Iterator[Claim]:
    """The seed experiment and the predictions of failures."""
    seeds = _read(folder, "construct_784_500_10").get("each", [])
    found = [row for rows in seeds for row in rows if row["protocol"] == "products"]
    for subsets, asked, low, high in (
        ("best", "45 to 49", 45.0, 49.0),
        ("smallest", "at most 7", 0.0, 7.0),
    ):
        rows = [row for row in found if row["subsets"] == subsets]
        if rows:
            kept = [100 * row["kept"] for row in rows]
            good = low <= min(kept) and max(kept) <= high
            yield f"784-500-10, {subsets} subsets: kept %", asked, float(np.mean(kept)), good
            lost = 100 * float(np.mean([row["before"] - row["after"] for row in rows]))
            what = f"784-500-10, {subsets} subsets: points of accuracy lost"
            yield what, "at most 0.5", lost, lost <= 0.5
            longest = max(row["seconds"] for row in rows)
            what = f"784-500-10, {subsets} subsets: seconds, longest"
            yield what, "under 30", longest, longest < 30
    apart = _read(folder, "construct_lenet_layers").get("deviations")
    if apart:
        what = "LeNet-5 by the theorem: failures against prediction, standard errors, greatest"
        yield what, "at most 3", max(apart), max(apart) <= 3


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(prog="claims.py")
    parser.add_argument("--output", type=Path, default=Path("build/tickets"))
    folder = parser.parse_args().output
    found: list[Row] = [
        {"what": what, "asked": asked, "found": _marked(f"{value:.1f}", good)}
        for what, asked, value, good in others(folder)
    ]
    for name, rows in (("claims_gaps", gaps(folder)), ("claims", found)):
        if rows:
            report(name, folder, rows)
            print()


def _read(folder: Path, name: str) -> dict[str, Any]:
    place = folder / f"{name}.json"
    found: dict[str, Any] = json.loads(place.read_text()) if place.exists() else {}
    return found


def _either(limits: tuple[float, float]) -> str:
    drawn, chip = limits
    return f"{drawn:g}" if drawn == chip else f"{drawn:g}, on a chip {chip:g}"


def _marked(text: str, good: bool) -> str:
    return text if good else f"**{text}**"


if __name__ == "__main__":
    main()
