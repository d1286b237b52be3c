"""How much the devices of one chip deviate, drawn by the models of the process themselves.

Resistors and switches are sampled apart: the deviation of a resistor is one of its ohms, that of a
switch becomes a deviation of its threshold by the law of its resistance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.silicon.branch import Branches, Conditions, Nodes
from xbar.silicon.ngspice import simulate

Floats: TypeAlias = NDArray[np.float64]
SMALL = 5e-3
"""Volts across a switch alone: about what is left for it in a branch."""


@dataclass(frozen=True)
class Sample:
    """What is sampled.

    Attributes:
        copies: devices of each length or width.
        seed: seed of their deviations.
    """

    copies: int = 400
    seed: int = 1


def sample_resistors(branches: Branches, sample: Sample, at: Conditions, volts: float) -> Floats:
    """(K, copies) ohms of resistors alone, by the current's difference between +-volts."""
    count = len(branches.length)
    elements = [
        branches.process.resistor.line(f"r{n}", "w", f"b{n}", float(length))
        for n, length in enumerate(np.repeat(branches.length, sample.copies))
    ]
    return _resistances(branches, elements, at, sample.seed, volts).reshape(count, sample.copies)


def sample_switches(branches: Branches, sample: Sample, at: Conditions) -> Floats:
    """(K, copies) ohms of switches alone, over those of a typical one.

    Switches of equal width are the same sample.
    """
    widths, which = np.unique(branches.width, return_inverse=True)
    first = [int(np.flatnonzero(which == k)[0]) for k in range(len(widths))]
    nodes = [
        (k, n, Nodes("w", f"b{n}", "vdd"))
        for n, k in enumerate(np.repeat(first, sample.copies).tolist())
    ]
    elements = [line for k, n, each in nodes for line in branches.switch_lines(k, str(n), each)]
    count = len(nodes)
    drawn = _resistances(branches, elements, at, sample.seed, SMALL, count)
    typical = [
        line
        for n, k in enumerate(first)
        for line in branches.switch_lines(k, str(n), Nodes("w", f"b{n}", "vdd"))
    ]
    own = _resistances(branches, typical, at, None, SMALL, len(first))
    return (drawn.reshape(len(widths), sample.copies) / own[:, None])[which]


def _resistances(
    branches: Branches,
    elements: list[str],
    at: Conditions,
    seed: int | None,
    volts: float,
    count: int = 0,
) -> Floats:
    """Ohms between w and each b of a deck of such elements."""
    count = count or len(elements)
    common = branches.common
    supply = branches.switch.supply if at.supply is None else at.supply
    lines = [f"* devices of {branches.process.name}"]
    lines += branches.process.load(at.corner, mismatch=seed is not None)
    lines += [f".temp {at.temperature:.9g}", f"Vw w 0 {common:.9g}", f"Vdd vdd 0 {supply:.9g}"]
    lines += [f"Vb{n} b{n} 0 {common:.9g}" for n in range(count)] + elements
    lines.append(".save " + " ".join(f"i(vb{n})" for n in range(count)))
    lines.append(f".dc Vw {common - volts:.12g} {common + 1.5 * volts:.12g} {2 * volts:.12g}")
    found = simulate("\n".join(lines) + "\n", branches.process, seed)
    amps = np.array([found[f"i(vb{n})"] for n in range(count)])
    return np.asarray(2 * volts / (amps[:, 1] - amps[:, 0]))
