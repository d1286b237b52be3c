"""The hardware precedent: pruned random resistive memory, on data and chips that are here.

    python examples/tickets/precedent.py [--seeds 3] [--spreads 0.3] [--output build/tickets]

Y. Li and others, "Pruning random resistive memory for optimizing analog AI", Nature Communications
2026 (s41467-025-67960-6), as far as its abstract, its first figure and the authors' published
scripts (github.com/lyd126/Pruning_random_resistive_memory_for_optimizing_analogue_AI) could be
read: images halved to 14 x 14; 64 and 16 filters of 3 x 3 with batch norms that learn nothing, then
400-128-10, no biases; half of the weights kept in each layer; a weight is a pair of cells with one
device each, both reset where it is pruned; arrays of 512 x 512, inputs of 4 bits, ADCs of 14 bits,
batches of 60. The conductances that its chip was read with could not be had: chips here are drawn
with a lognormal spread and an on/off ratio of 100, and read with 3 % noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from construct_networks import Row, report, spread
from ticket_networks import MNIST, accuracy, thinned
from work import Job, arguments, results, timed, wanted

import xbar
from xbar.hardware.converter import Converter
from xbar.hardware.variation import Variation
from xbar.model.read import from_module
from xbar.pruning.initial import Source
from xbar.training.loop import check_data, fit, reproducible

if TYPE_CHECKING:
    from torch import nn

KEEP = 0.5
EPOCHS = 5
SCORES = xbar.pruning.Recipe(rate=1.0, batch=60)
WEIGHTS = xbar.pruning.Recipe(batch=60)
READ_NOISE = 0.03
NAMES = {
    "dense": "trained weights, digital",
    "software": "random normal weights, pruned, digital",
    "ticket": "the chip's own devices, pruned: the ticket",
    "read": "the same, compiled, with converters and read noise",
    "tuned": "trained weights on the same devices, with converters and read noise",
    "moved": "the mask moved to another chip",
}


def network() -> nn.Module:
    """The published network."""
    from torch import nn

    return nn.Sequential(
        nn.MaxPool2d(2),
        nn.Conv2d(1, 64, 3, bias=False), nn.BatchNorm2d(64, affine=False), nn.ReLU(),
        nn.Conv2d(64, 16, 3, bias=False), nn.MaxPool2d(2),
        nn.BatchNorm2d(16, affine=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(400, 128, bias=False), nn.ReLU(), nn.Linear(128, 10, bias=False),
    )  # fmt: skip


def design(sigma: float) -> xbar.Hardware:
    """The published array and converters, with one device a cell of some spread."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=1, nominal=100e3, sigma=sigma, on_off_ratio=100),
        tile=xbar.Tile(word_lines=512, bit_lines=512),
        dac=Converter(bits=5),  # a sign and 4 bits
        adc=Converter(bits=14),
        variation=Variation(read_noise=READ_NOISE),
    )


def measure(seed: int, sigma: float, epochs: int, images: int | None) -> dict[str, float]:
    """Percent of all rows for the initial weights, scores and chip of a seed."""
    data = MNIST() if images is None else thinned(MNIST(), images)
    pair = (data.train, data.train_labels)
    chip, other = (xbar.Chip.sample(design(sigma), each) for each in (seed, 1000 + seed))

    def prune(weights: Source | xbar.Chip) -> xbar.pruning.Ticket:
        return xbar.pruning.edge_popup(
            model(seed), pair, KEEP, weights, epochs=epochs, seed=seed, recipe=SCORES
        )

    dense = model(seed)
    with reproducible(seed) as draw:
        fit(dense, check_data(pair), epochs, WEIGHTS, draw)
    ticket = prune(chip)
    found = {
        "dense": accuracy(dense, data),
        "software": accuracy(prune("kaiming"), data),
        "ticket": accuracy(ticket, data),
        "moved": accuracy(xbar.pruning.move(ticket, other), data),
    }
    graph = from_module(dense, data.train.shape[1:])
    for name, program in (
        ("read", xbar.compile(ticket, chip, workers=1)),
        ("tuned", xbar.compile(graph, chip, workers=1)),
    ):
        result = xbar.simulate(
            program, data.test, data.test_labels,
            calibrate="percentile", calibration=data.train[::8], seed=seed,
        )  # fmt: skip
        found[name] = result.accuracy or 0.0
    return {key: 100 * value for key, value in found.items()}


def model(seed: int) -> nn.Module:
    """The network with the initial weights of a seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network()


def main() -> None:
    """All rows, for each spread."""
    parser = arguments("precedent.py")
    parser.add_argument("--spreads", nargs="+", type=float, default=[0.3])
    parsed = parser.parse_args()
    asked = wanted(parsed)
    size = [asked.epochs or EPOCHS, asked.images]
    made = {
        (sigma, seed): Job(
            str(Path("precedent", f"chip of {sigma:.0%}, seed {seed}")),
            measure,
            [seed, sigma, *size],
            60.0,
        )
        for sigma in parsed.spreads
        for seed in asked.seeds
    }
    with timed("precedent"):
        found = results(list(made.values()), asked.output / "runs", asked.processes)
    rows: list[Row] = []
    for name, title in NAMES.items():
        row: Row = {"accuracy % on held-out MNIST": title}
        for sigma in parsed.spreads:
            each = [found[made[sigma, seed].name][name] for seed in asked.seeds]
            row[f"chips of {sigma:.0%}".replace("%", " %")] = spread(each, 1)
        rows.append(row)
    report("precedent", asked.output, rows, seeds=asked.seeds, found=found)


if __name__ == "__main__":
    main()
