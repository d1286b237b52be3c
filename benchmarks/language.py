"""Perplexity of a language model of ten million weights on chips with wires and converters.

    python benchmarks/language.py [--size MIDDLE] [--chips 5] [--windows 16] [--bfloat16] [--print]

The model of examples/11_language_model.py is trained first (build/language/model.pt), then compiled
for each chip without regard to the wires, and for the wires. Each program is read with exact wires,
the former also with ideal ones: without converters, and with ADCs of 6 to 10 bits, over the same
windows of held-out text. The table, perplexity a byte, goes into docs/results.md. Each chip's
numbers are written to build/language/rows.jsonl when they are there, and not computed again.
MIDDLE is a model of 1.3 million weights.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pages import write_table

import xbar
from xbar.compiler.program import Program
from xbar.effects.adc import Adc
from xbar.effects.chain import Chain
from xbar.effects.readout import MatrixReadout
from xbar.model.graph import Graph
from xbar.simulation.language import METRICS
from xbar.simulation.readout import AnalogProducts
from xbar.statistics import mean_interval

ROOT = Path(__file__).parents[1]
BUILD, PAGE = ROOT / "build" / "language", ROOT / "docs" / "results.md"
LINES, RESISTORS, FULL_SCALE = 128, 6, 100e-6
BITS = (None, 10, 9, 8, 7, 6)


@dataclass(frozen=True)
class Way:
    """A row of the table: ohms a segment, whether programmed for the wires, and the read-out."""

    name: str
    wire: float
    aware: bool
    readout: MatrixReadout


WAYS = (
    Way("ideal wires", 1.0, False, "ideal"),
    Way("1 ohm", 1.0, False, "nodal"),
    Way("2 ohm", 2.0, False, "nodal"),
    Way("1 ohm, for the wires", 1.0, True, "nodal"),
    Way("2 ohm, for the wires", 2.0, True, "nodal"),
)


class Model:
    """The trained network, and the windows of held-out text that it is judged by."""

    def __init__(self, folder: Path, size: str, windows: int, *, bfloat16: bool) -> None:
        sys.path.insert(0, str(ROOT / "examples"))
        self.example = import_module("11_language_model")
        learnt, held = self.example.library()
        self.size = getattr(self.example, size)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "model.pt"
        self.module = self.example.trained(self.size, learnt, file, bfloat16=bfloat16)
        self.tokens: NDArray[np.int64] = self.example.windows(held, self.size.context, windows)
        state = b"".join(each.numpy().tobytes() for each in self.module.state_dict().values())
        self.key = sha256(state + self.tokens.tobytes()).hexdigest()[:16]

    @cached_property
    def graph(self) -> Graph:
        """The network as data, for windows of its context."""
        return xbar.model.from_module(self.module, (self.size.context,))

    def losses(self, products: Converted | None = None) -> list[float]:
        """Nats a byte of each window, with these products or digital."""
        logits = np.asarray(self.graph.run(self.tokens, products))[:, :-1]
        places = logits.reshape(-1, logits.shape[2])
        found = METRICS["perplexity"].measure(places, places, self.tokens[:, 1:].ravel())
        return [float(each) for each in found.reshape(len(logits), -1).mean(axis=1)]


def design(wire: float, bits: int = 10) -> xbar.Hardware:
    """Pairs of six resistors a cell, 30 % spread, an ADC a column."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=RESISTORS, nominal=RESISTORS / FULL_SCALE),
        tile=xbar.Tile(word_lines=LINES, bit_lines=LINES, word_wire=wire, bit_wire=wire),
        adc=xbar.Converter(bits=bits),
    )


@dataclass(frozen=True)
class Converted:
    """Products of a program's tiles, read by other ADCs: they are solved once for all."""

    products: AnalogProducts
    chain: Chain

    @classmethod
    def of(cls, products: AnalogProducts, wire: float, bits: int | None) -> Converted:
        """With ADCs of so many bits, or with none."""
        chain = Chain.of(design(wire, bits or 10), products.readout)
        names = chain.names if bits else chain.names - {Adc.name}
        return cls(products, Chain.of(chain.hardware, products.readout, names))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The products' own type."""
        return self.products.dtype

    def __call__(self, layer: str, x: NDArray[Any]) -> NDArray[Any]:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        reading = replace(self.products.reading(layer), chain=self.chain)
        y = reading.product(x.astype(self.dtype, copy=False), self.products.draw(layer))
        return np.asarray(y, dtype=x.dtype)


