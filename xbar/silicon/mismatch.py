"""How much the devices of one chip deviate, drawn by the models of the process themselves.

Resistors and switches are sampled apart: the deviation of a resistor is one of its ohms, that of a
switch becomes a deviation of its threshold by the law of its resistance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xbar.arrays import Floats
from xbar.silicon.branch import Branches, Conditions, Nodes
from xbar.silicon.ngspice import simulate

SMALL = 5e-3
"""Volts across a device alone, ohmic there; about what is left for a switch in a branch."""


_MOST = 1000
"""Devices in one deck: the time that ngspice takes to read more grows with their square."""
_TOGETHER = 3200
_LEAST = 50


@dataclass(frozen=True)
class Sample:
    """What is sampled.

    Attributes:
        copies: switches of each width, and resistors of each length; of many lengths fewer, down
            to 50, because one law is fitted over all.
        seed: seed of their deviations.
    """

    copies: int = 400
    seed: int = 1

    def resistors(self, lengths: int) -> int:
        """Resistors of each of some lengths."""
        return min(self.copies, max(_LEAST, _TOGETHER // lengths))


def sample_resistors(branches: Branches, sample: Sample, at: Conditions, volts: float) -> Floats:
    """(K, N) ohms of resistors alone, by the current's difference between +-volts."""
    copies = sample.resistors(len(branches.length))
    device = branches.process.resistor
    elements = [
        [device.line(f"r{n}", "w", f"b{n}", float(length))]
        for n, length in enumerate(np.repeat(branches.length, copies))
    ]
    drawn = _resistances(branches, elements, at, sample.seed, volts)
    return drawn.reshape(len(branches.length), copies)


def sample_switches(branches: Branches, sample: Sample, at: Conditions) -> Floats:
    """(K, copies) ohms of switches alone, over those of a typical one.

    Switches of equal width are the same sample.
    """
    widths, which = np.unique(branches.width, return_inverse=True)
    first = [int(np.flatnonzero(which == k)[0]) for k in range(len(widths))]
    copies = np.repeat(first, sample.copies).tolist()
    drawn = _resistances(branches, _switches(branches, copies), at, sample.seed, SMALL)
    typical = _resistances(branches, _switches(branches, first), at, None, SMALL)
    return (drawn.reshape(len(widths), sample.copies) / typical[:, None])[which]


def _switches(branches: Branches, which: Sequence[int]) -> list[list[str]]:
    """The elements of some switches, between the node w and a node b of each."""
    return [
        branches.switch_lines(k, str(n), Nodes("w", f"b{n}", "vdd")) for n, k in enumerate(which)
    ]


def _resistances(
    branches: Branches, elements: list[list[str]], at: Conditions, seed: int | None, volts: float
) -> Floats:
    """Ohms between w and each b; the devices of each further deck are drawn with the next seed."""
    found = []
    for part, start in enumerate(range(0, len(elements), _MOST)):
        which = range(start, min(start + _MOST, len(elements)))
        own = None if seed is None else seed + part
        found.append(_deck(branches, {n: elements[n] for n in which}, at, own, volts))
    return np.concatenate(found)


def _deck(
    branches: Branches,
    elements: dict[int, list[str]],
    at: Conditions,
    seed: int | None,
    volts: float,
) -> Floats:
    common = branches.common
    supply = branches.switch.supply if at.supply is None else at.supply
    lines = [f"* devices of {branches.process.name}"]
    lines += branches.process.load(at.corner, mismatch=seed is not None)
    lines += [f".temp {at.temperature:.9g}", f"Vw w 0 {common:.9g}", f"Vdd vdd 0 {supply:.9g}"]
    for n, each in elements.items():
        lines += [f"Vb{n} b{n} 0 {common:.9g}", *each]
    lines.append(".save " + " ".join(f"i(vb{n})" for n in elements))
    lines.append(f".dc Vw {common - volts:.12g} {common + 1.5 * volts:.12g} {2 * volts:.12g}")
    found = simulate("\n".join(lines) + "\n", branches.process, seed)
    amps = np.array([found[f"i(vb{n})"] for n in elements])
    return np.asarray(2 * volts / (amps[:, 1] - amps[:, 0]))
