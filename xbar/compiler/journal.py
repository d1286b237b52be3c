"""Journal of a compilation's results on disk, so that an interrupted run can resume.

    .out.xbar.unfinished/     next to the output, removed when the program is complete
      lock                    held by the active run; released when it ends, for whatever reason
      job.json                digest of everything that the program depends on, xbar's version
      <n>.npz                 results of some tiles, written atomically
      .*.tmp/                 the program while it is written, or the one that it replaced

Results are written about once per second. A run of the same job and version reads them and does
the rest; the program is then identical to the last byte, because each tile's result is a function
of its job. A folder of this name that is a link, or holds anything else, is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from xbar.compiler.block import Block
from xbar.compiler.consistency import check_result, read_block, read_errors, read_reached
from xbar.compiler.job import Jobs, TileResult
from xbar.compiler.program import Program
from xbar.compiler.sealed import JSON_ERRORS, read_json
from xbar.compiler.store import DAMAGE, FORMAT, PROGRAM, save_program
from xbar.errors import FileError, printable
from xbar.files import read_regular, refuse_inside, write_bytes
from xbar.folders import recover, refuse_directory
from xbar.npz import read_npz
from xbar.version import __version__

SECONDS = 1.0
"""Interval between writes: the most work lost when a run is killed, besides a write in progress."""

MOST = 256
"""Maximum number of results per file."""

_PROGRAM = r"\..+\.tmp(\.old)?"
_PARTIAL = r"\.[0-9a-z]+\.partial"  # zarr's own files while they are written
_ARRAY = rf"zarr(\.json|{_PARTIAL})|c(/[0-9]+)*({_PARTIAL})?"
_OWN = re.compile(
    rf"lock|(\.)?(job\.json|[0-9]+\.npz)(?(1)\.\w+)"
    rf"|{_PROGRAM}/(manifest\.json|zarr(\.json|{_PARTIAL})|[a-z]+/([a-z0-9]+/)?({_ARRAY}))"
)
_FOLDER = re.compile(rf"{_PROGRAM}(/[a-z]+(/[a-z0-9]+(/c(/[0-9]+)*)?)?)?")
"""Files and folders in a journal, by their paths within it."""


@dataclass(eq=False)
class Journal:
    """A folder of results, locked by one run.

    Attributes:
        folder: path of the folder.
        output: path of the program.
        jobs: the jobs whose results it holds.
    """

    folder: Path
    output: Path
    jobs: Jobs
    _waiting: list[TileResult] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    @classmethod
    @contextmanager
    def open(cls, output: Path, jobs: Jobs, *, force: bool) -> Iterator[Journal]:
        """Start or resume the journal of a job; results are kept if the block fails.

        Raises:
            FileError: the output exists and ``force`` is not set, another run holds the lock, the
                journal belongs to another job or version and ``force`` is not set, the folder is a
                link or holds other files than a journal's, or it can't be written.
        """
        refuse_inside(output)
        if os.path.lexists(output):
            refuse_directory(output, PROGRAM, force=force)
        folder = output.absolute().parent / f".{output.name}.unfinished"
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            _check_own(folder, output)
            with _open_lock(folder / "lock") as lock:
                _hold(lock, output)
                recover(output, PROGRAM, folder)
                refuse_directory(output, PROGRAM, force=force)
                journal = cls(folder, output, jobs)
                journal._begin(force=force)
                try:
                    yield journal
                except BaseException:
                    journal.flush()
                    raise
        except OSError as error:
            raise FileError(f"{output}: can't be written ({error.strerror or error})") from error

    def results(self) -> dict[int, TileResult]:
        """Results of earlier runs by tile; damaged files count as not done."""
        found = {}
        for file in sorted(self.folder.glob("*.npz")):
            try:
                results = _unpack(file, self.jobs)
            except DAMAGE:
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
        self._clear()
        for name in ("job.json", "lock"):
            (self.folder / name).unlink()
        with contextlib.suppress(OSError):  # somebody put something there: it stays
            self.folder.rmdir()

    def _clear(self) -> None:
        """Delete the results."""
        for old in self.folder.glob("*.npz"):
            old.unlink()

    def _sweep(self) -> None:
        """Delete what killed runs left unfinished; ``_check_own`` has seen it all."""
        for stale in self.folder.glob(".*"):
            if stale.is_dir() and not stale.is_symlink():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink()

    def _begin(self, *, force: bool) -> None:
        job = self.folder / "job.json"
        self._sweep()
        digest, found = _digest(self.jobs), _read_job(job)
        if found == {"version": __version__, "digest": digest}:
            return
        if found is not None and not force:
            version = found.get("version", "another version")
            unfinished = f"{self.output}: there is an unfinished run of"
            if version != __version__:
                raise FileError(
                    f"{unfinished} xbar {version}, whose results xbar {__version__} does not take; "
                    "resume it with that version, or discard it with --force"
                )
            raise FileError(
                f"{unfinished} a different job for this output; resume it with its own arguments, "
                "or discard it with --force"
            )
        self._clear()
        content = {"version": __version__, "digest": digest}
        write_bytes(job, json.dumps(content).encode(), force=True)


def _check_own(folder: Path, output: Path) -> None:
    """Check that a folder is a journal, by what it holds.

    Raises:
        FileError: it is a link, no folder, or holds anything that a journal does not.
    """
    problem = None if stat.S_ISDIR(folder.lstat().st_mode) else "is not a folder"
    waiting = [] if problem else [""]
    while waiting and problem is None:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(path):
                    waiting.append(path + "/")
                elif not (entry.is_file(follow_symlinks=False) and _OWN.fullmatch(path)):
                    problem = f"holds {printable(path)}, which is no part of an unfinished run"
    if problem is not None:
        raise FileError(
            f"{output}: {folder.name} next to it {problem}; look at it and remove it, or choose "
            "another name"
        )


def _open_lock(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+")


def _read_job(path: Path) -> dict[str, Any] | None:
    """Content of a journal's ``job.json``; None without one, {} if it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        content = read_json(read_regular(path))
    except JSON_ERRORS:
        content = None
    return content if isinstance(content, dict) else {}


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


def _unpack(file: Path, jobs: Jobs) -> list[TileResult]:
    """The results of a file, each checked against its job."""
    content = read_npz(file)
    records = read_json(content["said"].tobytes())
    packed, scale = content["packed"], content["scale"]
    results, used = [], 0
    for entry, bits in zip(records, packed, strict=True):
        index = entry["index"]
        blocks = tuple(read_block(record, jobs.plan) for record in entry["blocks"])
        if index not in range(len(jobs)) or _weights(blocks) != _weights(jobs.blocks[index]):
            raise FileError(f"{file}: it holds other weights than tile {index}")
        scales = []
        for block in blocks:
            scales.append(scale[used : used + block.shape[1]])
            used += block.shape[1]
        reached = tuple(read_reached(record) for record in entry["reached"])
        errors = read_errors(entry["wire_errors"])
        results.append(TileResult(index, blocks, tuple(scales), bits, reached, errors))
        check_result(results[-1], jobs.plan)
    return results


def _weights(blocks: Iterable[Block]) -> list[tuple[str, int, list[int], list[int]]]:
    """The weights of blocks, wherever they lie on the tile."""
    return [
        (block.layer, block.group, sorted(block.inputs.tolist()), sorted(block.outputs.tolist()))
        for block in blocks
    ]
