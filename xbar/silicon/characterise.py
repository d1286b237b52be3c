"""The characterisation of a bank's branches in ngspice: some fifteen decks, one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from xbar.arrays import Floats
from xbar.errors import SpecError, warn
from xbar.silicon.branch import (
    Branches,
    Conditions,
    Copies,
    Sweep,
    conductance,
    sweep,
    sweep_temperatures,
)
from xbar.silicon.fit import fit_bend, fit_matching, fit_temperature
from xbar.silicon.mismatch import SMALL, Sample, sample_resistors, sample_switches
from xbar.silicon.model import BranchModel
from xbar.silicon.parts import Parts, branch_parts, rise_of_line

Report: TypeAlias = Callable[[int, int], None]
TEMPERATURES = np.linspace(-40.0, 125.0, 4)
"""Celsius of the temperature coefficients, equidistant; with that of the characterisation."""
SUPPLIES = (0.9, 1.1)
"""Supplies that are told, relative to the nominal one."""
_SHIFTS = np.linspace(-1.0, 1.0, 9)
"""Deviations of the threshold that are simulated for the law of a switch, over the largest."""
_REACH = 0.1
"""Volts: the largest deviation that is tried first."""
_REACHES = 0.01, 0.3
"""Volts: least and most of the largest deviation."""
_SIGMAS = 3.0
"""Largest deviation of a law over the standard deviation of the threshold."""
_CLOSE = 0.2
"""How much the largest deviation may differ from what is wanted, relative to it."""
_ROUNDS = 3
_POOR = 1e-3
"""Relative error of a law from which on it is warned of."""
_CHECKS = 8
"""Random deviations of each branch at which the law is compared with ngspice."""


@dataclass(frozen=True)
class Plan:
    """What a characterisation looks at.

    Attributes:
        temperature: celsius; None for the process's own.
        supply: volts at the gate of a closed switch; None for the switch's own.
        sigma: relative standard deviation of the resistors, one or K values, where the models of
            the process hold none or others are known; None to take that of the models.
        test: volts; G is the current's difference between +-test, by 2 test; 0, the default, for
            its slope at 0 V, with which a tile of ohmic cells is that of small signals.
        within: volts up to which c2, c3 and kink are fitted.
        sample: how many devices are drawn for their deviations, and with which seed.
    """

    temperature: float | None = None
    supply: float | None = None
    sigma: float | tuple[float, ...] | None = None
    test: float = 0.0
    within: float = 0.2
    sample: Sample = field(default_factory=Sample)


def characterise(
    branches: Branches, plan: Plan | None = None, report: Report | None = None
) -> BranchModel:
    """The model of a bank's branches.

    Args:
        branches: what they are.
        plan: what is looked at.
        report: called with the number of decks done and of all.

    Raises:
        SpecError: a value of the plan is out of range.
        ToolError: ngspice or the models are not installed.
        EngineError: ngspice failed.
        FileError: the models lack a corner.
    """
    return _Characterisation(branches, plan or Plan(), report or (lambda done, total: None)).run()


class _Characterisation:
    """The steps of one characterisation."""

    def __init__(self, branches: Branches, plan: Plan, report: Report) -> None:
        self.branches, self.plan = branches, plan
        process = branches.process
        celsius = process.temperature if plan.temperature is None else plan.temperature
        supply = branches.switch.supply if plan.supply is None else plan.supply
        _check(plan, supply, branches)
        self.at = Conditions(process.typical, celsius, supply)
        self.count = len(branches.length)
        self._report, self._done = report, 0
        self._total = 6 + len(process.skewed) + len(SUPPLIES) + self._draws_resistors
        self.notes: list[str] = []

    def run(self) -> BranchModel:
        branches, plan = self.branches, self.plan
        typical = self._sweep(self._on_and_off(), self.at, 0.3, 30)
        closed = typical.slope(plan.test)[: self.count]
        parts, threshold = self._parts()
        sigma = self._sigma_resistor(parts.resistance)
        bends = [
            fit_bend(*_within(typical, k, plan.within), closed[k], plan.test)
            for k in range(self.count)
        ]
        rise = rise_of_line(branches, self.at, plan.test)
        self._step()
        tempco, leaks, tempco_error = self._temperatures(typical)
        model = BranchModel(
            process=branches.process.name,
            length=branches.length,
            resistance=parts.resistance,
            series=branches.series,
            switch_resistance=parts.switch[0],
            switch_slope=parts.switch[1],
            switch_bend=parts.switch[2],
            switch_cubic=parts.switch[3],
            switch_share_slope=parts.share_slope,
            sigma_resistor=sigma,
            sigma_threshold=threshold,
            c2=np.array([bend.c2 for bend in bends]),
            c3=np.array([bend.c3 for bend in bends]),
            kink=np.array([bend.kink for bend in bends]),
            c2_slope=parts.c2_slope,
            rise=rise,
            off=np.abs(typical.slope(plan.within)[self.count :]),
            offset=typical.offset[: self.count],
            tempco=tempco,
            tempco_error=tempco_error,
            corners={name: self._moved(closed, corner=name) for name in branches.process.skewed},
            supplies={
                volts: self._moved(closed, supply=volts)
                for volts in (round(part * self.supply, 6) for part in SUPPLIES)
            },
            open=leaks,
            fit_error=0.0,
            bend_error=np.array([bend.error for bend in bends]),
            temperature=self.at.temperature,
            supply=self.supply,
            test=plan.test,
            within=plan.within,
            samples=plan.sample.copies,
            voltage=typical.voltage,
            current=typical.current[: self.count],
            notes=tuple(self.notes),
        )
        error = self._fit_error(model)
        if error > _POOR:
            warn(
                f"the law of the branches is off by {error:.1e} of G at deviations of up to 3 "
                f"sigma; at {self.supply:g} V the switches hardly conduct, or they are too narrow"
            )
        return replace(model, fit_error=error)

    @property
    def _draws_resistors(self) -> bool:
        """Whether the resistors' spread is that of a sample."""
        return self.plan.sigma is None and self.branches.process.resistor.mismatch

    @property
    def supply(self) -> float:
        assert self.at.supply is not None
        return self.at.supply

    def _sweep(self, copies: Copies, at: Conditions, limit: float, steps: int) -> Sweep:
        found = sweep(self.branches, copies, at, limit, steps)
        self._step()
        return found

    def _conductance(self, copies: Copies, at: Conditions) -> Floats:
        """(N,) siemens of copies of the branches."""
        found = conductance(self.branches, copies, at, self.plan.test)
        self._step()
        return found

    def _step(self) -> None:
        self._done += 1
        self._report(self._done, self._total)

    def _on_and_off(self) -> Copies:
        each, zero = np.arange(self.count), np.zeros(2 * self.count)
        return Copies(np.tile(each, 2), zero, zero, np.arange(2 * self.count) < self.count)

    def _moved(self, typical: Floats, **change: object) -> Floats:
        """(K,) relative change of G under another condition."""
        at = replace(self.at, **change)  # type: ignore[arg-type] # names and values of its fields
        return self._conductance(Copies.each(self.count), at) / typical - 1

    def _temperatures(self, typical: Sweep) -> tuple[Floats, dict[float, Floats], float]:
        """Coefficients (2, K), the open branches' siemens by temperature, the worst error of G."""
        volts, copies = self.plan.within, self._on_and_off()
        swept = sweep_temperatures(self.branches, copies, self.at, TEMPERATURES, volts)
        self._step()
        found = {self.at.temperature: typical.slope(volts)}
        found |= {
            float(celsius): each.slope(volts)
            for celsius, each in zip(TEMPERATURES, swept, strict=True)
        }
        celsius = np.array(sorted(found))
        both = np.array([found[each] for each in celsius.tolist()])
        closed, away = both[:, : self.count], celsius - self.at.temperature
        tempco = fit_temperature(celsius, closed, self.at.temperature)
        law = 1 + np.outer(away, tempco[0]) + np.outer(away**2, tempco[1])
        moved = closed / found[self.at.temperature][: self.count]
        leaks = np.abs(both[:, self.count :])
        off = dict(zip(celsius.tolist(), leaks, strict=True))
        return tempco, off, float(np.abs(moved - law).max())

    def _sigma_resistor(self, resistance: Floats) -> Floats:
        given, process = self.plan.sigma, self.branches.process
        if given is not None:
            return np.array(np.broadcast_to(np.asarray(given, dtype=np.float64), self.count))
        if not process.resistor.mismatch:
            note = (
                f"the models of {process.name} hold no mismatch of its resistor: the spread is "
                "that of the switches alone; give the resistor's own by sigma"
            )
            warn(note)
            self.notes.append(note)
            return np.zeros(self.count)
        drawn = sample_resistors(self.branches, self.plan.sample, self.at, self.plan.test or SMALL)
        self._step()
        sigma = drawn.std(axis=1, ddof=1) / drawn.mean(axis=1)
        return fit_matching(self.branches.length, resistance, sigma)

    def _parts(self) -> tuple[Parts, Floats]:
        """The branches taken apart, and (K,) volts, sigma of the switches' thresholds."""
        branches, volts = self.branches, self.plan.test
        drawn = sample_switches(branches, self.plan.sample, self.at)
        self._step()
        reach = np.full(self.count, _REACH)
        for _ in range(_ROUNDS):
            shifts = reach[:, None] * _SHIFTS
            parts = branch_parts(branches, self.at, volts, shifts)
            sigma = np.array(
                [
                    law.threshold(drawn[k] * law.resistance).std(ddof=1)
                    for k, law in enumerate(parts.laws)
                ]
            )
            # what the devices do matters, not what thresholds far from theirs would
            wanted = np.clip(_SIGMAS * sigma, *_REACHES)
            if np.all(np.abs(wanted / reach - 1) < _CLOSE):
                break
            reach = wanted
        self._step()
        return parts, sigma

    def _fit_error(self, model: BranchModel) -> float:
        """Worst relative error of the law at random deviations, clipped to three sigma."""
        rng = np.random.default_rng(self.plan.sample.seed)
        which = np.tile(np.arange(self.count), _CHECKS)
        deviates = np.clip(rng.standard_normal((2, len(which))), -3, 3)
        resistor = deviates[0] * model.sigma_resistor[which]
        threshold = deviates[1] * model.sigma_threshold[which]
        copies = Copies(which, resistor, threshold, np.ones(len(which), dtype=bool))
        found = self._conductance(copies, self.at)
        shape = (_CHECKS, self.count)
        law = model.deviated(resistor.reshape(shape), threshold.reshape(shape))
        return float(np.abs(law / found.reshape(shape) - 1).max())


