"""Interface of an effect, and the state of a read that it can use.

    voltage       ──►  conductance, variance  ──►  current
    of word lines      of a weight's cells         of bit lines

Shapes: N vectors, R inputs and C outputs of blocks with common inputs. Arrays are those of the
namespace in use (``xbar.effects.namespace``): numpy's or PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_args

from xbar.effects.converters import ClipCount
from xbar.effects.namespace import Array, Arrays
from xbar.effects.readout import Readout
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.effects.stage import Solve, Stage


class Cells(Protocol):
    """The cells of one block's weights; all arrays (R, C)."""

    @property
    def target(self) -> Array:
        """Target siemens."""

    @property
    def programmed(self) -> Array:
        """Siemens of the chosen resistors when they were chosen: plus line minus minus line."""

    @property
    def aged(self) -> Array:
        """The same after the time since then, at the temperature of then."""

    @property
    def alive(self) -> Array:
        """The same now, had no device died since they were chosen."""

    @property
    def achieved(self) -> Array:
        """The same now: ``programmed`` itself where nothing changed since."""

    @property
    def wired(self) -> Array:
        """Effective siemens, wires included."""

    @property
    def floating(self) -> Array:
        """The same where lines that the read does not use float."""

    @property
    def attenuation(self) -> Array:
        """Attenuation of a small change of ``achieved`` by the wires, a fraction."""

    @property
    def wire_aware(self) -> bool:
        """Whether ``wired``, not ``achieved``, was programmed to the target."""


@dataclass(frozen=True, eq=False)
class ExactCells:
    """Cells exactly at their targets, with ideal wires; see ``Cells``.

    Attributes:
        target: target conductances (R, C) in siemens.
    """

    target: Array

    @property
    def programmed(self) -> Array:
        """The target."""
        return self.target

    @property
    def aged(self) -> Array:
        """The target."""
        return self.target

    @property
    def alive(self) -> Array:
        """The target."""
        return self.target

    @property
    def achieved(self) -> Array:
        """The target."""
        return self.target

    @property
    def wired(self) -> Array:
        """The target."""
        return self.target

    @property
    def floating(self) -> Array:
        """The target."""
        return self.target

    @property
    def attenuation(self) -> Array:
        """1."""
        return 1.0

    @property
    def wire_aware(self) -> bool:
        """False: not programmed for wires."""
        return False


@dataclass(slots=True, eq=False)
class Read:
    """State of a read, passed to effects on voltages or currents.

    Attributes:
        hardware: design of the chip.
        xp: namespace of the arrays.
        clips: counters of clipped conversions by effect name; empty for no counting.
        stage: columns being read; None at the DAC and in ``expected_error``.
        voltage: volts (N, R) on the stage's inputs; None at the DAC.
        step: index of the bit-serial step.
        draw: generator of standard normal numbers of a shape; None where nothing is drawn.
    """

    hardware: Hardware
    xp: Arrays
    clips: Mapping[str, ClipCount] = field(default_factory=dict)
    stage: Stage | None = None
    voltage: Array = None
    step: int = 0
    draw: Callable[[tuple[int, ...]], Array] | None = None

    def drawn(self, name: str) -> Any:
        """What the stage's converters have of an effect; None without."""
        return None if self.stage is None else self.stage.drawn.get(name)

    def beyond(self, current: Array, solve: Solve) -> Array:
        """Currents (N, C) and what is solved beyond them, at the stage's volts.

        Args:
            current: amperes; they stay as they are without a stage.
            solve: gives amperes of the bit lines beyond those.
        """
        if self.stage is None:
            return current
        return current + self.xp.asarray(self.stage.currents(self.xp.to_numpy(self.voltage), solve))

    def noisy(self, current: Array, deviation: Array) -> Array:
        """Currents (N, C) with normal numbers of a deviation, one or (C,), drawn at each call."""
        if self.draw is None or self.stage is None:
            return current
        return current + deviation * self.xp.like(self.draw(tuple(current.shape)), current)


class Effect:
    """One physical cause of the difference between a chip's products and the network's.

    A subclass overrides the hooks of the quantities that it changes. Hooks are plain arithmetic on
    the arrays of a namespace and have no state.

    Attributes:
        name: name in the error budget.
        key: key of the design that enables the effect; empty if every chip has it.
        readouts: read-outs that include it.
        random: whether each read draws numbers for it, beside those of ``variance``.
        needs_range: whether it needs the full scale of the ADCs.
        needs_lines: whether it needs the conductance of each bit line.
    """

    name: ClassVar[str]
    key: ClassVar[str] = ""
    readouts: ClassVar[tuple[Readout, ...]] = get_args(Readout)
    random: ClassVar[bool] = False
    needs_range: ClassVar[bool] = False
    needs_lines: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def given(self, hardware: Hardware) -> bool:
        """Whether chips of a design have the effect."""
        del hardware
        return True

    def acts(self, hardware: Hardware, readout: Readout) -> bool:
        """Whether the effect is active in a read-out of a design's chips."""
        return readout in self.readouts and self.given(hardware)

    def voltage(self, volts: Array, read: Read) -> Iterator[tuple[float, Array]]:
        """Word-line volts for volts (N, G, inputs), which may be overwritten.

        Yields:
            Weight of each step's reading, and its volts on the word lines.
        """
        del read
        yield 1.0, volts

    def drive(self, volts: Array, read: Read) -> Array:
        """Volts (N, R) on the word lines of a stage with this effect; leaves its input alone."""
        del read
        return volts

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """The signed conductances (R, C) of weights with this effect, in siemens."""
        del cells
        return conductance

    def variance(self, power: Array, hardware: Hardware) -> Array:
        """Read-to-read variance that the effect adds to conductances, in siemens².

        Args:
            power: sum of the squares of the conducting resistors, in siemens².
            hardware: design of the chip.
        """
        del power, hardware
        return 0.0

    def current(self, current: Array, read: Read) -> Array:
        """Differential currents (N, C) with this effect, in amperes; may overwrite its input."""
        del read
        return current


def changes(effect: Effect, hook: str) -> bool:
    """Whether an effect has a hook: "voltage", "drive", "conductance", "variance", "current"."""
    return getattr(type(effect), hook) is not getattr(Effect, hook)
