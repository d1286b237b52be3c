"""Executors of tile jobs: threads of this process, or a Dask cluster.

Tiles are independent and their random numbers are a function of chip and tile, so a job gives the
same result to the last bit when repeated, anywhere and at any time. If a worker dies, the cluster
repeats its jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xbar.arrays import one_integer
from xbar.blas import one_blas_thread
from xbar.compiler import on_cpu
from xbar.compiler.batch_job import run_batches, takes
from xbar.compiler.job import Jobs, TileResult, run_job
from xbar.compiler.passes.base import TileJob
from xbar.device.choice import check as check_device
from xbar.errors import SpecError, ToolError, printable, shown
from xbar.hardware.chip import Chip
from xbar.parallel import cpus, one_thread
from xbar.usercode import summary

AHEAD = 3
"""Queued jobs or batches per worker, so that none idles and memory stays bounded."""

BATCH_CELLS = 2**20
"""Cells per batch of a cluster worker: seconds of work."""


PATIENCE = "10s"
"""Timeout for connecting to a scheduler."""


MOST_WORKERS = 10_000
"""Largest number of threads."""


@dataclass(frozen=True)
class Crew:
    """Choice of executor.

    Attributes:
        workers: number of threads; None for one per CPU.
        scheduler: address of a Dask scheduler; None for threads of this process.
        device: "cpu", "cuda" for a card or "auto" for one if it works: where chips are drawn and
            subsets chosen. The results are the same.
    """

    workers: int | None = None
    scheduler: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.workers is not None:
            one_integer(self.workers, "workers", 1, MOST_WORKERS)
        if self.scheduler is not None and not (
            isinstance(self.scheduler, str) and self.scheduler.strip()
        ):
            raise SpecError(
                f"scheduler must be an address such as tcp://host:8786, not {shown(self.scheduler)}"
            )
        if self.workers is not None and self.scheduler is not None:
            raise SpecError("workers must be left out with a scheduler, which has its own")
        if check_device(self.device) != "cpu" and self.scheduler is not None:
            raise SpecError("device must be left out with a scheduler, whose workers have no cards")


def run_jobs(jobs: Jobs, todo: Sequence[int], crew: Crew) -> Iterator[TileResult]:
    """Run jobs; yields results in order of completion.

    Raises:
        ToolError: a scheduler is given, but Dask is not installed or the scheduler not reachable;
            or there is no card for device "cuda".
    """
    if crew.scheduler is not None:
        yield from _on_cluster(jobs, todo, crew.scheduler)
        return
    workers = crew.workers or cpus()
    with one_blas_thread():
        if takes(jobs, crew.device):
            yield from run_batches(jobs, todo, crew.device, workers)
        elif workers > 1 and len(todo) < workers:
            yield from (run_job(jobs[index]) for index in todo)
        else:
            yield from _in_threads(jobs, todo, workers)


def _in_threads(jobs: Jobs, todo: Sequence[int], workers: int) -> Iterator[TileResult]:
    """Run jobs in batches, each in one thread."""
    size = min(_together(jobs[todo[0]]), -(-len(todo) // workers)) if len(todo) else 1
    batches = (
        [jobs[index] for index in todo[start : start + size]] for start in range(0, len(todo), size)
    )
    work = partial(_run_together, on_cpu.Workspace())
    if workers == 1:
        for batch in batches:
            yield from work(batch)
        return
    pending = set[Future[list[TileResult]]]()
    pool = ThreadPoolExecutor(workers)
    try:
        while True:
            for batch in batches:
                pending.add(pool.submit(work, batch))
                if len(pending) >= AHEAD * workers:
                    break
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _together(job: TileJob) -> int:
    """Number of jobs of a batch."""
    return on_cpu.tiles_of_a_batch(job) if on_cpu.ordinary(job) else 1


def _run_together(workspace: on_cpu.Workspace, jobs: Sequence[TileJob]) -> list[TileResult]:
    """Run jobs of one chip in this thread."""
    with one_thread():
        if on_cpu.ordinary(jobs[0]):
            return on_cpu.run_batch(jobs, workspace)
        return [run_job(job) for job in jobs]


def run_batch(chip: Chip, jobs: Sequence[TileJob]) -> list[TileResult]:
    """Run jobs on a cluster worker; they are sent without their chip, which may be large."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")  # not restored: another batch may run concurrently
    whole = [replace(job, chip=chip) for job in jobs]
    size, workspace = _together(whole[0]), on_cpu.Workspace()
    parts = (whole[start : start + size] for start in range(0, len(whole), size))
    return [result for part in parts for result in _run_together(workspace, part)]


def _carry(chip: Chip) -> Chip:
    return chip


def _on_cluster(jobs: Jobs, todo: Sequence[int], scheduler: str) -> Iterator[TileResult]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ToolError(
            "a scheduler needs Dask, which is not installed: pip install 'xbar[dask]'"
        ) from error
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    # Dask checks addresses with assertions and looks up whatever it takes for a protocol
    except (OSError, ValueError, AssertionError, TypeError, RuntimeError, ImportError) as error:
        raise ToolError(
            f"no Dask scheduler answers at {printable(scheduler)[:80]} ({summary(error)})"
        ) from error
    with client:
        # not scattered: a task's result is recomputed if the worker that holds it dies
        chip = client.submit(_carry, jobs.plan.chip, pure=False)
        batches = _batches(jobs, todo)
        running = as_completed(loop=client.loop)
        ahead = AHEAD * max(1, len(client.scheduler_info()["workers"]))

        def submit_next() -> None:
            batch = next(batches, None)
            if batch is not None:
                running.add(client.submit(run_batch, chip, batch, pure=False))

        for _ in range(ahead):
            submit_next()
        for future in running:
            submit_next()
            yield from future.result()


def _batches(jobs: Jobs, todo: Sequence[int]) -> Iterator[list[TileJob]]:
    hardware = jobs.plan.hardware
    size = max(1, BATCH_CELLS // (hardware.cells[0] * hardware.cells[1]))
    bare: Any = Chip(hardware, None)
    for start in range(0, len(todo), size):
        yield [replace(jobs[index], chip=bare) for index in todo[start : start + size]]
