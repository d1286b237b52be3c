"""A real card: memory, launches, and the results of each kernel beside the CPU's, in number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from card_cases import ARRAYS, KINDS, cells_and_ohms, problems, wires

import xbar
from xbar.circuit import Crossbar, transfers
from xbar.device import Card, DeviceMemoryError, Source, in_batches
from xbar.errors import EngineError
from xbar.hardware import conductances

pytestmark = pytest.mark.gpu


def test_memory_is_written_and_read_and_given_back(card: Card) -> None:
    values = np.random.default_rng(0).random(1 << 24)
    with card.memory() as memory:  # what the driver takes for itself at the first copies
        memory.holding(values)
    before = card.free()
    with card.memory() as memory:
        copy = np.zeros_like(values)
        card.read(memory.holding(values), copy)
        assert np.array_equal(copy, values)
        assert card.free() <= before - values.nbytes
    assert card.free() == before


def test_more_memory_than_there_is_is_refused_and_harms_nothing(card: Card) -> None:
    with card.memory() as memory:
        with pytest.raises(DeviceMemoryError):
            memory.empty(1 << 50, np.uint8)
        card.read(memory.holding(np.arange(3.0)), found := np.zeros(3))
        assert found.tolist() == [0.0, 1.0, 2.0]


def test_a_batch_that_takes_all_memory_is_halved(card: Card) -> None:
    gibibyte = 1 << 30
    count = card.free() // gibibyte + 1
    done: list[int] = []

    def work(part: slice) -> None:
        with card.memory() as memory:
            memory.empty((part.stop - part.start) * gibibyte, np.uint8)
            done.append(part.stop - part.start)

    in_batches(card, count, 0, work)
    assert sum(done) == count
    assert max(done) < count


def test_a_kernel_is_compiled_launched_and_waited_for(card: Card, tmp_path: Path) -> None:
    path = tmp_path / "add.cu"
    path.write_text(
        '#include "portable.h"\n'
        "KERNEL(add, 32)(double *x, int n, double y) {\n"
        "  ROOM(64);\n"
        "  for (int i = THREAD; i < n; i += THREADS) x[i] += y + BLOCK_Y * BLOCKS_X + BLOCK_X;\n"
        "}\n"
    )
    kernel = card.kernel(Source(path), "add", 64)
    with card.memory() as memory:
        x = memory.holding(np.arange(100.0))
        kernel.launch((1, 1), 32, x, np.int32(99), np.float64(0.5))
        card.read(x, found := np.zeros(100))
    assert np.array_equal(found[:99], np.arange(99) + 0.5)
    assert found[99] == 99.0
    with pytest.raises(EngineError, match="takes 1000000 bytes of shared memory"):
        card.kernel(Source(path), "add", 1_000_000)
    with pytest.raises(EngineError, match="cuModuleGetFunction"):
        card.kernel(Source(path), "subtract")


@pytest.mark.parametrize(
    ("spread", "sigma"),
    [("lognormal", 0.3), ("lognormal", 1.7), ("normal", 0.5), ("uniform", 0.5), ("none", 0.0)],
)
@pytest.mark.filterwarnings("ignore:bank.sigma is a fraction")
def test_chips_have_the_bits_of_the_cpu(card: Card, spread: str, sigma: float) -> None:
    for shape, count in (((64, 64, 8), 64), ((13, 7, 3), 300), ((128, 128, 5), 4)):
        bank = xbar.Bank(resistors=shape[2], ratio=1.5, spread=spread, sigma=sigma)
        tile = xbar.Tile(word_lines=shape[0], bit_lines=shape[1])
        for seed, first in ((0, 0), (2**64 - 1, 12345678901)):
            chip = xbar.Chip.sample(xbar.Hardware(bank=bank, tile=tile), seed)
            tiles = range(first, first + count)
            there, here = conductances(chip, tiles, "cuda"), conductances(chip, tiles)
            assert np.array_equal(there.view(np.int64), here.view(np.int64))


@pytest.mark.parametrize("k", range(2, 21))
def test_subsets_have_the_bits_of_the_cpu(card: Card, k: int) -> None:
    count = 60_000 if k == 16 else 10_000 if k < 17 else 2_000
    for kind in KINDS:
        bank, target = problems(k, count, kind)
        there = xbar.solve_subset(bank, target, device="cuda")
        here = xbar.solve_subset(bank, target)
        assert there.reason.endswith(f"on {card.name}")
        assert np.array_equal(there.mask, here.mask), kind
        assert np.array_equal(np.asarray(there.achieved), np.asarray(here.achieved)), kind


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.usefixtures("card")
def test_transfer_matrices_agree_with_the_cpu(kind: str) -> None:
    shapes = (
        (8, 8),
        (1, 1),
        (3, 50),
        (33, 40),
        (64, 64),
        (128, 128),
        (100, 72),
        (256, 256),
        (40, 400),
    )
    for lines, columns in shapes:
        cells, ohms = cells_and_ohms(kind, (3, lines, columns))
        given = wires(ohms, lines, columns)
        found = transfers(cells, **given, device="cuda")
        for one, own in zip(found, cells, strict=True):
            exact = Crossbar(own, **given).transfer
            # open arrays carry nothing at all
            assert np.abs(one - exact).max() <= 1e-12 * exact.max(), (lines, columns)


@pytest.mark.usefixtures("card")
def test_programs_have_the_switches_of_the_cpu() -> None:
    weights = {"w": np.random.default_rng(3).standard_normal((300, 500))}
    weights["v"] = np.random.default_rng(4).laplace(size=(1100, 90))
    for resistors, ratio in ((1, np.inf), (5, np.inf), (8, np.inf), (9, np.inf), (8, 100.0)):
        bank = xbar.Bank(resistors=resistors, on_off_ratio=ratio)
        hardware = xbar.Hardware(bank=bank)
        there = xbar.compile(weights, hardware, seed=1, device="cuda")
        here = xbar.compile(weights, hardware, seed=1)
        for a, b in zip(there.tiles, here.tiles, strict=True):
            assert np.array_equal(a.packed, b.packed)
            assert a.reached == b.reached
            for one, other in zip(a.blocks, b.blocks, strict=True):
                assert np.array_equal(one.scale, other.scale)


@pytest.mark.usefixtures("card")
def test_programs_are_read_as_on_the_cpu() -> None:
    rng = np.random.default_rng(7)
    weights = {"w": rng.standard_normal((300, 500)), "v": rng.laplace(size=(90, 1100))}
    inputs = {name: rng.standard_normal((5, w.shape[1])) for name, w in weights.items()}
    for lines, bits, resistors, ohms in ((64, 64, 8, 1.0), (128, 128, 8, 5.0), (100, 33, 3, 0.5)):
        tile = xbar.Tile(word_lines=lines, bit_lines=bits, word_wire=ohms, bit_wire=ohms, load=9.0)
        hardware = xbar.Hardware(bank=xbar.Bank(resistors=resistors), tile=tile)
        program = xbar.compile(weights, hardware, seed=1, device="cuda")
        for readout in ("ideal", "nodal"):
            there = program.run(inputs, readout, device="cuda")
            here = program.run(inputs, readout)
            for name, y in here.items():
                assert np.abs(there[name] - y).max() <= 1e-10 * np.abs(y).max()
