"""Claim: simulating wires costs next to nothing, for any task and any wire resistance.

xbar against badcrossbar, SuperLU, CHOLMOD, PARDISO and ngspice on the same crossbars in the same
process, interleaved in every round, on one thread. All must agree before anything is timed. Times
are medians of processor time; a ratio is the other method's time over that of xbar.

Each method starts from its natural input: xbar from a Crossbar without cached solutions, the sparse
factorisations from an assembled matrix, badcrossbar from its resistances, ngspice from its netlist.
A factor is reused for all inputs of one task. Sizes are sides of square arrays. A peer that is not
installed is reported and skipped, and so is one whose next size would exceed the time limit.

    mild:  1 ohm a segment, cells log-uniform from 1e-6 to 1e-4 S
    harsh: 20 ohm a segment, cells 1e-9 or 1e-3 S

    python benchmarks/circuit.py [--sizes 64 128 256] [--cases mild harsh] [--limit 30] [--json]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from shutil import which
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table

from xbar.circuit.assembly import assemble
from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines.ngspice import run
from xbar.circuit.netlist import crossbar_netlist

Floats: TypeAlias = NDArray[np.float64]
TASKS = ("one input", "1000 inputs", "transfer matrix")
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_WARM = 0.5  # seconds of repetitions of a method per round
_SLOW = 5.0  # seconds above which one sample is taken


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        case: "mild" or "harsh".
        task: name of the task.
        size: side of the array.
        method: name of the method.
        time: median time, milliseconds.
        samples: number of samples.
        ratio: time relative to xbar's.
        error: largest difference from xbar's currents, relative to the largest current.
    """

    case: str
    task: str
    size: int
    method: str
    time: float
    samples: int
    ratio: float
    error: float


class System:
    """The assembled equations of a crossbar, which the factorisations start from."""

    def __init__(self, crossbar: Crossbar) -> None:
        a = assemble(crossbar)
        lines, columns = crossbar.conductance.shape
        edges, known = np.arange(len(a.tail)), lines + columns
        ends = np.concatenate([a.tail, a.head])
        signs = np.repeat([1.0, -1.0], len(edges))
        drop = sp.csr_array((signs, (np.tile(edges, 2), ends)), shape=(len(edges), a.nodes))
        laplacian = ((drop.T * a.conductance) @ drop).tocsc()
        self.matrix = laplacian[known:, known:].tocsc()
        self.upper = sp.csr_matrix(sp.triu(self.matrix))
        self.feed = (-laplacian[known:, :lines]).tocsr()
        self.out = (-laplacian[lines:known, known:]).tocsr()

    def currents(
        self, solve: Callable[[Floats], Floats], voltage: Floats, block: int = 128
    ) -> Floats:
        """Currents (N, B) from a factor's solve, in batches of inputs."""
        starts = range(0, len(voltage), block)
        blocks = [self.out @ solve(self.feed @ voltage[k : k + block].T) for k in starts]
        return np.hstack(blocks).T


Method: TypeAlias = Callable[[Crossbar, System, Floats], Floats]


def fresh(crossbar: Crossbar) -> Crossbar:
    """The same crossbar without cached solutions."""
    copy = object.__new__(Crossbar)
    fields = ("conductance", "word_wire", "bit_wire", "source", "load", "drive", "sense")
    copy.__dict__.update({name: getattr(crossbar, name) for name in fields})
    copy.__dict__["_start"] = type(crossbar._start)()
    return copy


