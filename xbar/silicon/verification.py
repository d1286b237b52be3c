"""A compiled program against its transistors: what xbar and what ngspice say of sampled cells.

The sampled cells of a tile are built of the process's devices, with the chip's own deviations; the
rest of the tile is one resistor a cell, as xbar has them. So the circuit is that of the whole tile,
and xbar's prediction is for the same one: the branch's law and the solver are compared, while the
ohms of the wires are common to both.

Shapes: R inputs and C outputs sampled; W word lines, w and b sampled lines; N inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats, one_number
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedTile
from xbar.parallel import Progress
from xbar.silicon.bits import bits_of, calibrated_gain
from xbar.silicon.branch import Conditions
from xbar.silicon.tables import bits_text, condition_text, sweep_text, verification_text
from xbar.silicon.tester import read
from xbar.silicon.tile import Choice, TransistorTile
from xbar.simulation.verify import activations, first_inputs, real_voltages
from xbar.tables import Card, Facts, Outline

Gain: TypeAlias = Literal["none", "chip", "columns"]
"""What is calibrated after programming: nothing, one gain, or one of each output."""

TOLERANCE = 2e-5
"""Error of a weight that passes; that of a branch's law is a tenth of it."""
CURRENT_TOLERANCE = 2e-5
"""Error of a current that passes: a tenth to a quarter of it is seen, but up to 2.5e-5 on measured
chips without ``c2``, whose thresholds are unknown."""
UNDRIVEN = "no input drives a word line of this tile, so no currents were compared"
"""Note of a verification by weights alone."""
VECTORS = 4
"""Input vectors that drive a tile at once, with all its word lines."""


