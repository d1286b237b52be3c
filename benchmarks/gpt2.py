"""GPT-2 small on a chip: seconds, CPU time and memory of each step, one process each.

    python benchmarks/gpt2.py                     124 million weights, 15,084 tiles
    python benchmarks/gpt2.py --layers 2          a quick look

A network of GPT-2's shape with random weights, exported by PyTorch from the class of the package
transformers (``pip install 'xbar[transformers]'``); 6 + 6 resistors a weight on tiles of 128 x 128,
1 ohm a segment. Each step is a fresh interpreter, so that its peak memory is its own; CPU seconds
are those of all threads, imports and reading included. The files are kept in ``--folder`` and
used again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SEQUENCE = 64
VECTORS = 4  # inputs of a pass


def export(model: Path, layers: int) -> None:
    """Export a random network."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            given: dict[str, Any] = {"n_layer": layers, "attn_implementation": "eager"}
            self.net = GPT2LMHeadModel(GPT2Config(**given))

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.net(input_ids=tokens, use_cache=False).logits
            return logits

    tokens = torch.zeros(2, SEQUENCE, dtype=torch.int64)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(Logits().eval(), (tokens,), dynamic_shapes=({0: batch},))
    torch.export.save(exported, model)


def compile_(model: Path, program: Path, workers: int) -> dict[str, Any]:
    """Read, compile and store."""
    import xbar

    tile = xbar.Tile(word_lines=128, bit_lines=128, word_wire=1.0, bit_wire=1.0)
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=6), tile=tile)
    made = xbar.compile(
        xbar.read_model(model), hardware, seed=0, output=program, force=True, workers=workers
    )
    size = sum(file.stat().st_size for file in program.rglob("*") if file.is_file())
    return {"tiles": len(made.tiles), "stored_mb": size / 1e6}


def load(program: Path) -> dict[str, Any]:
    """Open the program, without reading from it."""
    import xbar

    start = time.perf_counter()
    tiles = len(xbar.Program.load(program).tiles)
    return {"load_seconds": time.perf_counter() - start, "tiles": tiles}


def passes(program: Path, readout: Any, precision: Any = "float64") -> dict[str, Any]:
    """The first pass of a read-out, and a further one."""
    import xbar

    reader = xbar.Program.load(program).reader(readout=readout, precision=precision)
    tokens = np.random.default_rng(0).integers(0, 50257, (VECTORS, SEQUENCE))
    found: dict[str, Any] = {}
    for name in ("first", "further"):
        start, before = time.perf_counter(), cpu_seconds()
        assert np.isfinite(reader(tokens)).all()
        found[f"{name}_seconds"] = time.perf_counter() - start
        found[f"{name}_cpu"] = cpu_seconds() - before
    return found


def digital(model: Path) -> dict[str, Any]:
    """The same pass of the exported network in PyTorch: the second of two."""
    import torch

    network = torch.export.load(model).module()
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 50257, (VECTORS, SEQUENCE)))
    found: dict[str, Any] = {}
    for _ in range(2):
        start, before = time.perf_counter(), cpu_seconds()
        with torch.no_grad():
            network(tokens)
        found = {"first_seconds": time.perf_counter() - start, "first_cpu": cpu_seconds() - before}
    return found


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def step(name: str, folder: Path, layers: int, workers: int) -> dict[str, Any]:
    """One step in this process, with its whole time and memory."""
    model, program = folder / f"gpt2-{layers}.pt2", folder / f"gpt2-{layers}.xbar"
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "compile": lambda: compile_(model, program, workers),
        "load": lambda: load(program),
        "ideal": lambda: passes(program, "ideal"),
        "nodal": lambda: passes(program, "nodal"),
        "float32": lambda: passes(program, "nodal", "float32"),
        "digital": lambda: digital(model),
    }
    start = time.perf_counter()
    found = steps[name]()
    found |= {"seconds": time.perf_counter() - start, "cpu": cpu_seconds()}
    return found | {"gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


def rows(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, float, float, float]]:
    """What, seconds, CPU seconds and GB."""
    labels = {"compile": "read, compile and store", "load": "load, imports included"}
    for name, one in found.items():
        if name in labels:
            yield labels[name], one["seconds"], one["cpu"], one["gb"]
            continue
        for which in ("first", "further"):
            if f"{which}_cpu" in one:
                read = "nodal pass in float32" if name == "float32" else f"{name} pass"
                what = "pass in PyTorch, float32" if name == "digital" else f"{which} {read}"
                yield what, one[f"{which}_seconds"], one[f"{which}_cpu"], one["gb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("build/gpt2"))
    parser.add_argument(
        "--steps", nargs="+", default="compile load digital ideal nodal float32".split()
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = arguments.folder, arguments.layers, arguments.workers
    if arguments.one:
        print(json.dumps(step(arguments.one, *given)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = arguments.folder / f"gpt2-{arguments.layers}.pt2"
    if not model.exists():
        export(model, arguments.layers)
    # what chooses another processor's loops for numpy alone is no part of the comparison
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    found: dict[str, dict[str, Any]] = {}
    print(f"| {VECTORS} x {SEQUENCE} tokens | s | CPU s | GB |\n|--|--|--|--|")
    for name in arguments.steps:
        command = [sys.executable, __file__, "--one", name, "--folder", str(arguments.folder)]
        command += ["--layers", str(arguments.layers), "--workers", str(arguments.workers)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=kept)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        for what, *numbers in rows({name: found[name]}):
            print(f"| {what} | " + " | ".join(f"{each:.2f}" for each in numbers) + " |", flush=True)
    if "compile" in found:
        made = found["compile"]
        print(f"\n{made['tiles']:,} tiles, {made['stored_mb']:.0f} MB")
    free = shutil.disk_usage(arguments.folder).free / 1e9
    print(f"loaded in {found['load']['load_seconds']:.2f} s" if "load" in found else "", end="")
    print(f"; {free:.0f} GB of disk left")


if __name__ == "__main__":
    main()