def _within(found: Sweep, k: int, volts: float) -> tuple[Floats, Floats]:
    near = np.abs(found.voltage) <= volts + 1e-9
    return found.voltage[near], found.current[k, near]


def _check(plan: Plan, supply: float, branches: Branches) -> None:
    most = round(1.2 * branches.switch.supply, 9)
    if not 0 < supply <= most:
        raise SpecError(
            f"supply must be above 0 and at most {most:g} V, 1.2 times that of the switch "
            f"{branches.switch.name}, not {supply:g}"
        )
    least = 0.001 if plan.test else 0.0
    if not (least <= plan.test <= plan.within <= 0.3 and plan.within >= 0.01):
        raise SpecError(
            "test must be 0 or a voltage from 1 mV to within, and within one from 10 mV to 0.3 V, "
            f"not {plan.test:g} and {plan.within:g}"
        )
    sigma = np.asarray(0.0 if plan.sigma is None else plan.sigma, dtype=np.float64)
    count = len(branches.length)
    if sigma.shape not in ((), (count,)) or not np.all((sigma >= 0) & (sigma < 0.3)):
        raise SpecError(
            f"sigma must be one fraction below 0.3 or {count}, one a resistor, not {plan.sigma}"
        )
    if not 10 <= plan.sample.copies <= 20_000:
        raise SpecError(f"samples must be from 10 to 20,000, not {plan.sample.copies}")
