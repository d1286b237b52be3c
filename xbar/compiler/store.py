"""A program on disk: a directory of zarr v3 arrays and a manifest, written last.

    out.xbar/
      manifest.json         kind, design, blocks, network, and each file's sha256
      tiles/mask            (T, W, B, ceil(K / 8)) uint8, switch states as bits, first lowest
      tiles/scale           siemens per unit weight of every column, in block order
      constants/<n>         the network's arrays, or matrices/<n> for bare matrices
      chip/on, off, stuck   measured chip only; a sampled one is given by its seed

The directory is written under a temporary name next to its destination and renamed when complete.
The same program gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.block import Block
from xbar.compiler.job import TileResult
from xbar.compiler.options import Options
from xbar.compiler.placement import PlacementReport
from xbar.compiler.plan import Plan
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile, Reached
from xbar.errors import FileError, XbarError
from xbar.files import new_directory
from xbar.hardware.chip import Chip
from xbar.hardware.measurement import check_measurement
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph

if TYPE_CHECKING:
    import zarr

FORMAT = 4
MANIFEST = "manifest.json"
CHUNK_CELLS = 2**20


def save_program(program: Program, path: Path, *, force: bool, within: Path | None = None) -> None:
    """See ``Program.save``; ``within`` is the folder for the temporary directory."""
    with new_directory(path, MANIFEST, force=force, within=within) as folder:
        import zarr

        root = zarr.open_group(store=folder, mode="w", zarr_format=3)
        manifest = {
            "format": FORMAT,
            "kind": "xbar program",
            "hardware": program.hardware.model_dump(mode="json"),
            "seed": program.chip.seed,
            "options": program.options.model_dump(mode="json"),
            "placement": None if program.placement is None else program.placement.to_json(),
            "decided": program.decided,
            "tiles": [_tile_to_json(tile) for tile in program.tiles],
            "network": _write_network(root, program),
        }
        if program.tiles:
            _write_tiles(root.create_group("tiles"), program)
        _write_measurement(root, program.chip)
        manifest["files"] = {
            str(file.relative_to(folder)): _sha256(file) for file in _files(folder)
        }
        with (folder / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1, sort_keys=True, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())


def load_program(path: Path) -> Program:
    """See ``Program.load``."""
    manifest = _read_manifest(path)
    _check_files(path, manifest["files"])
    import zarr

    try:
        root = zarr.open_group(store=path, mode="r")
        arrays = {name: _read(root, name) for name in _array_names(manifest["files"])}
        hardware = Hardware(**manifest["hardware"])
        return _assemble(manifest, arrays, _chip(hardware, manifest["seed"], arrays))
    except (KeyError, TypeError, ValueError, IndexError, XbarError) as error:
        raise FileError(f"{path}: is not a program that this xbar can read ({error})") from error


def _assemble(manifest: dict[str, Any], arrays: dict[str, NDArray[Any]], chip: Chip) -> Program:
    network = manifest["network"]
    graph = None
    if network["graph"] is None:
        weights = {name: arrays[f"matrices/{i}"] for i, name in enumerate(network["names"])}
    else:
        constants = {name: arrays[f"constants/{i}"] for i, name in enumerate(network["names"])}
        graph = Graph.from_json(network["graph"], constants)
        weights = {layer.name: np.asarray(layer.matrix) for layer in graph.layers}
    report = manifest["placement"]
    placement = None if report is None else PlacementReport(**report)
    options, decided = Options(**manifest["options"]), bool(manifest["decided"])
    plan = Plan(chip, graph, weights, options, placement, decided)
    if manifest["tiles"]:
        scales = iter(np.split(arrays["tiles/scale"], _scale_ends(manifest["tiles"])))
    tiles = []
    for index, entry in enumerate(manifest["tiles"]):
        blocks = tuple(Block.from_json(record["block"]) for record in entry["blocks"])
        result = TileResult(
            index,
            blocks,
            tuple(next(scales) for _ in blocks),
            arrays["tiles/mask"][index],
            tuple(Reached(**record["reached"]) for record in entry["blocks"]),
            tuple(float(error) for error in entry["wire_errors"]),
        )
        tiles.append(result.tile(plan))
    return Program(plan, tuple(tiles))


def _chip(hardware: Hardware, seed: int | None, arrays: Mapping[str, NDArray[Any]]) -> Chip:
    if seed is not None:
        return Chip.sample(hardware, seed)
    shape = (*hardware.cells, hardware.bank.resistors)
    measured = {name: arrays[f"chip/{name}"] for name in ("on", "off", "stuck")}
    return Chip(hardware, None, check_measurement(measured, shape, hardware.bank.on_off_ratio))


def _write_network(root: zarr.Group, program: Program) -> dict[str, Any]:
    arrays: Mapping[str, NDArray[Any]]
    if program.graph is None:
        group, arrays, graph = root.create_group("matrices"), program.weights, None
    else:
        group, arrays = root.create_group("constants"), program.graph.constants
        graph = program.graph.to_json()
    for number, array in enumerate(arrays.values()):
        group.create_array(str(number), data=np.ascontiguousarray(array))
    return {"graph": graph, "names": list(arrays)}


def _write_tiles(group: zarr.Group, program: Program) -> None:
    packed = np.stack([tile.packed for tile in program.tiles])
    scale = np.concatenate([placed.scale for tile in program.tiles for placed in tile.blocks])
    count, word_lines, bit_lines, _ = packed.shape
    together = max(1, CHUNK_CELLS // (word_lines * bit_lines))
    group.create_array("mask", data=packed, chunks=(min(together, count), *packed.shape[1:]))
    group.create_array("scale", data=scale)


def _write_measurement(root: zarr.Group, chip: Chip) -> None:
    if chip.measurement is None:
        return
    group = root.create_group("chip")
    for name in ("on", "off", "stuck"):
        array = getattr(chip.measurement, name)
        group.create_array(name, data=array, chunks=(1, *array.shape[1:]))


def _tile_to_json(tile: ProgrammedTile) -> dict[str, Any]:
    blocks = [
        {"block": placed.block.to_json(), "reached": vars(reached)}
        for placed, reached in zip(tile.blocks, tile.reached, strict=True)
    ]
    return {"blocks": blocks, "wire_errors": list(tile.wire_errors)}


def _scale_ends(tiles: list[dict[str, Any]]) -> NDArray[np.int64]:
    """End of the scales of each block but the last, in block order."""
    blocks = [Block.from_json(record["block"]) for tile in tiles for record in tile["blocks"]]
    return np.cumsum([block.shape[1] for block in blocks], dtype=np.int64)[:-1]


def _array_names(files: Mapping[str, str]) -> list[str]:
    """Names of the arrays: two folders deep, each with a zarr.json next to its chunks."""
    tail = "/zarr.json"
    return [
        name.removesuffix(tail) for name in files if name.endswith(tail) and name.count("/") == 2
    ]


def _read(root: zarr.Group, name: str) -> NDArray[Any]:
    import zarr

    array = root[name]
    if not isinstance(array, zarr.Array):
        raise FileError(f"{name} is not an array")
    return np.asarray(array[...])


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        state = "is not a program directory" if path.exists() else "does not exist"
        raise FileError(f"{path}: {state}; xbar compile writes one")
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except OSError as error:
        raise FileError(
            f"{path}: has no {MANIFEST}, so it is not a program or is incomplete; compile it again"
        ) from error
    except ValueError as error:
        raise FileError(f"{path}: {MANIFEST} is damaged ({error}); compile it again") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != "xbar program":
        raise FileError(f"{path}: {MANIFEST} does not describe an xbar program")
    if manifest.get("format") != FORMAT:
        raise FileError(
            f"{path}: has format {manifest.get('format')}, this xbar reads {FORMAT}; compile it "
            "again with this version"
        )
    if not isinstance(manifest.get("files"), dict):
        raise FileError(f"{path}: {MANIFEST} lists no files; compile it again")
    return manifest


def check_store(path: Path) -> tuple[int, list[str]]:
    """Verify a program's files; returns their number and the faults, one sentence each.

    Raises:
        FileError: it is not a program.
    """
    files = _read_manifest(path)["files"]
    return len(files), list(_faults(path, files))


def _check_files(path: Path, files: Mapping[str, str]) -> None:
    for fault in _faults(path, files):
        raise FileError(f"{path}: {fault}; compile it again")


def _faults(path: Path, files: Mapping[str, str]) -> Iterator[str]:
    found = {str(file.relative_to(path)) for file in _files(path)} - {MANIFEST}
    for name in sorted(found ^ set(files)):
        yield f"{name} {'is missing' if name in files else 'does not belong to it'}"
    for name, digest in files.items():
        if name in found and _sha256(path / name) != digest:
            yield f"{name} was changed after it was written"


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
