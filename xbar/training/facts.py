"""What a trained network depends on, and what differs between two runs.

Importing this module imports PyTorch: import it inside functions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xbar.compiler.program import Program
from xbar.errors import shown
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.lines import as_text

KIND = "xbar training"
"""What a run's record says that it is."""


def facts_of(
    model: Graph | Program,
    data: tuple[torch.Tensor, torch.Tensor | None],
    hardware: Hardware | Chip,
    **more: Any,
) -> dict[str, Any]:
    """All that a trained network depends on, by what it is."""
    graph = model.graph if isinstance(model, Program) else model
    assert graph is not None
    inputs, labels = data
    known = json.dumps(graph.to_json(), sort_keys=True) + as_text(graph.lines)
    network = hashlib.sha256(known.encode())
    for name in sorted(graph.constants):
        _add(network, name, graph.constants[name])
    found: dict[str, Any] = {"network": network.hexdigest()}
    for name, values in (("inputs", inputs), ("labels", labels)):
        digest = hashlib.sha256()
        if values is not None:
            _add(digest, name, values.numpy())
        found[name] = None if values is None else digest.hexdigest()
    if isinstance(model, Program):
        found["program"] = _program_digest(model)
    if isinstance(hardware, Chip):
        found["chip"] = _chip_digest(hardware)
        hardware = hardware.hardware
    return {**found, "design": hardware.model_dump(mode="json"), **more}


def _program_digest(program: Program) -> str:
    """Of a program's switches, scales and corrections."""
    digest = hashlib.sha256()
    for number, tile in enumerate(program.tiles):
        _add(digest, str(number), tile.mask)
        for placed in tile.blocks:
            _add(digest, placed.block.layer, placed.scale)
    if program.corrections is not None:
        columns = {
            (number, place): len(placed.block.columns)
            for number, tile in enumerate(program.tiles)
            for place, placed in enumerate(tile.blocks)
        }
        found = program.corrections.to_arrays(program.plan.shapes, columns)
        for name, values in found.items():
            _add(digest, name, values)
    return digest.hexdigest()


def _chip_digest(chip: Chip) -> str | int | None:
    """A sampled chip's seed, or a digest of what was measured."""
    measured = chip.measurement
    if measured is None:
        return chip.seed
    digest = hashlib.sha256()
    for name in ("on", "off", "stuck", "c2"):
        each = getattr(measured, name)
        if each is not None:
            _add(digest, name, each)
    return digest.hexdigest()


def difference(folder: Path, found: dict[str, Any], facts: dict[str, Any]) -> str:
    """What differs between a folder's run and the one that is wanted, as a message."""
    again = "go on with its own, or discard it with --force"
    if found.get("kind") != KIND:
        return f"{folder}: run.json is damaged; discard it with --force"
    theirs, ours = dict(_leaves(found)), dict(_leaves(facts))
    told = []
    for name in [name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name)]:
        if name in ("network", "inputs", "labels"):
            told.append(f"another {name}" if name == "network" else f"other {name}")
        else:
            told.append(f"{name} {shown(theirs.get(name))}, not {shown(ours.get(name))}")
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    return f"{folder}: holds a run with {'; '.join(told[:3])}{more}; {again}"


def _leaves(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Facts by dotted name."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _add(digest: Any, name: str, values: Any) -> None:
    """Add an array to a checksum."""
    array = np.ascontiguousarray(values)
    digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
    digest.update(array.data.cast("B") if array.size else b"")
