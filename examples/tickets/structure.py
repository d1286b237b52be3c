"""Structured against unstructured pruning: what each takes of a chip.

    python examples/tickets/structure.py [--seeds 3] [--output build/tickets]

The perceptron 784-300-100-10, magnitude pruning with fine-tuning, and edge-popup on constant
weights; compiled to tiles of 64 x 64 with 8 resistors a cell. "outputs" removes whole neurons, and
with them their bit lines and the next layer's word lines; "inputs" removes word lines after the
first layer, whose inputs all stay: there it chooses single weights. Means over the seeds; accuracy
in percent on 1,000 held-out MNIST images, with the least and the greatest.

    cases   every method, structure and kept share; "4x" is edge-popup in a network of four times
            the width, 784-1200-400-10
    pairs   each structured case beside the unstructured one of its method that takes the fewest
            devices of those at most half a point less accurate, and what it takes over what that
            one takes
"""

from __future__ import annotations

from typing import Any

import numpy as np
from construct_networks import Row, report, spread
from ticket_networks import TASKS, accuracy, perceptron
from work import Job, Wanted, arguments, results, timed, wanted

import xbar

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=8, sigma=0.3, on_off_ratio=1e4),
    tile=xbar.Tile(word_lines=64, bit_lines=64),
)
Case = tuple[str, str, float, int]
FINE = (0.5, 0.2, 0.1, 0.05, 0.03, 0.02)
CASES: tuple[Case, ...] = (
    *(("magnitude", "weights", keep, 1) for keep in (*FINE, 0.01)),
    *(("magnitude", "outputs", keep, 1) for keep in (0.5, 0.2, 0.1, 0.05)),
    *(("magnitude", "inputs", keep, 1) for keep in (0.5, 0.2, 0.1)),
    *(("edge-popup", "weights", keep, 1) for keep in (*FINE, 0.07, 0.025)),
    *(("edge-popup", "inputs", keep, 1) for keep in (0.5, 0.2)),
    *(("edge-popup", "outputs", keep, 1) for keep in (0.5, 0.2)),
    *(("edge-popup", "outputs", keep, 4) for keep in (0.5, 0.2)),
)
NEAR = 0.5
"""Points of accuracy that count as equal: the seeds of a case differ by as much."""
TAKEN = ("tiles", "word lines", "bit lines", "devices")


def measure(
    size: list[int | None], method: str, structure: Any, keep: float, width: int, seed: int
) -> dict[str, float]:
    """One ticket, compiled; accuracies in percent."""
    import torch

    task = TASKS["perceptron"].reduced(*size)
    data = task.load()
    pair = (data.train, data.train_labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = perceptron(width)
    if method == "magnitude":
        tune = min(5, task.epochs)
        ticket = xbar.pruning.magnitude(
            model, pair, keep, task.epochs, seed, rounds=3, tune=tune, structure=structure
        )
    else:
        ticket = xbar.pruning.edge_popup(
            model, pair, keep, "constant", task.epochs, seed, structure=structure
        )
    program = xbar.compile(ticket, HARDWARE, seed=seed, workers=1)
    result = xbar.simulate(program, data.test, data.test_labels)
    blocks = [placed.block for tile in program.tiles for placed in tile.blocks]
    cells = 2 * sum(len(block.inputs) * len(block.outputs) for block in blocks)
    return {
        "kept": 100 * ticket.kept,
        "accuracy": 100 * accuracy(ticket, data),
        "chip": 100 * (result.accuracy or 0.0),
        "tiles": len(program.tiles),
        "word lines": sum(len(block.inputs) for block in blocks),
        "bit lines": 2 * sum(len(block.outputs) for block in blocks),
        "devices": cells * HARDWARE.bank.resistors,
        "switched in": sum(int(tile.mask.sum()) for tile in program.tiles),
    }


def jobs(cases: list[Case], wanted: Wanted) -> list[Job]:
    """All runs."""
    return [
        Job(_name(case, seed), measure, [wanted.size, *case, seed], 6.0 * case[3])
        for case in cases
        for seed in wanted.seeds
    ]


def cases_table(each: dict[Case, list[dict[str, float]]]) -> list[Row]:
    """One row a case."""
    rows: list[Row] = []
    for case, same in each.items():
        mean = _mean(same)
        row: Row = {
            "method": _title(case),
            "kept %": f"{mean['kept']:.1f}",
            "accuracy %": spread([one["accuracy"] for one in same], 1),
            "on the chip %": spread([one["chip"] for one in same], 1),
        }
        rows.append(row | {key: f"{mean[key]:,.0f}" for key in (*TAKEN, "switched in")})
    return rows


def pairs_table(each: dict[Case, list[dict[str, float]]]) -> list[Row]:
    """Each structured case beside the leanest unstructured one that is about as accurate."""
    means = {case: _mean(same) for case, same in each.items()}
    rows: list[Row] = []
    for case, mean in means.items():
        method, structure, _, _ = case
        others = [other for other in means if other[:2] == (method, "weights")]
        least = mean["accuracy"] - NEAR
        as_good = [other for other in others if means[other]["accuracy"] >= least]
        if structure == "weights" or not as_good:
            continue
        near = min(as_good, key=lambda other: means[other]["devices"])
        row: Row = {
            "structured": _title(case),
            "accuracy %": f"{mean['accuracy']:.1f}",
            "unstructured": _title(near),
            "its accuracy %": f"{means[near]['accuracy']:.1f}",
        }
        rows.append(row | {key: f"x {mean[key] / means[near][key]:.2f}" for key in TAKEN})
    return rows


def main() -> None:
    """Both tables."""
    parser = arguments("structure.py")
    parser.add_argument("--shares", nargs="+", type=float, help="of the cases, only these")
    parsed = parser.parse_args()
    asked = wanted(parsed)
    cases = [case for case in CASES if not parsed.shares or case[2] in parsed.shares]
    with timed("structure"):
        found = results(jobs(cases, asked), asked.output / "runs", asked.processes)
        each = {case: [found[_name(case, seed)] for seed in asked.seeds] for case in cases}
        report("structure", asked.output, cases_table(each), seeds=asked.seeds, each=found)
        print()
        report("structure_pairs", asked.output, pairs_table(each))


def _mean(same: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([one[key] for one in same])) for key in same[0]}


def _title(case: Case) -> str:
    method, structure, keep, width = case
    percent = f"{100 * keep:g} %"
    return f"{method}{'' if width == 1 else f' {width}x'}, {structure} {percent}"


def _name(case: Case, seed: int) -> str:
    return f"structure/{_title(case)}, seed {seed}"


if __name__ == "__main__":
    main()