@dataclass(frozen=True, eq=False, repr=False)
class Verification(Card):
    """Sampled weights and currents of one tile, by xbar and by ngspice.

    Attributes:
        tile: index of the tile.
        layer: name of the layer.
        process: name of the process.
        conditions: corner, temperature and supply.
        cells: word lines and bit lines that are transistors.
        target: (R, C) weights that the program is to hold.
        predicted: (R, C) weights by xbar under this condition.
        read: (R, C) weights read back from ngspice.
        largest: largest |weight| of the block, to which errors of weights are relative.
        predicted_current: (N, b) amperes by xbar, all word lines driven.
        current: (N, b) amperes by ngspice.
        tolerance: largest error of a weight that passes.
        current_tolerance: largest error of a current that passes.
        notes: what was assumed, one sentence each.
    """

    tile: int
    layer: str
    process: str
    conditions: Conditions
    cells: tuple[int, int]
    target: Floats
    predicted: Floats
    read: Floats
    largest: float
    predicted_current: Floats
    current: Floats
    tolerance: float
    current_tolerance: float
    notes: tuple[str, ...] = ()

    @property
    def weight_error(self) -> float:
        """Largest |read - predicted| of a weight, relative to the largest weight."""
        return float(np.abs(self.read - self.predicted).max()) / self.largest

    @property
    def current_error(self) -> float:
        """Largest difference of a bit line's current, relative to the largest; 0 without inputs."""
        if not self.current.size:
            return 0.0
        scale = float(np.abs(self.predicted_current).max()) or 1.0
        return float(np.abs(self.current - self.predicted_current).max()) / scale

    @property
    def passed(self) -> bool:
        """Whether both errors are within their tolerances."""
        good = self.weight_error <= self.tolerance
        return good and self.current_error <= self.current_tolerance

    def gain(self, of: Gain = "chip") -> Floats:
        """(C,) gains of the outputs, which the weights read back are divided by.

        Calibrated for the least rms error that is left, see ``calibrated_gain``.

        Args:
            of: "chip" for one gain of all, "columns" for one of each output, "none" for 1.
        """
        axis = 0 if of == "columns" else None
        found = calibrated_gain(self.read, self.target, axis)
        return np.broadcast_to(1.0 if of == "none" else found, self.target.shape[1:]).copy()

    def judges(self, gain: Gain) -> bool:
        """Whether weights tell more than the gains that are calibrated with them.

        One gain makes a single weight right, whatever it is.
        """
        gains = {"none": 0, "chip": 1, "columns": self.target.shape[1]}[gain]
        return bool(self.target.size > gains)

    def rms(self, gain: Gain = "none") -> float:
        """Rms error of the weights read back, relative to the largest, after a calibrated gain."""
        error = self.read / self.gain(gain) - self.target
        return float(np.sqrt(np.mean(error**2))) / self.largest

    def bits(self, gain: Gain = "none") -> float:
        """Bits of a uniform quantiser of ``rms``: log2(2 / (rms sqrt 12))."""
        return bits_of(self.rms(gain))

    def __str__(self) -> str:
        return verification_text(self)

    def _facts(self) -> Facts:
        return [
            ("tile", f"{self.tile}, of {self.layer}, in {self.process}"),
            ("condition", condition_text(self.conditions)),
            ("transistors", f"{self.cells[0]} x {self.cells[1]} cells"),
            ("prediction", f"off by {self.weight_error:.1e}, currents by {self.current_error:.1e}"),
            ("weights", f"{bits_text(self)} bits, {bits_text(self, 'chip')} with one gain"),
            ("passed", f"{self.passed}, within {self.tolerance:g} and {self.current_tolerance:g}"),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        at = self.conditions
        return {
            "tile": self.tile,
            "layer": self.layer,
            "process": self.process,
            "corner": at.corner,
            "temperature": at.temperature,
            "supply": at.supply,
            "cells": list(self.cells),
            "weight_error": self.weight_error,
            "current_error": self.current_error if len(self.current) else None,
            "tolerance": self.tolerance,
            "current_tolerance": self.current_tolerance,
            "passed": self.passed,
            "calibrated": {of: self._calibrated(of) for of in ("none", "chip", "columns")},
            "target": self.target.tolist(),
            "predicted": self.predicted.tolist(),
            "read": self.read.tolist(),
            "predicted_current": self.predicted_current.tolist(),
            "current": self.current.tolist(),
            "notes": list(self.notes),
        }

    def _calibrated(self, of: Gain) -> dict[str, Any]:
        bits, rms = self.bits(of), self.rms(of)
        shown = {"rms": rms, "bits": bits if np.isfinite(bits) else None}
        if not self.judges(of):
            shown = dict.fromkeys(shown)
        return {**shown, "gain": self.gain(of).tolist()}


@dataclass(frozen=True, eq=False, repr=False)
class VerificationSweep(Outline):
    """The same cells under several conditions.

    Attributes:
        points: one verification a condition.
    """

    points: tuple[Verification, ...]

    @property
    def passed(self) -> bool:
        """Whether each one passed."""
        return all(point.passed for point in self.points)

    def __str__(self) -> str:
        return sweep_text(self)

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        return {"passed": self.passed, "points": [point.to_json() for point in self.points]}


def verify(
    program: Program,
    tile: int = 0,
    cells: Sequence[int] = (8, 8),
    corner: str | None = "tt",
    temperature: float = 27.0,
    supply: float | None = None,
    *,
    inputs: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
    current_tolerance: float = CURRENT_TOLERANCE,
    mismatch: int | None = None,
    seed: int | None = None,
    pdk: str | Path | None = None,
) -> Verification:
    """Compare sampled cells of a tile, built of transistors, with xbar's prediction.

    Args:
        program: program for a chip whose design says its process, as ``xbar silicon design`` and
            ``Cell.hardware`` make it.
        tile: index of the tile.
        cells: word lines and bit lines that are transistors; a differential pair takes two bit
            lines. The rest of the tile is one resistor a cell.
        corner: corner of the process; None for its typical one.
        temperature: degrees Celsius.
        supply: volts at the gates of closed switches; None for the process's nominal supply.
        inputs: network inputs (N, ...): the tile is driven with the strongest activations of each
            of the first four. By default four random vectors up to the read voltage.
        tolerance: largest error of a weight read by a small signal, relative to the largest one of
            the block, that passes.
        current_tolerance: largest error of a current, all inputs at once, relative to the largest
            current, that passes.
        mismatch: seed of the process's own mismatch, drawn by ngspice, in place of the chip's
            deviations: for a program for a chip that was measured on such an array. The whole tile
            must be transistors then.
        seed: seed of a random choice of the cells and of the random voltages; None for the first
            cells, and voltages of seed 0.
        pdk: folder of the process's models; see ``Process.find``.

    Raises:
        SpecError: the design has no process, the tile or the cells are not allowed, or the process
            has no such corner.
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice gave no usable answer.
    """
    made = TransistorTile.of(program, tile, cells, Choice(seed, mismatch, pdk))
    volts = drive(program, made.tile, inputs, seed)
    allowed = _allowed(tolerance, current_tolerance)
    return compare(made, made.conditions(corner, temperature, supply), volts, allowed)


def sweep(
    program: Program,
    tile: int = 0,
    cells: Sequence[int] = (8, 8),
    conditions: Iterable[tuple[str, float, float | None]] | None = None,
    *,
    inputs: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
    current_tolerance: float = CURRENT_TOLERANCE,
    mismatch: int | None = None,
    seed: int | None = None,
    pdk: str | Path | None = None,
    progress: Progress | None = None,
) -> VerificationSweep:
    """``verify`` the same cells under several conditions.

    Args:
        program: as in ``verify``, like the other arguments.
        tile: index of the tile.
        cells: word lines and bit lines that are transistors.
        conditions: (corner, temperature, supply) of each. By default those of the design, then, one
            changed at a time: the process's skewed corners, -40 and 85 C, and 10 % less and more
            supply.
        inputs: network inputs (N, ...).
        tolerance: largest error of a weight that passes.
        current_tolerance: largest error of a current that passes.
        mismatch: seed of the process's own mismatch.
        seed: seed of a random choice of the cells and of the random voltages.
        pdk: folder of the process's models.
        progress: called with the conditions done and their total.

    Raises:
        SpecError, ToolError, EngineError: as in ``verify``.
    """
    made = TransistorTile.of(program, tile, cells, Choice(seed, mismatch, pdk))
    volts = drive(program, made.tile, inputs, seed)
    allowed = _allowed(tolerance, current_tolerance)
    usual = made.usual_conditions() if conditions is None else conditions
    chosen = [made.conditions(*each) for each in usual]
    points: list[Verification] = []
    for each in chosen:
        points.append(compare(made, each, volts, allowed))
        if progress is not None:
            progress(len(points), len(chosen))
    return VerificationSweep(tuple(points))


def compare(
    made: TransistorTile,
    conditions: Conditions,
    voltage: Floats,
    allowed: tuple[float, float] = (TOLERANCE, CURRENT_TOLERANCE),
) -> Verification:
    """One verification, for volts (N, W) on the tile's word lines.

    Args:
        made: the tile and its transistors.
        conditions: corner, temperature and supply.
        voltage: (N, W) volts.
        allowed: errors of weights and of currents that pass.
    """
    sample, mapping = made.sample, made.tile.mapping
    prediction = made.prediction(conditions)
    closed = prediction.closed[np.ix_(sample.word_lines, sample.bit_lines)]
    transfer, current = read(made.array(conditions, prediction), closed, voltage, prediction.volts)
    shape, gain = made.tile.chip.hardware.cells, made.tile.reading_gain
    said, found = (
        gain * sample.weights(mapping, cells, shape) for cells in (prediction.transfer(), transfer)
    )
    return Verification(
        tile=made.tile.index,
        layer=sample.block.layer,
        process=made.branches.process.name,
        conditions=conditions,
        cells=(len(sample.word_lines), len(sample.bit_lines)),
        target=sample.target,
        predicted=said,
        read=found,
        largest=sample.largest,
        predicted_current=prediction.currents(voltage),
        current=current,
        tolerance=allowed[0],
        current_tolerance=allowed[1],
        notes=sample.notes + made.notes + (() if len(voltage) else (UNDRIVEN,)),
    )


def _allowed(tolerance: float, current_tolerance: float) -> tuple[float, float]:
    return (
        one_number(tolerance, "tolerance", 0),
        one_number(current_tolerance, "current_tolerance", 0),
    )


def drive(
    program: Program, tile: ProgrammedTile, inputs: ArrayLike | None, seed: int | None
) -> Floats:
    """(N, W) volts on a tile's word lines: real activations, or random ones."""
    if inputs is None:
        hardware = tile.chip.hardware
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed or 0, tile.index])))
        return rng.uniform(-1.0, 1.0, (VECTORS, hardware.cells[0])) * hardware.read_voltage
    some = first_inputs(program, inputs, VECTORS)
    volts = np.array(
        [real_voltages(tile, activations(program, some[n : n + 1])) for n in range(len(some))]
    )
    # ngspice does not converge where nothing flows
    return volts[np.any(volts != 0, axis=1)]
