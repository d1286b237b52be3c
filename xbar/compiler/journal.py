"""Journal of a compilation's results on disk, so that an interrupted run can resume.

    .out.xbar.unfinished/     next to the output, removed when the program is complete
      lock                    held by the active run; released when it ends, for whatever reason
      job.json                digest of everything that the program depends on
      <n>.npz                 results of some tiles, written atomically
      .*.tmp/                 the program while it is written

Results are written about once per second. A run of the same job reads them and does the rest; the
program is then identical to the last byte, because each tile's result is a function of its job.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from xbar.compiler.block import Block
from xbar.compiler.job import Jobs, TileResult
from xbar.compiler.program import Program
from xbar.compiler.store import FORMAT, PROGRAM, save_program
from xbar.compiler.tile import Reached
from xbar.errors import FileError
from xbar.files import write_bytes
from xbar.folders import refuse_directory
from xbar.npz import read_npz

SECONDS = 1.0
"""Interval between writes: the most work lost when a run is killed, besides a write in progress."""

MOST = 256
"""Maximum number of results per file."""


@dataclass(eq=False)
class Journal:
    """A folder of results, locked by one run.

    Attributes:
        folder: path of the folder.
        output: path of the program.
    """

    folder: Path
    output: Path
    _waiting: list[TileResult] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    @classmethod
    @contextmanager
    def open(cls, output: Path, jobs: Jobs, *, force: bool) -> Iterator[Journal]:
        """Start or resume the journal of a job; results are kept if the block fails.

        Raises:
            FileError: the output exists and ``force`` is not set, another run holds the lock, the
                journal belongs to another job and ``force`` is not set, or it can't be written.
        """
        refuse_directory(output, PROGRAM, force=force)
        folder = output.absolute().parent / f".{output.name}.unfinished"
        try:
            folder.mkdir(exist_ok=True)
            with (folder / "lock").open("a") as lock:
                _hold(lock, output)
                journal = cls(folder, output)
                journal._begin(_digest(jobs), force=force)
                try:
                    yield journal
                except BaseException:
                    journal.flush()
                    raise
        except OSError as error:
            raise FileError(f"{output}: can't be written ({error.strerror or error})") from error

    def results(self) -> dict[int, TileResult]:
        """Results of earlier runs by tile; damaged files are ignored."""
        found = {}
        for file in sorted(self.folder.glob("*.npz")):
            try:
                results = _unpack(file)
            except (FileError, ValueError, KeyError, TypeError):
                file.unlink()
                continue
            found.update({result.index: result for result in results})
        return found

    def add(self, result: TileResult) -> TileResult:
        """Add a result, to be written within about a second."""
        self._waiting.append(result)
        if len(self._waiting) >= MOST or time.monotonic() - self._since >= SECONDS:
            self.flush()
        return result

    def flush(self) -> None:
        """Write pending results."""
        if self._waiting:
            name = f"{min(result.index for result in self._waiting)}.npz"
            write_bytes(self.folder / name, _pack(self._waiting), force=True)
        self._waiting, self._since = [], time.monotonic()

    def save(self, program: Program, *, force: bool) -> None:
        """Write the program to its destination and end the journal.

        Raises:
            FileError: it can't be written.
        """
        self.flush()
        save_program(program, self.output, force=force, within=self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, digest: str, *, force: bool) -> None:
        job = self.folder / "job.json"
        for stale in self.folder.glob(".*.tmp"):
            shutil.rmtree(stale, ignore_errors=True)
        if job.exists() and json.loads(job.read_bytes() or b"{}").get("digest") == digest:
            return
        if job.exists() and not force:
            raise FileError(
                f"{self.output}: there is an unfinished run of a different job for this output; "
                "resume it with its own arguments, or discard it with --force"
            )
        for old in self.folder.glob("*.npz"):
            old.unlink()
        write_bytes(job, json.dumps({"digest": digest}).encode(), force=True)


def _hold(lock: IO[str], output: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(
            f"{output}: another run is writing it; wait for it, or choose another name"
        ) from None


def _digest(jobs: Jobs) -> str:
    """Digest of everything that the program's bytes depend on."""
    plan, total = jobs.plan, hashlib.sha256()
    chip = plan.chip
    content = {
        "format": FORMAT,
        "hardware": chip.hardware.model_dump(mode="json"),
        "seed": chip.seed,
        "options": plan.options.model_dump(mode="json"),
        "placement": [[block.to_json() for block in blocks] for blocks in jobs.blocks],
        "graph": None if plan.graph is None else plan.graph.to_json(),
    }
    total.update(json.dumps(content, sort_keys=True).encode())
    arrays: list[Any] = list(plan.weights.values())
    if plan.graph is not None:
        arrays += plan.graph.constants.values()
    if chip.measurement is not None:
        arrays += [chip.measurement.on, chip.measurement.off, chip.measurement.stuck]
    if jobs.kept is not None:
        arrays += jobs.kept.switches.values()
        arrays += map(np.asarray, jobs.kept.units.values())
    for array in arrays:
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _pack(results: list[TileResult]) -> bytes:
    records = [
        {
            "index": result.index,
            "blocks": [block.to_json() for block in result.blocks],
            "reached": [asdict(reached) for reached in result.reached],
            "wire_errors": list(result.wire_errors),
        }
        for result in results
    ]
    stream = io.BytesIO()
    np.savez(
        stream,
        said=np.frombuffer(json.dumps(records).encode(), dtype=np.uint8),
        packed=np.stack([result.packed for result in results]),
        scale=np.concatenate([scale for result in results for scale in result.scales]),
    )
    return stream.getvalue()


def _unpack(file: Path) -> list[TileResult]:
    content = read_npz(file)
    records = json.loads(content["said"].tobytes())
    packed, scale = content["packed"], content["scale"]
    results, used = [], 0
    for entry, bits in zip(records, packed, strict=True):
        blocks = tuple(Block.from_json(record) for record in entry["blocks"])
        scales = []
        for block in blocks:
            scales.append(scale[used : used + block.shape[1]])
            used += block.shape[1]
        results.append(
            TileResult(
                int(entry["index"]),
                blocks,
                tuple(scales),
                bits,
                tuple(Reached(**reached) for reached in entry["reached"]),
                tuple(entry["wire_errors"]),
            )
        )
    return results
