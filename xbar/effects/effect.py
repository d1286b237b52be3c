"""What an effect is, and what it may know of a read.

    voltage       ──►  conductance, variance  ──►  current
    of word lines      of a weight's cells         of bit lines

Shapes: N vectors, R inputs and C outputs of blocks that are driven alike. Arrays are those of the
namespace in use (``xbar.effects.namespace``): numpy's or PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, get_args

from xbar.effects.converters import ClipCount
from xbar.effects.namespace import Array, Arrays
from xbar.effects.readout import Readout
from xbar.hardware.spec import Hardware

if TYPE_CHECKING:
    from xbar.effects.stage import Stage


class Cells(Protocol):
    """The cells of one block's weights; all arrays (R, C)."""

    @property
    def target(self) -> Array:
        """Siemens that were wanted."""

    @property
    def achieved(self) -> Array:
        """Siemens that the chosen resistors add up to, the minus line's taken off."""

    @property
    def wired(self) -> Array:
        """Siemens that are read of them through the wires."""

    @property
    def attenuation(self) -> Array:
        """Share of a small change of ``achieved`` that is read through the wires."""

    @property
    def wire_aware(self) -> bool:
        """Whether ``wired``, not ``achieved``, was programmed to be the target."""


@dataclass(frozen=True, eq=False)
class ExactCells:
    """Cells that are their own targets, with ideal wires; see ``Cells``.

    Attributes:
        target: (R, C) siemens.
    """

    target: Array

    @property
    def achieved(self) -> Array:
        """The target."""
        return self.target

    @property
    def wired(self) -> Array:
        """The target."""
        return self.target

    @property
    def attenuation(self) -> Array:
        """1."""
        return 1.0

    @property
    def wire_aware(self) -> bool:
        """They were not programmed for wires."""
        return False


@dataclass(slots=True, eq=False)
class Read:
    """What is going on while an effect acts on voltages or currents.

    Attributes:
        hardware: design of the chip.
        xp: namespace of the arrays.
        clips: conversions out of range, counted by the effect's name; none where not wanted.
        stage: columns that are read; None while voltages are made.
        voltage: (N, R) volts on the stage's inputs; None while voltages are made.
        step: number of the bit-serial step.
    """

    hardware: Hardware
    xp: Arrays
    clips: Mapping[str, ClipCount] = field(default_factory=dict)
    stage: Stage | None = None
    voltage: Array = None
    step: int = 0


class Effect:
    """One physical cause of the difference between a chip's products and the network's.

    A subclass overrides the hooks of what it changes. Hooks are plain arithmetic on the arrays of
    a namespace and have no state.

    Attributes:
        name: name in the error budget.
        key: the design's key that gives a chip the effect; empty if every chip has it.
        readouts: the read-outs that see it.
    """

    name: ClassVar[str]
    key: ClassVar[str] = ""
    readouts: ClassVar[tuple[Readout, ...]] = get_args(Readout)

    def given(self, hardware: Hardware) -> bool:
        """Whether chips of a design have the effect."""
        del hardware
        return True

    def acts(self, hardware: Hardware, readout: Readout) -> bool:
        """Whether a read-out of chips of a design sees the effect."""
        return readout in self.readouts and self.given(hardware)

    def voltage(self, volts: Array, read: Read) -> Iterator[tuple[float, Array]]:
        """What becomes of volts (N, G, inputs), which may be overwritten.

        Yields:
            By step, what its reading counts, and the volts on the word lines.
        """
        del read
        yield 1.0, volts

    def conductance(self, conductance: Array, cells: Cells) -> Array:
        """What becomes of the signed conductances (R, C) of weights, in siemens."""
        del cells
        return conductance

    def variance(self, power: Array, hardware: Hardware) -> Array:
        """Variance, in siemens², that is added to conductances from one read to the next.

        Args:
            power: siemens², the sum of the squares of the resistors that conduct.
            hardware: design of the chip.
        """
        del power, hardware
        return 0.0

    def current(self, current: Array, read: Read) -> Array:
        """What becomes of differential currents (N, C) in amperes, which may be overwritten."""
        del read
        return current


def changes(effect: Effect, hook: str) -> bool:
    """Whether an effect changes "voltage", "conductance", "variance" or "current"."""
    return getattr(type(effect), hook) is not getattr(Effect, hook)