def by_xbar(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    if len(voltage) == len(crossbar.conductance) and len(voltage) > 1:
        return fresh(crossbar).transfer.T
    return fresh(crossbar).read(voltage)


def by_badcrossbar(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    import badcrossbar

    logging.disable(logging.INFO)  # it logs every step
    wire = float(crossbar.word_wire[0, 0])
    solution = badcrossbar.compute(
        voltage.T, 1 / crossbar.conductance, wire, node_voltages=False, all_currents=False
    )
    return np.asarray(solution.currents.output)


def by_superlu(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    from scipy.sparse.linalg import splu

    factor = splu(
        system.matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return system.currents(factor.solve, voltage, 8)  # fastest when these stay in the cache


def by_cholmod(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    from sksparse.cholmod import cholesky

    ordering = "amd" if len(crossbar.conductance) <= 512 else "metis"
    return system.currents(cholesky(system.matrix, ordering_method=ordering), voltage)


def by_pardiso(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    from pypardiso import PyPardisoSolver

    solver = PyPardisoSolver(mtype=2)
    solver.factorize(system.upper)
    try:
        return system.currents(lambda b: np.asarray(solver.solve(system.upper, b)), voltage)
    finally:
        solver.free_memory(everything=True)


def by_ngspice(crossbar: Crossbar, system: System, voltage: Floats) -> Floats:
    return run(crossbar_netlist(crossbar, voltage[0]), timeout=600)[None]


def clock() -> float:
    """Processor time in seconds, including ngspice's; hardly affected by other load."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def installed() -> dict[str, Method]:
    """The installed peers; missing ones are reported on stderr."""
    peers: dict[str, tuple[bool, Method]] = {
        "badcrossbar": (find_spec("badcrossbar") is not None, by_badcrossbar),
        "SuperLU": (True, by_superlu),
        "CHOLMOD": (find_spec("sksparse") is not None, by_cholmod),
        "PARDISO": (find_spec("pypardiso") is not None, by_pardiso),
        "ngspice": (which("ngspice") is not None, by_ngspice),
    }
    missing = [name for name, (there, _) in peers.items() if not there]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}", file=sys.stderr)
    return {name: method for name, (there, method) in peers.items() if there}


def problem(case: str, size: int, task: str) -> tuple[Crossbar, Floats]:
    """A crossbar and the inputs (N, W) of a task."""
    rng = np.random.default_rng(size)
    shape = (size, size)
    mild = case == "mild"
    cells = 10 ** rng.uniform(-6, -4, shape) if mild else rng.choice([1e-9, 1e-3], shape)
    wire = 1.0 if mild else 20.0
    inputs = {"one input": 1, "1000 inputs": 1000, "transfer matrix": size}[task]
    voltage = np.eye(size) if task == "transfer matrix" else rng.uniform(0, 1, (inputs, size))
    return Crossbar(cells, wire, wire), voltage


def compare(case: str, task: str, size: int, methods: dict[str, Method], repeats: int) -> list[Row]:
    """One section of the table: check that all agree, then time them in rounds."""
    crossbar, voltage = problem(case, size, task)
    system = System(crossbar)
    expected = by_xbar(crossbar, system, voltage)  # compiles, too
    errors, seconds = {}, {}
    for name, method in methods.items():
        start = clock()
        found = method(crossbar, system, voltage)
        seconds[name] = [clock() - start]
        errors[name] = float(np.abs(found - expected).max() / np.abs(expected).max())
        if errors[name] > 1e-8:
            raise SystemExit(f"{name} is {errors[name]:.1e} off at {case}, {task}, {size}")
    quick = [name for name in methods if seconds[name][0] < _SLOW]
    for name in quick:
        seconds[name] = []
    for _ in range(repeats):
        for name in quick:
            end = clock() + (_WARM if name == "xbar" else 0)
            while True:
                start = clock()
                methods[name](crossbar, system, voltage)
                now = clock()
                seconds[name].append(now - start)
                if now > end:
                    break
    ours = float(np.median(seconds["xbar"]))
    return [
        Row(
            case,
            task,
            size,
            name,
            1e3 * float(np.median(times)),
            len(times),
            float(np.median(times)) / ours,
            errors[name],
        )
        for name, times in seconds.items()
    ]


def affordable(
    rows: list[Row], peers: dict[str, Method], limit: float, size: int
) -> dict[str, Method]:
    """The peers whose time at the next size, extrapolated by the 4th power, is within the limit."""
    last = {row.method: row.time * (size / row.size) ** 4 for row in rows}
    known = {name: method for name, method in peers.items() if name in last} if rows else peers
    return {name: method for name, method in known.items() if last.get(name, 0) < 1e3 * limit}


def table(rows: list[Row]) -> Table:
    """Milliseconds and ratios, one line per size."""
    names = list(dict.fromkeys(row.method for row in rows))
    columns = [Column("case"), Column("task"), Column("n", justify="right")]
    columns += [Column(name, justify="right") for name in names]
    made = Table(*columns, title="milliseconds (times xbar's), one thread")
    for key in dict.fromkeys((row.case, row.task, row.size) for row in rows):
        cells = {row.method: row for row in rows if (row.case, row.task, row.size) == key}
        texts = [
            ""
            if name not in cells
            else f"{cells[name].time:.3g}"
            + ("" if name == "xbar" else f" ({cells[name].ratio:.3g}x)")
            for name in names
        ]
        made.add_row(key[0], key[1], str(key[2]), *texts)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--cases", nargs="+", default=["mild", "harsh"])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--peers", nargs="*", help="of those installed; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds for one solution")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in _THREADS):
        # thread counts are read when a library is loaded
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept | dict.fromkeys(_THREADS, "1"))
    peers = installed()
    if given.peers is not None:
        peers = {name: method for name, method in peers.items() if name in given.peers}
    rows: list[Row] = []
    for case in given.cases:
        for task in given.tasks:
            able = {k: v for k, v in peers.items() if k != "ngspice" or task == "one input"}
            done: list[Row] = []
            for size in given.sizes:
                able = affordable(done, able, given.limit, size)
                done = compare(case, task, size, {"xbar": by_xbar} | able, given.repeats)
                rows += done
                times = ", ".join(f"{r.method} {r.time:.3g} ms ({r.ratio:.3g}x)" for r in done)
                print(f"{case}, {task}, {size}: {times}", file=sys.stderr)
    if given.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    Console(width=150).print(table(rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of the process {peak:.0f} MB, peers included")


if __name__ == "__main__":
    main()
