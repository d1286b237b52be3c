"""Configuration files of a program, for a chip's configuration logic and as tables.

    folder/
      configuration.json   kind, shape, each tile's blocks and files, their sha256
      tile<n>.hex          switch states as words for Verilog's $readmemh, see ``words.py``
      tile<n>.csv          every resistor with its weight, see ``devices.py``
      corrections.csv      of a program with digital corrections: those of each output

One tile is in memory at a time. The folder is written atomically; the same program gives the same
bytes.

Shapes: W x B cells of a tile, K resistors per cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.devices import correction_lines, device_lines, read_devices
from xbar.compiler.program import Program
from xbar.compiler.sealed import read_index, seal
from xbar.compiler.tile import ProgrammedTile
from xbar.compiler.words import read_words, words_text
from xbar.errors import FileError, SpecError, printable
from xbar.files import read_regular
from xbar.folders import Marker, new_directory
from xbar.parallel import Progress
from xbar.tables import Outline

Format: TypeAlias = Literal["readmemh", "csv", "both"]
Masks = NDArray[np.bool_]

FORMAT = 2
INDEX = "configuration.json"
CONFIGURATION = Marker(INDEX, "xbar configuration")
WRITER = "xbar emit"
CORRECTED = "corrections.csv"
ENDINGS = {"readmemh": "hex", "csv": "csv"}

_SHAPE = ("word_lines", "bit_lines", "resistors")


def check_format(text: str) -> Format:
    """Check a format.

    Raises:
        SpecError: it is unknown.
    """
    for known in get_args(Format):
        if text == known:
            form: Format = known
            return form
    raise SpecError(f"format must be one of {', '.join(get_args(Format))}, not {text!r}")


def write_configuration(
    program: Program,
    path: Path,
    form: Format = "both",
    tiles: Sequence[int] | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> None:
    """See ``Program.write_configuration``."""
    wanted = [kind for kind in ENDINGS if check_format(form) in (kind, "both")]
    if "readmemh" in wanted and any(tile.tuned is not None for tile in program.tiles):
        raise SpecError(
            f"format must be 'csv' for programming {program.options.programming!r}, whose cells "
            f"are tuned and have no switches, not {form!r}"
        )
    chosen = _choose(program, tiles)
    w, b = program.hardware.cells
    content: dict[str, Any] = {
        "kind": CONFIGURATION.kind,
        "format": FORMAT,
        "design": program.hardware.name,
        "seed": program.chip.seed,
        "word_lines": w,
        "bit_lines": b,
        "resistors": program.hardware.bank.resistors,
        "layout": program.hardware.bank.layout,
        "tiles": [],
        "files": {},
    }
    with new_directory(path, CONFIGURATION, force=force) as folder:
        for done, index in enumerate(chosen, start=1):
            tile = program.tiles[index].fresh()
            entry: dict[str, Any] = {"tile": index}
            for kind in wanted:
                name = f"tile{index}.{ENDINGS[kind]}"
                entry[kind] = name
                content["files"][name] = _write(folder / name, _lines(kind, tile, name))
            entry["blocks"] = [placed.block.to_json() for placed in tile.blocks]
            content["tiles"].append(entry)
            if progress is not None:
                progress(done, len(chosen))
        if program.corrections is not None:
            content["corrections"] = CORRECTED
            lines = correction_lines(program.corrections)
            content["files"][CORRECTED] = _write(folder / CORRECTED, lines)
        (folder / INDEX).write_bytes(seal(content))


def _choose(program: Program, tiles: Sequence[int] | None) -> list[int]:
    count = len(program.tiles)
    if tiles is None:
        return list(range(count))
    for index in tiles:
        if not 0 <= index < count:
            raise SpecError(f"tile must be from 0 to {count - 1}, not {index}")
    if not len(tiles):
        raise SpecError("there must be at least one tile to write")
    return sorted(set(tiles))


def _lines(kind: str, tile: ProgrammedTile, name: str) -> Iterator[str]:
    if kind == "csv":
        return device_lines(tile)
    layout = tile.chip.hardware.bank.layout
    return iter([words_text(tile.mask, tile.index, layout, name)])


def _write(path: Path, lines: Iterable[str]) -> str:
    """Write a file; returns its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for text in lines:
            content = text.encode()
            digest.update(content)
            file.write(content)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class Configuration(Outline):
    """A folder written by ``Program.write_configuration``.

    Attributes:
        path: path of the folder.
        shape: shape (W, B, K) of a tile.
        tiles: files by tile index and format: {3: {"readmemh": "tile3.hex"}}.
        digests: sha256 by file.
    """

    path: Path
    shape: tuple[int, int, int]
    tiles: Mapping[int, Mapping[str, str]]
    digests: Mapping[str, str]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder; its tiles are read on demand.

        Raises:
            FileError: it is not such a folder or its index is damaged.
        """
        path = Path(path)
        content = read_index(path, CONFIGURATION, FORMAT, WRITER)
        try:
            w, b, k = (_count(content[name], 1) for name in _SHAPE)
            tiles = {
                _count(entry["tile"], 0): {
                    kind: str(entry[kind]) for kind in ENDINGS if kind in entry
                }
                for entry in content["tiles"]
            }
            digests = {
                name: str(content["files"][name]) for t in tiles.values() for name in t.values()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{path}: {INDEX} is damaged ({error}); write it again") from error
        for index, names in tiles.items():
            for kind, name in names.items():
                if name != f"tile{index}.{ENDINGS[kind]}":
                    raise FileError(
                        f"{path}: {INDEX} names a file {printable(name)[:60]!r} that is not its own"
                    )
        return cls(path, (w, b, k), tiles, digests)

    def mask(self, tile: int, form: Format = "readmemh") -> Masks:
        """(W, B, K) switch states of a tile, from its words or its table.

        Raises:
            SpecError: the tile was not written, or not in this format.
            FileError: its file can't be read, is damaged, or was changed.
        """
        names = self.tiles.get(tile, {})
        if form not in names:
            raise SpecError(f"{self.path}: holds no {form} of tile {tile}")
        file = self.path / names[form]
        content = read_regular(file)
        if hashlib.sha256(content).hexdigest() != self.digests[names[form]]:
            raise FileError(f"{file}: was changed after it was written; write it again")
        mask = read_words(file) if form == "readmemh" else read_devices(file, self.shape)
        if mask.shape != self.shape:
            raise FileError(f"{file}: holds {mask.shape} switches, not {self.shape}")
        return mask


def _count(value: Any, least: int) -> int:
    """A number of lines, resistors or a tile from an index."""
    if type(value) is not int or not least <= value < 2**31:
        raise ValueError(f"{printable(str(value))[:40]!r} must be a whole number from {least}")
    return value
