"""What the figures share: a command line, and data and picture written side by side."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from xbar.files import write_bytes, write_text

Content = dict[str, Any]  # "figure", "seed", "rows" (a list of flat dicts) and what else belongs


def make(name: str, data: Callable[[int], Content], draw: Callable[[Any, Content], None]) -> None:
    """Compute a figure and write it as name.json, name.csv and name.png.

    Args:
        name: of the files.
        data: from a seed to the figure's content.
        draw: draws the content on a matplotlib axis.
    """
    parser = argparse.ArgumentParser(description=data.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("build/figures"))
    arguments = parser.parse_args()
    content = {"figure": name, "seed": arguments.seed, **data(arguments.seed)}
    arguments.output.mkdir(parents=True, exist_ok=True)
    place = arguments.output / name
    write_text(place.with_suffix(".json"), json.dumps(content, indent=1) + "\n", force=True)
    table = as_csv(content["rows"])
    write_text(place.with_suffix(".csv"), table, force=True)
    picture = Figure(figsize=(6.4, 4.4), layout="constrained")
    draw(picture.subplots(), content)
    file = io.BytesIO()
    picture.savefig(file, format="png", dpi=150)
    write_bytes(place.with_suffix(".png"), file.getvalue(), force=True)
    print(table + f"written to {place}.json, .csv and .png")


def as_csv(rows: list[Content]) -> str:
    """Rows as CSV, the names of their columns first; floats with four digits."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        short = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(short)
    return file.getvalue()
