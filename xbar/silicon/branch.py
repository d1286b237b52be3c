"""One branch of a bank in silicon: a resistor and a switch in series, and what it does in ngspice.

    word line ── resistor ── series ── switch ── bit line        side "bit", the default

The switch lies on the bit line's side. There the sense amplifier holds the voltage, so the voltage
between gate and source does not move with the input. On the word line's side (``side="word"``) it
does: with 0.3 V the current of a branch then bends 70 times more at 4 um of sky130 and 400 times at
20 um, in gf180mcu 23 times at 20 um and 90 times at 80 um (switches 1 um wide).

The lines rest at a common voltage above ground, so that the gate of an open switch, at 0 V, lies
below its source: an open branch of sky130 then leaks less than a billionth of a closed one up to
85 C.

Shapes: K branches of a bank, N copies in a deck, V voltages of the word line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, one_number
from xbar.errors import EngineError, SpecError
from xbar.silicon.ngspice import TIGHT, simulate, source
from xbar.silicon.process import Process, SwitchDevice

Side: TypeAlias = Literal["bit", "word"]
Kind: TypeAlias = Literal["nmos", "transmission"]


_MOST = 512
"""Copies in one deck of typical devices: more take ngspice longer than several decks."""
SMALL_VOLTS = 0.5e-3
"""Every sweep has points at plus and minus this and its double, which tell the slope at 0 V."""


@dataclass(frozen=True)
class Nodes:
    """The nodes of a branch in a netlist.

    Attributes:
        word, bit: the lines.
        gate: gate of the NMOS: the supply where the switch is closed, 0 V where it is open.
        inverse: gate of the PMOS of a transmission gate, the other way round.
        supply: bulk of that PMOS.
    """

    word: str
    bit: str
    gate: str
    inverse: str = "0"
    supply: str = "vdd"


@dataclass(frozen=True)
class Conditions:
    """What a simulation is made at.

    Attributes:
        corner: corner of the process; None for the typical one.
        temperature: celsius.
        supply: volts at the gate of a closed switch; None for the switch's own.
        seed: seed of the deviations that the models draw for each device; None for none.

    Raises:
        SpecError: the temperature is not from -100 to 200 C.
    """

    corner: str | None = None
    temperature: float = 27.0
    supply: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        celsius = one_number(self.temperature, "temperature")
        if not -100 <= celsius <= 200:
            raise SpecError(f"temperature must be from -100 to 200 C, not {celsius:g}")


@dataclass(frozen=True, eq=False)
class Branches:
    """The K branches of a bank.

    Attributes:
        process: the process that they are made in.
        switch: transistors of their switches.
        length: (K,) metres of the resistors.
        width: (K,) metres of the switches; a transmission gate's PMOS is twice as wide.
        series: (K,) ohms of contacts and wires inside each branch.
        kind: "nmos" or "transmission".
        side: line that the switch lies beside.
        lift: volts by which the lines at rest are higher than designed.
    """

    process: Process
    switch: SwitchDevice
    length: Floats
    width: Floats
    series: Floats
    kind: Kind = "nmos"
    side: Side = "bit"
    lift: float = 0.0

    @property
    def common(self) -> float:
        """Volts of the lines at rest: half the supply for a transmission gate."""
        usual = self.switch.common if self.kind == "nmos" else self.switch.supply / 2
        return usual + self.lift

    def lines(self, k: int, name: str, nodes: Nodes, deviation: float = 0.0) -> list[str]:
        """The elements of branch k.

        Args:
            k: number of the branch.
            name: distinguishes the elements and inner nodes of this copy.
            nodes: what it is connected to. A deviation of the threshold is written as a lower
                voltage at the gate.
            deviation: relative deviation of the resistor, as a source beside it that takes this
                part of its current off. The resistor itself keeps its voltages, by which it bends.
        """
        start, end = (nodes.word, f"m{name}") if self.side == "bit" else (f"m{name}", nodes.bit)
        lines = []
        if deviation:
            less = deviation / (1 + deviation)
            lines.append(f"Vr{name} {start} e{name} 0")
            lines.append(f"Fr{name} {end} {start} Vr{name} {less:.12g}")
            start = f"e{name}"
        lines.append(self.process.resistor.line(f"r{name}", start, end, float(self.length[k])))
        drain, source = f"m{name}", nodes.bit
        if self.side == "word":
            drain, source = nodes.word, f"m{name}"
        if self.series[k]:
            inner = f"s{name}"
            lines.append(f"Rs{name} {inner} m{name} {self.series[k]:.12g}")
            drain, source = (inner, source) if self.side == "bit" else (drain, inner)
        return lines + self._between(k, name, (drain, source), nodes)

    def switch_lines(self, k: int, name: str, nodes: Nodes) -> list[str]:
        """The switch of branch k alone, between the lines."""
        return self._between(k, name, (nodes.word, nodes.bit), nodes)

    def _between(self, k: int, name: str, ends: tuple[str, str], nodes: Nodes) -> list[str]:
        width = float(self.width[k])
        lines = [self.switch.nmos_line(f"n{name}", (ends[0], nodes.gate, ends[1]), width)]
        if self.kind == "transmission":
            gates = (ends[0], nodes.inverse, ends[1])
            lines.append(self.switch.pmos_line(f"p{name}", gates, 2 * width, nodes.supply))
        return lines


@dataclass(frozen=True, eq=False)
class Copies:
    """N copies of a bank's branches, each with deviations of its own.

    Attributes:
        branch: (N,) which of the K branches.
        resistor: (N,) relative deviation of the resistor.
        threshold: (N,) volts by which the switch's threshold is higher.
        closed: (N,) whether the switch is closed.
    """

    branch: NDArray[np.int64]
    resistor: Floats
    threshold: Floats
    closed: NDArray[np.bool_] = field(default_factory=lambda: np.ones(1, dtype=bool))

    @classmethod
    def each(cls, count: int, closed: bool = True) -> Copies:
        """One typical copy of each of K branches."""
        return cls(np.arange(count), np.zeros(count), np.zeros(count), np.full(count, closed))

    def part(self, which: slice) -> Copies:
        """Some of the copies."""
        return Copies(
            self.branch[which], self.resistor[which], self.threshold[which], self.closed[which]
        )


@dataclass(frozen=True, eq=False)
class Sweep:
    """Copies of branches over the voltage of their word line.

    Attributes:
        voltage: (V,) volts between the word line and the bit line, symmetric around 0.
        current: (N, V) amperes into the bit line.
        switch: (N, V) volts between the ends of the switch.
    """

    voltage: Floats
    current: Floats
    switch: Floats

    @classmethod
    def joined(cls, parts: Sequence[Sweep]) -> Sweep:
        """Sweeps of different copies over the same voltages as one."""
        current = np.concatenate([part.current for part in parts])
        switch = np.concatenate([part.switch for part in parts])
        return cls(parts[0].voltage, current, switch)

    def slope(self, volts: float) -> Floats:
        """(N,) siemens: the current's difference between +-volts, by the voltages' difference.

        At 0 V the slope there: twice that between +-``SMALL_VOLTS`` less that between their
        doubles, so that a part that goes with the amount of v is none of it.
        """
        if volts == 0:
            return 2 * self.slope(SMALL_VOLTS) - self.slope(2 * SMALL_VOLTS)
        low, high = self._at(-volts), self._at(volts)
        return (self.current[:, high] - self.current[:, low]) / (2 * volts)

    def switch_resistance(self, volts: float) -> Floats:
        """(N,) ohms of the switch, likewise."""
        if volts == 0:
            near, far = (self.switch_resistance(n * SMALL_VOLTS) for n in (1, 2))
            return 2 * near - far
        low, high = self._at(-volts), self._at(volts)
        amps = self.current[:, high] - self.current[:, low]
        return (self.switch[:, high] - self.switch[:, low]) / amps

    @property
    def offset(self) -> Floats:
        """(N,) amperes at 0 V."""
        return self.current[:, self._at(0.0)]

    def _at(self, volts: float) -> int:
        at = int(np.argmin(np.abs(self.voltage - volts)))
        if abs(self.voltage[at] - volts) > 1e-9:
            raise EngineError(f"ngspice returned no point at {volts:g} V")
        return at


def sweep(
    branches: Branches,
    copies: Copies,
    conditions: Conditions,
    limit: float = 0.2,
    steps: int = 10,
) -> Sweep:
    """Simulate copies of branches over the voltage of the word line.

    Args:
        branches: what they are made of.
        copies: how many, and their deviations.
        conditions: corner, temperature, supply, seed of the models' own deviations.
        limit: volts, the largest distance from the bit line's voltage.
        steps: number of voltages on each side of 0, besides the small ones.

    Raises:
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed or returned other points.
        FileError: the models lack the corner.
    """
    if len(copies.branch) > _MOST and conditions.seed is None:
        parts = [
            sweep(branches, copies.part(slice(start, start + _MOST)), conditions, limit, steps)
            for start in range(0, len(copies.branch), _MOST)
        ]
        return Sweep.joined(parts)
    lines, inner = _deck(branches, copies, conditions)
    small = SMALL_VOLTS * np.arange(-2, 3)
    volts = np.unique(np.round([*np.linspace(-limit, limit, 2 * steps + 1), *small], 12))
    lines += ["Vsel sel 0 0", source("w", "w", branches.common + volts)]
    lines.append(f".dc Vsel 0 {len(volts) - 1} 1")
    deck = "\n".join([*lines, ""])
    found = simulate(deck, branches.process, conditions.seed, options=TIGHT)
    return _sweeps(branches, found, inner, len(volts))[0]


def conductance(branches: Branches, copies: Copies, conditions: Conditions, volts: float) -> Floats:
    """(N,) siemens of copies of branches between +-volts, or at 0 V: see ``Sweep.slope``.

    Raises:
        ToolError, EngineError, FileError: as in ``sweep``.
    """
    limit, steps = (volts, 1) if volts else (2 * SMALL_VOLTS, 2)
    return sweep(branches, copies, conditions, limit, steps).slope(volts)


def sweep_temperatures(
    branches: Branches, copies: Copies, conditions: Conditions, celsius: Floats, limit: float
) -> list[Sweep]:
    """Simulate copies of branches at +-``limit`` volts and 0, at T temperatures in one deck.

    Args:
        branches: what they are made of.
        copies: how many, and their deviations.
        conditions: corner and supply; their temperature is not used.
        celsius: (T,) equidistant temperatures, rising.
        limit: volts.

    Raises:
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed or returned other points.
        FileError: the models lack the corner.
    """
    lines, inner = _deck(branches, copies, conditions)
    step = float(celsius[1] - celsius[0])
    outer = f"TEMP {celsius[0]:.12g} {celsius[-1] + step / 4:.12g} {step:.12g}"
    low, high = branches.common - limit, branches.common + limit * 1.25
    lines.append(f"Vw w 0 {branches.common:.9g}")
    lines.append(f".dc Vw {low:.12g} {high:.12g} {limit:.12g} {outer}")
    found = simulate("\n".join(lines) + "\n", branches.process, conditions.seed)
    sweeps = _sweeps(branches, found, inner, 3)
    if len(sweeps) != len(celsius):
        raise EngineError(f"ngspice returned {len(sweeps)} temperatures instead of {len(celsius)}")
    return sweeps


def _deck(
    branches: Branches, copies: Copies, conditions: Conditions
) -> tuple[list[str], list[str]]:
    """The lines of a deck without its analysis, and the inner ends (N,) of the switches."""
    process = branches.process
    supply = branches.switch.supply if conditions.supply is None else conditions.supply
    lines = [f"* branches of {process.name}"]
    lines += process.load(conditions.corner, mismatch=conditions.seed is not None)
    lines += [f".temp {conditions.temperature:.9g}", f"Vdd vdd 0 {supply:.9g}"]
    count = len(copies.branch)
    for n in range(count):
        lines += _copy(branches, copies, n, supply)
    ends = ["s" if branches.series[k] else "m" for k in copies.branch]
    inner = [f"v({end}{n})" for n, end in enumerate(ends)]
    lines.append(".save v(w) " + " ".join(f"i(vb{n}) {inner[n]}" for n in range(count)))
    return lines, inner


def _sweeps(
    branches: Branches, found: dict[str, Floats], inner: list[str], points: int
) -> list[Sweep]:
    """The sweeps of ``points`` voltages each in a result."""
    word, common = found["v(w)"], branches.common
    if not len(word) or len(word) % points:
        raise EngineError(f"ngspice returned {len(word)} points instead of {points}")
    current = np.array([found[f"i(vb{n})"] for n in range(len(inner))])
    node = np.array([found[name] for name in inner])
    drop = node - common if branches.side == "bit" else word - node
    parts = [slice(start, start + points) for start in range(0, len(word), points)]
    return [Sweep(word[part] - common, current[:, part], drop[:, part]) for part in parts]


def _copy(branches: Branches, copies: Copies, n: int, supply: float) -> list[str]:
    """The elements of one copy, with sources of its own for the bit line and the gates."""
    closed, shift = bool(copies.closed[n]), float(copies.threshold[n])
    gate = (supply if closed else 0.0) - shift
    lines = [f"Vb{n} b{n} 0 {branches.common:.9g}", f"Vg{n} g{n} 0 {gate:.12g}"]
    if branches.kind == "transmission":
        lines.append(f"Vi{n} i{n} 0 {(0.0 if closed else supply) + shift:.12g}")
    nodes = Nodes("w", f"b{n}", f"g{n}", f"i{n}")
    lines += branches.lines(int(copies.branch[n]), str(n), nodes, float(copies.resistor[n]))
    return lines
