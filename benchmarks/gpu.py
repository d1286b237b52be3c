"""Claim: one card draws, chooses and solves like hundreds of CPU cores, with the same results.

Rates of the three kernels with everything on the card, then through the public functions with
arrays in the host's memory, and the CPU's in the same run. Times are wall times, the best of some
repeats. What is timed is compared with the CPU on a sample first. Then a whole compilation, by
parts: those of the card with all copies, and what the host does beside.

    python benchmarks/gpu.py [--quick] [--json]
    python benchmarks/gpu.py --decoder [--weights 1e9] [--tokens 2000] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from unittest import mock

import decoder
import numpy as np

import xbar
from xbar.circuit import Crossbar, transfers
from xbar.circuit.solvers import on_device as circuit
from xbar.circuit.solvers.grid import as_grid
from xbar.circuit.solvers.tree_plan import make_plan
from xbar.compiler import batch_job, compiler
from xbar.compiler import on_device as programs
from xbar.device import Card, find, nvrtc
from xbar.hardware import conductances
from xbar.hardware.on_device import draw_tiles
from xbar.parallel import cpus
from xbar.subset.on_device import Chooser

Run = Callable[..., object]


@dataclass(frozen=True)
class Row:
    """One rate.

    Attributes:
        what: what is done.
        card: a second, with everything on the card.
        host: a second, from and to the host's memory.
        cpu: a second, on all CPU cores of the machine.
    """

    what: str
    card: float
    host: float
    cpu: float


def best(run: Run, card: Card, repeats: int) -> float:
    """Seconds of a run, after a first one."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        card.wait()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def drawing(card: Card, bank: xbar.Bank, size: float) -> Row:
    chip = xbar.Chip.sample(xbar.Hardware(bank=bank), 3)
    tiles, each = range(max(int(8192 * size), 8)), 64 * 64 * 8
    some = tiles[: max(len(tiles) // 16, 8)]
    assert np.array_equal(conductances(chip, some[:8], "cuda"), conductances(chip, some[:8]))
    with card.memory() as memory:
        out = memory.empty(len(tiles) * each, np.float64)
        there = best(lambda: draw_tiles(memory, chip, tiles, out), card, 3)
    host = best(lambda: conductances(chip, some, "cuda"), card, 1)
    cpu = best(lambda: conductances(chip, some), card, 1)
    return Row(
        f"{bank.spread} resistors drawn",
        len(tiles) * each / there,
        len(some) * each / host,
        len(some) * each / cpu,
    )


def choosing(card: Card, k: int, size: float) -> Row:
    rng = np.random.default_rng(k)
    count = max(int((1 << 24 if k in (12, 14, 16) else 1 << 20) * size), 1 << 10)
    sign = np.where(np.arange(k) < k // 2, 1.0, -1.0)
    banks = 1e-5 * np.exp(0.3 * rng.standard_normal((1 << 16, k))) * sign
    banks = np.resize(banks, (count, k))
    target = rng.uniform(-0.25e-5 * k, 0.25e-5 * k, count)
    some = slice(0, max(min(count // 8, 1 << 19), 1 << 10))
    there = xbar.solve_subset(banks[some], target[some], device="cuda")
    here = xbar.solve_subset(banks[some], target[some])
    assert np.array_equal(there.mask, here.mask)
    chooser = Chooser(card, k)
    with card.memory() as memory:
        given = memory.holding(banks), memory.holding(target)
        out = memory.empty(count, np.uint32), memory.empty(count, np.float64)

        def run() -> None:
            with card.memory() as scratch:
                chooser.run(scratch, *given, out)
                card.wait()

        seconds = best(run, card, 3)
    part = len(target[some])
    host = best(lambda: xbar.solve_subset(banks[some], target[some], device="cuda"), card, 1)
    cpu = best(lambda: xbar.solve_subset(banks[some], target[some]), card, 1)
    return Row(f"subsets of {k}", count / seconds, part / host, part / cpu)


def solving(card: Card, n: int, size: float) -> Row:
    rng = np.random.default_rng(n)
    count = max(int({64: 4096, 128: 1024, 256: 128}[n] * size), 4)
    cells = np.resize(10.0 ** rng.uniform(-6, -4, (4, n, n)), (count, n, n))
    found = transfers(cells[:4], word_wire=1.0, bit_wire=1.0, device="cuda")
    exact = Crossbar(cells[3], 1.0, 1.0).transfer
    assert np.abs(found[3] - exact).max() < 1e-12 * exact.max()
    padded = circuit.Padded.of(as_grid(Crossbar(np.zeros((n, n)), 1.0, 1.0)))
    levels = make_plan(n, n)
    room = max([levels[0].before, *(level.after for level in levels)])
    with card.memory() as memory:
        given = memory.holding(cells)

        def run() -> None:
            with card.memory() as scratch:
                circuit.start(scratch, levels, padded, given, room)
                card.wait()

        seconds = best(run, card, 3)
    some = cells[: max(count // 4, 4)]
    host = best(lambda: transfers(some, word_wire=1.0, bit_wire=1.0, device="cuda"), card, 1)
    few = cells[: max(count // 32, 4)]
    cpu = best(lambda: transfers(few, word_wire=1.0, bit_wire=1.0), card, 1)
    return Row(f"transfer matrices {n} x {n}", count / seconds, len(some) / host, len(few) / cpu)


def compiling(card: Card, size: float) -> dict[str, float]:
    """Seconds of each part of compiling a bare matrix of 67 M weights onto pairs of 8 + 8."""
    n = max(int(8192 * size**0.5), 256)
    matrix = (0.02 * np.random.default_rng(0).standard_normal((n, n))).astype(np.float32)
    tile = xbar.Tile(word_lines=128, bit_lines=128)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=8), tile=tile), 0)
    corner = {"w": matrix[:200, :200]}
    there = xbar.compile(corner, chip, device="cuda")  # compiles the kernels, too
    here = xbar.compile(corner, chip)
    for a, b in zip(there.tiles, here.tiles, strict=True):
        assert np.array_equal(a.packed, b.packed)
    seconds: dict[str, float] = {}
    parts = {
        "up": (type(card), "write"),
        "down": (type(card), "read"),
        "draw": (programs, "_draw"),
        "scales": (programs._Batch, "aim"),
        "subsets": (programs._Batch, "close"),
        "card": (programs, "program"),
        "plan": (compiler, "_planned"),
        "tiles": (batch_job, "run_whole"),
    }
    with ExitStack() as patched:
        for name, (owner, attribute) in parts.items():
            run = timed(card, getattr(owner, attribute), seconds, name)
            patched.enter_context(mock.patch.object(owner, attribute, run))
        start = time.perf_counter()
        xbar.compile({"w": matrix}, chip, device="cuda")
        seconds["all"] = time.perf_counter() - start
    seconds["tiles"] -= seconds["card"]
    seconds["weights a second"] = matrix.size / seconds["all"]
    return seconds


def timed(card: Card, run: Run, seconds: dict[str, float], name: str) -> Run:
    """A function that adds its seconds, those of the card included, to a table."""

    def whole(*arguments: object, **named: object) -> object:
        start = time.perf_counter()
        result = run(*arguments, **named)
        card.wait()
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
        return result

    return whole


def table(rows: list[Row]) -> str:
    def rate(number: float) -> str:
        for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
            if number >= unit:
                return f"{number / unit:.3g}{name}"
        return f"{number:.3g}"

    lines = [f"{'a second':<28}{'on the card':>12}{'from host':>12}{'CPU':>12}{'card/CPU':>10}"]
    lines += [
        f"{row.what:<28}{rate(row.card):>12}{rate(row.host):>12}{rate(row.cpu):>12}"
        f"{row.card / row.cpu:>10.0f}"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of the work")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--decoder", action="store_true", help="only a decoder, see decoder.py")
    parser.add_argument("--weights", type=float, default=1e9, help="of the decoder")
    parser.add_argument("--tokens", type=int, default=2000, help="of the decoder")
    options = parser.parse_args()
    card = find("cuda")
    assert card is not None
    if options.decoder:
        found = decoder.run(card, int(options.weights), options.tokens)
        about = {"card": card.name, "cpus": cpus(), "date": time.strftime("%Y-%m-%d")}
        print(json.dumps({**about, **found}, indent=1))
        return
    size = 0.01 if options.quick else 1.0
    banks = [xbar.Bank(spread=spread) for spread in ("lognormal", "normal", "uniform")]
    rows = [drawing(card, bank, size) for bank in banks]
    rows += [choosing(card, k, size) for k in (16, 12, 14, 18, 10, 20)]
    rows += [solving(card, n, size) for n in (64, 128, 256)]
    whole = compiling(card, size)
    about = {
        "card": card.name,
        "capability": card.capability,
        "processors": card.processors,
        "nvrtc": nvrtc.version(),
        "cpus": cpus(),
        "date": time.strftime("%Y-%m-%d"),
    }
    if options.json:
        print(
            json.dumps({**about, "rows": [asdict(row) for row in rows], "compile": whole}, indent=1)
        )
        return
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(table(rows))
    parts = ", ".join(f"{name} {number:.3g}" for name, number in whole.items())
    print(f"compile of a bare matrix with 8 + 8 resistors a weight, seconds: {parts}")


if __name__ == "__main__":
    main()
