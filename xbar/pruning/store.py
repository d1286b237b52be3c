"""Tickets on disk: the network as a torch.export archive, a chip's switch states as .npz.

ticket.pt2            the network with effective weights, an ordinary archive
ticket.switches.npz   only for a ticket found on a chip:
                      switches/<layer>   (G, outputs, inputs) bool, weights that are switched in
                      units/<layer>      (G, outputs) siemens per unit weight
                      chip               sha256 of the conductances of the tiles used
                      network            sha256 of the layers' matrices
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError, SpecError, printable, warn
from xbar.files import refuse_existing, write_bytes
from xbar.hardware.chip import Chip
from xbar.model.graph import Graph
from xbar.npz import read_npz
from xbar.pruning.ticket import Ticket
from xbar.training.chip_weights import placement_of

Shapes = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class StoredTicket:
    """A ticket of a chip, read back, with the interface that the compiler needs."""

    network: Graph
    masks: Mapping[str, NDArray[np.bool_]]
    scales: Mapping[str, NDArray[np.float64]]
    chip: Chip

    def graph(self) -> Graph:
        """The network."""
        return self.network

    def switches(self) -> Mapping[str, NDArray[np.bool_]]:
        """Switch states by layer, (G, outputs, inputs)."""
        return self.masks

    def units(self) -> Mapping[str, NDArray[np.float64]]:
        """Siemens per unit weight by layer, (G, outputs)."""
        return self.scales


def switches_path(path: Path) -> Path:
    """Path of a ticket's switch states.

    >>> switches_path(Path("out/ticket.pt2")).name
    'ticket.switches.npz'
    """
    return path.with_name(f"{path.stem}.switches.npz")


def save_ticket(ticket: Ticket, path: str | Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write a ticket; returns the paths written.

    Raises:
        FileError: one exists and ``force`` is not set, or can't be written.
        ModelError: PyTorch can't export the network.
    """
    from xbar.model.export import export_module

    path = Path(path)
    beside = switches_path(path)
    files: list[tuple[Path, bytes]] = []
    if ticket.chip is not None:
        files.append((beside, _switches(ticket, ticket.chip)))
    files.append((path, export_module(ticket.model, ticket.input_shape)))
    for place, _ in files:
        refuse_existing(place, force=force)
    for place, content in files:
        write_bytes(place, content, force=force)
    return tuple(place for place, _ in reversed(files))


def load_switches(path: str | Path, graph: Graph, chip: Chip) -> StoredTicket:
    """Load a ticket of a chip: its network, already read, with the switch states of a file.

    Raises:
        FileError: the file can't be read or has other contents.
        SpecError: the switch states are those of another network or chip.
    """
    path = Path(path)
    arrays = read_npz(path)
    masks, scales = (
        {name.removeprefix(kind): each for name, each in arrays.items() if name.startswith(kind)}
        for kind in ("switches/", "units/")
    )
    others = {*arrays} - {f"{kind}/{name}" for kind in ("switches", "units") for name in masks}
    if not masks or masks.keys() != scales.keys() or not {"chip"} <= others <= {"chip", "network"}:
        raise FileError(
            f"{path}: must hold the switches of a ticket, as xbar prune writes them, not "
            f"{printable(str(sorted(arrays)[:5]))}"
        )
    unknown = sorted(masks.keys() - {layer.name for layer in graph.layers})
    if unknown:
        raise SpecError(f"{path}: the network has no layer {printable(unknown[0])!r}")
    for layer in graph.layers:
        mask, scale = masks.get(layer.name), scales.get(layer.name)
        if mask is None or scale is None:
            raise SpecError(f"{path}: it has no switches for the network's layer {layer.name}")
        if mask.dtype != np.bool_ or mask.shape != layer.shape:
            raise SpecError(
                f"{path}: {layer.name}: the switches must be bool of shape {layer.shape} "
                f"like the layer, not {mask.dtype} of shape {mask.shape}"
            )
        own = scale.dtype == np.float64 and scale.shape == mask.shape[:2]
        if not own or not (np.isfinite(scale) & (scale > 0)).all():
            raise SpecError(f"{path}: {layer.name}: its units must be positive, one an output")
    _check_network(path, graph, arrays.get("network"))
    shapes = {layer.name: layer.shape for layer in graph.layers}
    if arrays["chip"].tobytes() != _fingerprint(chip, shapes):
        raise SpecError(
            f"{path}: the switches are those of another chip; give the design, seed or measurement "
            "that the ticket was found with"
        )
    return StoredTicket(graph, masks, scales, chip)


def _check_network(path: Path, graph: Graph, digest: NDArray[Any] | None) -> None:
    if digest is None:
        warn(
            f"{path}: does not say which network its switches belong to, as an older xbar wrote "
            "it; make sure that it is this one"
        )
    elif digest.tobytes() != _network(graph):
        raise SpecError(
            f"{path}: the switches are those of another network, with other weights; give the "
            "network that xbar prune wrote beside them"
        )


def _network(graph: Graph) -> bytes:
    """sha256 of the layers' names and matrices."""
    digest = hashlib.sha256()
    for layer in sorted(graph.layers, key=lambda layer: layer.name):
        digest.update(f"{layer.name} {layer.shape}".encode())
        digest.update(np.ascontiguousarray(layer.matrix, dtype=np.float64).tobytes())
    return digest.digest()


def _switches(ticket: Ticket, chip: Chip) -> bytes:
    switches, units = ticket.switches() or {}, ticket.units()
    shapes: dict[str, Any] = {name: mask.shape for name, mask in switches.items()}
    arrays: dict[str, Any] = {f"switches/{name}": mask for name, mask in switches.items()}
    arrays |= {f"units/{name}": unit for name, unit in units.items()}
    arrays["chip"] = np.frombuffer(_fingerprint(chip, shapes), dtype=np.uint8)
    arrays["network"] = np.frombuffer(_network(ticket.graph()), dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _fingerprint(chip: Chip, shapes: Any) -> bytes:
    """sha256 of all conductances of the tiles that hold layers of these shapes."""
    digest = hashlib.sha256()
    for tile in range(len(placement_of(chip, shapes))):
        for part in (chip.on(tile), chip.off(tile), chip.stuck(tile)):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()
