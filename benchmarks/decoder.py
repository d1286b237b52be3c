"""Claim: a decoder of a billion weights is compiled and read through its wires in minutes.

Random bare matrices of the Llama shape (q, k, v, o, gate, up and down of each layer), pairs of
8 + 8 resistors a weight on tiles of 128 x 128, 1 ohm a segment of wire. They are compiled on the
card for ideal wires; then the card makes one exact transfer matrix a tile, and random token vectors
go through every matrix on the CPU. ``benchmarks/gpu.py --decoder`` runs it.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import xbar
from xbar.compiler import compiler
from xbar.compiler import on_device as programs
from xbar.compiler.program import Program
from xbar.device import Buffer, Card
from xbar.effects.stage import Whole
from xbar.parallel import cpus, in_threads
from xbar.simulation import on_device as reading

WIDTH, INNER, SHARED = 2048, 5632, 256
"""Width of a layer, of its inner products, and of its keys and values, which queries share."""

Single = NDArray[np.float32]


def shapes(weights: int) -> dict[str, tuple[int, int]]:
    """Matrices (outputs, inputs) of about so many weights: whole layers, or one narrower layer."""
    each = 2 * WIDTH * (WIDTH + SHARED) + 3 * WIDTH * INNER
    shrink = min(weights / each, 1.0) ** 0.5
    width, inner, shared = (
        max(round(size * shrink / 64) * 64, 64) for size in (WIDTH, INNER, SHARED)
    )
    layer = {
        "q": (width, width),
        "k": (shared, width),
        "v": (shared, width),
        "o": (width, width),
        "gate": (inner, width),
        "up": (inner, width),
        "down": (width, inner),
    }
    count = max(round(weights / each), 1)
    return {f"{i}.{name}": shape for i in range(count) for name, shape in layer.items()}


def decoder(weights: int) -> dict[str, Single]:
    """The random matrices, by name."""
    made = {name: np.empty(shape, np.float32) for name, shape in shapes(weights).items()}

    def fill(number: int) -> None:
        matrix = list(made.values())[number]
        np.random.default_rng(number).standard_normal(dtype=np.float32, out=matrix)
        matrix *= np.float32(matrix.shape[1] ** -0.5)

    in_threads(fill, range(len(made)), cpus())
    return made


class Clock:
    """Seconds by name, and the most memory of the card that was held."""

    def __init__(self, card: Card) -> None:
        self.card, self.seconds, self.held, self.most = card, dict[str, float](), 0, 0

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the seconds of a block of code, those of the card included."""
        start = time.perf_counter()
        yield
        self.card.wait()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def timed(self, run: Callable[..., object], name: str) -> Callable[..., object]:
        """The same function, with its seconds added."""

        def whole(*arguments: object, **named: object) -> object:
            with self(name):
                return run(*arguments, **named)

        return whole

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the card's memory meanwhile."""
        kind = type(self.card)
        take, give = kind.allocate, kind.release

        def allocate(card: Card, size: int) -> Buffer:
            buffer = take(card, size)
            self.held += buffer.size
            self.most = max(self.most, self.held)
            return buffer

        def release(card: Card, buffer: Buffer) -> None:
            self.held -= buffer.size
            give(card, buffer)

        with (
            mock.patch.object(kind, "allocate", allocate),
            mock.patch.object(kind, "release", release),
        ):
            yield


def check(program: Program, name: str, matrix: xbar.arrays.Floats) -> None:
    """The first tile of a layer, solved on the CPU, is in the matrix that the card made."""
    tile, number, placed = next(iter(program.blocks_of(name)))
    own = tile.fresh().difference("nodal")[number] / placed.scale
    block = placed.block
    found = matrix[block.outputs[:, None], block.inputs].T
    assert np.abs(own - found).max() <= 1e-10 * np.abs(own).max()


def run(card: Card, weights: int, tokens: int) -> dict[str, float]:
    """Seconds of each part, and gigabytes."""
    clock = Clock(card)
    with clock("matrices made"):
        matrices = decoder(weights)
    tile = xbar.Tile(word_lines=128, bit_lines=128, word_wire=1.0, bit_wire=1.0)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=8), tile=tile), 0)
    small = {"w": matrices["0.q"][:64, :128]}
    ones = np.ones((1, small["w"].shape[1]))
    xbar.compile(small, chip, device="cuda").run(ones, "nodal", device="cuda")
    with clock.counting():
        with (
            mock.patch.object(programs, "program", clock.timed(programs.program, "card")),
            mock.patch.object(compiler, "_planned", clock.timed(compiler._planned, "plan")),
            clock("compile"),
        ):
            program = xbar.compile(matrices, chip, device="cuda")
        print(f"compiled: {clock.seconds}", file=sys.stderr)  # in case the rest does not end
        parts = {name: clock.seconds.pop(name) for name in ("plan", "card")}
        sums = {"weights": float(sum(each.size for each in matrices.values()))}
        sums["tiles"] = float(len(program.tiles))
        del matrices
        error = read(clock, program, tokens)
    return {
        **sums,
        "tokens": float(tokens),
        **clock.seconds,
        "of compile: plan": parts["plan"],
        "of compile: card": parts["card"],
        "largest error of a matrix's products": error,
        "GB on the host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "GB on the card": clock.most / 1e9,
    }


def read(clock: Clock, program: Program, tokens: int) -> float:
    """Read every matrix once; the largest relative error of its products, by the wires mostly."""
    worst = 0.0
    for number, (name, weight) in enumerate(program.weights.items()):
        rng = np.random.default_rng(1 + number)
        x = rng.standard_normal((tokens, weight.shape[2]))
        reader = program.reader("nodal", device="cuda")
        made = clock.timed(reading.CardCells.differences, "tiles read by the card")
        with (
            mock.patch.object(reading.CardCells, "differences", made),
            clock("tiles read, and their matrices"),
        ):
            whole = reader._products.reading(name).stages
        assert isinstance(whole, Whole)
        with clock("products"):
            y = reader({name: x})[name]
        if number == 0:
            check(program, name, whole.matrix[0])
        some = x[:16] @ weight[0].T
        worst = max(worst, float(np.linalg.norm(y[:16] - some) / np.linalg.norm(some)))
    return worst
