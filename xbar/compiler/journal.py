"""What a compilation has done so far, on disk, so that a stopped run goes on where it was.

    .out.xbar.unfinished/     beside the output, gone when the program is whole
      lock                    held by the run that works here; freed when it ends, however it ends
      job.json                a digest of everything that the program depends on
      <n>.npz                 results of some tiles, each file whole or absent
      .*.tmp/                 the program while it is written

Results are written once a second or so. A run with the same job reads them and does the rest; the
program is then the same to the last byte, because each tile's result is a function of its job.
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
from xbar.compiler.store import FORMAT, MANIFEST, save_program
from xbar.compiler.tile import Reached
from xbar.errors import FileError
from xbar.files import read_npz, refuse_directory, write_bytes

SECONDS = 1.0
"""So much work is lost at most when a run is killed, and what was being written."""

MOST = 256
"""Results that one file holds at most."""


@dataclass(eq=False)
class Journal:
    """A folder of results that one run holds.

    Attributes:
        folder: where they lie.
        output: where the program will lie.
    """

    folder: Path
    output: Path
    _waiting: list[TileResult] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    @classmethod
    @contextmanager
    def open(cls, output: Path, jobs: Jobs, *, force: bool) -> Iterator[Journal]:
        """The journal of a job, begun or gone on with; results are kept if the block fails.

        Raises:
            FileError: the output exists and ``force`` is not set, another run holds the journal,
                it belongs to another job and ``force`` is not set, or it can't be written.
        """
        refuse_directory(output, MANIFEST, force=force)
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
        """By tile, what earlier runs did; a damaged file counts as not done."""
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
        """Keep a result; it is on disk within a second or so."""
        self._waiting.append(result)
        if len(self._waiting) >= MOST or time.monotonic() - self._since >= SECONDS:
            self.flush()
        return result

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            name = f"{min(result.index for result in self._waiting)}.npz"
            write_bytes(self.folder / name, _pack(self._waiting), force=True)
        self._waiting, self._since = [], time.monotonic()

    def save(self, program: Program, *, force: bool) -> None:
        """Write the program to its place; then the journal is no longer needed.

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
                f"{self.output}: an unfinished run of another job lies beside it; start that again "
                "with its own arguments, or discard it by --force"
            )
        for old in self.folder.glob("*.npz"):
            old.unlink()
        write_bytes(job, json.dumps({"digest": digest}).encode(), force=True)


def _hold(lock: IO[str], output: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(
            f"{output}: another run is writing it; wait for that, or choose another name"
        ) from None


def _digest(jobs: Jobs) -> str:
    """Of everything that the program's bytes depend on."""
    plan, total = jobs.plan, hashlib.sha256()
    chip = plan.chip
    said = {
        "format": FORMAT,
        "hardware": chip.hardware.model_dump(mode="json"),
        "seed": chip.seed,
        "options": plan.options.model_dump(mode="json"),
        "placement": [[block.to_json() for block in blocks] for blocks in jobs.blocks],
        "graph": None if plan.graph is None else plan.graph.to_json(),
    }
    total.update(json.dumps(said, sort_keys=True).encode())
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
    said = [
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
        said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
        packed=np.stack([result.packed for result in results]),
        scale=np.concatenate([scale for result in results for scale in result.scales]),
    )
    return stream.getvalue()


def _unpack(file: Path) -> list[TileResult]:
    content = read_npz(file)
    said = json.loads(content["said"].tobytes())
    packed, scale = content["packed"], content["scale"]
    results, used = [], 0
    for entry, bits in zip(said, packed, strict=True):
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
