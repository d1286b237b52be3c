"""A compilation's program while it is written, so that an interrupted run can resume.

    .out.xbar.unfinished/     next to the output, removed when the program is complete
      lock                    held by the active run; released when it ends, for whatever reason
      job.json                digest of everything that the program depends on, xbar's version, and
                              the checksum of the manifest, once there is one
      .out.xbar.program.tmp/  the program: bundles, each written once, atomically; then the rest
      <n>.npz                 results of tiles whose bundle lacks others, of runs with slow tiles
      .*.tmp/, .*.tmp.old/    a program that was replaced, while it is deleted

When the last bundle is there, the rest is written and the folder takes the output's name; nothing
is copied. A run of the same job and version takes the bundles of the last run, each checked against
its job, and does the rest; the program is then identical to the last byte, because each tile's
result is a function of its job. A folder of this name that is a link, or holds anything else, is
left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from xbar.compiler.block import Block
from xbar.compiler.bundles import NAMES, Bundle, read_npz_bytes, tiles_per_bundle
from xbar.compiler.job import Jobs, TileResult
from xbar.compiler.program import Program
from xbar.compiler.sealed import JSON_ERRORS, read_json
from xbar.compiler.store import DAMAGE, load_tiles
from xbar.compiler.writer import FORMAT, PROGRAM, Writer, bundle_name
from xbar.errors import FileError
from xbar.files import read_regular, refuse_inside, write_bytes
from xbar.folders import new_mode, recover, refuse_directory, take_place
from xbar.unfinished import locked, unfinished_folder
from xbar.version import __version__

SECONDS = 1.0
"""The longest that a result waits for its bundle to be complete before it is written by itself."""

_PROGRAM = r"\..+\.tmp(\.old)?"
_TEMPORARY = r"\..+\.[0-9a-f]{16}"
_FILES = rf"manifest\.json|[a-z]+\.npz|[a-z]+/[a-z0-9]+\.np[yz]|([a-z]+/)?{_TEMPORARY}"
_ZARR = r"zarr\.json|[a-z]+/zarr\.json|[a-z]+/[a-z0-9]+/(zarr\.json|c(/[0-9]+)*)"  # to format 5
_OWN = re.compile(rf"lock|(\.)?(job\.json|[0-9]+\.npz)(?(1)\.\w+)|{_PROGRAM}/({_FILES}|{_ZARR})")
_FOLDER = re.compile(rf"{_PROGRAM}(/[a-z]+(/[a-z0-9]+(/c(/[0-9]+)*)?)?)?")
"""Files and folders in a journal, by their paths within it."""


@dataclass(eq=False)
class Journal:
    """A program that is being compiled, locked by one run.

    Attributes:
        folder: path of the folder.
        output: path of the program.
        jobs: the jobs whose results it takes.
        writer: the program as it is written.
    """

    folder: Path
    output: Path
    jobs: Jobs
    writer: Writer
    _waiting: dict[int, dict[int, TileResult]] = field(default_factory=dict)
    _unwritten: dict[int, float] = field(default_factory=dict)
    _alone: dict[Path, set[int]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(
        cls, output: Path, jobs: Jobs, *, force: bool, embed: bool = False
    ) -> Iterator[Journal]:
        """Start or resume the journal of a job; results are kept if the block fails.

        Args:
            output: path of the program.
            jobs: its jobs.
            force: replace an existing program, and discard the journal of another job.
            embed: write also the weights that could be referred to.

        Raises:
            FileError: the output exists and ``force`` is not set, another run holds the lock, the
                journal belongs to another job or version and ``force`` is not set, the folder is a
                link or holds other files than a journal's, or it can't be written.
        """
        refuse_inside(output)
        if os.path.lexists(output):
            refuse_directory(output, PROGRAM, force=force)
        folder = unfinished_folder(output)
        try:
            with locked(folder, output, _OWN, _FOLDER):
                recover(output, PROGRAM, folder)
                refuse_directory(output, PROGRAM, force=force)
                inner = folder / f".{output.name}.program.tmp"
                writer = Writer.of(inner, output, jobs.plan, embed=embed)
                journal = cls(folder, output, jobs, writer)
                journal._begin(force=force)
                try:
                    yield journal
                except BaseException:
                    journal.flush()
                    raise
        except OSError as error:
            raise FileError(f"{output}: can't be written ({error.strerror or error})") from error

    def resume(self) -> set[int]:
        """The tiles that earlier runs have done; damaged files count as not done."""
        done: set[int] = set()
        for number in range(-(-len(self.jobs) // self._size)):
            path = self.writer.folder / bundle_name(number)
            if path.exists():
                done.update(self._take(number, path))
        for path in sorted(self.folder.glob("*.npz")):
            results = [each for each in self._read_alone(path) if each.index not in done]
            self._alone[path] = {result.index for result in results}
            done |= self._alone[path]
            for result in results:
                self._gather(result)
        self._forget([])
        return done

    def add(self, result: TileResult) -> None:
        """Add a result; its bundle is written when it is complete."""
        self._unwritten[result.index] = time.monotonic()
        self._gather(result)
        oldest = next(iter(self._unwritten.values()), None)
        if oldest is not None and time.monotonic() - oldest >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write results whose bundles lack others."""
        if not self._unwritten:
            return
        indices = sorted(self._unwritten)
        results = [self._waiting[index // self._size][index] for index in indices]
        numbers = np.array(indices, dtype=np.uint64)
        path = self.folder / f"{indices[0]}.npz"
        write_bytes(path, Bundle.of(results, self.jobs.plan).to_bytes(index=numbers), force=True)
        self._alone[path] = set(indices)
        self._unwritten.clear()

    def finish(self, *, force: bool) -> Program:
        """Write the rest, move the program to its destination and end the journal.

        Raises:
            FileError: it can't be written.
        """
        job = self.folder / "job.json"
        text = self.writer.finish()
        content = {**(_read_job(job) or {}), "manifest": hashlib.sha256(text).hexdigest()}
        write_bytes(job, json.dumps(content).encode(), force=True)
        self.writer.seal(text)
        take_place(self.writer.folder, self.output, PROGRAM, force=force)
        for name in ("job.json", "lock"):
            (self.folder / name).unlink()
        with contextlib.suppress(OSError):  # somebody put something there: it stays
            self.folder.rmdir()
        return Program(self.jobs.plan, load_tiles(self.output, self.jobs.plan))

    @property
    def _size(self) -> int:
        return tiles_per_bundle(self.jobs.plan)

    def _range(self, number: int) -> range:
        """The tiles of a bundle."""
        return range(number * self._size, min((number + 1) * self._size, len(self.jobs)))

    def _gather(self, result: TileResult) -> None:
        number = result.index // self._size
        bundle = self._waiting.setdefault(number, {})
        bundle[result.index] = result
        tiles = self._range(number)
        if len(bundle) == len(tiles):
            self.writer.write(Bundle.of([bundle[index] for index in tiles], self.jobs.plan))
            del self._waiting[number]
            self._forget(tiles)

    def _forget(self, tiles: Iterable[int]) -> None:
        """Delete the results of tiles whose bundle is written."""
        for index in tiles:
            self._unwritten.pop(index, None)
        for path, indices in [*self._alone.items()]:
            indices.difference_update(tiles)
            if not indices:
                path.unlink(missing_ok=True)
                del self._alone[path]

    def _take(self, number: int, path: Path) -> range:
        """The tiles of a bundle that was written; none if it is damaged."""
        tiles = self._range(number)
        try:
            content = read_regular(path)
            arrays = read_npz_bytes(content, NAMES, path.name)
            bundle = Bundle.read(arrays, tiles.start, len(tiles), self.jobs.plan)
            for index in tiles:
                self._check_weights(index, bundle.table.blocks(index - tiles.start, self._layers))
        except DAMAGE:
            path.unlink()
            return range(0)
        self.writer.take(bundle, hashlib.sha256(content).hexdigest())
        return tiles

    def _read_alone(self, path: Path) -> list[TileResult]:
        """The results of a file of ``flush``; none if it is damaged."""
        try:
            arrays = read_npz_bytes(read_regular(path), {*NAMES, "index"}, path.name)
            index = arrays.pop("index")
            if index.dtype != np.uint64 or index.ndim != 1 or not len(index):
                raise FileError(f"{path.name}: index must be numbers of tiles")
            if int(index.max()) >= len(self.jobs) or len(np.unique(index)) != len(index):
                raise FileError(f"{path.name}: index must be numbers of tiles, each once")
            results = Bundle.read(arrays, 0, len(index), self.jobs.plan).results(self.jobs.plan)
            results = [
                replace(result, index=int(each))
                for each, result in zip(index, results, strict=True)
            ]
            for result in results:
                self._check_weights(result.index, result.blocks)
        except DAMAGE:
            path.unlink()
            return []
        return results

    def _check_weights(self, index: int, blocks: Iterable[Block]) -> None:
        if _weights(blocks) != _weights(self.jobs.blocks[index]):
            raise FileError(f"it holds other weights than tile {index}")

    @property
    def _layers(self) -> list[str]:
        return [*self.jobs.plan.weights]

    def _sweep(self, *, all_: bool) -> None:
        """Delete what killed runs left unfinished; ``locked`` has seen it all."""
        for stale in self.folder.glob(".*"):
            if not all_ and stale == self.writer.folder:
                continue
            if stale.is_dir() and not stale.is_symlink():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink()

    def _begin(self, *, force: bool) -> None:
        job, inner = self.folder / "job.json", self.writer.folder
        content = {"version": __version__, "digest": _digest(self.jobs, self.writer)}
        found = _read_job(job)
        manifest = None if found is None else found.pop("manifest", None)
        same = found == content
        if found is not None and not same and not force:
            self._refuse(found)
        index = inner / PROGRAM.name
        if same and os.path.lexists(index):
            same = hashlib.sha256(read_regular(index)).hexdigest() == manifest
            index.unlink()  # of a program that was to take its place, or else of the old one
        self._sweep(all_=not same)
        if not same:
            for old in self.folder.glob("*.npz"):
                old.unlink()
        write_bytes(job, json.dumps(content).encode(), force=True)
        inner.mkdir(exist_ok=True)
        inner.chmod(new_mode())
        for stale in inner.rglob(".*"):  # files that were being written
            stale.unlink()

    def _refuse(self, found: dict[str, Any]) -> None:
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


def _read_job(path: Path) -> dict[str, Any] | None:
    """Content of a journal's ``job.json``; None without one, {} if it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        content = read_json(read_regular(path))
    except JSON_ERRORS:
        content = None
    return content if isinstance(content, dict) else {}


def _digest(jobs: Jobs, writer: Writer) -> str:
    """Digest of everything that the program's bytes depend on."""
    plan, total = jobs.plan, hashlib.sha256()
    chip = plan.chip
    content = {
        "format": FORMAT,
        "hardware": chip.hardware.model_dump(mode="json"),
        "seed": chip.seed,
        "options": plan.options.model_dump(mode="json"),
        "placement": None if plan.placement is None else plan.placement.to_json(),
        "graph": None if plan.graph is None else plan.graph.to_json(),
        "arrays": [[name, *each] for name, each in writer.known.items()],
        "embed": writer.embed,
    }
    total.update(json.dumps(content, sort_keys=True).encode())
    arrays: list[Any] = []
    if chip.measurement is not None:
        measured = chip.measurement
        arrays += [measured.on, measured.off, measured.stuck]
        arrays += [] if measured.c2 is None else [measured.c2]
    if jobs.kept is not None:
        arrays += jobs.kept.switches.values()
        arrays += map(np.asarray, jobs.kept.units.values())
    for array in arrays:
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _weights(blocks: Iterable[Block]) -> list[tuple[str, int, list[int], list[int]]]:
    """The weights of blocks, wherever they lie on the tile."""
    return [
        (block.layer, block.group, sorted(block.inputs.tolist()), sorted(block.outputs.tolist()))
        for block in blocks
    ]