@dataclass
class Bench:
    """The rows measured so far, and the program that was compiled last."""

    model: Model
    file: Path
    rows: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    last: tuple[float, bool, int] | None = None
    program: Program | None = None

    def __post_init__(self) -> None:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        for row in map(json.loads, lines):
            if row["model"] == self.model.key and row["design"] == [LINES, RESISTORS, FULL_SCALE]:
                self.rows[row["way"], row["chip"]] = row

    def row(self, way: Way, chip: int) -> dict[str, Any]:
        """Losses of one chip read in one way, with each converter; kept in the file."""
        if (way.name, chip) not in self.rows:
            found = self._measured(way, chip)
            with self.file.open("a") as stream:
                stream.write(json.dumps(found) + "\n")
            self.rows[way.name, chip] = found
            print(f"chip {chip}, {way.name}: {found['seconds']}", file=sys.stderr)
        return self.rows[way.name, chip]

    def _measured(self, way: Way, chip: int) -> dict[str, Any]:
        start = time.process_time()
        key = way.wire, way.aware, chip
        if self.program is None or self.last != key:
            self.program = None  # it holds what its tiles conduct
            fresh = xbar.Chip.sample(design(way.wire), chip)
            self.program = xbar.compile(self.model.graph, fresh, wire_aware=way.aware)
            self.last = key
        program = self.program
        compiled = time.process_time()
        products = AnalogProducts(program, way.readout, seed=0, precision="float32")
        losses = {
            str(bits): self.model.losses(Converted.of(products, way.wire, bits)) for bits in BITS
        }
        spent = {"compile": compiled - start, "reads": time.process_time() - compiled}
        errors = [tile.wire_errors for tile in program.tiles if tile.wire_errors]
        ends = [[each[0] for each in errors], [each[-1] for each in errors]]
        return {
            "model": self.model.key,
            "design": [LINES, RESISTORS, FULL_SCALE],
            "way": way.name,
            "chip": chip,
            "tiles": len(program.tiles),
            "losses": losses,
            "errors": [float(np.sqrt(np.mean(np.square(each)))) for each in ends if each],
            "seconds": spent,
        }


def cell(losses: Sequence[Sequence[float]]) -> str:
    """Mean and standard deviation over chips of the perplexity, for losses (chips, windows)."""
    found = np.exp(np.mean(losses, axis=1))
    if not found.max() < 1000:
        return f"{found.mean():.1e}"
    spread = f" ± {found.std(ddof=1):.3f}" if len(found) > 1 and found.max() < 100 else ""
    return f"{found.mean():.3f}{spread}" if found.max() < 100 else f"{found.mean():.0f}"


def weights_off(rows: Sequence[dict[str, Any]], end: int) -> str:
    """Rms error of the weights over tiles and chips, before (0) or after (-1) the wires' rounds."""
    errors = [row["errors"][end] for row in rows if row["errors"]]
    return f"{100 * float(np.sqrt(np.mean(np.square(errors)))):.2f} %" if errors else ""


def lost(digital: Sequence[float], rows: Sequence[dict[str, Any]]) -> str:
    """Nats a byte more than digital, with their 95 % interval over windows of text."""
    each = np.mean([row["losses"]["None"] for row in rows], axis=0) - digital
    low, high = mean_interval(each.tolist(), share=False)
    return f"{each.mean():z.4f} ± {(high - low) / 2:.4f}"


def table(digital: Sequence[float], rows: dict[str, list[dict[str, Any]]]) -> str:
    """The page's table."""
    head = ["", "weights off", "nats lost", "no ADC", *(f"{bits} bits" for bits in BITS[1:])]
    lines = [head, ["--"] * len(head)]
    lines.append(["digital", "", "", f"{np.exp(np.mean(digital)):.3f}", *[""] * len(BITS[1:])])
    aware = {way.wire: rows[way.name] for way in WAYS if way.aware}
    for way in WAYS:
        off = "" if way.readout == "ideal" else weights_off(aware[way.wire], -way.aware)
        cells = [cell([row["losses"][str(bits)] for row in rows[way.name]]) for bits in BITS]
        lines.append([way.name, off, lost(digital, rows[way.name]), *cells])
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def told(bench: Bench, digital: Sequence[float], chips: int) -> str:
    """What the table is of, in one paragraph."""
    model, losses = bench.model, np.array(digital)
    low, high = mean_interval(losses.tolist(), share=False)
    weights = sum(layer.matrix.size for layer in model.graph.layers)
    tiles = next(iter(bench.rows.values()))["tiles"]
    count = model.tokens.shape[0] * (model.tokens.shape[1] - 1)
    return (
        f"{weights:,} weights on {tiles:,} tiles of {LINES} x {LINES}; {chips} chips. The digital "
        f"perplexity of {count:,} held-out bytes is known to {50 * (high - low):.0f} % (95 %); all "
        f"rows are of the same bytes. Python {sys.version.split()[0]}'s library.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--size", choices=["FULL", "MIDDLE", "SMALL"], default="FULL")
    parser.add_argument("--bfloat16", action="store_true", help="products of training in bfloat16")
    parser.add_argument("--print", action="store_true", help="leave docs/results.md as it is")
    given = parser.parse_args()
    folder = BUILD if given.size == "FULL" else BUILD / given.size.lower()
    model = Model(folder, given.size, given.windows, bfloat16=given.bfloat16)
    bench = Bench(model, folder / "rows.jsonl")
    digital = model.losses()
    chips = range(given.chips)
    found = [{way.name: bench.row(way, chip) for way in WAYS} for chip in chips]
    rows = {way.name: [each[way.name] for each in found] for way in WAYS}
    text = f"{told(bench, digital, given.chips)}\n{table(digital, rows)}"
    print(text)
    if not given.print:
        write_table(PAGE, f"language {given.size}", text)


if __name__ == "__main__":
    main()
