"""Digital calibration of a programmed chip from unlabelled inputs.

Corrections are found once, layer after layer (``corrected.py``), and kept by the program: every
read of it is corrected. They cost one multiplication and one addition an output, and the switches
stay as they are. This is the cheap rival of choosing or training weights for the chip: it gives
back what all inputs of an output lose alike, and nothing of what they lose differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import one_of
from xbar.blas import one_blas_thread
from xbar.compiler.corrections import Corrections, Shapes, What
from xbar.compiler.program import Program
from xbar.effects.readout import Readout, check_readout, tell_selectors
from xbar.errors import SpecError, warn
from xbar.hardware.draw import check_seed
from xbar.simulation.calibration import Calibration, Method
from xbar.simulation.calibration import calibrate as find_ranges
from xbar.simulation.compensation import Correction
from xbar.simulation.data import Data, Outputs
from xbar.simulation.memory import memory_limit
from xbar.simulation.prepared import Prepared
from xbar.simulation.ranges import Ranges
from xbar.simulation.readout import AnalogProducts
from xbar.statistics import wilson_interval
from xbar.tables import Table, few, percent, table
from xbar.training.corrected import Finder

INPUTS = 512
"""Inputs that are used of those given, evenly spaced."""

WAYS: tuple[What, ...] = get_args(What)


@one_blas_thread()
def calibrate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    what: What = "columns",
    *,
    readout: Readout = "nodal",
    ranges: Method | Calibration | None = None,
    time: str | float | None = None,
    temperature: str | float | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Program:
    """Find digital corrections of a program's layers, and keep them in the program.

    Args:
        program: program on its chip, at the time and temperature that the chip has.
        inputs: unlabelled inputs (N, ...) of the network, {layer: (N, inputs)} of bare matrices; of
            more than ``INPUTS`` evenly spaced ones are used.
        what: "gain", one factor a layer; "columns", factor and offset of each output; "batchnorm",
            each output's mean and deviation made those of the digital network, as finding the
            statistics of a batch norm again does.
        readout: how the chip is read meanwhile: "ideal", "nodal" or "nonlinear".
        ranges: how the full scales of converters are found from the same inputs first, and kept:
            "max", "percentile" or "least-squares"; None for automatic ones.
        time: time since programming at which the chip is read for it, such as "30 d"; None for
            that of the program's chip.
        temperature: temperature likewise, such as "85 C".
        seed: seed of the read noise.
        memory: limit of the layers' matrices in memory, as in ``Program.reader``.

    Returns:
        The program with corrections, on the same chip, with the same switches.

    Raises:
        SpecError: the inputs don't fit, an argument is out of range, or the design lacks what it
            needs.

    Warns:
        XbarWarning: the program had corrections, which are replaced.

    >>> from xbar import Chip, Hardware, Tile, compile
    >>> design = Hardware(tile=Tile(word_lines=4, bit_lines=4, word_wire=200, bit_wire=200))
    >>> program = compile({"fc": [[0.5, -1.0]]}, Chip.sample(design, 1))
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> for each in program, calibrate(program, x):
    ...     each.run([[1.0, 0.0], [0.0, 1.0]], "nodal").round(2).ravel()
    array([ 0.5 , -0.93])
    array([ 0.52, -0.99])
    """
    one_of(what, "what", WAYS)
    if program.corrections is not None:
        warn(f"the program's corrections, {program.corrections}, are replaced")
    chip = _then(program, time, temperature)
    data = _some(program, Data.of(program, inputs, None))
    found = _find(chip, data, (what,), _How.of(readout, ranges, seed, memory))[what]
    return _with(program, found)


@dataclass(frozen=True, eq=False)
class Compared:
    """What one way of calibration gives.

    Attributes:
        what: the way; "none" for the program as it is, "digital" for the network itself.
        error: error of the outputs, relative to those of the digital network.
        accuracy: share of right classes; None without labels.
        interval: 95 % interval of it over the inputs.
    """

    what: str
    error: float
    accuracy: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What each way of calibration gives, on inputs that it has not seen.

    Attributes:
        given: by way, "none" and "digital" included.
        programs: the calibrated programs, by way.
        inputs: number of inputs that calibrated.
        held: number of inputs held apart, on which they are compared.
        notes: what was assumed of the data, one sentence each.
    """

    given: tuple[Compared, ...]
    programs: Mapping[What, Program]
    inputs: int
    held: int
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """A row a way."""
        labelled = self.given[0].accuracy is not None
        head = ["corrected", "error of outputs"] + ["accuracy", "95 % interval"] * labelled
        rows = []
        for each in self.given:
            low, high = each.interval or (None, None)
            told = [percent(each.accuracy), f"{percent(low)} to {percent(high)}"] * labelled
            rows.append([each.what, percent(each.error), *told[: 2 * labelled]])
        title = f"calibrated on {self.inputs} inputs, compared on {self.held} others"
        return title, head, rows

    def __str__(self) -> str:
        return table(*self.table())

    def to_json(self) -> dict[str, Any]:
        """The figures as a dictionary for ``json``."""
        given = [
            {
                "what": each.what,
                "error": each.error,
                "accuracy": each.accuracy,
                "interval": None if each.interval is None else list(each.interval),
            }
            for each in self.given
        ]
        return {"inputs": self.inputs, "held": self.held, "given": given}


