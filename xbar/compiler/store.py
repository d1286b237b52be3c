"""A program on disk: a directory of numpy's files and a manifest, written last.

    out.xbar/
      manifest.json         kind, design, options, network, each file's sha256 and its own
      index.npz             the blocks of all tiles, see ``block_table.py``
      tiles/<n>.npz         switches as bits, scales, blocks and residuals of the n-th bundle: about
                            a megabyte of consecutive tiles, see ``bundles.py``
      weights/<n>.npy       the network's arrays, unless they stay in the model's own files, which
                            the manifest then refers to, see ``array_files.py``
      corrections.npz       digital corrections of a calibrated program, see ``corrections.py``
      chip/on, off, stuck   .npy, and c2 if known; measured chip only: a sampled one is given by
                            its seed

A tile takes K bits a cell and 8 bytes a column, and each weight is stored once. The same program
gives the same bytes. ``writer.py`` writes a program bundle by bundle, ``journal.py`` while it is
compiled.

Reading is lazy. First the manifest and the index are compared with their checksums and with each
other, so that every weight has one place; a bundle or an array is read, and compared with its
checksum and with the index, when it is first used. Programs of up to ``WHOLE`` bytes are read whole
at once. Nothing in a file selects code.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.array_files import CheckedArray, npy_array, read_records
from xbar.compiler.block_table import COLUMNS, ROWS, BlockTable, check_places
from xbar.compiler.bundles import NAMES, Bundle, read_npz_bytes, tiles_per_bundle
from xbar.compiler.checks import check_chip_size, check_hardware, check_matrices, check_options
from xbar.compiler.consistency import check_keys, read_placement
from xbar.compiler.corrections import ARRAYS, Corrections
from xbar.compiler.corrections import NAME as CORRECTIONS
from xbar.compiler.job import TileResult
from xbar.compiler.options import Options
from xbar.compiler.plan import Plan
from xbar.compiler.program import Program
from xbar.compiler.sealed import SealedFolder, changed_files
from xbar.compiler.stored_tiles import Bundles, StoredTiles
from xbar.compiler.tile import ProgrammedTile
from xbar.compiler.weights import LateMatrices
from xbar.compiler.writer import FORMAT, INDEX, MEASURED, PROGRAM, Writer, bundle_name
from xbar.errors import FileError, XbarError, printable
from xbar.files import mode_of
from xbar.folders import new_directory
from xbar.hardware.chip import Chip
from xbar.hardware.measurement import check_measurement
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.stored import StoredArrays

WRITER = "xbar compile"
WHOLE = 1 << 23
"""Bytes of files up to which a program is read whole when it is loaded."""

_KEYS = frozenset(
    str.split(
        "checksum decided files format hardware kind measured network options placement seed tiles"
    )
)
_CELL, _ENTRY = 256, 1 << 16
"""Bytes that an archive may have for each cell of its tiles, and so many more."""

# what damaged content raises below: mostly undocumented, observed in tests
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError,
    TypeError, ValueError, XbarError,
)  # fmt: skip


def save_program(program: Program, path: Path, *, force: bool, embed: bool = False) -> None:
    """See ``Program.save``."""
    with new_directory(path, PROGRAM, force=force) as folder:
        writer = Writer.of(folder, path, program.plan, embed=embed)
        size = tiles_per_bundle(program.plan)
        for first in range(0, len(program.tiles), size):
            tiles = program.tiles[first : first + size]
            writer.write(Bundle.of([TileResult.of(tile) for tile in tiles], program.plan))
        writer.seal(writer.finish())


def load_program(path: Path) -> Program:
    """See ``Program.load``."""
    folder = SealedFolder.open(path, PROGRAM, FORMAT, WRITER)
    for fault in folder.faults(contents=False):
        raise FileError(f"{path}: {fault}; compile it again")
    with _damage(path):
        return _Reader(folder).program()


def load_tiles(path: Path, plan: Plan) -> Sequence[ProgrammedTile]:
    """The tiles of a program that was written for a plan.

    Raises:
        FileError: the folder is no program, or another one's.
    """
    folder = SealedFolder.open(path, PROGRAM, FORMAT, WRITER)
    with _damage(path):
        return _Reader(folder, plan).program().tiles


def check_store(path: Path) -> tuple[int, list[str]]:
    """Verify a program's files; returns their number and the faults, one sentence each.

    Raises:
        FileError: it is not a program.
    """
    if not stat.S_ISDIR(mode_of(path)) or not os.path.lexists(path / PROGRAM.name):
        SealedFolder.open(path, PROGRAM, FORMAT, WRITER)
    try:
        folder = SealedFolder.open(path, PROGRAM, FORMAT, WRITER)
        faults = list(folder.faults())
        if not faults:
            with _damage(path):
                _Reader(folder).check()
    except FileError as error:
        told = [str(error).removeprefix(f"{path}: ")]
        return _count(path), told + list(changed_files(path, PROGRAM))
    return len(folder.sizes), faults


def _count(path: Path) -> int:
    """Number of files in a damaged folder, the manifest aside."""
    return sum(len(files) for _, _, files in os.walk(path)) - 1


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """One line for whatever damaged content raises."""
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, FileError) and str(error).startswith(f"{path}: "):
            raise
        what = printable(str(error) or type(error).__name__)[:300]
        raise FileError(f"{path}: is not a program that this xbar can read ({what})") from error


class _Reader:
    """A program folder whose manifest and index are checked."""

    def __init__(self, folder: SealedFolder, plan: Plan | None = None) -> None:
        self.folder, manifest = folder, folder.content
        self.guard = partial(_damage, folder.path)
        self.corrected = "corrections" in manifest
        more = {"corrections"} if self.corrected else set()
        check_keys(manifest, _KEYS | more, PROGRAM.name)
        self.count, self.bundles = self._tiles(manifest["tiles"])
        self.arrays = self._arrays(manifest["network"])
        self._check_files()
        outer = sum(array.size for array in self.arrays.values())
        self.late = outer + sum(folder.sizes.values()) > WHOLE
        plan = plan or self._plan(self._chip(manifest))
        if manifest["tiles"]["bundle"] != (size := tiles_per_bundle(plan)):
            raise FileError(f"tiles: a bundle must have {size} tiles")
        check_chip_size(plan.chip, self.count)
        self.table = self._table(plan)
        check_places(self.table, plan)
        weights = int((self.table.rows[:, ROWS] * self.table.rows[:, COLUMNS]).sum())
        counts = (self.count, len(self.table.rows), weights)
        self.plan = replace(
            plan,
            placement=read_placement(manifest["placement"], counts),
            corrections=self._corrections(plan) if self.corrected else None,
        )

    def program(self) -> Program:
        """The program; its tiles are made when they are asked for, unless it is small."""
        if self.late:
            # whatever the process's folder will be when they are read
            self.folder = replace(self.folder, path=self.folder.path.absolute())
            bundles = Bundles(self.plan, self.table, self.bundle)
            return Program(self.plan, StoredTiles(bundles, range(self.count)))
        results = (each for n in range(self.bundles) for each in self.bundle(n).results(self.plan))
        return Program(self.plan, tuple(result.tile(self.plan) for result in results))

    def check(self) -> None:
        """Check also what ``program`` leaves to its first use."""
        for number in range(self.bundles):
            self.bundle(number)
        for array in self.arrays.values():
            array.check()
        for name in self.plan.weights:
            self.plan.weights[name]

    def bundle(self, number: int) -> Bundle:
        """A bundle, checked.

        Raises:
            FileError: it was changed, or contradicts the plan or the index.
        """
        name, size = bundle_name(number), tiles_per_bundle(self.plan)
        with _damage(self.folder.path):
            first = number * size
            tiles = slice(first, min(first + size, self.count))
            arrays = self._archive(name, tiles.stop - first, NAMES)
            bundle = Bundle.read(arrays, first, tiles.stop - first, self.plan)
            if not bundle.table.same(self.table.part(tiles)):
                raise FileError(f"{name} has other blocks than {INDEX}")
            return bundle

    def _archive(self, name: str, tiles: int, names: Collection[str]) -> dict[str, NDArray[Any]]:
        word_lines, bit_lines = Hardware(**self.folder.content["hardware"]).cells
        resistors = self.folder.content["hardware"]["bank"]["resistors"]
        most = _ENTRY + tiles * word_lines * bit_lines * (_CELL + resistors)
        return read_npz_bytes(self.folder.read(name, most), names, name)

    def _corrections(self, plan: Plan) -> Corrections:
        shapes, columns = plan.shapes, self.table.columns
        outputs = sum(groups * rows for groups, rows, _ in shapes.values())
        most = _ENTRY + 8 * (2 * outputs + len(shapes) + sum(columns.values()))
        arrays = read_npz_bytes(self.folder.read(CORRECTIONS, most), ARRAYS, CORRECTIONS)
        record = self.folder.content["corrections"]
        return Corrections.read(record, arrays, shapes, columns)

    def _tiles(self, record: Any) -> tuple[int, int]:
        """The number of tiles, and of bundles."""
        check_keys(record, ("count", "bundle"), "tiles")
        count, bundle = record["count"], record["bundle"]
        if type(count) is not int or type(bundle) is not int or count < 0 or bundle < 1:
            raise FileError("tiles: count and bundle must be whole numbers")
        bundles = -(-count // bundle)
        if bundles > len(self.folder.sizes):
            raise FileError(f"{bundle_name(len(self.folder.sizes))} is missing")
        return count, bundles

    def _arrays(self, network: Any) -> dict[str, CheckedArray]:
        check_keys(network, ("graph", "names", "arrays"), "network")
        names = network["names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FileError("network: names must be a list of names")
        if not names or len(set(names)) != len(names):
            raise FileError("network: names must be those of arrays, each once")
        return read_records(
            self.folder.path, names, network["arrays"], self.folder.content["files"]
        )

    def _check_files(self) -> None:
        """Check that every file is a part of the program, and every part is there."""
        inner = {array.path for array in self.arrays.values() if not array.start}
        place = self.folder.path.absolute()
        expected = {path.relative_to(place).as_posix() for path in inner}
        expected |= {bundle_name(number) for number in range(self.bundles)}
        expected |= {INDEX} if self.count else set()
        expected |= {CORRECTIONS} if self.corrected else set()
        if self.folder.content["seed"] is None:
            expected |= {f"chip/{name}.npy" for name in self._measured}
        for name in sorted(self.folder.sizes.keys() ^ expected):
            state = "is missing" if name in expected else "belongs to nothing of the program"
            raise FileError(f"{printable(name)} {state}")

    @property
    def _measured(self) -> list[str]:
        """What was measured of a chip: its bend is not of each."""
        given = self.folder.sizes
        return [name for name in MEASURED if name != "c2" or f"chip/{name}.npy" in given]

    def _chip(self, manifest: Mapping[str, Any]) -> Chip:
        hardware, tiles = Hardware(**manifest["hardware"]), manifest["measured"]
        if manifest["seed"] is not None:
            if tiles is not None:
                raise FileError("measured must be null for a chip with a seed")
            return Chip.sample(hardware, manifest["seed"])
        if type(tiles) is not int or not 0 <= tiles < 2**32:
            raise FileError("measured must be the number of measured tiles")
        shape = (*hardware.cells, hardware.bank.resistors)
        measured = {
            name: npy_array(
                self.folder.path,
                f"chip/{name}.npy",
                "int8" if name == "stuck" else "float64",
                (tiles, *shape),
                manifest["files"][f"chip/{name}.npy"],
            ).read()
            for name in self._measured
        }
        return Chip(hardware, None, check_measurement(measured, shape, hardware.bank.on_off_ratios))

    def _plan(self, chip: Chip) -> Plan:
        manifest, graph = self.folder.content, None
        record = manifest["network"]["graph"]
        if record is None:
            weights = self._matrices()
        else:
            late = StoredArrays(self.arrays)
            graph = Graph.from_json(record, late if self.late else dict(late))
            if len(graph.constants) != len(self.arrays):
                raise FileError("network: its graph does not list every constant")
            weights = LateMatrices.of_graph(graph, self.guard)
            if not self.late:
                weights = check_matrices(dict(weights))
        if type(manifest["decided"]) is not bool:
            raise FileError("decided must be true or false")
        options = Options(**manifest["options"])
        if options.chosen is not None:  # a moment that the design has
            chip.at(**options.chosen.model_dump(exclude={"path"}))
        plan = Plan(chip, graph, weights, options, None, manifest["decided"])
        check_hardware(chip.hardware, plan.mapping)
        check_options(chip.hardware, options, ticket=plan.decided)
        return plan

    def _matrices(self) -> Mapping[str, Floats]:
        shapes = {name: array.shape for name, array in self.arrays.items()}
        if any(not name or len(each) != 3 or 0 in each for name, each in shapes.items()):
            raise FileError("matrices must have names, and the axes group, output and input")
        if not self.late:
            arrays = {name: array.read() for name, array in self.arrays.items()}
            check_matrices(arrays)
            return LateMatrices.of_arrays(arrays)
        return LateMatrices(
            {name: (a.shape, a.read) for name, a in self.arrays.items()}, self.guard
        )

    def _table(self, plan: Plan) -> BlockTable:
        if not self.count:
            return BlockTable.of([], {})
        arrays = self._archive(INDEX, self.count, ("counts", "rows", "listed"))
        table = BlockTable.read(arrays, plan)
        if len(table) != self.count:
            raise FileError(f"{INDEX} must have {self.count} tiles, not {len(table)}")
        return table
