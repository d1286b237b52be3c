"""Circuits of devices and nets: as masks hold them, and as a netlist wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xbar.errors import FileError, shown

SWAPPED = {"resistor": ("A", "B")}
"""Terminals that may be exchanged; those of a transistor are S and D."""
TERMINALS = {"resistor": ("A", "B")}
TRANSISTOR = ("D", "G", "S", "B")
_NUMBER = re.compile(r"([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)(meg|[fpnumkg])?[a-z]*", re.IGNORECASE)
_SCALE = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "meg": 1e6, "g": 1e9}


@dataclass(frozen=True)
class Device:
    """One device.

    Attributes:
        name: its name in the netlist, with those of the cells that it lies in; empty in masks.
        kind: "resistor", "nmos", "pmos", the same with "_high", or the name of a standard cell.
        nets: terminal -> number of its net.
        values: "R" in ohms, "L" and "W" in micrometres, as far as they are known.
        place: (x, y) in micrometres in the masks.
    """

    name: str
    kind: str
    nets: dict[str, int]
    values: dict[str, float]
    place: tuple[float, float] | None = None

    @property
    def swapped(self) -> tuple[str, ...]:
        """Terminals that may be exchanged."""
        if "mos" in self.kind and "B" in self.nets:
            return ("S", "D")
        return SWAPPED.get(self.kind, ())


@dataclass
class Circuit:
    """Devices and nets.

    Attributes:
        devices: all devices.
        nets: name of each net, empty if it has none; in masks several names, separated by commas,
            if several labels are on it.
        pins: names by which nets of masks and netlist are known to be the same.
        labels: name, layer and place in micrometres of the masks' labels.
    """

    devices: list[Device] = field(default_factory=list)
    nets: list[str] = field(default_factory=list)
    pins: set[str] = field(default_factory=set)
    labels: list[tuple[str, str, float, float]] = field(default_factory=list)

    def net(self, name: str = "") -> int:
        """Number of a new net."""
        self.nets.append(name)
        return len(self.nets) - 1


def drawn_circuit(found: Mapping[str, Any]) -> Circuit:
    """The circuit that ``scripts/extract_nets.py`` found in the masks."""
    circuit = Circuit(nets=list(found["nets"]))
    for kind, values, nets, x, y in found["devices"]:
        own = {t: circuit.net() if n < 0 else n for t, n in nets.items()}
        circuit.devices.append(Device("", kind, own, values, (x, y)))
    circuit.labels = [tuple(label) for label in found["labels"]]
    return circuit


@dataclass
class _Subcircuit:
    pins: list[str]
    lines: list[list[str]] = field(default_factory=list)


def read_netlist(
    text: str, top: str, models: Mapping[str, str], where: str = "netlist", library: str = ""
) -> Circuit:
    """The circuit of a SPICE netlist, its subcircuits written out.

    Args:
        text: subcircuits of R, M and X elements. The width and length of a device are in
            micrometres, or in metres with a suffix such as u.
        top: name of the subcircuit to take.
        models: model or subcircuit of a PDK's device -> kind.
        where: what an error message calls the netlist.
        library: how the names of the foundry's cells begin; each stays whole, if this is given.

    Raises:
        FileError: it can't be read, or has no such subcircuit.
    """
    known = _subcircuits(text, where)
    start = known.get(top.lower())
    if start is None:
        raise FileError(f"{where}: must define the subcircuit {top}, and does not")
    circuit = Circuit(pins=set(start.pins))
    kinds = {name.lower(): kind for name, kind in models.items()}
    reader = _Reader(circuit, known, kinds, where, library.lower())
    reader.add(start, "", {pin: circuit.net(pin) for pin in start.pins}, 0)
    if not circuit.devices:
        raise FileError(f"{where}: must hold devices, and its subcircuit {top} holds none")
    return circuit


def _lines(text: str) -> Iterator[list[str]]:
    """Words of each line, continued lines joined, comments left out."""
    joined: list[str] = []
    for line in text.splitlines():
        bare = line.split("$")[0].strip()
        if bare.startswith("+") and joined:
            joined[-1] += " " + bare[1:]
        elif bare and not bare.startswith("*"):
            joined.append(bare)
    return (re.sub(r"\s*=\s*", "=", line).split() for line in joined)


def _subcircuits(text: str, where: str) -> dict[str, _Subcircuit]:
    known: dict[str, _Subcircuit] = {}
    current: _Subcircuit | None = None
    for words in _lines(text):
        first = words[0].lower()
        if first == ".subckt":
            if len(words) < 2 or current is not None:
                raise FileError(
                    f"{where}: a subcircuit must have a name and end before the next one"
                )
            current = known[words[1].lower()] = _Subcircuit([w for w in words[2:] if "=" not in w])
        elif first == ".ends":
            current = None
        elif current is not None and not first.startswith("."):
            current.lines.append(words)
    if current is not None:
        raise FileError(f"{where}: its last subcircuit must end with .ends")
    return known


@dataclass
class _Reader:
    circuit: Circuit
    known: dict[str, _Subcircuit]
    models: dict[str, str]
    where: str
    library: str = ""

    def add(self, part: _Subcircuit, path: str, nets: dict[str, int], depth: int) -> None:
        if depth > 20:
            raise FileError(f"{self.where}: subcircuits must not contain themselves: {path}")
        for words in part.lines:
            plain = [word for word in words[1:] if "=" not in word]
            pairs = [word.lower().partition("=")[::2] for word in words[1:] if "=" in word]
            self._element(f"{path}{words[0]}", plain, dict(pairs), nets, depth)

    def _element(
        self, name: str, plain: list[str], values: dict[str, str], nets: dict[str, int], depth: int
    ) -> None:
        letter = name.rpartition(".")[2][:1].lower()
        if letter == "r" and len(plain) == 4:
            kind = self._kind(name, plain.pop())
            self._device(name, kind, plain[:2], {**values, "r": plain[2]}, nets)
        elif letter in "mx" and len(plain) > 1:
            model = plain.pop()
            inner = self.known.get(model.lower())
            if model.lower() in self.models:
                self._device(name, self.models[model.lower()], plain, values, nets)
            elif letter == "x" and inner is not None:
                self._instance(name, model, inner, plain, nets, depth)
            else:
                self._kind(name, model)
        else:
            raise FileError(
                f"{self.where}: {name} must be a resistor with a model, a transistor or a "
                "subcircuit"
            )

    def _kind(self, name: str, model: str) -> str:
        kind = self.models.get(model.lower())
        if kind is None:
            raise FileError(
                f"{self.where}: {name} must be one of the devices that masks are compared for, "
                f"not {shown(model)}"
            )
        return kind

    def _device(
        self, name: str, kind: str, on: list[str], values: dict[str, str], nets: dict[str, int]
    ) -> None:
        terminals = TERMINALS.get(kind, TRANSISTOR)
        if len(on) < len(terminals):
            raise FileError(f"{self.where}: {name} must have {len(terminals)} nets, not {len(on)}")
        own = {t: self._net(net, nets) for t, net in zip(terminals, on, strict=False)}
        sizes = {key.upper(): _number(text, name, self.where) for key, text in values.items()}
        known = {key: value for key, value in sizes.items() if key in ("R", "L", "W")}
        lengths = {k: v if k == "R" or v > 1e-3 else v * 1e6 for k, v in known.items()}
        self.circuit.devices.append(Device(name, kind, own, lengths))

    def _instance(
        self,
        name: str,
        model: str,
        inner: _Subcircuit,
        on: list[str],
        nets: dict[str, int],
        depth: int,
    ) -> None:
        if len(on) != len(inner.pins):
            raise FileError(
                f"{self.where}: {name} must have {len(inner.pins)} nets, as {model} has pins, "
                f"not {len(on)}"
            )
        own = {pin: self._net(net, nets) for pin, net in zip(inner.pins, on, strict=True)}
        whole = bool(self.library) and model.lower().startswith(self.library)
        if inner.lines and not whole:
            self.add(inner, f"{name}.", own, depth + 1)
        else:
            self.circuit.devices.append(Device(name, model, own, {}))

    def _net(self, name: str, nets: dict[str, int]) -> int:
        if name not in nets:
            nets[name] = self.circuit.net()
        return nets[name]


def _number(text: str, name: str, where: str) -> float:
    match = _NUMBER.fullmatch(text)
    try:
        number = float(match.group(1)) if match else float("nan")
    except ValueError:
        number = float("nan")
    if match is None or number != number:
        raise FileError(f"{where}: {name} must have numbers for its values, not {shown(text)}")
    suffix = match.group(2)
    return number * _SCALE[suffix.lower()] if suffix else number