@one_blas_thread()
def compare(
    program: Program,
    inputs: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    readout: Readout = "nodal",
    ranges: Method | Calibration | None = None,
    time: str | float | None = None,
    temperature: str | float | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Comparison:
    """Calibrate in every way on one half of the inputs, and compare on the other.

    The halves are drawn from the seed.

    Args:
        program: program of a network, see ``calibrate``.
        inputs: inputs (N, ...), at least two.
        labels: class numbers (N,), for accuracies.
        readout: as in ``calibrate``, also of the comparison.
        ranges: as in ``calibrate``; then "none" has them, too.
        time: as in ``calibrate``.
        temperature: as in ``calibrate``.
        seed: seed of the halves and of the read noise.
        memory: as in ``calibrate``.

    Raises:
        SpecError: as in ``calibrate``, or there is no network, or a single input.
    """
    if program.graph is None:
        raise SpecError("ways of calibration are compared by a network's outputs; there is none")
    whole = Data.of(program, inputs, labels)
    if whole.size < 2:
        raise SpecError("inputs must be at least two: one half calibrates, the other is held apart")
    order = np.random.default_rng(check_seed(seed)).permutation(whole.size)
    mine, held = np.sort(order[: whole.size // 2]), np.sort(order[whole.size // 2 :])
    data = _some(program, Data.of(program, whole.inputs[mine], None))
    rest = None if whole.labels is None else whole.labels[held]
    other = Data.of(program, whole.inputs[held], rest)
    chip = _then(program, time, temperature)
    how = _How.of(readout, ranges, seed, memory)
    found = _find(chip, data, WAYS, how)
    exact = other.run(program, None)
    plain = next(iter(found.values())).ranges

    def given(what: str, corrections: Corrections | None) -> Compared:
        at = chip if corrections is None else _with(chip, corrections)
        products = AnalogProducts(at, readout, seed + 1, ranges=plain, memory=how.memory)
        return _given(what, other, other.run(at, products), exact)

    rows = [given("none", None), *(given(what, each) for what, each in found.items())]
    rows.append(_given("digital", other, exact, exact))
    programs = {what: _with(program, each) for what, each in found.items()}
    notes = whole.assumed(exact.values)
    return Comparison(tuple(rows), programs, data.size, other.size, notes)


def _given(what: str, data: Data, outputs: Outputs, exact: Outputs) -> Compared:
    score, size = outputs.score, data.size
    interval = None if score is None else wilson_interval(score * size, size)
    return Compared(what, outputs.error(exact), score, interval)


def _then(program: Program, time: str | float | None, temperature: str | float | None) -> Program:
    """The program without corrections, on its chip at a time and temperature."""
    plain = program.uncorrected
    if plain is not program:
        Prepared.share(program, plain)
    if time is None and temperature is None:
        return plain
    return plain.on(plain.chip.at(time, temperature))


def _some(program: Program, data: Data) -> Data:
    """At most ``INPUTS`` of the data, evenly spaced, without labels."""

    def some(values: ArrayLike) -> Any:
        array = np.asarray(values)
        size = len(array)
        return array[np.linspace(0, size - 1, min(size, INPUTS)).round().astype(int)]

    if isinstance(data.inputs, Mapping):
        return Data.of(program, {name: some(x) for name, x in data.inputs.items()}, None)
    return Data.of(program, some(data.inputs), None)


@dataclass(frozen=True)
class _How:
    """How a chip is read when it is calibrated."""

    readout: Readout
    method: Calibration | None
    seed: int
    memory: int | None

    @classmethod
    def of(
        cls,
        readout: Readout,
        ranges: Method | Calibration | None,
        seed: int,
        memory: int | str | None,
    ) -> _How:
        if ranges is not None and not isinstance(ranges, Calibration):
            ranges = Calibration(one_of(ranges, "ranges", get_args(Method)))
        return cls(readout, ranges, check_seed(seed), memory_limit(memory))


def _find(
    program: Program, data: Data, ways: tuple[What, ...], how: _How
) -> dict[What, Corrections]:
    """Corrections of a program as its chip is now, by way."""
    if not data.size:
        raise SpecError("inputs must hold at least one input")
    check_readout(program.hardware, how.readout)
    tell_selectors(program.hardware, how.readout)
    full = _ranges(program, data, how)
    shapes = program.plan.shapes
    later = program.hardware.later
    found = {}
    for what in ways:
        products = AnalogProducts(program, how.readout, how.seed, ranges=full, memory=how.memory)
        each = Finder(products, what).run(data)
        if left := [name for name in shapes if name not in each]:
            warn(f"no input reaches {few(left)}, without corrections therefore; give others")
        slope, offset = (_spread(each, name, shapes) for name in ("slope", "offset"))
        found[what] = Corrections(
            what,
            slope,
            offset,
            data.size,
            how.readout,
            None if later is None else later.moment,
            full,
            None if how.method is None else how.method.method,
        )
    return found


def _ranges(program: Program, data: Data, how: _How) -> Ranges | None:
    """The full scales of converters that the data give; None for automatic ones."""
    if how.method is None:
        return None

    def run(products: AnalogProducts) -> object:
        return data.run(program, replace(products, memory=how.memory))

    found = find_ranges(program, run, how.method, how.readout)
    if not (found.inputs or found.currents or found.trimmed):
        raise SpecError(
            "ranges need a DAC, or an ADC without adc.range, in the design, which has neither; "
            "leave ranges out"
        )
    return found


def _spread(found: Mapping[str, Correction], name: str, shapes: Shapes) -> dict[str, Any]:
    """(G, outputs) by layer; of one that the network did not use, the numbers of none."""
    rest = {"slope": 1.0, "offset": 0.0}[name]
    return {
        layer: np.broadcast_to(
            np.asarray(getattr(found[layer], name) if layer in found else rest, np.float64),
            shape[:2],
        ).copy()
        for layer, shape in shapes.items()
    }


def _with(program: Program, corrections: Corrections) -> Program:
    """A program with these corrections instead of any."""
    made = replace(program, plan=replace(program.plan, corrections=corrections))
    Prepared.share(program, made)
    return made
