"""Cell circuits: a programmable resistance from K resistors and K switches.

    parallel (the default)      series                        ladder
    a ─┬─ r_0 ─ s_0 ─┬─ b       a ─┬─ r_0 ─┬─┬─ r_1 ─┬─ b     a ─ rail_0 ─┬─ rail_1 ─┬─ …
       ├─ r_1 ─ s_1 ─┤             └─ s_0 ─┘ └─ s_1 ─┘                   r_0        r_1
       └─ r_2 ─ s_2 ─┘                                                   s_0        s_1
                                                                     b ───┴──────────┴─ …
In the parallel cell the conductances of the resistors switched in add up; in the series cell the
resistances do, with each closed by-pass switch in parallel to its resistor; the value of a ladder
is rational. A mask marks the resistors that are switched in, in every circuit.

Shapes: K resistors, masks (..., K). Units: ohms and siemens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import Floats, as_floats, check_range, frozen
from xbar.circuit.banktext import SWITCH, switch_definition
from xbar.circuit.dialects.registry import get_dialect
from xbar.circuit.netlist import Netlist
from xbar.circuit.switches import OPEN
from xbar.circuit.text import number, sanitise
from xbar.errors import SpecError

if TYPE_CHECKING:
    from xbar.circuit.deck.circuit import Circuit


def _ohms(values: ArrayLike, name: str) -> Floats:
    ohms = np.atleast_1d(as_floats(values, name))
    if ohms.ndim != 1 or not len(ohms) or not ohms.all():
        raise SpecError(f"{name} must be a row of positive numbers of ohms, not {ohms.tolist()}")
    check_range(ohms, name, "ohm", ("resistor",), "a cell is made of resistors")
    return frozen(ohms)


def _resistance(resistance: ArrayLike) -> Floats:
    return _ohms(resistance, "resistance")


def _rail(rail: ArrayLike) -> Floats:
    return _ohms(rail, "rail")


@dataclass(frozen=True)
class Part:
    """A resistor or a switch between two nodes of a cell, whose terminals are a and b.

    Attributes:
        name: name of the element.
        first: node towards a.
        second: node towards b.
        ohms: resistance of a resistor; None for a switch.
        switch: index of a switch in the mask.
        bypass: whether the switch is closed when its resistor is *not* switched in.
    """

    name: str
    first: str
    second: str
    ohms: float | None
    switch: int = 0
    bypass: bool = False


@attrs.frozen(eq=False, slots=False)
class CellCircuit(ABC):
    """K resistors and K switches between two terminals.

    Attributes:
        resistance: (K,) resistances in ohms.
        switch_on: on-resistance of a switch in ohms. Zero is ideal.
        switch_off: off-resistance of a switch in ohms.

    Raises:
        SpecError: a value is not a resistance.
    """

    resistance: Floats = attrs.field(converter=_resistance)
    switch_on: float = 0.0
    switch_off: float = np.inf

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.switch_on < self.switch_off:
            raise SpecError(
                f"switch_on must be from 0 ohm upwards and below switch_off, "
                f"not {self.switch_on} and {self.switch_off}"
            )

    @abstractmethod
    def value(self, mask: ArrayLike) -> Floats:
        """Conductance (...,) in siemens from a to b for masks (..., K).

        Raises:
            SpecError: the mask is not of K booleans.
        """

    @abstractmethod
    def parts(self) -> list[Part]:
        """Resistors and switches."""

    def circuit(self, mask: ArrayLike) -> Circuit:
        """The cell for one mask (K,) with 1 V from a to b, which is ground, as a circuit."""
        from xbar.circuit.deck.circuit import Circuit
        from xbar.circuit.deck.flat import FlatElement

        closed = self._one(mask)
        elements = [FlatElement("v1", "a", "0", 1.0)]
        for part in self.parts():
            ohms = part.ohms
            if ohms is None:
                shut = bool(closed[part.switch]) != part.bypass
                ohms = self.switch_on if shut else self.switch_off
            if ohms < np.inf:
                first, second = ("0" if n == "b" else n for n in (part.first, part.second))
                elements.append(FlatElement(f"r{part.name}", first, second, ohms))
        return Circuit(elements)

    def netlist(self, mask: ArrayLike, dialect: str = "ngspice", title: str = "cell") -> Netlist:
        """Netlist of the cell as a subcircuit, with one instance for a mask (K,) at 1 V.

        Its current is the cell's conductance; the parameters ``c<k>`` are the mask.

        Raises:
            SpecError: the mask is not of K booleans, the dialect is unknown, or a closed switch
                has 0 ohm, which SPICE simulators replace by a default.
        """
        if self.switch_on == 0:
            raise SpecError("switch_on must be positive in a netlist; give it a small resistance")
        written, closed = get_dialect(dialect), self._one(mask).tolist()
        name = f"cell_{sanitise(title)}"
        expression = written.expression
        body = []
        for part in self.parts():
            ends = (part.first, part.second)
            if part.ohms is not None:
                body.append(written.resistor(part.name, *ends, number(part.ohms)))
                continue
            shut = f"1-c{part.switch}" if part.bypass else f"c{part.switch}"
            stands = [("closed", expression(shut)), ("leak", expression("switch_off"))]
            body.append(written.instance(part.name, ends, SWITCH, stands))
        leak = number(min(self.switch_off, OPEN))
        text = [
            *written.header(sanitise(title)),
            *written.parameters([("switch_on", number(self.switch_on)), ("switch_off", leak)]),
            *switch_definition(written),
            *written.subcircuit(name, ("a", "b"), [(f"c{k}", "1") for k in range(self.k)], body),
            written.voltage_source("d", "a", written.ground, number(1.0)),
            written.voltage_source("s", "b", written.ground, number(0.0)),
            written.instance(
                "1", ("a", "b"), name, [(f"c{k}", str(int(c))) for k, c in enumerate(closed)]
            ),
            *written.footer(["s"]),
        ]
        return Netlist("\n".join(text) + "\n", dialect, (written.current("s"),))

    @property
    def k(self) -> int:
        """Number of resistors K."""
        return len(self.resistance)

    def _masks(self, mask: ArrayLike) -> NDArray[np.bool_]:
        closed = np.asarray(mask)
        if closed.dtype != bool or closed.ndim == 0 or closed.shape[-1] != self.k:
            raise SpecError(
                f"a mask must be (..., {self.k}) bool, not {closed.shape} of {closed.dtype}"
            )
        return closed

    def _one(self, mask: ArrayLike) -> NDArray[np.bool_]:
        closed = self._masks(mask)
        if closed.ndim != 1:
            raise SpecError(f"there must be one mask ({self.k},), not {closed.shape}")
        return closed

    def _branches(self, mask: ArrayLike) -> Floats:
        """Siemens (..., K) of each resistor in series with its switch."""
        switch = np.where(self._masks(mask), self.switch_on, self.switch_off)
        return np.asarray(1 / (self.resistance + switch), dtype=np.float64)


class ParallelCell(CellCircuit):
    """K branches in parallel, each a resistor in series with a switch.

    >>> ParallelCell([1e3, 2e3]).value([[True, True], [False, True]])
    array([0.0015, 0.0005])
    """

    def value(self, mask: ArrayLike) -> Floats:
        """Conductance (...,) of the branches switched in plus the leakage of the others."""
        return np.asarray(self._branches(mask).sum(axis=-1))

    def parts(self) -> list[Part]:
        """Resistors r<k> from a, switches s<k> to b."""
        found = []
        for k, ohms in enumerate(self.resistance.tolist()):
            found += [Part(f"r{k}", "a", f"m{k}", ohms), Part(f"s{k}", f"m{k}", "b", None, k)]
        return found


class SeriesCell(CellCircuit):
    """K resistors in series, each with a by-pass switch that is open when it is switched in.

    >>> (1 / SeriesCell([1e3, 2e3]).value([[True, True], [False, True]])).round(9)
    array([3000., 2000.])
    """

    def value(self, mask: ArrayLike) -> Floats:
        """Conductance (...,); infinite if all are by-passed by ideal switches."""
        switch = np.where(self._masks(mask), self.switch_off, self.switch_on)
        with np.errstate(divide="ignore"):
            total = (1 / (1 / self.resistance + 1 / switch)).sum(axis=-1)
            return np.asarray(1 / total)

    def parts(self) -> list[Part]:
        """Resistors r<k> with by-passes s<k> in parallel, from a to b."""
        nodes = ["a", *(f"n{k}" for k in range(1, self.k)), "b"]
        found = []
        for k, ohms in enumerate(self.resistance.tolist()):
            ends = nodes[k], nodes[k + 1]
            found += [Part(f"r{k}", *ends, ohms), Part(f"s{k}", *ends, None, k, bypass=True)]
        return found


@attrs.frozen(eq=False, slots=False)
class LadderCell(CellCircuit):
    """K rungs of a resistor and a switch to b, along a rail of K resistors from a.

    Attributes:
        rail: (K,) rail resistances in ohms: rail[0] from a to the first rung, rail[k] from rung
            k - 1 to rung k.

    >>> LadderCell([2.0, 1.0], rail=[1.0, 1.0]).value([[True, True], [False, True]])
    array([0.5       , 0.33333333])
    """

    rail: Floats = attrs.field(kw_only=True, converter=_rail)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.rail.shape != self.resistance.shape:
            raise SpecError(
                f"rail must have one resistor for each rung, {self.k}, not {len(self.rail)}"
            )

    def value(self, mask: ArrayLike) -> Floats:
        """Conductance (...,), accumulated from the far end of the rail to a."""
        rungs = self._branches(mask)
        total = np.zeros(rungs.shape[:-1])
        for k in range(self.k - 1, -1, -1):
            total = total + rungs[..., k]
            total = total / (1 + self.rail[k] * total)
        return total

    def parts(self) -> list[Part]:
        """Rail t<k>, resistors r<k> and switches s<k> of the rungs."""
        nodes = ["a", *(f"n{k}" for k in range(self.k))]
        found = []
        for k, ohms in enumerate(self.resistance.tolist()):
            found += [
                Part(f"t{k}", nodes[k], nodes[k + 1], float(self.rail[k])),
                Part(f"r{k}", nodes[k + 1], f"m{k}", ohms),
                Part(f"s{k}", f"m{k}", "b", None, k),
            ]
        return found
