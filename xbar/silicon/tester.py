"""What a tester finds on an array of transistors: its branches one by one, its cells as programmed.

Shapes: W x B cells of a tile, w x b sampled ones, K branches each. Units: siemens.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xbar.arrays import Floats, one_number
from xbar.errors import SpecError
from xbar.files import write_bytes, write_text
from xbar.hardware.draw import check_seed
from xbar.hardware.nonlinearity import Nonlinearity
from xbar.hardware.spec import Hardware
from xbar.silicon.array import Array, Masks
from xbar.silicon.branch import Conditions
from xbar.tables import Outline

READ_VOLTS = 2e-3
"""Amplitude of a read of slopes at 0 V, which are read at twice this, too; at a twentieth
ngspice's rounding is seen, some 5e-8."""

_MOST_NOISE = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class Measured(Outline):
    """Conductances of the branches of the sampled cells, wires included.

    Attributes:
        on: (w, b, K) amperes a volt of the driver through each branch, closed together with one
            branch of every other cell on its word line; less what the open ones leak.
        off: (w, b, K) amperes a volt through each open branch: a Kth of its cell's.
        c2: (w, b, K) 1/V, of the part of each branch's current that goes with v², over ``on``; None
            where it was not measured.
    """

    on: Floats
    off: Floats
    c2: Floats | None = None

    def with_noise(self, relative: float, seed: int) -> Measured:
        """The same measured with normal errors of ``on``, relative to each value, without ``c2``.

        What bends a current, some 1e-4 of it, is lost in noise of this size.

        Raises:
            SpecError: ``relative`` is not from 0 to 0.2, or the seed is no seed.
        """
        sigma = check_noise(relative)
        rng = np.random.Generator(np.random.Philox(check_seed(seed)))
        noisy = self.on * (1 + sigma * rng.standard_normal(self.on.shape))
        return replace(self, on=noisy, c2=None if sigma else self.c2)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write it as tile 0 of a measured chip, for ``Chip.from_measurement``.

        A table of text with the columns tile, word_line, bit_line, resistor, on and off, in
        siemens, and c2; or, if the path ends in .npz, arrays of them (1, w, b, K).

        Raises:
            FileError: the file exists and ``force`` is not set, or can't be written.
        """
        path = Path(path)
        if path.suffix.lower() == ".npz":
            content, named = io.BytesIO(), {"on": self.on, "off": self.off, "c2": self.c2}
            arrays: dict[str, Any] = {
                name: each[None] for name, each in named.items() if each is not None
            }
            np.savez(content, **arrays)
            write_bytes(path, content.getvalue(), force=force)
            return
        bent = self.c2 is not None
        lines = ["tile,word_line,bit_line,resistor,on,off" + ",c2" * bent]
        for i, j, k in np.ndindex(*self.on.shape):
            line = f"0,{i},{j},{k},{self.on[i, j, k]:.15g},{self.off[i, j, k]:.6g}"
            lines.append(line if self.c2 is None else f"{line},{self.c2[i, j, k]:.9g}")
        write_text(path, "\n".join([*lines, ""]), force=force)


def read_volts(law: Nonlinearity | None) -> float:
    """Amplitude of a read at which conductances are those of a law; 0 for slopes at 0 V."""
    return 0.0 if law is None or law.test is None else law.test


def check_noise(relative: float) -> float:
    """The error of a measurement, relative to each value.

    Raises:
        SpecError: it is not from 0 to 0.2; beyond, conductances would be negative.
    """
    sigma = one_number(relative, "noise", 0)
    if sigma > _MOST_NOISE:
        raise SpecError(
            f"noise is a fraction of each value and must be at most {_MOST_NOISE:g}, not {sigma:g}"
        )
    return sigma


def measure_design(
    hardware: Hardware,
    mismatch: int | None,
    conditions: Conditions | None = None,
    pdk: str | Path | None = None,
) -> Measured:
    """Measure a tile of a design, as ngspice draws its devices, by ``read_volts`` up and down.

    Args:
        hardware: a design that says its process.
        mismatch: seed of the process's own mismatch; None for typical devices.
        conditions: corner, temperature and supply; the process's own by default.
        pdk: folder of the process's models; see ``Process.find``.

    Raises:
        SpecError: the design does not say what its bank is drawn as, or its tile has too many
            branches.
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice gave no usable answer.
    """
    at = replace(conditions or Conditions(), seed=mismatch)
    return measure(Array.of_design(hardware, at, pdk), read_volts(hardware.bank.nonlinearity))


def measure(array: Array, volts: float = 0.0) -> Measured:
    """Measure each branch, its word line driven up and down by ``volts``; at 0 V the slope there.

    A word line at a time: of each of its cells branch k is closed, for k = 0 to K - 1, then none.
    ``Chip.from_measurement(..., behind_wires="line")`` takes out the wires that this goes through.

    Raises:
        ToolError: ngspice is missing.
        EngineError: ngspice gave no usable answer.
    """
    w, b, k = array.shape
    states = np.zeros((w, k + 1, w, b, k), dtype=bool)
    for row in range(w):
        for branch in range(k):
            states[row, branch, row, :, branch] = True
    drive = np.zeros((w, k + 1, len(array.rest)))
    drive[np.arange(w), :, array.word_lines] = 1.0
    points = w * (k + 1)
    probes = _probes(drive.reshape(points, -1), volts)
    gates = np.tile(states.reshape(points, w, b, k), (len(probes) // points, 1, 1, 1))
    amps = array.currents(probes, gates)
    siemens, bent = (find(amps, volts).reshape(w, k + 1, b) for find in (_slope, _bend))
    off = np.maximum(siemens[:, -1], 0.0) / k
    on = np.moveaxis(siemens[:, :-1], 1, 2) - (k - 1) * off[:, :, None]
    c2 = np.moveaxis(bent[:, :-1], 1, 2) / on
    return Measured(on, np.repeat(off[:, :, None], k, axis=2), c2)


def transfer(array: Array, closed: Masks, volts: float = 0.0) -> Floats:
    """(w, b) siemens: amperes of each bit line a volt on each word line alone.

    Args:
        array: the array.
        closed: (w, b, K) closed switches.
        volts: amplitude, up and down; 0 for the slope at 0 V.
    """
    return read(array, closed, np.zeros((0, len(array.rest))), volts)[0]


def read(array: Array, closed: Masks, voltage: Floats, volts: float = 0.0) -> tuple[Floats, Floats]:
    """``transfer``, and (N, b) amperes for driver voltages (N, W), in one run.

    What flows with all drivers at rest, the junctions' leakage of some 1e-15 A, is part of the
    currents: ngspice does not converge where nothing else flows.
    """
    lines = len(array.word_lines)
    drive = np.zeros((lines, len(array.rest)))
    drive[np.arange(lines), array.word_lines] = 1.0
    probes = _probes(drive, volts)
    amps = array.currents(np.concatenate([probes, voltage]), closed)
    return _slope(amps[: len(probes)], volts), amps[len(probes) :]


def _amplitudes(volts: float) -> tuple[float, ...]:
    return (volts,) if volts else (READ_VOLTS, 2 * READ_VOLTS)


def _probes(drive: Floats, volts: float) -> Floats:
    """(P N, W) volts of each amplitude up and down, of N patterns (N, W)."""
    return np.concatenate([sign * each * drive for each in _amplitudes(volts) for sign in (1, -1)])


def _slope(amps: Floats, volts: float) -> Floats:
    """(N, b) siemens from amperes (P N, b) at ``_probes``."""
    amplitudes = _amplitudes(volts)
    parts = amps.reshape(len(amplitudes), 2, -1, amps.shape[1])
    found = [(up - down) / (2 * each) for each, (up, down) in zip(amplitudes, parts, strict=True)]
    # a current that goes with v |v|, as by a kink, is taken out
    return np.asarray(found[0] if volts else 2 * found[0] - found[1])


def _bend(amps: Floats, volts: float) -> Floats:
    """(N, b) amperes by volts squared, of what is even in the voltage, from the same amperes."""
    amplitudes = _amplitudes(volts)
    parts = amps.reshape(len(amplitudes), 2, -1, amps.shape[1])
    even = parts.sum(axis=1) / 2
    if volts:
        return np.asarray(even[0] / volts**2)
    # what flows at 0 V, the junctions' leakage, is in both
    return np.asarray((even[1] - even[0]) / (amplitudes[1] ** 2 - amplitudes[0] ** 2))
