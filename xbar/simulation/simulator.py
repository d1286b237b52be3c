"""Simulation of a program on data: accuracy, error budget and cost; see ``trials.py``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from xbar import parallel
from xbar.arrays import one_integer, one_of
from xbar.blas import one_blas_thread
from xbar.compiler.program import Program
from xbar.effects.chain import Chain
from xbar.effects.namespace import Precision
from xbar.effects.readout import Readout, check_readout, tell_selectors
from xbar.errors import SpecError, shown
from xbar.simulation.budget import sets_of_effects
from xbar.simulation.calibration import Calibration, Method
from xbar.simulation.compensation import INPUTS, Compensation, Known
from xbar.simulation.data import Data, Progress
from xbar.simulation.language import find_metric
from xbar.simulation.life import Life, Quantities, check_conditions, conditions
from xbar.simulation.memory import memory_limit
from xbar.simulation.metric import Metric
from xbar.simulation.on_device import settled
from xbar.simulation.result import LayerResult, Result
from xbar.simulation.run import tell_corrections, tell_wires
from xbar.simulation.tokens import Windows
from xbar.simulation.trials import Run

__all__ = ["LayerResult", "Result", "simulate"]


CALIBRATION = 256
"""Default number of calibration inputs."""
MOST_TRIALS = 1_000_000
"""Largest number of chips, and of reads of each."""


@one_blas_thread()
def simulate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | None = None,
    *,
    readout: Readout = "ideal",
    trials: int = 1,
    noise_trials: int = 1,
    calibrate: Method | Calibration | None = None,
    calibration: int | ArrayLike | Mapping[str, ArrayLike] = CALIBRATION,
    precision: Precision = "float64",
    budget: bool | Collection[str] = False,
    cost: bool = False,
    metric: Metric | str | None = None,
    window: int | None = None,
    stride: int | None = None,
    tokens: int | None = None,
    seed: int = 0,
    progress: parallel.Progress | None = None,
    device: str = "cpu",
    memory: int | str | None = None,
    time: Quantities | None = None,
    temperature: Quantities | None = None,
    compensate: Compensation = "none",
) -> Result:
    """Run data through a programmed chip and report the accuracy after analog execution.

    Args:
        program: program from ``xbar.compile``.
        inputs: network inputs (N, ...), also with channels last or flat, recognised by their
            shape and told in the result's notes; {layer: (N, inputs)} for bare matrices.
        labels: class numbers (N,), also as a column or one-hot (N, C); 0 or 1 for a network with
            one output, which is class 1 above 0.5 if it ends in a sigmoid, else above 0. None to
            compare products only. (N, ...) for a metric.
        readout: "ideal" wires; "nodal" for the exact solution of each tile with its wires;
            "nonlinear" for cells that follow ``bank.nonlinearity``, by Newton's method for each
            input, which is slow.
        trials: number of chips; the first is the program's own.
        noise_trials: number of reads of each chip, with different noise.
        calibrate: calibration method of the converters' ranges, for each chip: "max", "percentile"
            or "least-squares". By default each input vector is scaled by its own largest value, and
            an ADC's range is derived from its cells.
        calibration: calibration data: a number of the first inputs, or separate inputs.
        precision: precision of the analog products; "float32" is faster, its error is measured, and
            it draws other numbers of read noise from a seed than "float64".
        budget: whether to report the error budget; or names of the effects to include, see
            ``xbar.simulation.budget``.
        cost: whether to report devices, area, energy and time per input, see
            ``xbar.simulation.cost``.
        metric: metric instead of accuracy. "perplexity", "top-5" (any number), "agreement" with the
            digital network or "kl" from it, by token or by input, see
            ``xbar.simulation.language``: without labels a token's label is the next one; labels
            (N, T) are those of the same places, negative where none is scored. Or a function
            (outputs, labels) -> number, or its name as "module:callable", which is imported: the
            user's own code runs.
        window: tokens of a window, where the inputs are one stream of tokens (one axis of whole
            numbers); the network's own number or 256 by default, see ``xbar.simulation.tokens``.
        stride: tokens from one window to the next; a whole window by default.
        tokens: number of tokens of the stream that are used, from the first; all by default.
        seed: seed of the other chips and of all read noise.
        progress: called with the batches done and their total.
        device: "cpu", "cuda" or "auto": where the conductances of each chip's tiles are made, as in
            ``Program.reader``. Calibration and budget are computed on the CPU.
        memory: limit of the layers' matrices in memory, as in ``Program.reader``.
        time: times since programming, such as "1 y" or ["1 h", "1 d"]: the chips are then those
            of later (``Chip.at``), with the same switches and the ranges calibrated when they were
            programmed. The result is a ``Life``, with one result for each time and temperature.
        temperature: temperatures likewise, such as "85 C" or ["-40 C", "85 C"].
        compensate: digital corrections of each layer's outputs from known inputs, the first ones
            of the calibration data: "gain", one factor a layer; "columns", factor and offset an
            output; "batchnorm", each output's mean and deviation over these data made those of
            the digital network, as finding the statistics of a batch norm again does; "none".

    Raises:
        SpecError: the data do not fit the network, or an argument is out of range.
        FileError: the matrices can't be kept on disk, as on one that is full.
        ToolError: "cuda" without a card.
    """
    check_readout(program.hardware, readout)
    tell_selectors(program.hardware, readout)
    tell_wires(program, readout)
    tell_corrections(program, readout)
    device = settled(program, Chain.of(program.hardware, readout), device)
    for name, value in (("trials", trials), ("noise_trials", noise_trials)):
        one_integer(value, name, 1, MOST_TRIALS)
    _check_corrected(program, trials, budget)
    one_of(precision, "precision", get_args(Precision))
    measured, what = find_metric(metric)
    data = Data.of(program, inputs, labels, measured, Windows(window, stride, tokens))
    method = None if calibrate is None else _calibration(calibrate)
    limit = memory_limit(memory)
    run = Run(program, data, readout, precision, seed, device, limit)
    if method is not None:
        run.calibration = method
        run.calibration_data = _calibration_data(program, data, calibration)
    run.names = _names(budget)
    whens = conditions(time, temperature)
    check_conditions(program.chip, whens if whens != [(None, None)] else [], readout)
    run.when = whens[0]
    passes = trials * noise_trials
    passes += len(sets_of_effects(run.now(program), readout, run.names)) if budget else 0
    scored = labels is not None or metric is not None
    if one_of(compensate, "compensate", get_args(Compensation)) != "none":
        run.compensate = compensate
        run.known = Known.of(program, _known_data(program, data, calibration))
    run.progress = Progress(progress, len(data.batches) * (passes * len(whens) + scored))

    def found() -> Result:
        return run.result(trials, noise_trials, what, budget=bool(budget), scored=scored)

    alone = time is None and temperature is None
    result = found() if alone else Life.of(run.points(whens, found))
    if program.graph is not None:
        result = replace(result, digital_work=data.digital_work(program.graph))
    return replace(result, cost=run.cost()) if cost else result


def _check_corrected(program: Program, trials: int, budget: bool | Collection[str]) -> None:
    """Refuse what would read a program's digital corrections where they don't belong."""
    if program.corrections is None:
        return
    rest = "simulate program.uncorrected with compensate='columns', which finds them for each"
    if trials > 1 and program.chip.seed is not None and not program.decided:
        raise SpecError(
            f"trials must be 1 for a program with digital corrections, which are its own chip's, "
            f"not {trials}; {rest}"
        )
    if budget:
        raise SpecError(
            "budget must be False for a program with digital corrections, which were found with "
            f"all effects at once; {rest}"
        )


def _names(budget: bool | Collection[str]) -> Collection[str] | None:
    if isinstance(budget, bool):
        return None
    if not isinstance(budget, (str, list, tuple, set, frozenset)):
        raise SpecError(f"budget must be True, False or names of effects, not {shown(budget)}")
    return (budget,) if isinstance(budget, str) else budget


def _calibration(method: object) -> Calibration:
    return method if isinstance(method, Calibration) else Calibration(cast("Method", method))


def _calibration_data(program: Program, data: Data, given: Any) -> Data:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        if given < 1:
            raise SpecError(f"calibration must be at least 1 input, not {given}")
        return data.first(program, int(given))
    return Data.of(program, given, None)


def _known_data(program: Program, data: Data, given: Any) -> Data:
    """Data whose layers' inputs are known: some of the calibration data."""
    if isinstance(given, (int, np.integer)):
        return _calibration_data(program, data, min(int(given), INPUTS))
    return _calibration_data(program, data, given).first(program, INPUTS)
