"""A program on disk: a directory of zarr v3 arrays and a manifest, written last.

    out.xbar/
      manifest.json         kind, design, blocks, network, each file's sha256 and its own
      tiles/mask            (T, W, B, ceil(K / 8)) uint8, switch states as bits, first lowest
      tiles/scale           siemens per unit weight of every column, in block order
      constants/<n>         the network's arrays, or matrices/<n> for bare matrices
      chip/on, off, stuck   measured chip only; a sampled one is given by its seed

The directory is written under a temporary name next to its destination and renamed when complete.
The same program gives the same bytes. zarr writes the arrays; ``chunks.py`` reads them, as data,
and ``consistency.py`` checks that the parts fit together.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xbar.compiler.checks import check_chip_size, check_hardware, check_matrices, check_options
from xbar.compiler.chunks import check_memory, read_arrays, read_layout
from xbar.compiler.consistency import (
    check_keys,
    check_result,
    check_weights_placed,
    read_block,
    read_errors,
    read_placement,
    read_reached,
)
from xbar.compiler.job import TileResult
from xbar.compiler.options import Options
from xbar.compiler.plan import Plan
from xbar.compiler.program import Program
from xbar.compiler.sealed import SealedFolder, changed_files, seal
from xbar.compiler.tile import ProgrammedTile
from xbar.errors import FileError, XbarError, printable
from xbar.files import mode_of
from xbar.folders import LARGEST_INDEX, Marker, list_folder, new_directory
from xbar.hardware.chip import Chip
from xbar.hardware.measurement import check_measurement
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph

if TYPE_CHECKING:
    import zarr

FORMAT = 5
PROGRAM = Marker("manifest.json", "xbar program")
WRITER = "xbar compile"
CHUNK_CELLS = 2**20

_KEYS = frozenset(
    str.split("checksum decided files format hardware kind network options placement seed tiles")
)
_MEASURED = ("on", "off", "stuck")

# what damaged content raises below: mostly undocumented, observed in tests
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError,
    TypeError, ValueError, XbarError,
)  # fmt: skip


def save_program(program: Program, path: Path, *, force: bool, within: Path | None = None) -> None:
    """See ``Program.save``; ``within`` is the folder for the temporary directory."""
    with new_directory(path, PROGRAM, force=force, within=within) as folder:
        import zarr

        root = zarr.open_group(store=folder, mode="w", zarr_format=3)
        manifest = {
            "format": FORMAT,
            "kind": PROGRAM.kind,
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
        sizes = list_folder(folder)
        manifest["files"] = {name: _sha256(folder / name) for name in sorted(sizes)}
        text = seal(manifest)
        _check_readable(folder, sizes, len(text))
        if len(text) > LARGEST_INDEX:
            raise FileError(f"its {PROGRAM.name} would have {len(text):,} bytes, which is too many")
        with (folder / PROGRAM.name).open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _check_readable(folder: Path, sizes: Mapping[str, int], manifest: int) -> None:
    """Check what ``load_program`` will ask for: see ``chunks.check_memory``."""
    names = [name for name in sizes if name.endswith("/zarr.json") and name.count("/") == 2]
    layouts = [read_layout((folder / name).read_bytes(), name) for name in names]
    check_memory(layouts, sum(sizes.values()) + manifest)


def load_program(path: Path) -> Program:
    """See ``Program.load``."""
    folder = SealedFolder.open(path, PROGRAM, FORMAT, WRITER)
    for fault in folder.faults(contents=False):
        raise FileError(f"{path}: {fault}; compile it again")
    return _read(folder)


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
            _read(folder)
    except FileError as error:
        told = [str(error).removeprefix(f"{path}: ")]
        return _count(path), told + list(changed_files(path, PROGRAM))
    return len(folder.sizes), faults


def _count(path: Path) -> int:
    """Number of files in a damaged folder, the manifest aside."""
    return sum(len(files) for _, _, files in os.walk(path)) - 1


def _read(folder: SealedFolder) -> Program:
    manifest, path = folder.content, folder.path
    try:
        check_keys(manifest, _KEYS, PROGRAM.name)
        arrays = read_arrays(folder.read, folder.sizes, _array_names(manifest), folder.index_bytes)
        hardware = Hardware(**manifest["hardware"])
        return _assemble(manifest, arrays, _chip(hardware, manifest["seed"], arrays))
    except DAMAGE as error:
        what = printable(str(error) or type(error).__name__)[:300].removeprefix(f"{path}: ")
        raise FileError(f"{path}: is not a program that this xbar can read ({what})") from error


def _array_names(manifest: Mapping[str, Any]) -> list[str]:
    """The arrays that a manifest asks for."""
    network = manifest["network"]
    check_keys(network, ("graph", "names"), "network")
    names = network["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FileError("network: names must be a list of names")
    if not names or len(set(names)) != len(names):
        raise FileError("network: names must be those of arrays, each once")
    group = "matrices" if network["graph"] is None else "constants"
    found = [f"{group}/{number}" for number in range(len(names))]
    if manifest["tiles"]:
        found += ["tiles/mask", "tiles/scale"]
    if manifest["seed"] is None:
        found += [f"chip/{name}" for name in _MEASURED]
    return found


def _assemble(
    manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], chip: Chip
) -> Program:
    plan = _plan(manifest, arrays, chip)
    results = _results(manifest["tiles"], arrays, plan)
    check_weights_placed(plan.weights, results)
    plan = replace(plan, placement=read_placement(manifest["placement"], results))
    return Program(plan, tuple(result.tile(plan) for result in results))


def _plan(manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], chip: Chip) -> Plan:
    network, graph = manifest["network"], None
    names = enumerate(network["names"])
    if network["graph"] is None:
        weights = {name: arrays[f"matrices/{number}"] for number, name in names}
        if any(weight.ndim != 3 for weight in weights.values()):
            raise FileError("matrices must have the axes group, output and input")
    else:
        constants = {name: arrays[f"constants/{number}"] for number, name in names}
        graph = Graph.from_json(network["graph"], constants)
        if len(graph.constants) != len(constants):
            raise FileError("network: its graph does not list every constant")
        weights = {layer.name: np.asarray(layer.matrix) for layer in graph.layers}
    if type(manifest["decided"]) is not bool:
        raise FileError("decided must be true or false")
    options = Options(**manifest["options"])
    plan = Plan(chip, graph, check_matrices(weights), options, None, manifest["decided"])
    check_hardware(chip.hardware, plan.mapping)
    check_options(chip.hardware, options, ticket=plan.decided)
    return plan


def _results(tiles: Any, arrays: Mapping[str, NDArray[Any]], plan: Plan) -> list[TileResult]:
    """The stored data of each tile, checked."""
    if not isinstance(tiles, list):
        raise FileError("tiles must be a list")
    check_chip_size(plan.chip, len(tiles))
    if not tiles:
        return []
    mask, scale, used = arrays["tiles/mask"], arrays["tiles/scale"], 0
    if len(mask) != len(tiles):
        raise FileError(f"tiles/mask has {len(mask)} tiles, not {len(tiles)}")
    if scale.ndim != 1:
        raise FileError("tiles/scale must have one axis")
    results = []
    for index, entry in enumerate(tiles):
        check_keys(entry, ("blocks", "wire_errors"), "a tile")
        blocks, reached, scales = [], [], []
        for record in entry["blocks"]:
            check_keys(record, ("block", "reached"), "a tile's block")
            blocks.append(read_block(record["block"], plan))
            reached.append(read_reached(record["reached"]))
            end = used + blocks[-1].shape[1]
            scales.append(scale[used:end])
            used = end
        errors = read_errors(entry["wire_errors"])
        results.append(
            TileResult(index, tuple(blocks), tuple(scales), mask[index], tuple(reached), errors)
        )
        check_result(results[-1], plan)
    if used != len(scale):
        raise FileError(f"tiles/scale must have {used} scales, one an output, not {len(scale)}")
    return results


def _chip(hardware: Hardware, seed: int | None, arrays: Mapping[str, NDArray[Any]]) -> Chip:
    if seed is not None:
        return Chip.sample(hardware, seed)
    shape = (*hardware.cells, hardware.bank.resistors)
    measured = {name: arrays[f"chip/{name}"] for name in _MEASURED}
    return Chip(hardware, None, check_measurement(measured, shape, hardware.bank.on_off_ratios))


def _write_network(root: zarr.Group, program: Program) -> dict[str, Any]:
    arrays: Mapping[str, NDArray[Any]]
    if program.graph is None:
        group, arrays, graph = root.create_group("matrices"), program.weights, None
    else:
        group, arrays = root.create_group("constants"), program.graph.constants
        graph = program.graph.to_json()
    for number, array in enumerate(arrays.values()):
        plain = np.ascontiguousarray(array).reshape(np.shape(array))  # it makes () to (1,)
        group.create_array(str(number), data=plain)
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
    for name in _MEASURED:
        array = getattr(chip.measurement, name)
        group.create_array(name, data=array, chunks=(1, *array.shape[1:]))


def _tile_to_json(tile: ProgrammedTile) -> dict[str, Any]:
    blocks = [
        {"block": placed.block.to_json(), "reached": vars(reached)}
        for placed, reached in zip(tile.blocks, tile.reached, strict=True)
    ]
    return {"blocks": blocks, "wire_errors": list(tile.wire_errors)}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
