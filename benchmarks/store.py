"""A program on disk: bytes by part, and the time and memory of loading, saving and verifying it.

    xbar compile model.pt2 --hardware chip.toml -o out.xbar
    python benchmarks/store.py out.xbar

Each step is a process of its own, so that its peak memory is its own; CPU seconds are those of all
threads after the import of xbar. "load" opens the program; "tiles" also makes every tile once;
"verify" compares all checksums; "save" loads it and writes it to a temporary folder beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import xbar
from xbar.compiler.store import check_store

STEPS = ("load", "tiles", "verify", "save")


def step(name: str, path: Path) -> dict[str, float]:
    """CPU seconds of a step, and peak memory of this process in MB."""
    start = time.process_time()
    if name == "verify":
        count, faults = check_store(path)
        assert count > 1
        assert not faults
    else:
        program = xbar.Program.load(path)
        if name == "tiles":
            switched = sum(tile.reached[0].switches for tile in program.tiles)
            assert switched > 0
        if name == "save":
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                program.save(Path(folder) / "copy.xbar")
    used = time.process_time() - start
    return {"seconds": used, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def sizes(path: Path) -> None:
    """Print the bytes of the parts, and those of the switches as bits."""
    program = xbar.Program.load(path)
    files = [file for file in path.rglob("*") if file.is_file()]
    held = {file.relative_to(path).as_posix(): file.stat().st_size for file in files}
    weights = sum(
        size for name, size in held.items() if name.startswith(("weights", "constants", "matrices"))
    )
    switches = len(program.tiles) * math.prod(program.hardware.cells)
    switches = switches * program.hardware.bank.resistors // 8
    rest = sum(held.values()) - weights
    print(
        f"{len(program.tiles):,} tiles in {len(held):,} files of {sum(held.values()) / 1e6:.1f} MB"
    )
    print(f"weights {weights / 1e6:.1f} MB, the rest {rest / 1e6:.1f} MB")
    print(f"switches as bits {switches / 1e6:.1f} MB: the rest is {rest / switches:.3f} times that")


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("program", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is printed")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        print(json.dumps(step(arguments.step, arguments.program)))
        return
    sizes(arguments.program)
    print("step     CPU seconds   peak MB")
    for name in STEPS:
        command = [sys.executable, __file__, str(arguments.program), "--step", name]
        found = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(arguments.rounds)
        ]
        seconds, peak = (np.median([each[key] for each in found]) for key in ("seconds", "mb"))
        print(f"{name:6} {seconds:12.3f} {peak:12.0f}")


if __name__ == "__main__":
    main()
