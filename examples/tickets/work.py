"""Runs of an experiment: side by side in processes, the longest first, and each made once.

A run is a function of a module with arguments that JSON can hold. What it gave is written to
<output>/runs when it ends, with its arguments and its time, and is taken from there as long as the
arguments are the same: an experiment that was stopped goes on. Delete <output>/runs to measure
anew, after a change of the code too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar.files import write_text

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        name: of its file, with a folder of its experiment.
        work: a function of a module, which gives what JSON can hold, not None.
        arguments: for it, numbers, texts, None and lists of these.
        cost: seconds that it may take; the dearest are begun first, so that all processes end
            together.
    """

    name: str
    work: Callable[..., Any]
    arguments: list[Any]
    cost: float = 1.0

    @property
    def identity(self) -> dict[str, Any]:
        """What its result depends on."""
        return {"work": self.work.__qualname__, "arguments": self.arguments}


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of every experiment.

    Attributes:
        seeds: one run each.
        output: folder of the results.
        processes: side by side.
        epochs: of training; None for those of the experiment.
        images: to train on; None for all.
    """

    seeds: list[int]
    output: Path
    processes: int
    epochs: int | None
    images: int | None

    @property
    def size(self) -> list[int | None]:
        """Epochs and images, as jobs take them."""
        return [self.epochs, self.images]


def arguments(name: str, seeds: int = 3) -> argparse.ArgumentParser:
    """A command line with what every experiment can be asked; more may be added."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--output", type=Path, default=Path("build/tickets"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="fewer, for a look")
    parser.add_argument("--images", type=int, help="fewer to train on, for a look")
    return parser


def wanted(parsed: argparse.Namespace) -> Wanted:
    """What was asked."""
    seeds = list(range(parsed.seeds))
    return Wanted(seeds, parsed.output, parsed.processes, parsed.epochs, parsed.images)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say at the end how long it all took."""
    start = time.perf_counter()
    yield
    print(f"\n{name}: {time.perf_counter() - start:.0f} s in all", flush=True)


def results(jobs: Sequence[Job], folder: Path, processes: int = 2) -> dict[str, Any]:
    """What each job gave, by its name.

    Args:
        jobs: in any order, no name twice.
        folder: of what runs gave.
        processes: to share them, with one thread each; 1 is this one with the threads it has.
    """
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names), "each job needs a name of its own"
    stored = {job.name: _stored(folder, job) for job in jobs}
    todo = sorted((job for job in jobs if not stored[job.name]), key=lambda job: -job.cost)
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} runs were made before", flush=True)
    for number, (name, record) in enumerate(_made(todo, folder, processes), 1):
        stored[name] = record
        print(f"[{number}/{len(todo)}] {name}: {record['seconds']:.1f} s", flush=True)
    total = sum(stored[name]["seconds"] for name in names)
    print(f"{len(names)} runs, {total:.0f} s of CPU\n", flush=True)
    return {name: stored[name]["value"] for name in names}


def _made(
    jobs: Sequence[Job], folder: Path, processes: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each job's name and record, as they end."""
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield job.name, _make(job, folder)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by a process when it begins
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _end_with_parent)
    try:
        futures = {pool.submit(_make, job, folder): job.name for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _make(job: Job, folder: Path) -> dict[str, Any]:
    start = time.process_time()
    value = job.work(*job.arguments)
    seconds = time.process_time() - start
    # what JSON makes of the value is what is read back the next time
    record: dict[str, Any] = json.loads(
        json.dumps({**job.identity, "value": value, "seconds": seconds})
    )
    place = _place(folder, job)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps(record, indent=1) + "\n", force=True)
    return record


def _stored(folder: Path, job: Job) -> dict[str, Any]:
    """The record of a job that was made with these arguments; empty if it was not."""
    place = _place(folder, job)
    if not place.exists():
        return {}
    record: dict[str, Any] = json.loads(place.read_text())
    same = all(record.get(key) == value for key, value in job.identity.items())
    return record if same else {}


def _place(folder: Path, job: Job) -> Path:
    return folder / f"{job.name}.json"


def _end_with_parent() -> None:
    """End this process as soon as the one that began it is gone, killed even."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
