"""Levers against harsh wires: what each one gives, and the layout that ``wires="fit"`` chooses.

    python benchmarks/levers.py lenet --chips 5
    python benchmarks/levers.py crepe --wires 2 --chips 2
    python benchmarks/levers.py lenet --wires 10 --max-tiles 6 12 24

Networks, data and scoring are those of ``benchmarks/wires.py``; cells of 1 mS full scale, 16
resistors a weight, 256 x 256 tiles, exact read-out. For each wire: every lever that was tried, with
its expected error and its tiles, then accuracy and errors of programs on whole tiles and as they
are laid, means over chips that the choice has not seen, and CPU seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from wires import Task, task_of

import xbar
from xbar.report.metrics import layer_metrics


def on_chips(task: Task, design: xbar.Hardware, options: xbar.Options, chips: int) -> str:
    """Tiles, accuracy with its range, the weights' error, and CPU seconds a chip."""
    if not chips:
        return "- | - | - | -"
    right, errors, start, tiles = [], [], time.process_time(), 0
    for seed in range(100, 100 + chips):
        program = xbar.compile(task.graph, xbar.Chip.sample(design, seed), options=options)
        tiles = len(program.tiles)
        told = [layer.wires_after for layer in layer_metrics(program)]
        errors.append(np.sqrt(np.mean([each**2 for each in told if each is not None])))
        right.append(100 * task.right(program.run(task.inputs, "nodal")))
    seconds = (time.process_time() - start) / chips
    return (
        f"{tiles} | {np.mean(right):.1f} ({min(right):.1f} to {max(right):.1f}) | "
        f"{100 * np.mean(errors):.2f} % ({100 * min(errors):.2f} to {100 * max(errors):.2f}) | "
        f"{seconds:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("network", choices=["lenet", "crepe"])
    parser.add_argument("--wires", type=float, nargs="*", default=[2.0, 5.0, 10.0], metavar="OHM")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--max-tiles", type=int, nargs="*", metavar="N")
    arguments = parser.parse_args()
    task = task_of(arguments.network)
    digital = 100 * task.right(np.asarray(task.graph.run(task.inputs), dtype=np.float64))
    print(f"digital: {digital:.1f} %\n")
    for wire in arguments.wires:
        design = xbar.Hardware(
            bank=xbar.Bank(resistors=8, nominal=8e3),
            tile=xbar.Tile(
                word_lines=arguments.tile, bit_lines=arguments.tile, word_wire=wire, bit_wire=wire
            ),
        )
        whole = on_chips(task, design, xbar.Options(wire_aware=True), arguments.chips)
        head = "| wire | layout | tiles | accuracy | error of the weights | CPU s a chip |"
        rows = [head, "|--|--|--|--|--|--|", f"| {wire:g} ohm | whole tiles | {whole} |"]
        for most in arguments.max_tiles or [None]:
            start = time.process_time()
            options = levers(task, design, most)
            seconds = time.process_time() - start
            fitted = options.fitted
            assert fitted is not None
            print(f"{wire:g} ohm, at most {fitted.max_tiles} tiles, {seconds:.0f} CPU s\n")
            print("| lever | expected error | tiles | |\n|--|--|--|--|")
            for one in fitted.levers:
                print(f"| {one.name} | {100 * one.expected:.2f} % | {one.tiles} | {one.state} |")
            print(flush=True)
            own = on_chips(task, design, options, arguments.chips)
            rows.append(f"| {wire:g} ohm | fit, at most {fitted.max_tiles} | {own} |")
        print("\n".join(rows) + "\n", flush=True)


def levers(task: Task, design: xbar.Hardware, most: int | None) -> xbar.Options:
    """The options that are chosen, without programming a chip."""
    from xbar.compiler.levers.fit import Fit, fit_levers
    from xbar.compiler.source import read_source

    matrices, _ = read_source(task.graph)
    options = xbar.Options(wire_aware=True)
    return fit_levers(matrices, xbar.Chip.sample(design, 0), options, Fit(max_tiles=most))


if __name__ == "__main__":
    main()
